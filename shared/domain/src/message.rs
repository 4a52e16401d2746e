//! A message's states, and the one rule about them: they only move forward.

use std::fmt;
use std::time::Duration;

use crate::ids::{AccountId, CampaignId, DeviceId, MessageId, StanzaId};
use crate::media::Media;
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// The longest text of a message, in characters.
pub const MAX_BODY_CHARS: usize = 4096;

/// How long after the send an answer from WhatsApp is awaited before the message is called `unknown`.
pub const ACK_PATIENCE: Duration = Duration::from_mins(1);

/// How urgent a message is. Lanes are worked in this order; within one, in order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// An answer to somebody who wrote within the last 24 hours.
    Reply,
    /// A message sent by itself.
    Single,
    /// A row of a campaign or of a bulk.
    Campaign,
}

impl Lane {
    /// All lanes, most urgent first.
    pub const ALL: [Self; 3] = [Self::Reply, Self::Single, Self::Campaign];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Single => "single",
            Self::Campaign => "campaign",
        }
    }

    /// The lane with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.word() == word)
    }
}

/// Where a message came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Sent by us.
    Outbound,
    /// Received from somebody.
    Inbound,
}

impl Direction {
    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        }
    }
}

/// The state of an outbound message. An inbound one is `Delivered` from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Accepted and paid, waiting for its turn.
    Queued,
    /// Waiting for a known reason until a known time.
    Held,
    /// Given to the socket, or about to be; from here on it never changes device.
    Dispatched,
    /// On the wire with no answer in time. A late answer still wins.
    Unknown,
    /// WhatsApp's server took it without an error.
    Sent,
    /// It reached the recipient's phone.
    Delivered,
    /// The recipient opened it.
    Read,
    /// The recipient played it.
    Played,
    /// WhatsApp or we refused it.
    Failed,
    /// Taken back before it reached the wire.
    Cancelled,
}

impl State {
    /// All states.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Held,
        Self::Dispatched,
        Self::Unknown,
        Self::Sent,
        Self::Delivered,
        Self::Read,
        Self::Played,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Dispatched => "dispatched",
            Self::Unknown => "unknown",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether the device still has work with it: not yet answered by WhatsApp, nor ended.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Held | Self::Dispatched)
    }

    /// Whether it was given to the socket, or about to be, and WhatsApp has not answered: to be written again, under the
    /// same stanza id, by whoever connects next.
    pub const fn is_unanswered(self) -> bool {
        matches!(self, Self::Dispatched | Self::Unknown)
    }

    /// How far along the road: a message never goes to a state of a lower or equal place,
    /// but for the to and fro between waiting and held.
    pub const fn place(self) -> u8 {
        match self {
            Self::Queued | Self::Held => 0,
            Self::Dispatched => 1,
            Self::Unknown => 2,
            Self::Sent => 3,
            Self::Delivered => 4,
            Self::Read => 5,
            Self::Played => 6,
            Self::Failed | Self::Cancelled => 7,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What somebody learned about an outbound message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    /// It must wait.
    Held,
    /// It need not wait any more.
    Due,
    /// The device is about to write it to the socket.
    Dispatched,
    /// No answer came within [`ACK_PATIENCE`].
    Silence,
    /// WhatsApp's server acknowledged it without an error.
    Acknowledged,
    /// A receipt of the recipient's phone.
    Delivered,
    /// A read receipt.
    Read,
    /// A played receipt.
    Played,
    /// WhatsApp's server refused it.
    Nacked,
    /// We refuse to send it.
    Refused,
    /// Its owner took it back.
    Cancelled,
}

impl Fact {
    /// The state that this fact leads to.
    pub const fn state(self) -> State {
        match self {
            Self::Held => State::Held,
            Self::Due => State::Queued,
            Self::Dispatched => State::Dispatched,
            Self::Silence => State::Unknown,
            Self::Acknowledged => State::Sent,
            Self::Delivered => State::Delivered,
            Self::Read => State::Read,
            Self::Played => State::Played,
            Self::Nacked | Self::Refused => State::Failed,
            Self::Cancelled => State::Cancelled,
        }
    }

    /// The states that this fact moves forward from; in any other it changes nothing.
    ///
    /// A receipt may be lost with a process, so a later one implies the earlier states and may skip them; but see
    /// [`Fact::implies_in`].
    pub const fn moves_from(self) -> &'static [State] {
        use State::{Delivered, Dispatched, Held, Queued, Read, Sent, Unknown};
        match self {
            Self::Held => &[Queued],
            Self::Due => &[Held],
            Self::Dispatched | Self::Refused | Self::Cancelled => &[Queued, Held],
            Self::Silence => &[Dispatched],
            Self::Acknowledged | Self::Nacked => &[Dispatched, Unknown],
            Self::Delivered => &[Dispatched, Unknown, Sent],
            Self::Read => &[Dispatched, Unknown, Sent, Delivered],
            Self::Played => &[Dispatched, Unknown, Sent, Delivered, Read],
        }
    }

    /// What this fact says besides about a message in `state`, where nobody was told yet: the server took what reached the
    /// recipient's phone. The answer itself may have been lost with a process, or come later. To be noted as a step of
    /// its own, right before.
    pub const fn implies_in(self, state: State) -> Option<Self> {
        match (self, state) {
            (Self::Delivered | Self::Read | Self::Played, State::Dispatched | State::Unknown) => {
                Some(Self::Acknowledged)
            }
            _ => None,
        }
    }

    /// The state after this fact, or `None` when it changes nothing (a repeat, or too late).
    pub fn applied_to(self, state: State) -> Option<State> {
        self.moves_from().contains(&state).then(|| self.state())
    }
}

