//! The messages of a device that wait to be written, as far as the machine knows them.
//!
//! The table is the truth; this is a bounded view of it. What is being answered on the current connection is not in the
//! view, even where the table does not know of the answer yet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hantar_domain::ids::{CampaignId, MessageId};
use hantar_domain::message::{ACK_PATIENCE, Lane, OpenMessage};
use hantar_domain::time::Timestamp;

/// How many messages may wait for WhatsApp's answer at once.
pub(super) const WINDOW: usize = 16;
/// How many unanswered messages of one connection are remembered; beyond that the oldest may be written once more.
const MAX_UNANSWERED: usize = 4096;
/// How often a message that cannot be written is tried on one connection, so that it does not stop all others.
const MAX_TRIES: u8 = 3;
/// How often the table is read again at most while there is something to write.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// What a reading of the table brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turns {
    /// Messages that may be written now, each lane in its order; dispatched ones too.
    pub(crate) ready: Vec<OpenMessage>,
    /// When the first of the held ones is due.
    pub(crate) next_due: Option<Timestamp>,
    /// Whether more may be ready than were read.
    pub(crate) more: bool,
}

/// What is known of an answered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The table does not know of it yet.
    Heard,
    /// The table knows, but a reading under way may have begun before.
    Recorded,
}

/// The view.
#[derive(Debug, Default)]
pub(super) struct Line {
    ready: Vec<OpenMessage>,
    next_due: Option<Timestamp>,
    /// Something may have changed since the last reading began.
    touched: bool,
    /// The last reading did not reach the end.
    more: bool,
    read_at: Option<Timestamp>,
    reading: bool,
    /// Written on this connection, not answered; when it was begun.
    unanswered: BTreeMap<MessageId, Timestamp>,
    answered: BTreeMap<MessageId, Answer>,
    tries: BTreeMap<MessageId, u8>,
}

impl Line {
    /// A new connection: what was written on the old one and not answered is to be written again.
    pub(super) fn reconnected(&mut self) {
        self.ready.clear();
        self.unanswered.clear();
        self.tries.clear();
        self.touched = true;
    }

    /// Something may have changed.
    pub(super) fn touched(&mut self) {
        self.touched = true;
    }

    /// When the table is to be read again: at once when nothing is left to write, else so often that a more urgent
    /// message overtakes soon. `None` while there is no reason to.
    pub(super) fn read_next(&self) -> Option<Timestamp> {
        let earliest = Timestamp(i64::MIN);
        let asked = if self.ready.is_empty() && (self.touched || self.more) {
            Some(earliest)
        } else {
            self.touched.then(|| self.read_at.map_or(earliest, |at| at + LOOK_AGAIN))
        };
        asked.into_iter().chain(self.next_due).min()
    }

    /// A reading begins. Answers what it is to leave out.
    pub(super) fn reading_begins(&mut self, now: Timestamp) -> BTreeSet<MessageId> {
        self.touched = false;
        self.reading = true;
        self.read_at = Some(now);
        // Due ones are found by this reading; it says which one is next.
        self.next_due = None;
        self.unanswered.keys().chain(self.answered.keys()).copied().collect()
    }

    pub(super) fn read(&mut self, turns: Turns) {
        self.reading = false;
        self.ready = turns.ready;
        // Answers that came while the table was being read.
        self.ready.retain(|message| !self.answered.contains_key(&message.turn.message));
        // First what may be on the wire already, then by lane and acceptance.
        self.ready.sort_by_key(|message| (!message.state.is_unanswered(), message.turn));
        self.more = turns.more;
        self.next_due = turns.next_due;
        self.answered.retain(|_, answer| *answer == Answer::Heard);
    }

    pub(super) fn reading_failed(&mut self) {
        self.reading = false;
        self.touched = true;
    }

