//! One account's records. Made by [`Tenants::for_account`] and not otherwise, so that code without an account
//! cannot touch a tenant.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::account::Account;
use hantar_domain::credits::{Balance, PRICE};
use hantar_domain::device::{Device, PairingCode, Status};
use hantar_domain::ids::{AccountId, DeviceId, EndpointId, Epoch, MessageId, StanzaId, UserId};
use hantar_domain::message::{Direction, Fact, Message, State, Turn};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;
use hantar_domain::webhook::{Endpoint, EventId, EventKind};

use super::{
    AccountChange, Bulks, Campaigns, Commands, Consents, Contacts, Files, Ledger, People, PortError, Templates,
};

/// The only way to a tenant's records.
pub trait Tenants: Send + Sync {
    /// The records of one account. The number must come from a token, a session or the fleet's own records.
    fn for_account(&self, account: AccountId) -> Arc<dyn Tenant>;
}

/// A caller's idempotency key, as stored: valid for 24 hours by its own expiry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// SHA-256 of the key, with the kind of request in front.
    pub key: [u8; 32],
    /// SHA-256 of the request that it stands for.
    pub request: [u8; 32],
    /// When it stops counting.
    pub expires_at: Timestamp,
}

/// What accepting one message writes: in one transaction balance down if it suffices, message, open entry,
/// idempotency entry.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// The message: `queued`, or `held` until a scheduled time, with its first step in the history.
    pub message: Message,
    /// The caller's key.
    pub idempotency: Option<Idempotency>,
}

/// What became of an acceptance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is stored, charged and on its way. A repeat of the same acceptance answers the same.
    Stored,
    /// The idempotency key stood for this earlier message of the same request; nothing was written.
    Replayed(Box<Message>),
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
    /// Too few credits; nothing was written.
    Refused {
        /// What is there.
        balance: i64,
    },
}

/// What became of a fact about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The state moved; this is the message now.
    Moved(Box<Message>),
    /// The fact came late or twice; nothing changed. This is the message as it is.
    Unchanged(Box<Message>),
    /// There is no such message.
    Missing,
}

/// What became of a cancellation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Cancelled, and its credit given back. Also for a repeat with the same idempotency key.
    Done(Box<Message>),
    /// It is past cancelling.
    TooLate(Box<Message>),
    /// There is no such message.
    Missing,
    /// The idempotency key stands for another request.
    KeyReused,
}

/// Why a message is refused or nacked: moves it to `failed` and gives its credit back in one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// [`Fact::Nacked`] or [`Fact::Refused`].
    pub fact: Fact,
    /// A stable code, such as `whatsapp_463`.
    pub code: String,
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The message with its number, direction inbound, state delivered.
    pub message: Message,
    /// The chat it stands in, as WhatsApp names it.
    pub chat: String,
    /// Who wrote it, as WhatsApp names them.
    pub sender: String,
}

/// What became of a received message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reception {
    /// Stored.
    New,
    /// The same (chat, sender, id) was stored before.
    Known,
}

/// Which messages a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageFilter {
    /// In this state.
    pub status: Option<State>,
    /// Of this device.
    pub device: Option<DeviceId>,
    /// In or out.
    pub direction: Option<Direction>,
    /// With this number.
    pub phone: Option<PhoneNumber>,
    /// With this reference of the caller's.
    pub external_id: Option<String>,
    /// Of these numbers, from the first to before the second: a campaign has all of its own.
    pub within: Option<(MessageId, MessageId)>,
    /// Accepted at or after.
    pub from: Option<Timestamp>,
    /// Accepted before.
    pub to: Option<Timestamp>,
}

/// One page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePage {
    /// The messages.
    pub messages: Vec<Message>,
    /// The last message that was looked at, shown or not: older ones may follow it. `None` at the end of the list.
    pub older: Option<MessageId>,
}

/// How many outbound messages stand in each state, and how many came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateCounts {
    /// Outbound, by state.
    pub outbound: BTreeMap<State, u64>,
    /// Inbound.
    pub inbound: u64,
}

