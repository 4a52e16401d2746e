//! The connection's way: pairing, log-in, loss, refusal.

use std::time::Duration;

use hantar_domain::device::{Device, PairingCode, Status};
use hantar_usecases::ports::DeviceChange;

use super::{Action, Input, Machine, Now, Phase, Work};
use crate::device::backoff;
use crate::whatsapp::Ending;

/// A connection that lived so long was a good one: the next loss begins with short pauses again.
const STABLE: Duration = Duration::from_secs(30);

/// Why a device is called disconnected while another client version is being tried.
const OUTDATED: &str = "outdated";

impl Machine {
    pub(super) fn connection(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        match input {
            Input::Connected => self.connected(now, actions),
            Input::Ended(ending) => self.ended(ending, now, actions),
            Input::Replaced => self.lost(Some("replaced".into()), backoff::after_replacement(now.dice), now, actions),
            Input::Refused { reason } => self.lost(Some(reason), backoff::after_refusal(now.dice), now, actions),
            Input::LoggedOut { reason, certain } => {
                self.linked = false;
                self.rest(Status::LoggedOut, Some(&reason), now, actions);
                if certain {
                    actions.push(Action::EraseKeys);
                }
            }
            Input::Outdated { newer: true } => self.try_newer_version(now, actions),
            Input::Outdated { newer: false } => self.refused_for_good(Status::Outdated, None, now, actions),
            Input::Banned { reason } => self.refused_for_good(Status::Banned, Some(&reason), now, actions),
            Input::Code { text, valid_for } if self.phase == Phase::Pairing => {
                self.shows_code = true;
                self.was_shown = true;
                self.failed_pairings = 0;
                self.say(Status::Pairing, None, now, actions);
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

    pub(super) fn device_read(&mut self, device: &Device, now: Now, actions: &mut Vec<Action>) {
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
    pub(super) fn pair(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Pairing;
        self.was_shown = false;
        actions.push(Action::EraseKeys);
        // While attempts fail, why they do stays to be seen.
        if self.failed_pairings == 0 {
            self.say(Status::Pairing, None, now, actions);
        }
        actions.push(Action::Connect { pairing: true });
    }

    pub(super) fn connect(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Connecting { since: now.at };
        // Later, while the connection comes and goes, the device is called disconnected until it is connected.
        if self.failures == 0 {
            self.say(Status::Connecting, None, now, actions);
        }
        actions.push(Action::Connect { pairing: false });
    }

    pub(super) fn connected(&mut self, now: Now, actions: &mut Vec<Action>) {
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

    pub(super) fn ended(&mut self, ending: Ending, now: Now, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Online { since } => {
                if now.at.since(since) >= STABLE {
                    self.failures = 0;
                }
                self.not_connected(ending, now, actions);
            }
            Phase::Connecting { .. } => self.not_connected(ending, now, actions),
            // The codes of one connection ran out, or it broke: more, while somebody wants them.
            Phase::Pairing if self.was_shown => {
                self.hide_code(actions);
                self.phase = Phase::Waiting(now.at + backoff::after_loss(0, now.dice));
            }
            Phase::Pairing => {
                self.phase = Phase::Waiting(now.at + backoff::after_failed_pairing(self.failed_pairings, now.dice));
                self.failed_pairings = self.failed_pairings.saturating_add(1);
                self.say(Status::Pairing, Some(ending.word().into()), now, actions);
            }
            Phase::Leaving(_) => self.finish(now, actions),
            Phase::Resting | Phase::Waiting(_) | Phase::Finished => {}
        }
    }

    pub(super) fn not_connected(&mut self, ending: Ending, now: Now, actions: &mut Vec<Action>) {
        self.lost(Some(ending.word().into()), backoff::after_loss(self.failures, now.dice), now, actions);
    }

    /// The version was refused, and another one is known by now.
    fn try_newer_version(&mut self, now: Now, actions: &mut Vec<Action>) {
        let pause = backoff::after_loss(self.failures, now.dice);
        if self.linked {
            self.lost(Some(OUTDATED.into()), pause, now, actions);
        } else if self.phase == Phase::Pairing {
            self.phase = Phase::Waiting(now.at + pause);
            actions.push(Action::Disconnect);
        }
    }

    /// The connection is lost or not to be had; once more after `pause`.
    pub(super) fn lost(&mut self, reason: Option<String>, pause: Duration, now: Now, actions: &mut Vec<Action>) {
        if !matches!(self.phase, Phase::Online { .. } | Phase::Connecting { .. }) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting(now.at + pause);
        actions.push(Action::Disconnect);
        self.say(Status::Disconnected, reason, now, actions);
    }

    /// Nothing more by itself.
    pub(super) fn rest(&mut self, status: Status, reason: Option<&str>, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Resting;
        self.wanted_until = None;
        self.failed_pairings = 0;
        actions.push(Action::Disconnect);
        self.hide_code(actions);
        self.say(status, reason.map(str::to_owned), now, actions);
    }

    /// WhatsApp refuses us, not the number: an unlinked device stays unlinked.
    pub(super) fn refused_for_good(
        &mut self,
        status: Status,
        reason: Option<&str>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        if self.linked {
            self.rest(status, reason, now, actions);
        } else {
            self.rest(Status::Unlinked, reason.or(Some(status.word())), now, actions);
        }
    }
}
