//! Forgetting people who ask for it, with a proof of each.

use async_trait::async_trait;
use hantar_domain::erasure::Erasure;
use hantar_domain::ids::{CampaignId, ErasureId, MessageId};
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use super::{Created, Idempotency, PortError};

/// How far an erasure came that is not finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasing {
    /// The proof, as it will be read.
    pub erasure: Erasure,
    /// The person's number. Forgotten when all is done.
    pub phone: PhoneNumber,
    /// Campaigns down to this one were looked at, the newest first; `None` before the newest.
    pub campaign: Option<CampaignId>,
    /// Whether all campaigns were. Messages follow, because campaigns make them.
    pub campaigns_walked: bool,
    /// Messages up to this one were looked at; `None` before the first.
    pub after: Option<MessageId>,
    /// Whether all messages were.
    pub walked: bool,
    /// Messages that could not be blanked yet.
    pub waiting: Vec<MessageId>,
    /// Raised by each step, so that of two that do the same step one is noted.
    pub version: u64,
}

/// A part of all messages, as far as they are with one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonMessages {
    /// Those with that person, and those that this erasure has blanked already.
    pub messages: Vec<Message>,
    /// Where to go on: after this one. `None` at the end.
    pub next: Option<MessageId>,
}

/// An account's erasures.
#[async_trait]
pub trait Erasures: Send + Sync {
    /// What an idempotency key stands for, if it stands for anything: an erasure, or another request.
    async fn erasure_under(&self, key: &Idempotency, at: Timestamp) -> Result<Option<Created<Erasure>>, PortError>;

    /// Notes an erasure, and the long work that does it.
    async fn add_erasure(
        &self,
        erasure: &Erasure,
        phone: &PhoneNumber,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Erasure>, PortError>;

    /// One erasure, strongly consistent.
    async fn erasure(&self, id: ErasureId) -> Result<Option<Erasure>, PortError>;

    /// Erasures, newest first: at most `limit` that are older than `before`.
    async fn erasures(&self, before: Option<ErasureId>, limit: usize) -> Result<Vec<Erasure>, PortError>;

    /// An erasure that is not finished.
    async fn erasing(&self, id: ErasureId) -> Result<Option<Erasing>, PortError>;

    /// Notes how far an erasure came: `false` when somebody else noted a step meanwhile. With an end it is finished, and
    /// the number is forgotten.
    async fn note_erasing(&self, erasing: &Erasing) -> Result<bool, PortError>;

    /// A part of the account's messages behind `after`, in order of their numbers, as far as they concern an erasure.
    async fn messages_of_person(
        &self,
        phone: &PhoneNumber,
        erasure: ErasureId,
        after: Option<MessageId>,
    ) -> Result<PersonMessages, PortError>;

    /// Takes what is personal out of a message: number, hidden id, name and text; and out of the events about it that are
    /// kept. Repeatable.
    async fn blank_message(&self, message: &Message, erasure: ErasureId) -> Result<(), PortError>;

    /// Forgets when the person last wrote to each device. Repeatable.
    async fn forget_peer(&self, phone: &PhoneNumber) -> Result<(), PortError>;
}
