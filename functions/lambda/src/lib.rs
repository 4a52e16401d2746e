//! The functions on AWS Lambda. Each binary in `src/bin` is a trigger's handler put on the ports; what they share is here:
//! the configuration, the ports on AWS, and what becomes of a batch.
//!
//! Nothing is kept between invocations but clients, unwrapped keys and a block of reserved numbers.

pub mod api;
pub mod batch;
pub mod config;
mod image;
pub mod program;
pub mod queue;
pub mod stack;
pub mod stream;
pub mod sweep;
mod time_left;

use hantar_domain::time::Timestamp;

/// When Lambda ends an invocation.
pub fn deadline_of(context: &lambda_runtime::Context) -> Timestamp {
    time_left::deadline(context.deadline)
}
