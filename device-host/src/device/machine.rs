//! What a device does next: pure, state and input to a list of actions. No clock, no dice, no waiting of its own.
//!
//! At most one action that is answered by an input (a reading, a message to write) is under way at a time, so that
//! messages are written in their order. All others are done in the order given.

mod action;
mod input;
mod link;
mod work;

use std::time::Duration;

use hantar_domain::device::Status;
use hantar_domain::ids::MessageId;
use hantar_domain::pacing::Pacing;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::DeviceChange;

pub(crate) use action::Action;
pub(crate) use input::{Input, Now};

use super::line::Line;
pub(crate) use super::line::Turns;
use crate::metrics::DeviceStanding;

/// After the table failed, or a message could not be written.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a connection may take from its beginning to the log-in.
const LOG_IN_LIMIT: Duration = Duration::from_mins(2);

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No connection, and no reason for one.
    Resting,
    /// A connection to be paired.
    Pairing,
    /// No connection until then.
    Waiting(Timestamp),
    /// A connection is being made.
    Connecting {
        /// When it began.
        since: Timestamp,
    },
    /// Logged in.
    Online {
        /// Since when.
        since: Timestamp,
    },
    /// Logged in, and waiting for the last answers until then.
    Leaving(Timestamp),
    /// The end.
    Finished,
}

/// What is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Nothing,
    Device,
    Turns,
    Write,
}

/// A device.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all combinations occur")]
pub(crate) struct Machine {
    pacing: Pacing,
    phase: Phase,
    work: Work,
    linked: bool,
    loaded: bool,
    said: Option<(Status, Option<String>)>,
    wanted_until: Option<Timestamp>,
    shows_code: bool,
    /// On this connection.
    was_shown: bool,
    /// Connections in a row that ended before a code came.
    failed_pairings: u32,
    reread_device: bool,
    failures: u32,
    paused_until: Option<Timestamp>,
    line: Line,
    thorough: bool,
    last_campaign: Option<Timestamp>,
}

impl Machine {
    /// A device of which nothing is known yet: first [`Input::Device`] is due.
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self {
            pacing,
            phase: Phase::Resting,
            work: Work::Nothing,
            linked: false,
            loaded: false,
            said: None,
            wanted_until: None,
            shows_code: false,
            was_shown: false,
            failed_pairings: 0,
            reread_device: false,
            failures: 0,
            paused_until: None,
            line: Line::default(),
            thorough: true,
            last_campaign: None,
        }
    }

    /// Whether the device is logged in.
    pub(crate) fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online { .. } | Phase::Leaving(_))
    }

    /// How it stands; `heard_at`: when something was last heard of it.
    pub(crate) fn standing(&self, now: Timestamp, heard_at: Option<Timestamp>) -> DeviceStanding {
        let status = self.said.as_ref().map_or(Status::Unlinked, |(status, _)| *status);
        let (ready, oldest_ready, unanswered, overdue) = self.line.count(now);
        DeviceStanding { status, heard_at, oldest_ready, ready, unanswered, overdue }
    }

    /// When a message was begun to be written that is not answered yet.
    pub(crate) fn begun_at(&self, id: MessageId) -> Option<Timestamp> {
        self.line.begun_at(id)
    }

    /// Takes an input, and says what to do about it.
    pub(crate) fn step(&mut self, input: Input, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.phase == Phase::Finished {
            return actions;
        }
        self.take(input, now, &mut actions);
        self.go_on(now, &mut actions);
        actions
    }

    /// When [`Input::Timer`] is due; perhaps already.
    pub(crate) fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let idle = self.work == Work::Nothing;
        let of_phase = match self.phase {
            Phase::Waiting(until) | Phase::Leaving(until) => Some(until),
            Phase::Pairing if idle => self.wanted_until,
            Phase::Connecting { since } => Some(since + LOG_IN_LIMIT),
            Phase::Online { .. } if idle => self.next_work(now),
            _ => None,
        };
        let reread = if self.reread_device && idle { self.paused_until } else { None };
        of_phase.into_iter().chain(reread).min()
    }

    fn take(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        match input {
            Input::Device(device) => self.device_read(&device, now, actions),
            Input::DeviceUnread => {
                self.work = Work::Nothing;
                self.reread_device = true;
                self.pause(now);
            }
            Input::Wake => {
                self.line.touched();
                // An unlinked device is rung for pairing.
                self.reread_device |= !self.linked;
            }
            Input::Timer => {}
            Input::Turns(turns) => {
                self.work = Work::Nothing;
                self.line.read(turns);
                self.thorough = false;
            }
            Input::TurnsUnread => {
                self.work = Work::Nothing;
                self.line.reading_failed();
                self.pause(now);
            }
            Input::Written(_) => self.work = Work::Nothing,
            Input::Gone(id) => {
                self.work = Work::Nothing;
                self.line.gone(id);
            }
            Input::Held(id) => {
                self.work = Work::Nothing;
                self.line.gone(id);
                // When it is due is learned by reading.
                self.line.touched();
            }
            Input::Paused { message, campaign } => {
                self.work = Work::Nothing;
                self.line.paused(message, campaign);
            }
            Input::NotWritten(id) => {
                self.work = Work::Nothing;
                self.line.not_sent(id);
                self.pause(now);
            }
            Input::Answered(id) => self.line.answered(id),
            Input::Recorded(id) => self.line.recorded(id),
            Input::NotRecorded(id) => self.line.not_recorded(id),
            Input::Stop => self.stop(now, actions),
            connection => self.connection(connection, now, actions),
        }
    }

    fn pause(&mut self, now: Now) {
        self.paused_until = Some(now.at + PAUSE);
    }

    fn hide_code(&mut self, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.shows_code) {
            actions.push(Action::Change(DeviceChange::PairingCode(None)));
        }
    }

    fn say(&mut self, status: Status, reason: Option<String>, now: Now, actions: &mut Vec<Action>) {
        let word = (status, reason);
        if self.said.as_ref() != Some(&word) {
            self.said = Some(word.clone());
            actions.push(Action::Change(DeviceChange::Status { status: word.0, reason: word.1, at: now.at }));
        }
    }
}

#[cfg(test)]
mod tests;
