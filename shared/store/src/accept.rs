//! Accepting messages: balance down, message, entry in the line, key, in one transaction for a group (see `group`).

use futures::future::{Either, select};
use hantar_domain::ids::MessageId;
use hantar_domain::message::Message;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Acceptance, Accepted, Idempotency, PortError};
use sha2::{Digest, Sha256};

use crate::credits;
use crate::errors::{Failure, again};
use crate::group::{Answer, Waiting};
use crate::idempotency::Known;
use crate::items::{Fields, Item};
use crate::line;
use crate::message;
use crate::places::{Place, Table};
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::{PAUSES, Write};

/// How often an acceptance asks again because whoever carried it out went away in the middle.
const DESERTED: usize = 3;
/// How often a transaction whose answer was lost is tried again, after the SDK's own tries.
const LOST_TRIES: usize = 2;

impl TenantStore {
    pub(crate) async fn accept_one(&self, acceptance: &Acceptance) -> Answer {
        let line = self.store.lines().of(self.account);
        for _ in 0..=DESERTED {
            let mut answer = line.join(acceptance)?;
            let told = loop {
                let turn = match select(&mut answer, Box::pin(line.turn())).await {
                    Either::Left((told, _)) => break told,
                    Either::Right((turn, _)) => turn,
                };
                match answer.try_recv() {
                    Ok(None) => self.carry_out(line.group()).await,
                    Ok(Some(told)) => break Ok(told),
                    Err(gone) => break Err(gone),
                }
                drop(turn);
            };
            if let Ok(told) = told {
                return told;
            }
            // Whoever had the turn went away: whether our transaction happened is not known.
            if self.one_message(acceptance.message.id).await?.is_some() {
                return Ok(Accepted::Stored);
            }
        }
        Err(PortError::Conflict)
    }

