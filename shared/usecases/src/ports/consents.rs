//! Who may be written to: an account's consent ledger.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::consent::{Consent, Settings, Standing};
use hantar_domain::ids::DeviceId;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use super::{Idempotency, PortError};

/// How somebody stands to an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// When they last wrote to the device; remembered for some days.
    pub wrote_at: Option<Timestamp>,
    /// What they last said about being written to.
    pub standing: Option<Standing>,
}

/// What became of noting a consent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is in the ledger, as this entry: now, or since an earlier run.
    Done(Box<Consent>),
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// A part of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsentPage {
    /// Newest first. All of one moment are on one page, but for more than a thousand.
    pub entries: Vec<Consent>,
    /// Where to go on: before this moment. `None` at the end.
    pub before: Option<Timestamp>,
}

/// An account's consent ledger.
#[async_trait]
pub trait Consents: Send + Sync {
    /// Which of these numbers asked not to be written to, strongly consistent. At most 1,000.
    async fn suppressed(&self, phones: &[PhoneNumber]) -> Result<BTreeSet<PhoneNumber>, PortError>;

    /// How somebody stands to the account and this device, in one read, strongly consistent.
    async fn peer(&self, device: DeviceId, phone: &PhoneNumber) -> Result<Peer, PortError>;

    /// What a number last said, strongly consistent.
    async fn standing(&self, phone: &PhoneNumber) -> Result<Option<Standing>, PortError>;

    /// Enters something into the ledger. What a number said last counts, by the time at which it was said, in whatever
    /// order it becomes known. [`Consent::turned`] is found out here; `name` tells entries of one number and moment apart:
    /// a repeat under the same one changes nothing, and answers the entry of before.
    async fn note_consent(
        &self,
        entry: &Consent,
        name: &str,
        idempotency: Option<&Idempotency>,
    ) -> Result<Noted, PortError>;

    /// What a number said and when, newest first, at most `limit`.
    async fn consents_of(&self, phone: &PhoneNumber, limit: usize) -> Result<Vec<Consent>, PortError>;

    /// The ledger before a moment, newest first.
    async fn consents(&self, before: Option<Timestamp>, limit: usize) -> Result<ConsentPage, PortError>;

    /// What the account has decided about consent.
    async fn consent_settings(&self) -> Result<Settings, PortError>;

    /// Decides anew. `false` when the idempotency key stands for another request, and then nothing is written.
    async fn set_consent_settings(
        &self,
        settings: &Settings,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError>;
}
