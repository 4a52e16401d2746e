//! The process part that holds the WhatsApp sockets.
//!
//! A [`DeviceHost`] takes shards by lease, runs one task per device of its shards, and gives everything back when it is
//! drained. All it knows is in the tables: another host goes on where this one stopped.

#[cfg(feature = "simulator")]
pub mod brink;
mod device;
mod host;
mod intake;
mod metrics;
#[cfg(feature = "service")]
pub mod program;
mod rate;
mod shards;
mod standing;
mod whatsapp;

pub use host::{DeviceHost, HostConfig, HostError, HostFacts, HostParts, WhatsAppServer};
pub use whatsapp::tls::TlsError;
pub use whatsapp::transport::AddressError;
