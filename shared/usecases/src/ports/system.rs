//! Clock, randomness, key wrapping and calls to foreign addresses.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::egress::Target;
use hantar_domain::sealed::DataKey;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::Answer;

use super::PortError;

/// Time.
pub trait Clock: Send + Sync {
    /// The civil time. Within one process each reading is later than the one before.
    fn now(&self) -> Timestamp;

    /// How long the machine has been running, counting also while it slept. Never goes back.
    fn running(&self) -> Duration;
}

/// Waiting.
#[async_trait]
pub trait Sleep: Send + Sync {
    /// Comes back after `span`.
    async fn sleep(&self, span: Duration);
}

/// Randomness fit for secrets.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// Keeps data keys wrapped: a key service, or a key file on one machine.
#[async_trait]
pub trait KeyWrap: Send + Sync {
    /// Wraps a data key for the store.
    async fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, PortError>;

    /// Unwraps a stored data key.
    async fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, PortError>;
}

/// One call to a foreign address.
#[derive(Clone, Debug)]
pub struct Call {
    /// Where to. Its name is resolved, and each address checked, by the port.
    pub target: Target,
    /// Headers, in lower case. Without `content-type` the body is JSON.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAnswer {
    /// The answer, or why there was none.
    pub answer: Answer,
    /// The first bytes of the answer's body, as text.
    pub excerpt: String,
    /// The answer's body, as far as it was read: up to `MAX_ANSWER_BYTES`.
    pub body: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// A file that came whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Downloaded {
    /// The file.
    pub bytes: Vec<u8>,
    /// What the server says that it is.
    pub mime: Option<String>,
}

/// Why a file did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DownloadError {
    /// Nobody answered, or not to the end: it may come another time.
    #[error("the address did not answer")]
    Unreachable,
    /// The server answered something else.
    #[error("the server answered {0}")]
    Status(u16),
    /// It is larger than it may be.
    #[error("the file is too large")]
    TooLarge,
    /// The address, or one that it leads on to, may not be called.
    #[error("the address may not be called")]
    Address,
}

/// The guarded way to files at foreign addresses: public or listed ones alone, at most 3 redirects, bounded in time.
#[async_trait]
pub trait Download: Send + Sync {
    /// The file at `url`, of at most `most` bytes.
    async fn download(&self, url: &str, most: u64) -> Result<Downloaded, DownloadError>;
}

/// The guarded way to foreign addresses: public or listed ones alone, no redirects, bounded in time and size.
#[async_trait]
pub trait Egress: Send + Sync {
    /// Posts a call. Failures are answers, too.
    async fn post(&self, call: Call) -> CallAnswer;
}
