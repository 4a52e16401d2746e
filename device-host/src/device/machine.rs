//! What a device does next: pure, state and input to a list of actions. No clock, no dice, no waiting of its own.
//!
//! At most one action that is answered by an input (a reading, a message to write) is under way at a time, so that
//! messages are written in their order. All others are done in the order given.

use std::collections::BTreeSet;
use std::time::Duration;

use hantar_domain::device::{Device, PairingCode, Status};
use hantar_domain::ids::MessageId;
use hantar_domain::message::{Lane, OpenMessage};
use hantar_domain::pacing::Pacing;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::DeviceChange;

use super::backoff;
use super::line::Line;
pub(crate) use super::line::Turns;

/// After the table failed, or a message could not be written.
const PAUSE: Duration = Duration::from_secs(1);
/// A connection that lived so long was a good one: the next loss begins with short pauses again.
const STABLE: Duration = Duration::from_secs(30);
/// How long a stopping device waits for answers to what it wrote.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
/// How long a connection may take from its beginning to the log-in.
const LOG_IN_LIMIT: Duration = Duration::from_mins(2);

/// Why a device is called disconnected.
const LOST: &str = "connection_lost";

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The device as it is stored: at the start, and in answer to [`Action::ReadDevice`].
    Device(Box<Device>),
    /// The device could not be read.
    DeviceUnread,
    /// Somebody rang.
    Wake,
    /// The moment of [`Machine::wake_at`] came.
    Timer,
    /// The log-in was answered.
    Connected,
    /// The connection is over, or did not come about.
    Ended,
    /// Another connection took this one's place.
    Replaced,
    /// The link is gone.
    LoggedOut {
        /// Why.
        reason: String,
        /// Whether the keys are worth nothing any more.
        certain: bool,
    },
    /// This client version is refused.
    Outdated,
    /// The number is restricted.
    Banned {
        /// Why.
        reason: String,
    },
    /// The log-in was refused for another reason.
    Refused {
        /// Why.
        reason: String,
    },
    /// A QR code to show.
    Code {
        /// Its text.
        text: String,
        /// How long it counts.
        valid_for: Duration,
    },
    /// No more codes come on this connection.
    CodesExhausted,
    /// A phone linked this device.
    Paired {
        /// Its number.
        phone: PhoneNumber,
        /// Its hidden id.
        lid: Option<String>,
    },
    /// The table was read.
    Turns(Turns),
    /// The table could not be read.
    TurnsUnread,
    /// Written to the socket.
    Written(MessageId),
    /// Neither written nor to be written: cancelled, refused, gone.
    Gone(MessageId),
    /// Perhaps not written, and to be tried again.
    NotWritten(MessageId),
    /// WhatsApp answered, or the recipient's phone did.
    Answered(MessageId),
    /// The table knows of the answer.
    Recorded(MessageId),
    /// The table could not be told of the answer.
    NotRecorded(MessageId),
    /// The host leaves: finish what is on the wire.
    Stop,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Begin a connection: with the stored keys, or with new ones to be paired.
    Connect {
        /// Whether to pair.
        pairing: bool,
    },
    /// End the connection.
    Disconnect,
    /// From now on, a lost connection is for the machine to mend.
    Settle,
    /// Forget all keys.
    EraseKeys,
    /// Change the device's record.
    Change(DeviceChange),
    /// Read the device's record; answered by [`Input::Device`].
    ReadDevice,
    /// Read the open messages; answered by [`Input::Turns`].
    ReadTurns {
        /// Leave these out.
        leave_out: BTreeSet<MessageId>,
        /// Look through all of them for such as were on the wire before.
        thorough: bool,
    },
    /// Take this message to the wire; answered by [`Input::Written`], [`Input::Gone`] or [`Input::NotWritten`].
    Write(Box<OpenMessage>),
    /// All is done; the device's task may end.
    Finish,
}

/// The moment of an input, and a throw of the dice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Now.
    pub(crate) at: Timestamp,
    /// Any number.
    pub(crate) dice: u32,
}

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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and all sixteen combinations occur")]
pub(crate) struct Machine {
    pacing: Pacing,
    phase: Phase,
    work: Work,
    linked: bool,
    loaded: bool,
    said: Option<(Status, Option<String>)>,
    wanted_until: Option<Timestamp>,
    shows_code: bool,
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

