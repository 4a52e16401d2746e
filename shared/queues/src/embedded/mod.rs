//! SQS inside this process, on one SQLite file: the doorbells of `hantar up` and of the tests.
//!
//! Standard queues only, with what this product uses of them: send, receive with long poll, delete, visibility,
//! delays, redrive to a dead-letter queue, attributes and purge, by the names, limits and error codes of AWS
//! (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/>). No FIFO queues, message attributes,
//! tags or policies.
//!
//! Durability: WAL with synchronous NORMAL. A killed process loses nothing; a power failure may lose the latest
//! messages, which doorbells may be.

mod connector;
mod engine;
mod errors;
mod messages;
mod queues;
mod requests;
mod schema;

pub use self::engine::{Now, QueueEngine};

/// Why a queue file cannot be used. Failures of single calls are answered as SQS answers them.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file cannot be opened, is no queue file, or a newer release wrote it. Repeating does not help.
    #[error("the queue file cannot be opened")]
    Open(#[source] rusqlite::Error),
    /// The file was written by a newer release.
    #[error("the queue file has version {found}, this release knows up to {known}")]
    Newer {
        /// The file's version.
        found: i64,
        /// This release's version.
        known: i64,
    },
}

#[cfg(test)]
mod tests;
