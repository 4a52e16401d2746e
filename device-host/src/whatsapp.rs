//! All that knows the library: the rest of the host speaks of devices, messages and notices.

pub(crate) mod client;
mod content;
mod ending;
pub(crate) mod events;
mod http;
pub(crate) mod inbound;
pub(crate) mod outbox;
mod runtime;
pub(crate) mod store;
pub(crate) mod tls;
pub(crate) mod transport;
pub(crate) mod version;

pub(crate) use ending::Ending;
