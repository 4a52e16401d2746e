//! What the target supplies: clock, entropy, guarded egress, SDK connectors.

pub mod aws;
#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "embedded")]
pub mod faults;
