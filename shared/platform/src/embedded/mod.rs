//! DynamoDB inside this process, on one SQLite file: what `hantar up` and the tests run on instead of AWS.
//!
//! The engine is `dynoxide-rs` (pinned: its behaviour changes in minor releases). We drive its actions over
//! connections of our own instead of its `Database`, for four reasons: that type holds one lock for reads and writes
//! alike, admits no SQLite settings, keeps the answers to `ClientRequestToken`s in a map it walks on every
//! transaction, and offers no way to delete stream records.
//!
//! What differs from AWS, and is known: transactions never conflict (see [`crate::faults`]), every read is
//! consistent, indexes never lag, and the memory of `ClientRequestToken`s ends with the process.

mod connector;
mod crew;
mod dispatch;
mod engine;
mod stream;
mod tokens;
mod writer;

use std::path::PathBuf;

pub(crate) use self::connector::answer;
pub use self::engine::DynamoEngine;
pub use self::stream::{Item, StreamEvent, StreamRecord};

/// Why the engine could not do what it was asked. Failures of single DynamoDB calls are not among these: they are
/// answered as DynamoDB answers them.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The file cannot be opened, is no database of ours, or a newer release wrote it. Repeating does not help.
    #[error("the database {path} cannot be opened")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the engine said.
        #[source]
        source: dynoxide::DynoxideError,
    },
    /// No folder for a database in memory could be made.
    #[error("no temporary folder can be made")]
    Folder(#[source] std::io::Error),
    /// What was written may not have reached the disk. May be repeated, once there is room.
    #[error("the database's log cannot be flushed: {0}")]
    Flush(String),
    /// The database refused: busy for seconds, full disk, damaged file. May be repeated.
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    /// A call of the engine itself failed. May be repeated.
    #[error("the database engine failed")]
    Engine(#[source] dynoxide::DynoxideError),
    /// A stream record is not what the engine writes. Repeating does not help.
    #[error("stream record {sequence} of table {table} cannot be read")]
    Corrupt {
        /// The streamed table.
        table: String,
        /// The record's number.
        sequence: u64,
    },
    /// The work was lost: the runtime is going down, or the engine panicked.
    #[error("the database work was lost")]
    Lost,
}

#[cfg(test)]
pub(crate) mod tests;
