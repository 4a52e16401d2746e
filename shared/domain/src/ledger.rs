//! Movements of credits, each with its cause: together they are the balance.
//!
//! What a message cost and gave back is read off the message itself, so that a message costs no second write; everything
//! else that moves money is noted in the very transaction that moves it.

use std::fmt;

use crate::credits::UNKNOWN_PATIENCE;
use crate::ids::{CampaignId, MessageId, OrderId};
use crate::message::{Direction, Message, State};
use crate::time::Timestamp;

/// Why credits moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// What the account began with.
    Opening,
    /// The administrator put them in, under this name.
    Grant(String),
    /// They were bought.
    Purchase(OrderId),
    /// Set aside for a campaign: as many as it can need at most.
    CampaignHold(CampaignId),
    /// Set aside for a campaign, and not needed.
    CampaignRelease(CampaignId),
    /// A message was accepted.
    Message(MessageId),
    /// A message failed, was refused or cancelled, or stayed unknown.
    Refund(MessageId),
}

impl Cause {
    /// The stored and shown word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Grant(_) => "grant",
            Self::Purchase(_) => "purchase",
            Self::CampaignHold(_) => "campaign_hold",
            Self::CampaignRelease(_) => "campaign_release",
            Self::Message(_) => "message",
            Self::Refund(_) => "refund",
        }
    }

    /// What it was about, as a text that [`Cause::read`] takes back.
    pub fn reference(&self) -> String {
        match self {
            Self::Opening => String::new(),
            Self::Grant(name) => name.clone(),
            Self::Purchase(id) => id.to_string(),
            Self::CampaignHold(id) | Self::CampaignRelease(id) => id.to_string(),
            Self::Message(id) | Self::Refund(id) => id.to_string(),
        }
    }

    /// The cause with this word and reference.
    pub fn read(word: &str, reference: &str) -> Option<Self> {
        Some(match word {
            "opening" => Self::Opening,
            "grant" => Self::Grant(reference.to_owned()),
            "purchase" => Self::Purchase(reference.parse().ok()?),
            "campaign_hold" => Self::CampaignHold(reference.parse().ok()?),
            "campaign_release" => Self::CampaignRelease(reference.parse().ok()?),
            "message" => Self::Message(reference.parse().ok()?),
            "refund" => Self::Refund(reference.parse().ok()?),
            _ => return None,
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str(self.word()),
            _ => write!(f, "{} {}", self.word(), self.reference()),
        }
    }
}

/// One movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// When.
    pub at: Timestamp,
    /// How many credits came in; those that went out are below zero.
    pub credits: i64,
    /// Why.
    pub cause: Cause,
}

/// The movements that a message stands for, the latest first. A campaign set the price of its messages aside before, all at
/// once: of those only what came back counts.
pub fn of_message(message: &Message) -> Vec<Movement> {
    if message.direction == Direction::Inbound || message.credits == 0 {
        return Vec::new();
    }
    let refund = message.refunded.then(|| Movement {
        at: refunded_at(message),
        credits: message.credits,
        cause: Cause::Refund(message.id),
    });
    let charge = message.campaign.is_none().then(|| Movement {
        at: message.accepted_at,
        credits: -message.credits,
        cause: Cause::Message(message.id),
    });
    refund.into_iter().chain(charge).collect()
}

/// When a refunded message was refunded: at its end, or after it had been unknown for a day, whichever was first.
fn refunded_at(message: &Message) -> Timestamp {
    let at = |ends: fn(State) -> bool| message.history.iter().find(|step| ends(step.state)).map(|step| step.at);
    let ended = at(|state| matches!(state, State::Failed | State::Cancelled));
    let unknown = at(|state| state == State::Unknown).map(|since| since + UNKNOWN_PATIENCE);
    ended.into_iter().chain(unknown).min().unwrap_or(message.updated_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, DeviceId, StanzaId};
    use crate::message::{Lane, Step};

    fn message(steps: &[(State, i64)]) -> Message {
        let history = steps.iter().map(|(state, at)| Step { state: *state, at: Timestamp(*at), code: None }).collect();
        Message {
            account: AccountId(1),
            id: MessageId(7),
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
            stanza: StanzaId("7".into()),
            state: steps.last().unwrap().0,
            held_until: None,
            accepted_at: Timestamp(5),
            updated_at: Timestamp(9),
            credits: 1,
            refunded: false,
            history,
        }
    }

    #[test]
    fn every_cause_is_read_back_as_it_was_written() {
        for cause in [
            Cause::Opening,
            Cause::Grant("grant-1#2".into()),
            Cause::Purchase(OrderId(1)),
            Cause::CampaignHold(CampaignId(2)),
            Cause::CampaignRelease(CampaignId(3)),
            Cause::Message(MessageId(4)),
            Cause::Refund(MessageId(5)),
        ] {
            assert_eq!(Cause::read(cause.word(), &cause.reference()), Some(cause.clone()), "{cause}");
        }
        assert_eq!(Cause::read("refund", "x"), None);
        assert_eq!(Cause::read("nonsense", ""), None);
    }

    #[test]
    fn a_message_was_paid_and_what_came_back_stands_above_it() {
        let charge = Movement { at: Timestamp(5), credits: -1, cause: Cause::Message(MessageId(7)) };
        let sent = message(&[(State::Queued, 5), (State::Sent, 6)]);
        assert_eq!(of_message(&sent), vec![charge.clone()]);
        let failed = Message { refunded: true, ..message(&[(State::Queued, 5), (State::Failed, 8)]) };
        let refund = Movement { at: Timestamp(8), credits: 1, cause: Cause::Refund(MessageId(7)) };
        assert_eq!(of_message(&failed), [refund, charge]);
    }

    #[test]
    fn a_message_that_was_unknown_came_back_after_a_day_unless_it_failed_before() {
        let day = i64::try_from(UNKNOWN_PATIENCE.as_micros()).unwrap();
        for (failed, at) in [(10, 10), (7 + 2 * day, 7 + day)] {
            let steps = [(State::Unknown, 7), (State::Failed, failed)];
            let message = Message { refunded: true, ..message(&steps) };
            assert_eq!(of_message(&message)[0].at, Timestamp(at));
        }
    }

    #[test]
    fn a_campaigns_message_only_gives_back_and_a_received_or_free_one_moves_nothing() {
        let campaign = Some(CampaignId(1));
        let failed = Message { refunded: true, campaign, ..message(&[(State::Failed, 8)]) };
        assert_eq!(of_message(&failed).iter().map(|movement| movement.credits).collect::<Vec<_>>(), [1]);
        assert!(of_message(&Message { campaign, ..message(&[(State::Sent, 8)]) }).is_empty());
        assert!(of_message(&Message { direction: Direction::Inbound, ..message(&[(State::Delivered, 8)]) }).is_empty());
        assert!(of_message(&Message { credits: 0, ..message(&[(State::Sent, 8)]) }).is_empty());
    }
}