    fn next_work(&self, now: Timestamp) -> Option<Timestamp> {
        let writing = self.line.take_next(now, |lane| self.pacing.due(lane, self.last_campaign, now));
        let next = self.line.read_next().into_iter().chain(writing).min()?;
        Some(self.paused_until.map_or(next, |until| next.max(until)))
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

    fn connection(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        match input {
            Input::Connected => self.connected(now, actions),
            Input::Ended => self.ended(now, actions),
            Input::Replaced => self.lost(Some("replaced".into()), backoff::after_replacement(now.dice), now, actions),
            Input::Refused { reason } => self.lost(Some(reason), backoff::after_refusal(now.dice), now, actions),
            Input::LoggedOut { reason, certain } => {
                self.linked = false;
                self.rest(Status::LoggedOut, Some(&reason), now, actions);
                if certain {
                    actions.push(Action::EraseKeys);
                }
            }
            Input::Outdated => self.refused_for_good(Status::Outdated, None, now, actions),
            Input::Banned { reason } => self.refused_for_good(Status::Banned, Some(&reason), now, actions),
            Input::Code { text, valid_for } if self.phase == Phase::Pairing => {
                self.shows_code = true;
                let code = PairingCode { text, expires_at: now.at + valid_for };
                actions.push(Action::Change(DeviceChange::PairingCode(Some(code))));
            }
            Input::CodesExhausted if self.phase == Phase::Pairing => self.hide_code(actions),
            Input::Paired { phone, lid } if self.phase == Phase::Pairing => {
                self.linked = true;
                self.wanted_until = None;
                self.phase = Phase::Connecting { since: now.at };
                actions.push(Action::Change(DeviceChange::Linked { phone, lid }));
                self.hide_code(actions);
                self.say(Status::Connecting, None, now, actions);
            }
            // News of a connection that is not wanted any more.
            _ => {}
        }
    }

    fn device_read(&mut self, device: &Device, now: Now, actions: &mut Vec<Action>) {
        self.work = Work::Nothing;
        let first = !std::mem::replace(&mut self.loaded, true);
        if first {
            self.said = Some((device.status, device.reason.clone()));
            self.linked = device.status.is_linked();
            self.shows_code = device.pairing_code.is_some();
        }
        if self.linked {
            if first {
                self.connect(now, actions);
            }
            return;
        }
        self.wanted_until = device.pairing_wanted_until.filter(|until| *until > now.at);
        match (self.phase, self.wanted_until) {
            (Phase::Resting, Some(_)) => self.pair(now, actions),
            (Phase::Pairing, None) => self.rest(Status::Unlinked, None, now, actions),
            // A host died while it showed a code.
            (Phase::Resting, None) if first && device.status == Status::Pairing => {
                self.rest(Status::Unlinked, None, now, actions);
            }
            (Phase::Resting, None) => self.hide_code(actions),
            _ => {}
        }
    }

    /// New keys for each attempt: with old ones this would be a log-in.
    fn pair(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Pairing;
        actions.push(Action::EraseKeys);
        self.say(Status::Pairing, None, now, actions);
        actions.push(Action::Connect { pairing: true });
    }

    fn connect(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Connecting { since: now.at };
        // Later, while the connection comes and goes, the device is called disconnected until it is connected.
        if self.failures == 0 {
            self.say(Status::Connecting, None, now, actions);
        }
        actions.push(Action::Connect { pairing: false });
    }

    fn connected(&mut self, now: Now, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Connecting { .. }) {
            return;
        }
        self.phase = Phase::Online { since: now.at };
        self.paused_until = None;
        self.thorough = true;
        self.line.reconnected();
        actions.push(Action::Settle);
        self.say(Status::Connected, None, now, actions);
    }

