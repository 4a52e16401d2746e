//! SQS, and the one-machine queue.

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "embedded")]
pub mod embedded;
mod sqs;

pub use sqs::{SqsQueues, job_of_body};
