//! What follows from the state and the time alone: connecting, reading, writing, leaving.

use std::time::Duration;

use hantar_domain::device::Status;
use hantar_domain::message::Lane;
use hantar_domain::time::Timestamp;

use super::{Action, LOG_IN_LIMIT, Machine, Now, Phase, Work};
use crate::whatsapp::Ending;

/// How long a stopping device waits for answers to what it wrote.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

impl Machine {
    pub(super) fn next_work(&self, now: Timestamp) -> Option<Timestamp> {
        let writing = self.line.take_next(now, |lane| self.pacing.due(lane, self.last_campaign, now));
        let next = self.line.read_next().into_iter().chain(writing).min()?;
        Some(self.paused_until.map_or(next, |until| next.max(until)))
    }

    pub(super) fn stop(&mut self, now: Now, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Online { .. } => self.phase = Phase::Leaving(now.at + LAST_ANSWERS),
            Phase::Leaving(_) => {}
            _ => self.finish(now, actions),
        }
    }

    pub(super) fn finish(&mut self, now: Now, actions: &mut Vec<Action>) {
        self.phase = Phase::Finished;
        actions.push(Action::Disconnect);
        self.hide_code(actions);
        if matches!(self.said, Some((Status::Connected | Status::Connecting, _))) {
            self.say(Status::Disconnected, Some("host_stopping".into()), now, actions);
        }
        actions.push(Action::Finish);
    }

    /// What follows from the state and the time alone.
    pub(super) fn go_on(&mut self, now: Now, actions: &mut Vec<Action>) {
        match self.phase {
            Phase::Waiting(until) if until <= now.at => {
                if self.linked {
                    self.connect(now, actions);
                } else if self.wanted_until.is_some_and(|wanted| wanted > now.at) {
                    self.pair(now, actions);
                } else {
                    // Why it never came to a code, where it did not.
                    let why = self.said.take().and_then(|(_, reason)| reason);
                    self.rest(Status::Unlinked, why.as_deref(), now, actions);
                }
            }
            // Perhaps somebody asked again meanwhile.
            Phase::Pairing if self.wanted_until.is_none_or(|wanted| wanted <= now.at) => self.reread_device = true,
            Phase::Connecting { since } if since + LOG_IN_LIMIT <= now.at => {
                self.not_connected(Ending::Lost, now, actions);
            }
            Phase::Leaving(until) if until <= now.at || !self.line.is_on_the_wire(now.at) => self.finish(now, actions),
            _ => {}
        }
        self.begin_work(now, actions);
    }

    pub(super) fn begin_work(&mut self, now: Now, actions: &mut Vec<Action>) {
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
}
