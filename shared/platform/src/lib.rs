//! What the target supplies: clock, entropy, guarded egress, SDK connectors.

pub mod aws;
pub mod clock;
#[cfg(feature = "native")]
pub mod egress;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod entropy;
#[cfg(feature = "embedded")]
pub mod faults;
#[cfg(feature = "native")]
pub mod key_file;
#[cfg(feature = "tokio")]
pub mod sleep;