/// One change of state, as kept in the message's history. The position in the history is the step's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state entered.
    pub state: State,
    /// When.
    pub at: Timestamp,
    /// A stable code that says why, for `failed` (`whatsapp_463`) and `held` (`scheduled`, `paced`).
    pub code: Option<String>,
}

/// A message as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whose.
    pub account: AccountId,
    /// Our number.
    pub id: MessageId,
    /// The device that sends or received it.
    pub device: DeviceId,
    /// In or out.
    pub direction: Direction,
    /// The other side. `None` when an inbound message came from somebody whose number WhatsApp hides.
    pub phone: Option<PhoneNumber>,
    /// The other side's hidden id (`…@lid`), when known.
    pub lid: Option<String>,
    /// A name that the sender of the request gave, or the push name of an inbound message.
    pub name: Option<String>,
    /// The text; with a file, what stands under it.
    pub body: String,
    /// The file that it carries.
    pub media: Option<Media>,
    /// That file as WhatsApp's servers keep it, in the protocol's own words, once it is there.
    pub attached: Option<Vec<u8>>,
    /// The caller's own reference. Stored and filterable; not a key.
    pub external_id: Option<String>,
    /// The campaign that it is a row of.
    pub campaign: Option<CampaignId>,
    /// Urgency.
    pub lane: Lane,
    /// WhatsApp's id.
    pub stanza: StanzaId,
    /// Where it stands.
    pub state: State,
    /// Until when it waits, while `held`.
    pub held_until: Option<Timestamp>,
    /// Accepted, or received, at.
    pub accepted_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What was paid for it.
    pub credits: i64,
    /// Whether that was given back.
    pub refunded: bool,
    /// All changes of state, oldest first.
    pub history: Vec<Step>,
}

impl Message {
    /// The code of the last step that had one: why it failed or waits.
    pub fn reason(&self) -> Option<&str> {
        self.history.last().and_then(|step| step.code.as_deref())
    }
}

/// Where a message stands in its device's line: by lane, then by the moment of acceptance, then by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Urgency.
    pub lane: Lane,
    /// Accepted at.
    pub accepted_at: Timestamp,
    /// Our number.
    pub message: MessageId,
}

/// An outbound message on its way to a device: what the host needs to send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenMessage {
    /// Its place in the line.
    pub turn: Turn,
    /// Queued, held or dispatched.
    pub state: State,
    /// Until when it waits, while `held`.
    pub held_until: Option<Timestamp>,
    /// The campaign that it is a row of.
    pub campaign: Option<CampaignId>,
    /// To whom.
    pub phone: PhoneNumber,
    /// What.
    pub body: String,
    /// The file that it carries.
    pub media: Option<Media>,
    /// That file as WhatsApp's servers keep it, once it is there.
    pub attached: Option<Vec<u8>>,
    /// Under which id.
    pub stanza: StanzaId,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FACTS: [Fact; 11] = [
        Fact::Held,
        Fact::Due,
        Fact::Dispatched,
        Fact::Silence,
        Fact::Acknowledged,
        Fact::Delivered,
        Fact::Read,
        Fact::Played,
        Fact::Nacked,
        Fact::Refused,
        Fact::Cancelled,
    ];

    proptest! {
        #[test]
        fn states_only_move_forward_in_any_order_of_events(order in prop::collection::vec(0..FACTS.len(), 0..60)) {
            let mut state = State::Queued;
            for index in order {
                if let Some(next) = FACTS[index].applied_to(state) {
                    let waiting = matches!((state, next), (State::Queued, State::Held) | (State::Held, State::Queued));
                    prop_assert!(waiting || next.place() > state.place(), "{state} -> {next}");
                    state = next;
                }
            }
        }

        #[test]
        fn what_whatsapp_took_is_never_called_failed_or_cancelled(order in prop::collection::vec(0..FACTS.len(), 0..60)) {
            let mut state = State::Sent;
            for index in order {
                state = FACTS[index].applied_to(state).unwrap_or(state);
                prop_assert!(matches!(state, State::Sent | State::Delivered | State::Read | State::Played));
            }
        }

        #[test]
        fn receipts_lead_to_the_same_state_in_any_order(order in Just(vec![4_usize, 5, 6, 7]).prop_shuffle()) {
            let mut state = State::Dispatched;
            for index in order {
                state = FACTS[index].applied_to(state).unwrap_or(state);
            }
            prop_assert_eq!(state, State::Played);
        }
    }

    #[test]
    fn cancel_and_dispatch_exclude_each_other() {
        assert_eq!(Fact::Cancelled.applied_to(State::Dispatched), None);
        assert_eq!(Fact::Dispatched.applied_to(State::Cancelled), None);
        assert_eq!(Fact::Cancelled.applied_to(State::Held), Some(State::Cancelled));
    }

    #[test]
    fn a_late_answer_repairs_unknown() {
        assert_eq!(Fact::Acknowledged.applied_to(State::Unknown), Some(State::Sent));
        assert_eq!(Fact::Nacked.applied_to(State::Unknown), Some(State::Failed));
        assert_eq!(Fact::Silence.applied_to(State::Sent), None);
    }

    #[test]
    fn words_are_distinct_and_lead_back() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.word()), Some(state));
        }
        for lane in Lane::ALL {
            assert_eq!(Lane::from_word(lane.word()), Some(lane));
        }
    }

    #[test]
    fn a_reply_stands_before_a_single_and_that_before_a_campaign_row() {
        let turn = |lane, at, id| Turn { lane, accepted_at: Timestamp(at), message: MessageId(id) };
        let mut line =
            [turn(Lane::Campaign, 1, 1), turn(Lane::Single, 3, 2), turn(Lane::Reply, 9, 3), turn(Lane::Single, 2, 9)];
        line.sort();
        assert_eq!(line.map(|turn| turn.message.0), [3, 9, 2, 1]);
    }
}
