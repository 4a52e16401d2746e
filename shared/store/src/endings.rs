//! Endings that give a credit back: refused, nacked, cancelled, unknown for too long. Each is one transaction over the
//! message, the balance and the line, conditional on the message being exactly as it was seen.

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::ids::MessageId;
use hantar_domain::message::{Fact, Message, State};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Applied, Cancelled, Idempotency, PortError, Refusal as Why};

use crate::credits;
use crate::items::{Fields, Item, text, time};
use crate::line;
use crate::places::Place;
use crate::progress::{LOOKS, step, stepped};
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// Why and how a message ends.
struct Ending<'a> {
    fact: Fact,
    code: Option<&'a str>,
    at: Timestamp,
    idempotency: Option<&'a Idempotency>,
}

/// What became of an ending.
enum Ended {
    Now(Message),
    Not(Message),
    Missing,
    /// The idempotency key is taken.
    Taken(Item),
}

impl TenantStore {
    pub(crate) async fn fail(&self, id: MessageId, why: &Why, at: Timestamp) -> Result<Applied, PortError> {
        if why.fact.state() != State::Failed {
            return Err(PortError::Corrupt(format!("{:?} is no refusal", why.fact)));
        }
        let ending = Ending { fact: why.fact, code: Some(&why.code), at, idempotency: None };
        Ok(match self.end(id, &ending).await? {
            Ended::Now(message) => Applied::Moved(Box::new(message)),
            Ended::Not(message) => Applied::Unchanged(Box::new(message)),
            Ended::Missing | Ended::Taken(_) => Applied::Missing,
        })
    }

    pub(crate) async fn take_back(
        &self,
        id: MessageId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Cancelled, PortError> {
        if let Some(wanted) = idempotency
            && let Some(item) = self.known_key(wanted, at).await?
        {
            return self.answer_of_key(id, wanted, &item).await;
        }
        let ending = Ending { fact: Fact::Cancelled, code: None, at, idempotency };
        Ok(match self.end(id, &ending).await? {
            Ended::Now(message) => Cancelled::Done(Box::new(message)),
            Ended::Not(message) => Cancelled::TooLate(Box::new(message)),
            Ended::Missing => Cancelled::Missing,
            Ended::Taken(item) => match idempotency {
                Some(wanted) => return self.answer_of_key(id, wanted, &item).await,
                None => Cancelled::KeyReused,
            },
        })
    }

    async fn answer_of_key(&self, id: MessageId, wanted: &Idempotency, item: &Item) -> Result<Cancelled, PortError> {
        let fields = Fields(item);
        if fields.bytes("q")? != wanted.request || fields.maybe_number("m")? != Some(id.0) {
            return Ok(Cancelled::KeyReused);
        }
        let message = self.one_message(id).await?;
        Ok(message.map_or(Cancelled::Missing, |message| Cancelled::Done(Box::new(message))))
    }

    async fn end(&self, id: MessageId, ending: &Ending<'_>) -> Result<Ended, PortError> {
        let Some(mut seen) = self.one_message(id).await? else { return Ok(Ended::Missing) };
        let line = self.store.lines().of(self.account);
        for _ in 0..LOOKS {
            if ending.fact.applied_to(seen.state).is_none() {
                return Ok(Ended::Not(seen));
            }
            let (writes, after) = self.writes(seen, ending);
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
            // One transaction at a time on an account's balance: within a process they need not meet.
            let turn = line.turn().await;
            let committed = self.store.transact(&transaction).await?;
            drop(turn);
            let Committed::Refused(refusals) = committed else { return Ok(Ended::Now(after)) };
            if let Some(Refusal::Condition(Some(taken))) = refusals.into_iter().nth(1)
                && ending.idempotency.is_some()
            {
                return Ok(Ended::Taken(taken));
            }
            match self.one_message(id).await? {
                Some(message) => seen = message,
                None => return Ok(Ended::Missing),
            }
        }
        Err(PortError::Conflict)
    }

    /// The writes of an ending (the message first, then the key if there is one), and the message after them.
    fn writes(&self, seen: Message, ending: &Ending<'_>) -> (Vec<Write>, Message) {
        let place = Place::message(self.account, seen.id);
        let refund = (!seen.refunded && seen.credits > 0).then_some(seen.credits);
        let extra = if refund.is_some() { ", r = :r" } else { "" };
        let moved = step(&place, &[seen.state], ending.fact, ending.at, ending.code, extra);
        let moved = match refund {
            Some(_) => moved.and("attribute_not_exists(r)").with(":r", AttributeValue::Bool(true)),
            None => moved,
        };
        let key = ending.idempotency.map(|key| self.put_key(key, "m", seen.id.0, ending.at));
        let writes = [Some(moved), key, refund.map(|credits| credits::give_back(self.account, credits))];
        let left = line::places_in(&seen, seen.state).map(|place| Write::delete(&place));
        let writes = writes.into_iter().flatten().chain(left).collect();
        let mut after = stepped(seen, ending.fact, ending.at, ending.code);
        after.refunded |= refund.is_some();
        (writes, after)
    }

    pub(crate) async fn give_up_waiting(&self, id: MessageId, at: Timestamp) -> Result<bool, PortError> {
        let Some(seen) = self.one_message(id).await? else { return Ok(false) };
        if seen.state != State::Unknown || seen.refunded || seen.credits == 0 {
            // It was answered, or refunded: a death in between may have left its entry.
            if let Some(place) = line::unknown_place(&seen) {
                self.store.write(Write::delete(&place)).await?;
            }
            return Ok(false);
        }
        let refunded = Write::update(&Place::message(self.account, id), "SET r = :r, u = :u")
            .when("s = :s AND attribute_not_exists(r)")
            .with(":r", AttributeValue::Bool(true))
            .with(":u", time(at))
            .with(":s", text(State::Unknown.word()));
        let left = line::unknown_place(&seen).map(|place| Write::delete(&place));
        let writes = [Some(refunded), Some(credits::give_back(self.account, seen.credits)), left];
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes.into_iter().flatten())?;
        let line = self.store.lines().of(self.account);
        let _turn = line.turn().await;
        Ok(matches!(self.store.transact(&transaction).await?, Committed::Done))
    }
}