    /// The message to write next. `due` says when one of a lane may go, where it may not now.
    pub(super) fn take(&mut self, now: Timestamp, due: impl Fn(Lane) -> Option<Timestamp>) -> Option<Box<OpenMessage>> {
        if self.window_used(now) >= WINDOW {
            return None;
        }
        let index = self.ready.iter().position(|message| may_go(message, &due).is_none())?;
        let message = self.ready.remove(index);
        self.begin(message.turn.message, now);
        Some(Box::new(message))
    }

    /// When [`Line::take`] may have something; perhaps now.
    pub(super) fn take_next(&self, now: Timestamp, due: impl Fn(Lane) -> Option<Timestamp>) -> Option<Timestamp> {
        let first = self.ready.iter().map(|message| may_go(message, &due).unwrap_or(now)).min()?;
        if self.window_used(now) < WINDOW {
            return Some(first);
        }
        self.unanswered.values().map(|at| *at + ACK_PATIENCE).filter(|end| *end > now).min()
    }

    fn begin(&mut self, id: MessageId, now: Timestamp) {
        if self.unanswered.len() >= MAX_UNANSWERED
            && let Some(oldest) = self.unanswered.iter().min_by_key(|(_, at)| **at).map(|(id, _)| *id)
        {
            self.unanswered.remove(&oldest);
        }
        self.unanswered.insert(id, now);
    }

    /// Nothing was written, and nothing is to be.
    pub(super) fn gone(&mut self, id: MessageId) {
        self.unanswered.remove(&id);
    }

    /// Nothing was written, and nothing of this campaign is to be until the next reading, which leaves out what is paused.
    pub(super) fn paused(&mut self, id: MessageId, campaign: CampaignId) {
        self.unanswered.remove(&id);
        self.ready.retain(|message| message.campaign != Some(campaign) || message.state.is_unanswered());
    }

    /// Nothing was written, or nobody knows: try again, but not for ever.
    pub(super) fn not_sent(&mut self, id: MessageId) {
        let tries = self.tries.entry(id).or_default();
        *tries = tries.saturating_add(1);
        if *tries < MAX_TRIES {
            self.unanswered.remove(&id);
        }
        if self.tries.len() > MAX_UNANSWERED {
            self.tries.clear();
        }
        self.touched = true;
    }

    /// WhatsApp answered.
    pub(super) fn answered(&mut self, id: MessageId) {
        self.unanswered.remove(&id);
        self.tries.remove(&id);
        self.answered.insert(id, Answer::Heard);
    }

    /// The table knows the answer.
    pub(super) fn recorded(&mut self, id: MessageId) {
        if self.reading {
            self.answered.insert(id, Answer::Recorded);
        } else {
            self.answered.remove(&id);
        }
    }

    /// The answer could not be recorded: the message is written once more, and answered once more.
    pub(super) fn not_recorded(&mut self, id: MessageId) {
        self.answered.remove(&id);
        self.touched = true;
    }

    /// How many messages wait for an answer that may still come.
    fn window_used(&self, now: Timestamp) -> usize {
        self.unanswered.values().filter(|at| now.since(**at) < ACK_PATIENCE).count()
    }

    /// When an unanswered message was begun on this connection.
    pub(super) fn begun_at(&self, id: MessageId) -> Option<Timestamp> {
        self.unanswered.get(&id).copied()
    }

    /// How many are ready and since when the oldest was accepted; how many are unanswered, and how many of them overdue.
    pub(super) fn count(&self, now: Timestamp) -> (usize, Option<Timestamp>, usize, usize) {
        let oldest = self.ready.iter().map(|message| message.turn.accepted_at).min();
        (self.ready.len(), oldest, self.unanswered.len(), self.unanswered.len() - self.window_used(now))
    }

    /// Whether something is written whose answer may still come, or answered and not recorded.
    pub(super) fn is_on_the_wire(&self, now: Timestamp) -> bool {
        self.window_used(now) > 0 || !self.answered.is_empty()
    }
}

/// When a message may go; `None`: now. What may be on the wire already does not wait for its pace.
fn may_go(message: &OpenMessage, due: impl Fn(Lane) -> Option<Timestamp>) -> Option<Timestamp> {
    if message.state.is_unanswered() { None } else { due(message.turn.lane) }
}
