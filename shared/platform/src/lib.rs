//! What the target supplies: clock, entropy, guarded egress, SDK connectors.

pub mod aws;
#[cfg(any(feature = "native", feature = "worker"))]
mod billing;
pub mod blobs;
pub mod clock;
#[cfg(all(feature = "kms", feature = "native"))]
pub mod cloud;
#[cfg(feature = "native")]
pub mod egress;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod entropy;
#[cfg(feature = "embedded")]
pub mod faults;
#[cfg(feature = "worker")]
pub mod fetch;
#[cfg(feature = "native")]
pub mod key_file;
#[cfg(feature = "kms")]
pub mod kms;
pub mod mail;
#[cfg(feature = "native")]
pub mod secret;
#[cfg(any(feature = "tokio", feature = "worker"))]
pub mod sleep;
#[cfg(any(feature = "native", feature = "worker"))]
pub mod variables;
