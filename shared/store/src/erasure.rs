//! Erasures: one item each, which holds the person's number only until all is done.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use hantar_domain::erasure::Erasure;
use hantar_domain::ids::{CampaignId, ContactId, ErasureId, MessageId, UserId};
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Created, Erasing, Erasures, Idempotency, PersonMessages, PortError, Tenant as _, Work};

use crate::idempotency::{Earlier, earlier};
use crate::items::{Fields, Item, NewItem, bytes, number, text, texts, time};
use crate::message;
use crate::places::{Place, Table, deliveries_of, erasures_of, events_about, messages_of, ordered};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::work;
use crate::writing::{Write, Written, side_by_side};

/// How many messages one part of a walk reads.
const READ: usize = 1_000;
/// How long deliveries of a message are kept after its last change, and some days.
const KEPT: Duration = Duration::from_hours(35 * 24);
/// How many deliveries of a message to one endpoint there are at most: one for each state, and some.
const EVENTS: usize = 100;
/// What kind of request a key stands for.
const NOTED: &str = "er";

fn item(erasing: &Erasing) -> Item {
    let erasure = &erasing.erasure;
    let open = erasure.finished_at.is_none();
    NewItem::at(&Place::erasure(erasure.account, erasure.id))
        .with("ph", bytes(erasure.phone_hash))
        .with("us", number(erasure.requested_by))
        .with("t", time(erasure.requested_at))
        .maybe("kc", erasure.contact.map(number))
        .with("ms", number(erasure.messages))
        .with("rc", number(erasure.recipients))
        .maybe("ft", erasure.finished_at.map(time))
        .maybe("p", open.then(|| text(erasing.phone.digits())))
        .maybe("cm", erasing.campaign.filter(|_| open).map(number))
        .flag("cw", erasing.campaigns_walked && open)
        .maybe("af", erasing.after.filter(|_| open).map(number))
        .flag("wk", erasing.walked && open)
        .maybe("wt", open.then(|| texts(erasing.waiting.iter().map(ToString::to_string))))
        .with("v", number(erasing.version))
        .done()
}

fn read(item: &Item) -> Result<Erasure, PortError> {
    let fields = Fields(item);
    Ok(Erasure {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#KE")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.parse().ok())?,
        phone_hash: fields.bytes("ph")?.try_into().map_err(|_| fields.damaged("ph"))?,
        requested_by: UserId(fields.number("us")?),
        requested_at: fields.time("t")?,
        contact: fields.maybe_number("kc")?.map(ContactId),
        messages: fields.number("ms")?,
        recipients: fields.maybe_number("rc")?.unwrap_or_default(),
        finished_at: fields.maybe_time("ft")?,
    })
}

fn read_open(item: &Item) -> Result<Option<Erasing>, PortError> {
    let fields = Fields(item);
    let Some(phone) = fields.maybe_word("p", PhoneNumber::from_e164)? else { return Ok(None) };
    let waiting = fields.texts("wt")?;
    let waiting = waiting.iter().map(|id| id.parse().map_err(|_| fields.damaged("wt")));
    Ok(Some(Erasing {
        erasure: read(item)?,
        phone,
        campaign: fields.maybe_number("cm")?.map(CampaignId),
        campaigns_walked: fields.flag("cw")?,
        after: fields.maybe_number("af")?.map(MessageId),
        walked: fields.flag("wk")?,
        waiting: waiting.collect::<Result<_, _>>()?,
        version: fields.number("v")?,
    }))
}

impl TenantStore {
    async fn erased_before(&self, taken: &Item, wanted: &Idempotency) -> Result<Created<Erasure>, PortError> {
        let Earlier::Same(id) = earlier(taken, wanted, NOTED)? else { return Ok(Created::KeyReused) };
        let earlier = self.erasure(ErasureId(id)).await?;
        Ok(earlier.map_or(Created::KeyReused, |earlier| Created::Replayed(Box::new(earlier))))
    }