    fn ended(&mut self, now: Now, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Online { since } => {
                if now.at.since(since) >= STABLE {
                    self.failures = 0;
                }
                self.lost(Some(LOST.into()), backoff::after_loss(self.failures, now.dice), now, actions);
            }
            Phase::Connecting { .. } => {
                self.lost(Some(LOST.into()), backoff::after_loss(self.failures, now.dice), now, actions);
            }
            // The codes of one connection ran out, or it broke: more, while somebody wants them.
            Phase::Pairing => {
                self.hide_code(actions);
                self.phase = Phase::Waiting(now.at + backoff::after_loss(0, now.dice));
            }
            Phase::Leaving(_) => self.finish(now, actions),
            Phase::Resting | Phase::Waiting(_) | Phase::Finished => {}
        }
    }

    /// The connection is lost or not to be had; once more after `pause`.
    fn lost(&mut self, reason: Option<String>, pause: Duration, now: Now, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Online { .. } | Phase::Connecting { .. }) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting(now.at + pause);
        actions.push(Action::Disconnect);
        self.say(Status::Disconnected, reason, now, actions);
    }

    /// Nothing more by itself.
    fn rest(&mut self, status: Status, reason: Option<&str>, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Resting;
        self.wanted_until = None;
        actions.push(Action::Disconnect);
        self.hide_code(actions);
        self.say(status, reason.map(str::to_owned), now, actions);
    }

    /// WhatsApp refuses us, not the number: an unlinked device stays unlinked.
    fn refused_for_good(&mut self, status: Status, reason: Option<&str>, now: Now, actions: &mut Vec<Action>) {
        if self.linked {
            self.rest(status, reason, now, actions);
        } else {
            self.rest(Status::Unlinked, reason.or(Some(status.word())), now, actions);
        }
    }

    fn stop(&mut self, now: Now, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Online { .. } => self.phase = Phase::Leaving(now.at + LAST_ANSWERS),
            Phase::Leaving(_) => {}
            _ => self.finish(now, actions),
        }
    }

    fn finish(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Finished;
        actions.push(Action::Disconnect);
        self.hide_code(actions);
        if matches!(self.said, Some((Status::Connected | Status::Connecting, _))) {
            self.say(Status::Disconnected, Some("host_stopping".into()), now, actions);
        }
        actions.push(Action::Finish);
    }

    /// What follows from the state and the time alone.
    fn go_on(&mut self, now: Now, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Waiting(until) if until <= now.at => {
                if self.linked {
                    self.connect(now, actions);
                } else if self.wanted_until.is_some_and(|wanted| wanted > now.at) {
                    self.pair(now, actions);
                } else {
                    self.rest(Status::Unlinked, None, now, actions);
                }
            }
            // Perhaps somebody asked again meanwhile.
            Phase::Pairing if self.wanted_until.is_none_or(|wanted| wanted <= now.at) => self.reread_device = true,
            Phase::Connecting { since } if since + LOG_IN_LIMIT <= now.at => {
                self.lost(Some(LOST.into()), backoff::after_loss(self.failures, now.dice), now, actions);
            }
            Phase::Leaving(until) if until <= now.at || !self.line.is_on_the_wire(now.at) => self.finish(now, actions),
            _ => {}
        }
        self.begin_work(now, actions);
    }

    fn begin_work(&mut self, now: Now, actions: &mut Vec<Action>) {
        let paused = self.paused_until.is_some_and(|until| until > now.at);
        if self.work != Work::Nothing || paused || self.phase == Phase::Finished {
            return;
        }
        if std::mem::take(&mut self.reread_device) {
            self.work = Work::Device;
            actions.push(Action::ReadDevice);
            return;
        }
        if !matches!(self.phase, Phase::Online { .. }) {
            return;
        }
        if self.line.read_next().is_some_and(|at| at <= now.at) {
            self.work = Work::Turns;
            let leave_out = self.line.reading_begins(now.at);
            actions.push(Action::ReadTurns { leave_out, thorough: self.thorough });
            return;
        }
        let (pacing, last) = (self.pacing, self.last_campaign);
        if let Some(message) = self.line.take(now.at, |lane| pacing.due(lane, last, now.at)) {
            if message.turn.lane == Lane::Campaign {
                self.last_campaign = Some(now.at);
            }
            self.work = Work::Write;
            actions.push(Action::Write(message));
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
#[path = "machine/tests.rs"]
mod tests;
