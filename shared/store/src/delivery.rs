//! Deliveries of events to endpoints, each with an entry among the due ones while it is pending. Both are changed in
//! one transaction, so that no entry is left behind to ring for ever.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::ids::EndpointId;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{EventId, EventKind};
use hantar_usecases::ports::{Attempt, Delivery, DeliveryState, PortError};

use crate::items::{Fields, Item, NewItem, TTL, expiry, number, text, time};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// How long a delivery is kept after it was due: attempts go on for three days.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// How often an attempt is recorded anew because the delivery was claimed meanwhile.
const LOOKS: usize = 4;

const fn word(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Pending => "pending",
        DeliveryState::Delivered => "delivered",
        DeliveryState::GivenUp => "given_up",
    }
}

fn from_word(text: &str) -> Option<DeliveryState> {
    [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::GivenUp]
        .into_iter()
        .find(|state| word(*state) == text)
}

fn attempt_value(attempt: &Attempt) -> AttributeValue {
    let mut map = HashMap::from([
        ("t".into(), time(attempt.at)),
        ("us".into(), number(attempt.took.as_micros())),
        ("x".into(), text(&attempt.excerpt)),
    ]);
    map.extend(attempt.status.map(|status| ("c".into(), number(status))));
    map.extend(attempt.failure.as_deref().map(|failure| ("f".into(), text(failure))));
    AttributeValue::M(map)
}

fn read_attempt(value: &AttributeValue) -> Option<Attempt> {
    let fields = Fields(value.as_m().ok()?);
    Some(Attempt {
        at: fields.time("t").ok()?,
        took: Duration::from_micros(fields.number("us").ok()?),
        status: fields.maybe_number("c").ok()?,
        failure: fields.owned("f").ok()?,
        excerpt: fields.owned("x").ok()?.unwrap_or_default(),
    })
}

fn read(item: &Item) -> Result<Delivery, PortError> {
    let fields = Fields(item);
    let (endpoint, event) = fields.word("sk", |sk| {
        let (endpoint, event) = sk.strip_prefix("DLV#")?.split_once('#')?;
        Some((endpoint.parse().ok()?, EventId(event.to_owned())))
    })?;
    let attempts = fields.list("a")?.iter().map(read_attempt).collect::<Option<_>>();
    Ok(Delivery {
        endpoint,
        event,
        kind: fields.word("k", EventKind::from_word)?,
        body: fields.text("b")?.to_owned(),
        state: fields.word("s", from_word)?,
        due_at: fields.time("du")?,
        attempts: attempts.ok_or_else(|| fields.damaged("a"))?,
    })
}

impl TenantStore {
    fn due_place(&self, delivery: &Delivery, due: Timestamp) -> Place {
        Place::due(due, self.account, delivery.endpoint, &delivery.event)
    }

    /// The writes that move a delivery's entry among the due ones.
    fn move_entry(&self, delivery: &Delivery, from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<Write> {
        if from == to {
            return Vec::new();
        }
        let left = from.map(|from| Write::delete(&self.due_place(delivery, from)));
        let entered = to.map(|to| {
            let place = self.due_place(delivery, to);
            Write::put(&place, NewItem::at(&place).done())
        });
        left.into_iter().chain(entered).collect()
    }

    pub(crate) async fn store_delivery(&self, delivery: &Delivery) -> Result<bool, PortError> {
        let place = Place::delivery(self.account, delivery.endpoint, &delivery.event);
        let item = NewItem::at(&place)
            .with("k", text(delivery.kind.word()))
            .with("b", text(&delivery.body))
            .with("s", text(word(delivery.state)))
            .with("du", time(delivery.due_at))
            .with("a", AttributeValue::L(delivery.attempts.iter().map(attempt_value).collect()))
            .with(TTL, expiry(delivery.due_at + KEPT));
        let due = (delivery.state == DeliveryState::Pending).then_some(delivery.due_at);
        let mut writes = vec![Write::put(&place, item.done()).if_new()];
        writes.extend(self.move_entry(delivery, None, due));
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        Ok(matches!(self.store.transact(&transaction).await?, Committed::Done))
    }

    pub(crate) async fn one_delivery(
        &self,
        endpoint: EndpointId,
        event: &EventId,
    ) -> Result<Option<Delivery>, PortError> {
        let item = self.store.get(&Place::delivery(self.account, endpoint, event)).await?;
        match item {
            Some(item) if !Fields(&item).expired(self.store.now())? => read(&item).map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) async fn note_attempt(
        &self,
        delivery: &Delivery,
        made: usize,
        attempt: &Attempt,
        state: DeliveryState,
        due_at: Timestamp,
    ) -> Result<bool, PortError> {
        let place = Place::delivery(self.account, delivery.endpoint, &delivery.event);
        for _ in 0..LOOKS {
            // The caller may hold the delivery as it was before its own claim: the entry stands where it stands now.
            let Some(now) = self.one_delivery(delivery.endpoint, &delivery.event).await? else { return Ok(false) };
            if now.attempts.len() != made {
                return Ok(false);
            }
            let noted = Write::update(&place, "SET a = list_append(a, :a), s = :s, du = :du, #ttl = :ttl")
                .when("size(a) = :made AND du = :seen")
                .with(":a", AttributeValue::L(vec![attempt_value(attempt)]))
                .with(":s", text(word(state)))
                .with(":du", time(due_at))
                .with(":ttl", expiry(due_at + KEPT))
                .with(":made", number(made))
                .with(":seen", time(now.due_at));
            let from = (now.state == DeliveryState::Pending).then_some(now.due_at);
            let to = (state == DeliveryState::Pending).then_some(due_at);
            let mut writes = vec![noted];
            writes.extend(self.move_entry(delivery, from, to));
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
            if matches!(self.store.transact(&transaction).await?, Committed::Done) {
                return Ok(true);
            }
        }
        Err(PortError::Conflict)
    }

    pub(crate) async fn put_off(&self, delivery: &Delivery, due_at: Timestamp) -> Result<bool, PortError> {
        let place = Place::delivery(self.account, delivery.endpoint, &delivery.event);
        let claimed = Write::update(&place, "SET du = :du")
            .when("s = :s AND du = :seen")
            .with(":du", time(due_at))
            .with(":s", text(word(DeliveryState::Pending)))
            .with(":seen", time(delivery.due_at));
        let mut writes = vec![claimed];
        writes.extend(self.move_entry(delivery, Some(delivery.due_at), Some(due_at)));
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        match self.store.transact(&transaction).await? {
            Committed::Done => Ok(true),
            Committed::Refused(refusals) => match refusals.first() {
                Some(Refusal::Condition(_)) => Ok(false),
                _ => Err(PortError::Conflict),
            },
        }
    }
}
