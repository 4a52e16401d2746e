//! Why a port could not do its work, said by what the caller can do next.

use std::time::Duration;

/// A port failed. Nothing is half written.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// Somebody else wrote at the same moment, and went on doing so over all tries: try again.
    #[error("another writer was faster")]
    Conflict,
    /// Too much at once: try again after a pause.
    #[error("throttled; try again after {retry_after:?}")]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The other side did not answer, or answered that it is broken: try again later. Whether a write happened is not known.
    #[error("the {what} is not available")]
    Unavailable {
        /// Which side.
        what: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be read: a person must look.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
}
