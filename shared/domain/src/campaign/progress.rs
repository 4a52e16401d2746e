//! How far a campaign came, in recipients, and what of its money is still owed back.
//!
//! The whole upper bound is charged when a campaign is made. What was charged for nobody is given back when all recipients
//! are known, and what was charged for messages that are never made is given back when the campaign is taken back. From
//! then on each message carries its own credit. At the end bound = released + claimed.

use std::collections::BTreeMap;

use super::recipient::Rejection;

/// How far a campaign came, in recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// At most so many can be written to: what was charged for.
    pub bound: u64,
    /// Whether all recipients are known.
    pub expanded: bool,
    /// Recipients who are written to, as far as they are known.
    pub accepted: u64,
    /// Recipients who are not, by reason.
    pub rejected: BTreeMap<Rejection, u64>,
    /// Up to this ordinal messages were begun to be made. Never more than `accepted`.
    pub claimed: u64,
    /// Up to this ordinal they are made. Never more than `claimed`.
    pub done: u64,
    /// Credits of the bound that were given back.
    pub released: u64,
}

impl Progress {
    /// A campaign of at most so many recipients, none of which are known.
    pub fn of(bound: u64) -> Self {
        Self { bound, ..Self::default() }
    }

    /// All that were looked at.
    pub fn seen(&self) -> u64 {
        self.accepted + self.rejected_in_all()
    }

    /// All that are not written to.
    pub fn rejected_in_all(&self) -> u64 {
        self.rejected.values().sum()
    }

    /// How many can still be accepted.
    pub const fn left(&self) -> u64 {
        self.bound.saturating_sub(self.accepted)
    }

    /// Takes a chunk in.
    pub fn take(&mut self, accepted: u64, rejected: impl IntoIterator<Item = Rejection>) {
        self.accepted += accepted;
        for reason in rejected {
            *self.rejected.entry(reason).or_default() += 1;
        }
    }

    /// What is owed back once all recipients are known.
    pub const fn surplus(&self) -> u64 {
        self.bound.saturating_sub(self.accepted + self.released)
    }

    /// What is owed back once no further message is made.
    pub const fn remainder(&self) -> u64 {
        self.bound.saturating_sub(self.claimed + self.released)
    }

    /// Whether all recipients are known and have their messages.
    pub const fn is_made(&self) -> bool {
        self.expanded && self.done == self.accepted
    }
}