/// A change of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// Somebody wants a QR code until then.
    PairingWanted(Timestamp),
    /// The host shows this code; `None` takes it away.
    PairingCode(Option<PairingCode>),
    /// A number was linked.
    Linked {
        /// The number.
        phone: PhoneNumber,
        /// Its hidden id, without the server.
        lid: Option<String>,
    },
    /// The status changed: raises the device's `status_seq` unless status and reason are what they were.
    Status {
        /// The new status.
        status: Status,
        /// Why.
        reason: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A frame came.
    Seen(Timestamp),
}

/// A created thing: new, or from an earlier run of the same request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created<T> {
    /// Stored now.
    New,
    /// The idempotency key stood for this one.
    Replayed(Box<T>),
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
    /// The account has as many as it may have; nothing was written.
    Full,
}

/// What became of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// Deleted. Also for a repeat with the same idempotency key.
    Done,
    /// There is no such thing.
    Missing,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// A device's line as far as it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenTurns {
    /// In their order.
    pub turns: Vec<Turn>,
    /// When the first of the scheduled messages that are not due yet will be, where the look came as far.
    pub next_due: Option<Timestamp>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be attempted.
    Pending,
    /// The subscriber took it.
    Delivered,
    /// All attempts used up, or the endpoint is gone.
    GivenUp,
}

/// One attempt of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// A stable code, where none came.
    pub failure: Option<String>,
    /// The first bytes of the answer.
    pub excerpt: String,
}

/// What became of a change of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointChange {
    /// It is stored.
    Done,
    /// The idempotency key stood for this change; nothing was written.
    Before,
    /// There is no such endpoint.
    Missing,
    /// It is no longer as it was seen; nothing was written.
    Moved,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// One event on its way to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To which endpoint.
    pub endpoint: EndpointId,
    /// Which event.
    pub event: EventId,
    /// Its kind.
    pub kind: EventKind,
    /// The body, the same on every attempt.
    pub body: String,
    /// How it stands.
    pub state: DeliveryState,
    /// When the next attempt is due, while pending.
    pub due_at: Timestamp,
    /// The attempts so far, oldest first.
    pub attempts: Vec<Attempt>,
}

/// What the stream says about a business record, already read back into the domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A message was stored or changed. The old history is a beginning of the new one.
    Message {
        /// As it was; `None` when it is new.
        old: Option<Box<Message>>,
        /// As it is.
        new: Box<Message>,
    },
    /// A device was stored or changed.
    Device {
        /// As it was; `None` when it is new.
        old: Option<Box<Device>>,
        /// As it is.
        new: Box<Device>,
    },
}

/// One account's records.
#[async_trait]
pub trait Tenant: Commands + Send + Sync {
    /// Its contacts and their groups.
    fn contacts(&self) -> &dyn Contacts;

    /// Who may be written to.
    fn consents(&self) -> &dyn Consents;

    /// Its templates.
    fn templates(&self) -> &dyn Templates;

    /// Its bulks.
    fn bulks(&self) -> &dyn Bulks;

    /// Its campaigns.
    fn campaigns(&self) -> &dyn Campaigns;

    /// Its imports and exports.
    fn files(&self) -> &dyn Files;

    /// Its money.
    fn ledger(&self) -> &dyn Ledger;

    /// Its people, and what they did.
    fn people(&self) -> &dyn People;

    /// The account.
    async fn account(&self) -> Result<Option<Account>, PortError>;

