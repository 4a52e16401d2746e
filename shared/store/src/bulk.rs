//! Bulks: all rows are charged in one transaction with the bulk and the entry of its work; its messages follow, each once.

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::BoxFuture;
use hantar_domain::bulk::{Bulk, Rejected, Rejection};
use hantar_domain::ids::{BulkId, MessageId};
use hantar_domain::message::Message;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{BulkAccepted, Bulks, Idempotency, PortError, Work};

use crate::credits;
use crate::idempotency::Known;
use crate::items::{Fields, Item, NewItem, number, texts, time};
use crate::line;
use crate::message;
use crate::places::{Place, Table, bulks_of};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, MAX_ACTIONS, Refusal, Transaction};
use crate::work;
use crate::writing::{Write, side_by_side};

/// What an idempotency key's entry calls a bulk.
const KIND: &str = "bk";
/// Among how many of the last bulks one is looked for that is not finished: it takes a moment, and after a death a minute.
const LAST: usize = 100;

fn item(bulk: &Bulk) -> Item {
    let rejected = bulk.rejected.iter().map(|row| {
        let field = row.field.as_ref().map(|field| format!(" {field}")).unwrap_or_default();
        format!("{} {}{field}", row.index, row.why.word())
    });
    NewItem::at(&Place::bulk(bulk.account, bulk.id))
        .with("n", number(bulk.rows))
        .with("m", number(bulk.first))
        .with("rj", texts(rejected))
        .with("c", number(bulk.credits))
        .with("t", time(bulk.at))
        .flag("dn", bulk.done)
        .done()
}

fn read(item: &Item) -> Result<Bulk, PortError> {
    let fields = Fields(item);
    let rejected = fields.texts("rj")?;
    let rejected = rejected.iter().map(|text| read_rejected(text).ok_or_else(|| fields.damaged("rj")));
    Ok(Bulk {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#B")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.parse().ok())?,
        rows: fields.number("n")?,
        first: MessageId(fields.number("m")?),
        rejected: rejected.collect::<Result<_, _>>()?,
        credits: fields.number("c")?,
        at: fields.time("t")?,
        done: fields.flag("dn")?,
    })
}

/// `index word[ field]`.
fn read_rejected(text: &str) -> Option<Rejected> {
    let mut parts = text.splitn(3, ' ');
    let (index, why) = (parts.next()?.parse().ok()?, Rejection::from_word(parts.next()?)?);
    Some(Rejected { index, why, field: parts.next().map(str::to_owned) })
}

