//! Money: what a message costs, and when it is given back.
//!
//! The invariant, at every moment and in every interleaving: balance = granted − charged + refunded, and the
//! balance is never negative.

use std::time::Duration;

use crate::message::{Message, State};
use crate::time::Timestamp;

/// What one message costs, in credits.
pub const PRICE: i64 = 1;

/// How long a message may stay `unknown` before its credit is given back.
pub const UNKNOWN_PATIENCE: Duration = Duration::from_hours(24);

/// An account's credits. All four are whole credits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Balance {
    /// What may still be spent.
    pub available: i64,
    /// All that was ever put in.
    pub granted: i64,
    /// All that was ever charged.
    pub charged: i64,
    /// All that was ever given back.
    pub refunded: i64,
}

impl Balance {
    /// Whether the books agree.
    pub const fn is_sound(&self) -> bool {
        self.available >= 0 && self.available == self.granted - self.charged + self.refunded
    }

    /// Puts credits in.
    #[must_use]
    pub const fn grant(mut self, credits: i64) -> Self {
        self.available += credits;
        self.granted += credits;
        self
    }

    /// Takes credits out; `None` when there are too few, and then nothing changes.
    #[must_use]
    pub const fn charge(mut self, credits: i64) -> Option<Self> {
        if self.available < credits {
            return None;
        }
        self.available -= credits;
        self.charged += credits;
        Some(self)
    }

    /// Gives credits back.
    #[must_use]
    pub const fn refund(mut self, credits: i64) -> Self {
        self.available += credits;
        self.refunded += credits;
        self
    }
}

/// What is to be given back for `message` at `now`: nothing when it was given back before.
pub fn refund_due(message: &Message, now: Timestamp) -> Option<i64> {
    if message.refunded || message.credits == 0 {
        return None;
    }
    let due = match message.state {
        State::Failed | State::Cancelled => true,
        State::Unknown => now.since(message.updated_at) >= UNKNOWN_PATIENCE,
        _ => false,
    };
    due.then_some(message.credits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::{AccountId, DeviceId, MessageId, StanzaId};
    use crate::message::{Direction, Fact, Lane};

    fn message(id: u64) -> Message {
        Message {
            account: AccountId(1),
            id: MessageId(id),
            device: DeviceId(1),
            direction: Direction::Outbound,
            phone: None,
            lid: None,
            name: None,
            body: String::new(),
            media: None,
            attached: None,
            external_id: None,
            campaign: None,
            lane: Lane::Single,
            stanza: StanzaId(id.to_string()),
            state: State::Queued,
            held_until: None,
            accepted_at: Timestamp(0),
            updated_at: Timestamp(0),
            credits: PRICE,
            refunded: false,
            history: vec![],
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Grant(i64),
        Send,
        Learn(usize, Fact),
        Sweep,
        Wait(u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        let fact = prop::sample::select(vec![
            Fact::Dispatched,
            Fact::Silence,
            Fact::Acknowledged,
            Fact::Delivered,
            Fact::Nacked,
            Fact::Refused,
            Fact::Cancelled,
        ]);
        prop_oneof![
            (1_i64..4).prop_map(Act::Grant),
            Just(Act::Send),
            (0_usize..20, fact).prop_map(|(index, fact)| Act::Learn(index, fact)),
            Just(Act::Sweep),
            (0_u64..100_000).prop_map(Act::Wait),
        ]
    }

    proptest! {
        #[test]
        fn the_books_agree_under_any_interleaving(acts in prop::collection::vec(act(), 0..200)) {
            let (mut balance, mut messages, mut now) = (Balance::default(), Vec::new(), Timestamp(0));
            for act in acts {
                match act {
                    Act::Grant(credits) => balance = balance.grant(credits),
                    Act::Send => {
                        if let Some(after) = balance.charge(PRICE) {
                            balance = after;
                            messages.push(message(messages.len() as u64));
                        }
                    }
                    Act::Learn(index, fact) => {
                        if let Some(message) = messages.get_mut(index)
                            && let Some(state) = fact.applied_to(message.state)
                        {
                            message.state = state;
                            message.updated_at = now;
                        }
                    }
                    Act::Sweep => {
                        for message in &mut messages {
                            if let Some(credits) = refund_due(message, now) {
                                message.refunded = true;
                                balance = balance.refund(credits);
                            }
                        }
                    }
                    Act::Wait(seconds) => now = now + Duration::from_secs(seconds),
                }
                prop_assert!(balance.is_sound(), "{balance:?}");
                let refunded: i64 = messages.iter().filter(|message| message.refunded).map(|message| message.credits).sum();
                prop_assert_eq!(balance.refunded, refunded, "each message is given back at most once");
            }
        }
    }

    #[test]
    fn an_unknown_message_is_given_back_after_a_day_and_not_before() {
        let mut message = message(1);
        message.state = State::Unknown;
        let day = Timestamp(0) + UNKNOWN_PATIENCE;
        assert_eq!(refund_due(&message, day - Duration::from_secs(1)), None);
        assert_eq!(refund_due(&message, day), Some(PRICE));
        message.refunded = true;
        assert_eq!(refund_due(&message, day), None);
    }

    #[test]
    fn what_was_taken_by_whatsapp_is_paid() {
        for state in [State::Queued, State::Dispatched, State::Sent, State::Read] {
            let mut message = message(1);
            message.state = state;
            assert_eq!(refund_due(&message, Timestamp(i64::MAX)), None, "{state}");
        }
    }

    #[test]
    fn too_few_credits_change_nothing() {
        assert_eq!(Balance::default().grant(2).charge(3), None);
    }
}