    pub(crate) async fn message_of_key(
        &self,
        wanted: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Message>, PortError> {
        match self.stands_for(Some(wanted), "m", now).await? {
            Known::Same(id) => self.one_message(MessageId(id)).await,
            Known::Nothing | Known::Other => Ok(None),
        }
    }

    /// Carries a group out and tells each of its callers.
    async fn carry_out(&self, group: Vec<Waiting>) {
        let mut groups = vec![group];
        while let Some(group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            match self.commit(&group).await {
                Ok(Committed::Done) => {
                    for one in group {
                        one.tell(Ok(Accepted::Stored));
                    }
                }
                Ok(Committed::Refused(refusals)) => {
                    let (now, later) = self.settle(group, refusals).await;
                    groups.extend([later, now]);
                }
                Err(error) => {
                    for one in group {
                        one.tell(Err(again(&error)));
                    }
                }
            }
        }
    }

    async fn commit(&self, group: &[Waiting]) -> Result<Committed, PortError> {
        let acceptances = || group.iter().map(|one| &one.acceptance);
        let sum = acceptances().map(|one| one.message.credits).sum();
        let writes = std::iter::once(credits::charge(self.account, sum)).chain(acceptances().flat_map(|one| {
            let (message, key) = (&one.message, one.idempotency.as_ref());
            let place = Place::message(self.account, message.id);
            let stored = Write::put(&place, message::item(message)).if_new();
            let key = key.map(|key| self.put_key(key, "m", message.id.0, message.accepted_at));
            [Some(stored), Some(line::enter(&line::open_place(message))), key].into_iter().flatten()
        }));
        let transaction = Transaction::new(&self.store, token(self, group), writes)?;
        let ids: Vec<_> = acceptances().map(|one| one.message.id).collect();
        self.send(&transaction, &ids).await
    }

    /// Like `transact`, but after a lost answer it looks before it tries again.
    async fn send(&self, transaction: &Transaction, ids: &[MessageId]) -> Result<Committed, PortError> {
        let (mut pauses, mut lost) = (PAUSES.iter(), 0);
        loop {
            match self.store.try_transact(transaction).await {
                Ok(committed) => return Ok(committed),
                Err(Failure::Conflict) => match pauses.next() {
                    Some(pause) => self.store.pause(*pause).await,
                    None => return Err(PortError::Conflict),
                },
                Err(Failure::Lost(error)) => {
                    if self.some_messages(ids).await?.len() == ids.len() {
                        return Ok(Committed::Done);
                    }
                    if lost == LOST_TRIES {
                        return Err(error);
                    }
                    lost += 1;
                }
                Err(Failure::Port(error)) => return Err(error),
            }
        }
    }

    /// After a refusal: tells those whose own condition failed, and sorts the others into a group for which there is
    /// credit and the rest, which is tried after it.
    async fn settle(&self, group: Vec<Waiting>, refusals: Vec<Refusal>) -> (Vec<Waiting>, Vec<Waiting>) {
        let mut refusals = refusals.into_iter();
        let mut next = || refusals.next().unwrap_or(Refusal::None);
        let balance = next();
        let count = group.len();
        let mut open = Vec::new();
        for one in group {
            let (stored, _entry) = (next(), next());
            let key = if one.acceptance.idempotency.is_some() { next() } else { Refusal::None };
            match self.verdict(&one.acceptance, stored, key).await.transpose() {
                Some(answer) => one.tell(answer),
                None => open.push(one),
            }
        }
        let Refusal::Condition(balance) = balance else {
            if open.len() == count {
                // Refused without a reason that we know: never go round in a circle.
                for one in open {
                    one.tell(Err(PortError::Conflict));
                }
                return (Vec::new(), Vec::new());
            }
            return (open, Vec::new());
        };
        match credits::available(balance.as_ref()) {
            Ok(available) => share(open, available),
            Err(error) => {
                for one in open {
                    one.tell(Err(again(&error)));
                }
                (Vec::new(), Vec::new())
            }
        }
    }

    /// What the refusal of its own conditions means for one acceptance; `None` when none of them failed.
    async fn verdict(
        &self,
        acceptance: &Acceptance,
        stored: Refusal,
        key: Refusal,
    ) -> Result<Option<Accepted>, PortError> {
        if let Refusal::Condition(item) = stored {
            let same = |item: &Item| message::read(item).is_ok_and(|stored| is_repeat(&stored, &acceptance.message));
            return match item {
                Some(item) if same(&item) => Ok(Some(Accepted::Stored)),
                _ => Err(PortError::Corrupt(format!("message number {} is taken", acceptance.message.id))),
            };
        }
        let (Refusal::Condition(Some(item)), Some(wanted)) = (key, &acceptance.idempotency) else { return Ok(None) };
        self.replay(&item, wanted).await.map(Some)
    }

    async fn replay(&self, item: &Item, wanted: &Idempotency) -> Answer {
        let fields = Fields(item);
        if fields.bytes("q")? != wanted.request {
            return Ok(Accepted::KeyReused);
        }
        let id = MessageId(fields.number("m")?);
        let earlier = self.one_message(id).await?.ok_or_else(|| fields.damaged("m"))?;
        Ok(Accepted::Replayed(Box::new(earlier)))
    }
}

/// Those for whom there is credit, in their order, and the others. Where nobody can be served, all are refused.
fn share(open: Vec<Waiting>, available: i64) -> (Vec<Waiting>, Vec<Waiting>) {
    let (mut now, mut later, mut left) = (Vec::new(), Vec::new(), available);
    for one in open {
        let credits = one.acceptance.message.credits;
        if credits <= left {
            left -= credits;
            now.push(one);
        } else {
            later.push(one);
        }
    }
    if now.is_empty() {
        later.drain(..).for_each(|one| one.tell(Ok(Accepted::Refused { balance: available })));
    }
    (now, later)
}

fn is_repeat(stored: &Message, wanted: &Message) -> bool {
    stored.accepted_at == wanted.accepted_at && stored.stanza == wanted.stanza && stored.body == wanted.body
}

/// The same for the same group on every try. DynamoDB keeps such names for all tables of an AWS account and region
/// together, so the table is part of it: another deployment has the same account and message numbers.
fn token(tenant: &TenantStore, group: &[Waiting]) -> String {
    let table = tenant.store.table(Table::Business);
    let mut hash =
        Sha256::new().chain_update("accept").chain_update(table).chain_update(tenant.account.0.to_be_bytes());
    for Waiting { acceptance: Acceptance { message, idempotency }, .. } in group {
        hash.update(message.id.0.to_be_bytes());
        hash.update(message.accepted_at.0.to_be_bytes());
        hash.update(idempotency.as_ref().map_or([0; 32], |idempotency| idempotency.request));
    }
    hex::encode(&hash.finalize()[..16])
}