    /// Deletes the deliveries of events about a message.
    async fn forget_events(&self, message: &Message) -> Result<(), PortError> {
        if self.store.now().since(message.updated_at) > KEPT {
            return Ok(());
        }
        for endpoint in self.endpoints().await? {
            let prefix = events_about(self.account, endpoint.id, message.id);
            let query = Query::beginning(Table::Business, deliveries_of(self.account), prefix);
            let items = self.store.first(&query, EVENTS).await?;
            let mut works = Vec::with_capacity(items.len());
            for item in &items {
                let place = Place::in_deliveries(self.account, Fields(item).sk()?);
                works.push(self.store.write(Write::delete(&place)).boxed());
            }
            side_by_side(works).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Erasures for TenantStore {
    async fn erasure_under(&self, key: &Idempotency, at: Timestamp) -> Result<Option<Created<Erasure>>, PortError> {
        let Some(taken) = self.known_key(key, at).await? else { return Ok(None) };
        self.erased_before(&taken, key).await.map(Some)
    }

    async fn add_erasure(
        &self,
        erasure: &Erasure,
        phone: &PhoneNumber,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Erasure>, PortError> {
        let at = erasure.requested_at;
        let (erasure, phone) = (erasure.clone(), phone.clone());
        let id = erasure.id;
        let begun = Erasing {
            erasure,
            phone,
            campaign: None,
            campaigns_walked: false,
            after: None,
            walked: false,
            waiting: Vec::new(),
            version: 1,
        };
        let put = Write::put(&Place::erasure(self.account, id), item(&begun)).if_new();
        let armed = work::arm(self.account, Work::Forget(id), at);
        let key = idempotency.map(|key| self.put_key(key, NOTED, id.0, at));
        let writes = [put, armed].into_iter().chain(key);
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(mut refusals) = self.store.transact(&transaction).await? else {
            return Ok(Created::New);
        };
        match (refusals.pop(), idempotency) {
            (Some(Refusal::Condition(Some(taken))), Some(wanted)) => self.erased_before(&taken, wanted).await,
            _ => Err(PortError::Corrupt(format!("erasure number {id} is taken"))),
        }
    }

    async fn erasure(&self, id: ErasureId) -> Result<Option<Erasure>, PortError> {
        self.store.get(&Place::erasure(self.account, id)).await?.as_ref().map(read).transpose()
    }

    async fn erasures(&self, before: Option<ErasureId>, limit: usize) -> Result<Vec<Erasure>, PortError> {
        let (table, partition) = (Table::Business, erasures_of(self.account));
        let query = match before {
            Some(before) => Query::before(table, partition, ordered(before.0)),
            None => Query::all(table, partition),
        };
        self.store.first(&query.backwards(), limit).await?.iter().map(read).collect()
    }

    async fn erasing(&self, id: ErasureId) -> Result<Option<Erasing>, PortError> {
        let item = self.store.get(&Place::erasure(self.account, id)).await?;
        item.as_ref().map_or(Ok(None), read_open)
    }

    async fn note_erasing(&self, erasing: &Erasing) -> Result<bool, PortError> {
        let next = Erasing { version: erasing.version + 1, ..erasing.clone() };
        let place = Place::erasure(self.account, erasing.erasure.id);
        let put = Write::put(&place, item(&next)).when("v = :v").with(":v", number(erasing.version));
        Ok(match self.store.write(put.clone()).await? {
            Written::Done(_) => true,
            // Our own first try, whose answer was lost.
            Written::Refused(seen) => seen.is_some_and(|seen| put.puts(&seen)),
        })
    }

    async fn messages_of_person(
        &self,
        phone: &PhoneNumber,
        erasure: ErasureId,
        after: Option<MessageId>,
    ) -> Result<PersonMessages, PortError> {
        let start = after.map(|after| {
            let place = Place::message(self.account, after);
            Item::from([("pk".into(), text(place.pk)), ("sk".into(), text(place.sk))])
        });
        let values = HashMap::from([(":p".into(), text(phone.digits())), (":er".into(), number(erasure))]);
        let query = Query::all(Table::Business, messages_of(self.account)).only("p = :p OR er = :er".into(), values);
        let page = self.store.page(&query, start, READ).await?;
        let next = page.next.map(|last| Fields(&last).word("sk", |sk| sk.parse().ok())).transpose()?;
        Ok(PersonMessages { messages: page.items.iter().map(message::read).collect::<Result<_, _>>()?, next })
    }

    async fn blank_message(&self, message: &Message, erasure: ErasureId) -> Result<(), PortError> {
        self.forget_events(message).await?;
        let blank =
            Write::update(&Place::message(self.account, message.id), "SET b = :b, er = :er REMOVE p, l, n, md, ma")
                .when("attribute_exists(pk)")
                .with(":b", text(""))
                .with(":er", number(erasure));
        self.store.write(blank).await.map(drop)
    }

    async fn forget_peer(&self, phone: &PhoneNumber) -> Result<(), PortError> {
        for device in self.devices().await? {
            self.store.write(Write::delete(&Place::peer(self.account, device.id, phone))).await?;
        }
        Ok(())
    }
}
