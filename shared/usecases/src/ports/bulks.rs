//! An account's bulks: many messages accepted in one request.

use async_trait::async_trait;
use hantar_domain::bulk::Bulk;
use hantar_domain::ids::BulkId;
use hantar_domain::message::Message;
use hantar_domain::time::Timestamp;

use super::{Idempotency, PortError};

/// What became of a bulk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BulkAccepted {
    /// It is stored and charged. A repeat of the same one answers the same.
    Stored,
    /// The idempotency key stood for this earlier one of the same request; nothing was written.
    Replayed(Box<Bulk>),
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
    /// Too few credits for all of its rows; nothing was written.
    Refused {
        /// What is there.
        balance: i64,
    },
}

/// An account's bulks: many messages accepted in one request.
#[async_trait]
pub trait Bulks: Send + Sync {
    /// Accepts a bulk: in one transaction balance down by all accepted rows if it suffices, bulk, idempotency entry, and the
    /// entry of the work that stores its messages, due at `due`.
    async fn accept_bulk(
        &self,
        bulk: &Bulk,
        due: Timestamp,
        idempotency: Option<&Idempotency>,
    ) -> Result<BulkAccepted, PortError>;

    /// What a key stands for: [`BulkAccepted::Replayed`] or [`BulkAccepted::KeyReused`]; `None` for nothing.
    async fn bulk_of_key(&self, idempotency: &Idempotency, now: Timestamp) -> Result<Option<BulkAccepted>, PortError>;

    /// One bulk, strongly consistent.
    async fn bulk(&self, id: BulkId) -> Result<Option<Bulk>, PortError>;

    /// Stores messages that are paid for, each with its entry in its device's line. Those that are there already stay as they
    /// are. Repeatable; after an error some may be stored.
    async fn put_messages(&self, messages: &[Message]) -> Result<(), PortError>;

    /// Whether messages of a bulk that was accepted up to `until` are still to be stored.
    async fn unfinished(&self, until: Timestamp) -> Result<bool, PortError>;

    /// All messages of a bulk are stored. Repeatable.
    async fn finish_bulk(&self, id: BulkId) -> Result<(), PortError>;
}
