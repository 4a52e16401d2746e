//! The functions on the embedded engines: batches through an event source mapping, queues' batches, time limits, and the real
//! programs behind a Runtime API.
#![expect(clippy::unwrap_used, reason = "tests")]

mod batches;
mod programs;
mod stream;
mod world;