    /// Changes what the account says of itself; a repeat changes nothing more. `false` when the idempotency key stands for
    /// another request, and then nothing is written.
    async fn change_account(
        &self,
        change: &AccountChange,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError>;

    /// The account's data key, wrapped.
    async fn wrapped_key(&self) -> Result<Option<Vec<u8>>, PortError>;

    /// A person of the account.
    async fn user(&self, id: UserId) -> Result<Option<User>, PortError>;

    /// What accepting a message begins with, in one read, strongly consistent: the account, the device (the default one
    /// when `device` is absent), and who sends, where that is a person.
    async fn sending_from(
        &self,
        device: Option<DeviceId>,
        sender: Option<UserId>,
    ) -> Result<(Option<Account>, Option<Device>, Option<User>), PortError>;

    /// What one message costs, in credits: nothing where the installation charges for nothing. Whoever charges for messages,
    /// or sets credits aside for them, asks here, and stores the answer with the message.
    fn price(&self) -> i64 {
        PRICE
    }

    /// The credits, strongly consistent.
    async fn balance(&self) -> Result<Balance, PortError>;

    /// Puts credits in. Not repeatable unless `movement` (a unique name) is the same: then a repeat changes nothing.
    async fn grant(&self, credits: i64, movement: &str, at: Timestamp) -> Result<Balance, PortError>;

    /// Accepts a message.
    async fn accept(&self, acceptance: &Acceptance) -> Result<Accepted, PortError>;

    /// The message that this key stands for, if it stands for one of the same request.
    async fn accepted_before(&self, idempotency: &Idempotency, now: Timestamp) -> Result<Option<Message>, PortError>;

    /// One message, strongly consistent.
    async fn message(&self, id: MessageId) -> Result<Option<Message>, PortError>;

    /// Several messages, strongly consistent, in the order asked for; missing ones are left out.
    async fn messages(&self, ids: &[MessageId]) -> Result<Vec<Message>, PortError>;

    /// A page of messages older than `before`, newest first. Reads a bounded number of items: a page may be short, or
    /// empty, although more follow; [`MessagePage::older`] leads on.
    async fn list_messages(
        &self,
        filter: &MessageFilter,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<MessagePage, PortError>;

    /// How many messages stand in each state, as counted by the relay so far.
    async fn state_counts(&self) -> Result<StateCounts, PortError>;

    /// Up to which sequence number of stream shard `stream` changes were counted.
    async fn counted_through(&self, stream: &str) -> Result<Option<u128>, PortError>;

    /// Adds differences to the counts, for the records of stream shard `stream` after `seen` up to `through`; in one
    /// write with the new mark, conditional on the mark being at `seen`. `false` when it was not: nothing is added.
    async fn add_counts(
        &self,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        differences: &[(Direction, State, i64)],
    ) -> Result<bool, PortError>;

    /// Takes a message to the wire: `queued` or `held` to `dispatched`, stamped with the owner's epoch. For one that is
    /// `dispatched` already under an epoch not later than `epoch`, restamps it and answers `Unchanged`. Unless the
    /// answer is `Moved` to or `Unchanged` in `dispatched`, nothing may be written to the socket.
    async fn dispatch(&self, id: MessageId, epoch: Epoch, at: Timestamp) -> Result<Applied, PortError>;

    /// Keeps with a message that is not on the wire yet where WhatsApp's servers have its file. Repeatable; `false` where
    /// the message has moved on, or is gone.
    async fn attach(&self, id: MessageId, attached: &[u8]) -> Result<bool, PortError>;

    /// Holds a queued message until `until`, for `code`; or extends a hold, with a step of its own where `code` is another
    /// one than it was held for.
    async fn hold(&self, id: MessageId, until: Timestamp, code: &str, at: Timestamp) -> Result<Applied, PortError>;

    /// Records an answer or receipt: [`Fact::Acknowledged`], [`Fact::Delivered`], [`Fact::Read`], [`Fact::Played`] or
    /// [`Fact::Silence`]. Never moves money. Takes the message out of its device's line (or the line of unknown ones)
    /// as the new state asks.
    async fn record(&self, id: MessageId, fact: Fact, at: Timestamp) -> Result<Applied, PortError>;

    /// Fails a message and gives its credit back, in one transaction.
    async fn refuse(&self, id: MessageId, refusal: &Refusal, at: Timestamp) -> Result<Applied, PortError>;

    /// Cancels a message that has not reached the wire and gives its credit back, in one transaction.
    async fn cancel(
        &self,
        id: MessageId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Cancelled, PortError>;

    /// Gives back the credit of a message that was `unknown` for long enough: conditional on it being `unknown` still
    /// and not refunded. `false` when there was nothing to do.
    async fn refund_unknown(&self, id: MessageId, at: Timestamp) -> Result<bool, PortError>;

    /// Stores received messages, each once by (device, chat, sender, id). One answer for each, in order.
    async fn receive(&self, messages: &[Inbound]) -> Result<Vec<Reception>, PortError>;

    /// Whether `phone` wrote to `device` at or after `since`.
    async fn wrote_since(&self, device: DeviceId, phone: &PhoneNumber, since: Timestamp) -> Result<bool, PortError>;

    /// The open messages of a device (queued, held, dispatched) in the order of their turns, strongly consistent, at
    /// most `limit`. Scheduled ones take their turns when they are due at `now`; until then they stand aside, and hide
    /// nobody. May hold entries of messages that moved on: [`Tenant::forget_turn`] clears those away.
    async fn open_turns(&self, device: DeviceId, now: Timestamp, limit: usize) -> Result<OpenTurns, PortError>;

    /// Takes an entry out of a device's line whose message is open no more.
    async fn forget_turn(&self, device: DeviceId, turn: Turn) -> Result<(), PortError>;

    /// The `unknown` messages of a device that are not refunded, oldest first, at most `limit`.
    async fn unknown_messages(&self, device: DeviceId, limit: usize) -> Result<Vec<MessageId>, PortError>;

    /// All devices of the account, by number.
    async fn devices(&self) -> Result<Vec<Device>, PortError>;

    /// One device, strongly consistent.
    async fn device(&self, id: DeviceId) -> Result<Option<Device>, PortError>;

    /// Stores a new device and enters it in its shard. A repeat changes nothing.
    async fn add_device(&self, device: &Device) -> Result<(), PortError>;

    /// Changes a device; answers it as it is afterwards, `None` when there is none. A repeat changes nothing more.
    /// With an epoch (a host's change) it is refused as [`PortError::Conflict`] when a later epoch has changed it before.
    async fn change_device(
        &self,
        id: DeviceId,
        change: &DeviceChange,
        epoch: Option<Epoch>,
    ) -> Result<Option<Device>, PortError>;

    /// The webhook endpoints of the account, by number.
    async fn endpoints(&self) -> Result<Vec<Endpoint>, PortError>;

    /// One endpoint.
    async fn endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, PortError>;

    /// Stores a new endpoint, unless the account has `most` already.
    async fn add_endpoint(
        &self,
        endpoint: &Endpoint,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Endpoint>, PortError>;

    /// Stores an endpoint that was changed, in place of the one that was `seen`, in one transaction with the key.
    async fn change_endpoint(
        &self,
        seen: &Endpoint,
        endpoint: &Endpoint,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<EndpointChange, PortError>;

    /// Deletes an endpoint.
    async fn delete_endpoint(
        &self,
        id: EndpointId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;

    /// Switches an endpoint off for `reason`.
    async fn disable_endpoint(&self, id: EndpointId, reason: &str) -> Result<(), PortError>;

    /// Stores a delivery to be made, with its entry among the due ones. `false` when it was stored before.
    async fn add_delivery(&self, delivery: &Delivery) -> Result<bool, PortError>;

    /// One delivery, strongly consistent.
    async fn delivery(&self, endpoint: EndpointId, event: &EventId) -> Result<Option<Delivery>, PortError>;

    /// Appends an attempt and sets the delivery's state and next due time; conditional on `made` attempts before it.
    /// `false` when another worker was faster.
    async fn record_attempt(
        &self,
        delivery: &Delivery,
        made: usize,
        attempt: &Attempt,
        state: DeliveryState,
        due_at: Timestamp,
    ) -> Result<bool, PortError>;

    /// Puts a delivery's next attempt off without one having been made: so that two workers do not attempt it at once.
    /// Conditional on its due time being `seen`; `false` when another worker was faster.
    async fn claim_delivery(&self, delivery: &Delivery, due_at: Timestamp) -> Result<bool, PortError>;

    /// The open message or received message with this stanza id of a device, for stanza ids that lead to no message
    /// by themselves. Only received ones have such an entry.
    async fn received(
        &self,
        device: DeviceId,
        chat: &str,
        sender: &str,
        stanza: &StanzaId,
    ) -> Result<Option<MessageId>, PortError>;
}
