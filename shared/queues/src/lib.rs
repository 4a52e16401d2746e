//! SQS, and the one-machine queue.

#[cfg(feature = "embedded")]
pub mod embedded;
