//! An account's campaigns.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use hantar_domain::campaign::{
    Campaign, Chunk, Claim, Counts, Order, Recipient, RecipientKey, ResultRow, Standing, Status, Watch,
};
use hantar_domain::ids::{CampaignId, DeviceId};
use hantar_domain::message::{Message, State, Turn};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use super::{Idempotency, PortError};

/// What became of a new campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It is stored, paid and under way. A repeat of the same one answers the same.
    New,
    /// The idempotency key stood for this one; nothing was written.
    Replayed(Box<Campaign>),
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
    /// Too few credits; nothing was written.
    Refused {
        /// What is there.
        balance: i64,
    },
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ordered {
    /// The campaign is as it was asked for; now, or since before.
    Done(Box<Campaign>),
    /// It is over.
    TooLate(Box<Campaign>),
    /// There is no such campaign.
    Missing,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// The messages that a campaign has to make now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimedRows {
    /// To whom, from the ordinal `done` on. `None` is somebody who was forgotten.
    pub recipients: Vec<Option<Recipient>>,
    /// The chunk that holds the recipient behind them.
    pub chunk: u64,
}

/// What a batch of changes adds to a campaign's counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CampaignDifferences {
    /// By state.
    pub states: BTreeMap<State, i64>,
    /// Messages that failed in a way that tells danger.
    pub refused: i64,
}

/// How far somebody is taken out of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgetting {
    /// Their traces were so many entries, none of them left; their messages are looked after as all others are.
    Done(u64),
    /// The campaign takes recipients in, or makes a message to them: look again soon.
    Later,
}

/// A part of a campaign's results.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// In the order in which they were taken in.
    pub rows: Vec<ResultRow>,
    /// Where to go on: behind this one. `None` at the end.
    pub next: Option<u64>,
}

/// An account's campaigns. Each change is conditional on the campaign being as it was seen: `false` says that somebody else
/// was faster (or the same step had been done before), and that it is to be looked at anew.
#[async_trait]
pub trait Campaigns: Send + Sync {
    /// Whether rows of these campaigns may go to the wire now, strongly consistent. At most 100.
    async fn standings(&self, ids: &[CampaignId]) -> Result<BTreeMap<CampaignId, Standing>, PortError>;

    /// Stores a new campaign, charges its upper bound and notes its work, in one transaction.
    async fn start(&self, campaign: &Campaign, idempotency: Option<&Idempotency>) -> Result<Started, PortError>;

    /// The campaign that an idempotency key stands for: `Some(None)` when the key stands for another request.
    async fn started_by(&self, wanted: &Idempotency, at: Timestamp) -> Result<Option<Option<Campaign>>, PortError>;

    /// One campaign, strongly consistent.
    async fn campaign(&self, id: CampaignId) -> Result<Option<Campaign>, PortError>;

    /// Campaigns before `before`, newest first, at most `limit`.
    async fn list(&self, before: Option<CampaignId>, limit: usize) -> Result<Vec<Campaign>, PortError>;

    /// Does what is asked of a campaign. An order that changes something notes its work in the same transaction.
    async fn order(
        &self,
        id: CampaignId,
        order: Order,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Ordered, PortError>;

    /// Moves a campaign's status from what was seen, for a reason if there is one.
    async fn turn(
        &self,
        campaign: &Campaign,
        status: Status,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, PortError>;

    /// Which of these recipients the campaign has. At most 1,000.
    async fn known(&self, id: CampaignId, keys: &[RecipientKey]) -> Result<BTreeSet<RecipientKey>, PortError>;

    /// Takes a chunk of recipients in, in one transaction with the cursor.
    async fn take(&self, campaign: &Campaign, chunk: &Chunk) -> Result<bool, PortError>;

    /// Says that all recipients are known, and gives back what was charged for nobody, in one transaction.
    async fn close(&self, campaign: &Campaign, at: Timestamp) -> Result<bool, PortError>;

    /// Claims the messages from `done` to `to`; only while the campaign runs, and none are claimed that are not made.
    async fn claim(
        &self,
        campaign: &Campaign,
        to: u64,
        claim: &Claim,
        paced_until: Option<Timestamp>,
        watch: Watch,
    ) -> Result<bool, PortError>;

    /// To whom the claimed messages are.
    async fn claimed(&self, campaign: &Campaign) -> Result<ClaimedRows, PortError>;

    /// Puts messages that are claimed, each with its turn; one that is there stays as it is.
    async fn put_rows(&self, messages: &[Message]) -> Result<(), PortError>;

    /// Takes back messages that are claimed: one that is there is cancelled if it can be, one that is not is stored as
    /// cancelled, so that whoever is late finds it. Each gives its credit back in the same transaction.
    async fn block_rows(&self, messages: &[Message], at: Timestamp) -> Result<(), PortError>;

    /// Says that all claimed messages are made; `chunk` is where the next ones begin.
    async fn made(&self, campaign: &Campaign, chunk: u64) -> Result<bool, PortError>;

    /// Gives back what was charged for messages that a cancelled campaign never makes, in one transaction.
    async fn release(&self, campaign: &Campaign, at: Timestamp) -> Result<bool, PortError>;

    /// The campaign rows in a device's line, in order, at most `limit`. May hold entries of messages that moved on.
    async fn turns(&self, device: DeviceId, limit: usize) -> Result<Vec<Turn>, PortError>;

    /// A campaign's messages by state, as counted by the relay so far.
    async fn counts(&self, id: CampaignId) -> Result<Counts, PortError>;

    /// The same of several campaigns, at most 100.
    async fn counts_of(&self, ids: &[CampaignId]) -> Result<BTreeMap<CampaignId, Counts>, PortError>;

    /// Up to which sequence number of stream shard `stream` a campaign's changes were counted.
    async fn counted_through(&self, id: CampaignId, stream: &str) -> Result<Option<u128>, PortError>;

    /// Adds differences to a campaign's counts, as [`super::Tenant::add_counts`] does to the account's.
    async fn add_counts(
        &self,
        id: CampaignId,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        differences: &CampaignDifferences,
    ) -> Result<bool, PortError>;

    /// Takes what is personal of somebody out of a campaign: as a recipient, and as one who was rejected. Repeatable.
    async fn forget(&self, campaign: &Campaign, person: &PhoneNumber) -> Result<Forgetting, PortError>;

    /// A part of what became of all whom a campaign was given: at most `limit` behind `after`.
    async fn results(&self, campaign: &Campaign, after: Option<u64>, limit: usize) -> Result<Results, PortError>;
}
