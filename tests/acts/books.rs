//! What must be true of an account's money and messages at every moment.

use std::collections::BTreeMap;

use hantar_domain::credits::Balance;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::message::{Direction, Message, State};
use hantar_usecases::list_ledger::{LedgerPlace, list_ledger};
use hantar_usecases::ports::{MessageFilter, StateCounts};

use crate::home::Home;

impl Home {
    /// All messages, newest first.
    pub(crate) async fn messages(&self) -> Vec<Message> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = self.tenant().list_messages(&MessageFilter::default(), before, 100).await.unwrap();
            all.extend(page.messages);
            before = page.older;
            if before.is_none() {
                return all;
            }
        }
    }

    /// All movements of credits, the latest first.
    pub(crate) async fn ledger(&self) -> Vec<Movement> {
        let (mut all, mut place) = (Vec::new(), LedgerPlace::default());
        loop {
            let page = list_ledger(self.tenant().as_ref(), place, 100).await.unwrap();
            all.extend(page.movements);
            match page.next {
                Some(next) => place = next,
                None => return all,
            }
        }
    }

    /// Reads the books and holds them against the messages, which were all paid and, where it was due, given back, each
    /// once. Nobody may write meanwhile.
    pub(crate) async fn audit(&self) -> Balance {
        let (balance, messages) = (self.tenant().balance().await.unwrap(), self.messages().await);
        assert!(balance.is_sound(), "{balance:?}");
        let ledger = self.ledger().await;
        let noted = |hold: fn(&Cause) -> bool| -> i64 {
            ledger.iter().filter(|movement| hold(&movement.cause)).map(|movement| movement.credits).sum()
        };
        // What a campaign's messages cost was set aside for the campaign.
        let single = messages.iter().filter(|message| message.campaign.is_none());
        let paid =
            single.map(|message| message.credits).sum::<i64>() - noted(|cause| matches!(cause, Cause::CampaignHold(_)));
        assert_eq!(balance.charged, paid, "what was charged is what the messages cost");
        let back: i64 = messages.iter().filter(|message| message.refunded).map(|message| message.credits).sum();
        let back = back + noted(|cause| matches!(cause, Cause::CampaignRelease(_)));
        assert_eq!(balance.refunded, back, "what was refunded is what the messages say");
        let sum: i64 = ledger.iter().map(|movement| movement.credits).sum();
        assert_eq!(balance.available, sum, "the ledger sums up to the balance");
        messages.iter().for_each(check);
        balance
    }

    /// How many messages really stand in each state.
    pub(crate) async fn true_counts(&self) -> StateCounts {
        let mut counts = StateCounts { outbound: BTreeMap::new(), inbound: 0 };
        for message in self.messages().await {
            match message.direction {
                Direction::Inbound => counts.inbound += 1,
                Direction::Outbound => *counts.outbound.entry(message.state).or_default() += 1,
            }
        }
        counts
    }
}

fn check(message: &Message) {
    assert_eq!(message.history.last().unwrap().state, message.state, "{message:?}");
    for pair in message.history.windows(2) {
        let (from, to) = (pair[0].state, pair[1].state);
        // Held for another reason, too.
        let waits = matches!((from, to), (State::Queued | State::Held, State::Held)) && pair[0].code != pair[1].code;
        assert!(to.place() > from.place() || waits, "{from} -> {to}: {message:?}");
    }
    let was_unknown = message.history.iter().any(|step| step.state == State::Unknown);
    match message.state {
        State::Failed | State::Cancelled => assert!(message.refunded, "{message:?}"),
        _ => assert!(!message.refunded || was_unknown, "{message:?}"),
    }
}
