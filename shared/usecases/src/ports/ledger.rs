//! An account's money: every movement of its credits, and when somebody is to be told that they run low.

use async_trait::async_trait;
use hantar_domain::ledger::Movement;
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;

use super::{Idempotency, Orders, PortError};

/// How an account stands to the balance below which its people want to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warning {
    /// What may still be spent.
    pub available: i64,
    /// Below this the balance is low; 0 where nobody wants to be told.
    pub threshold: i64,
    /// How often it was told so far.
    pub told: u64,
    /// Whether it was told since the balance was high the last time.
    pub is_told: bool,
    /// When the last letter about it went out.
    pub letter_at: Option<Timestamp>,
}

/// An account's money: every movement of its credits.
#[async_trait]
pub trait Ledger: Orders + Send + Sync {
    /// Movements that no message stands for, the latest first, at most `limit`: those before `before`, which was given out
    /// by an earlier call.
    async fn noted(&self, before: Option<&Movement>, limit: usize) -> Result<Vec<Movement>, PortError>;

    /// How the balance stands to the threshold, strongly consistent.
    async fn warning(&self) -> Result<Warning, PortError>;

    /// Sets the threshold; 0 for none. `false` when the key stands for another request, and then nothing changes.
    async fn warn_below(
        &self,
        threshold: i64,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError>;

    /// Remembers that a low balance was told for the time of number `told`, counted from 1. Repeatable.
    async fn note_told(&self, told: u64) -> Result<(), PortError>;

    /// Remembers that the balance is high again after it was told `told` times. Repeatable.
    async fn note_high(&self, told: u64) -> Result<(), PortError>;

    /// Notes the work of writing a letter about a low balance, due at `at`. Repeatable.
    async fn ask_for_letter(&self, at: Timestamp) -> Result<(), PortError>;

    /// Remembers when the last letter went out.
    async fn note_letter(&self, at: Timestamp) -> Result<(), PortError>;

    /// Whom letters about money go to: the account's owners.
    async fn owners(&self) -> Result<Vec<User>, PortError>;
}
