//! What a campaign's numbers come to for whoever looks at it.

use std::collections::BTreeMap;

use super::{Campaign, Rejection, Status, Watch, eta};
use crate::device::Device;
use crate::message::{Message, State};
use crate::pacing::Pacing;
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// A campaign's messages as counted by the relay so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// By state.
    pub states: BTreeMap<State, u64>,
    /// Those that failed in a way that tells danger.
    pub refused: u64,
}

impl Counts {
    /// How many stand in these states.
    pub fn of(&self, states: &[State]) -> u64 {
        states.iter().filter_map(|state| self.states.get(state)).sum()
    }

    /// All messages.
    pub fn made(&self) -> u64 {
        self.states.values().sum()
    }

    /// What danger is judged by.
    pub fn watch(&self) -> Watch {
        let taken = self.of(&[State::Sent, State::Delivered, State::Read, State::Played]);
        Watch { answered: taken + self.refused, refused: self.refused }
    }
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many are written to; at most, while not all recipients are known.
    pub total: u64,
    /// How many have no message yet.
    pub pending: u64,
    /// How many never get one, because the campaign was taken back before.
    pub never: u64,
    /// How much of it is settled, in percent, rounded down.
    pub progress: u64,
    /// When the last message will have left.
    pub eta: Option<Timestamp>,
}

impl Figures {
    /// The figures of a campaign whose messages were counted so, at `now`.
    pub fn of(campaign: &Campaign, counts: &Counts, devices: &[Device], pacing: Pacing, now: Timestamp) -> Self {
        let progress = &campaign.progress;
        let known = progress.expanded || campaign.status.is_over();
        let total = if known { progress.accepted } else { progress.bound };
        let taken_back = matches!(campaign.status, Status::Cancelled | Status::Failed);
        let never = if taken_back { progress.accepted - progress.claimed } else { 0 };
        let pending = total.saturating_sub(counts.made() + never);
        let waits = counts.of(&[State::Queued, State::Held]);
        let settled = total.saturating_sub(pending + waits + counts.of(&[State::Dispatched]));
        let runs = matches!(campaign.status, Status::Scheduled | Status::Running);
        let able = campaign.usable(devices).map_or(0, |devices| devices.len() as u64);
        let start = campaign.scheduled_at.map_or(now, |due| due.max(now));
        let eta = eta(start, pending + waits, able, pacing.campaign_gap, campaign.per_minute);
        Self {
            total,
            pending,
            never,
            progress: (settled * 100).checked_div(total).unwrap_or(if campaign.status.is_over() { 100 } else { 0 }),
            eta: eta.filter(|_| runs && pending + waits > 0),
        }
    }
}

/// What a campaign would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// How many would be written to.
    pub recipients: u64,
    /// How many would not, by reason.
    pub rejected: BTreeMap<Rejection, u64>,
    /// Whether these numbers are estimated, because there are too many to be looked at one by one.
    pub estimated: bool,
    /// What it would cost.
    pub cost: i64,
    /// What is there.
    pub balance: i64,
    /// When the last message would leave, if a device sends.
    pub eta: Option<Timestamp>,
    /// How it would read.
    pub samples: Vec<(PhoneNumber, String)>,
}

/// Somebody whom a campaign was given, and what became of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// The number; as it was given, where it was rejected.
    pub phone: String,
    /// What they are called.
    pub name: Option<String>,
    /// What became of them.
    pub fate: Fate,
}

/// What became of somebody whom a campaign was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are written to.
    Message(Box<Message>),
    /// Their message is not made yet.
    Waiting,
    /// Their message will never be made: the campaign was taken back before.
    Never,
    /// They are not written to.
    Rejected {
        /// Why.
        reason: Rejection,
        /// The missing field.
        field: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::super::tests::{campaign, device};
    use super::*;
    use crate::device::Status as DeviceStatus;

    fn counts(states: &[(State, u64)]) -> Counts {
        Counts { states: states.iter().copied().collect(), refused: 0 }
    }

    #[test]
    fn every_recipient_is_counted_once_at_every_moment() {
        let devices =
            [device(1, DeviceStatus::Connected, Timestamp(0)), device(2, DeviceStatus::Connected, Timestamp(0))];
        let now = Timestamp::from_seconds(100);
        // Status, expanded, accepted, claimed, counts, then total, pending, never, progress, seconds until it is through.
        let table: [(_, _, _, _, &[(State, u64)], _); 7] = [
            (Status::Running, false, 0, 0, &[], (100, 100, 0, 0, Some(150))),
            (Status::Running, false, 98, 20, &[(State::Queued, 15), (State::Sent, 5)], (100, 80, 0, 5, Some(144))),
            (Status::Running, true, 80, 80, &[(State::Dispatched, 8), (State::Read, 72)], (80, 0, 0, 90, None)),
            (Status::Paused, true, 80, 20, &[(State::Queued, 20)], (80, 60, 0, 0, None)),
            (Status::Completed, true, 80, 80, &[(State::Sent, 79), (State::Failed, 1)], (80, 0, 0, 100, None)),
            (Status::Cancelled, true, 80, 20, &[(State::Sent, 5), (State::Cancelled, 15)], (80, 0, 60, 100, None)),
            (Status::Completed, true, 0, 0, &[], (0, 0, 0, 100, None)),
        ];
        for (status, expanded, accepted, claimed, states, expected) in table {
            let mut campaign = campaign(100);
            campaign.status = status;
            let progress = &mut campaign.progress;
            (progress.expanded, progress.accepted, progress.claimed) = (expanded, accepted, claimed);
            let counts = counts(states);
            let Figures { total, pending, never, progress, eta } =
                Figures::of(&campaign, &counts, &devices, Pacing::default(), now);
            let eta = eta.map(|eta| eta.since(now).as_secs());
            assert_eq!((total, pending, never, progress, eta), expected, "{status} {states:?}");
            assert_eq!(pending + never + counts.made(), total);
        }
    }

    #[test]
    fn without_a_device_that_sends_nobody_says_when_it_is_through() {
        let devices = [device(1, DeviceStatus::LoggedOut, Timestamp(0))];
        let figures = Figures::of(&campaign(10), &Counts::default(), &devices, Pacing::default(), Timestamp(0));
        assert_eq!((figures.eta, figures.pending), (None, 10));
    }
}
