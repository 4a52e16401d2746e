//! All that knows the library: the rest of the host speaks of devices, messages and notices.

pub mod client;
mod content;
pub mod events;
mod http;
pub mod inbound;
pub mod outbox;
pub mod store;
pub mod tls;
pub mod transport;
pub mod version;