#[async_trait]
impl Bulks for TenantStore {
    async fn accept_bulk(
        &self,
        bulk: &Bulk,
        due: Timestamp,
        idempotency: Option<&Idempotency>,
    ) -> Result<BulkAccepted, PortError> {
        let cost = bulk.credits;
        let writes = [
            Some(Write::put(&Place::bulk(self.account, bulk.id), item(bulk)).if_new()),
            Some(work::arm(self.account, Work::Bulk(bulk.id), due)),
            (cost > 0).then(|| credits::charge(self.account, cost)),
            idempotency.map(|key| self.put_key(key, KIND, bulk.id.0, bulk.at)),
        ];
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes.into_iter().flatten())?;
        // One transaction at a time on an account's balance: within a process they need not meet.
        let line = self.store.lines().of(self.account);
        let turn = line.turn().await;
        let committed = self.store.transact(&transaction).await?;
        drop(turn);
        let Committed::Refused(refusals) = committed else { return Ok(BulkAccepted::Stored) };
        let mut refusals = refusals.into_iter();
        let (stored, _work) = (refusals.next(), refusals.next());
        let charged = if cost > 0 { refusals.next() } else { None };
        if let (Some(Refusal::Condition(_)), Some(key)) = (refusals.next(), idempotency)
            && let Some(earlier) = self.bulk_of_key(key, bulk.at).await?
        {
            return Ok(earlier);
        }
        match (stored, charged) {
            (Some(Refusal::Condition(Some(known))), _) if read(&known)?.at == bulk.at => Ok(BulkAccepted::Stored),
            (Some(Refusal::Condition(_)), _) => Err(PortError::Corrupt(format!("bulk number {} is taken", bulk.id))),
            (_, Some(Refusal::Condition(balance))) => {
                Ok(BulkAccepted::Refused { balance: credits::available(balance.as_ref())? })
            }
            _ => Err(PortError::Conflict),
        }
    }

    async fn bulk_of_key(&self, idempotency: &Idempotency, now: Timestamp) -> Result<Option<BulkAccepted>, PortError> {
        Ok(match self.stands_for(Some(idempotency), KIND, now).await? {
            Known::Nothing => None,
            Known::Other => Some(BulkAccepted::KeyReused),
            Known::Same(id) => {
                let bulk = self.bulk(BulkId(id)).await?;
                let bulk = bulk.ok_or_else(|| PortError::Corrupt(format!("bulk {id} of a key is missing")))?;
                Some(BulkAccepted::Replayed(Box::new(bulk)))
            }
        })
    }

    async fn bulk(&self, id: BulkId) -> Result<Option<Bulk>, PortError> {
        self.store.get(&Place::bulk(self.account, id)).await?.as_ref().map(read).transpose()
    }

    async fn put_messages(&self, messages: &[Message]) -> Result<(), PortError> {
        let works = messages.chunks(MAX_ACTIONS / 2).map(|part| self.put_part(part)).collect();
        side_by_side(works).await.map(drop)
    }

    async fn unfinished(&self, until: Timestamp) -> Result<bool, PortError> {
        let query = Query::all(Table::Business, bulks_of(self.account)).backwards();
        let bulks = self.store.first(&query, LAST).await?;
        let bulks = bulks.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        Ok(bulks.iter().any(|bulk| !bulk.done && bulk.at <= until))
    }

    async fn finish_bulk(&self, id: BulkId) -> Result<(), PortError> {
        let done = Write::update(&Place::bulk(self.account, id), "SET dn = :dn").when("attribute_exists(pk)");
        let yes = aws_sdk_dynamodb::types::AttributeValue::Bool(true);
        self.store.write(done.with(":dn", yes)).await.map(drop)
    }
}

impl TenantStore {
    /// As many as one transaction holds; where some are there already, one by one.
    fn put_part<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Result<(), PortError>> {
        async move {
            let writes = messages.iter().flat_map(|message| self.put_both(message));
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
            let Committed::Refused(refusals) = self.store.transact(&transaction).await? else { return Ok(()) };
            if messages.len() == 1 {
                return Ok(());
            }
            let missing = messages.iter().zip(refusals.chunks(2));
            let missing = missing.filter(|(_, refusals)| !matches!(refusals.first(), Some(Refusal::Condition(_))));
            side_by_side(missing.map(|(message, _)| self.put_part(std::slice::from_ref(message))).collect())
                .await
                .map(drop)
        }
        .boxed()
    }

    fn put_both(&self, message: &Message) -> [Write; 2] {
        let place = Place::message(self.account, message.id);
        [Write::put(&place, message::item(message)).if_new(), line::enter(&line::open_place(message))]
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::AccountId;

    use super::*;

    #[test]
    fn a_bulk_is_read_back_as_it_was_written() {
        let rejected = vec![
            Rejected { index: 3, why: Rejection::OptedOut, field: None },
            Rejected { index: 7, why: Rejection::MissingField, field: Some("plan".into()) },
        ];
        let bulk = Bulk {
            account: AccountId(1),
            id: BulkId(2),
            rows: 9,
            first: MessageId(100),
            rejected,
            credits: 7,
            at: Timestamp(5),
            done: true,
        };
        assert_eq!(read(&item(&bulk)).unwrap(), bulk);
    }
}
