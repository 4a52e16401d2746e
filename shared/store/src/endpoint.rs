//! Webhook endpoints.

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::ids::EndpointId;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{Endpoint, Subscription};
use hantar_usecases::ports::{Created, Deleted, EndpointChange, Idempotency, PortError};

use crate::items::{Fields, Item, NewItem, bytes, text, texts, time};
use crate::places::{ENDPOINT, Place, Table, of_account};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::{Write, Written};

/// How many are listed: more than an account may have.
const LISTED: usize = 1_000;

fn item(endpoint: &Endpoint) -> Item {
    NewItem::at(&Place::endpoint(endpoint.account, endpoint.id))
        .with("ur", text(&endpoint.url))
        .with("ev", events(endpoint))
        .with("k", bytes(endpoint.sealed_secret.clone()))
        .maybe("off", endpoint.disabled.as_deref().map(text))
        .with("t", time(endpoint.created_at))
        .done()
}

fn read(item: &Item) -> Result<Endpoint, PortError> {
    let fields = Fields(item);
    Ok(Endpoint {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(ENDPOINT)?.parse().ok())?,
        url: fields.text("ur")?.to_owned(),
        subscription: Subscription::parse(&fields.texts("ev")?).map_err(|_| fields.damaged("ev"))?,
        sealed_secret: fields.bytes("k")?.to_vec(),
        disabled: fields.owned("off")?,
        created_at: fields.time("t")?,
    })
}

impl TenantStore {
    pub(crate) async fn own_endpoints(&self) -> Result<Vec<Endpoint>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), ENDPOINT);
        self.store.first(&query, LISTED).await?.iter().map(read).collect()
    }

    pub(crate) async fn own_endpoint(&self, id: EndpointId) -> Result<Option<Endpoint>, PortError> {
        self.store.get(&Place::endpoint(self.account, id)).await?.as_ref().map(read).transpose()
    }

    pub(crate) async fn store_endpoint(
        &self,
        endpoint: &Endpoint,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Created<Endpoint>, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, endpoint.created_at).await?
        {
            return self.replayed(&taken, wanted).await;
        }
        if self.own_endpoints().await?.len() >= most {
            return Ok(Created::Full);
        }
        let place = Place::endpoint(self.account, endpoint.id);
        let put = Write::put(&place, item(endpoint)).if_new();
        let key = idempotency.map(|key| self.put_key(key, "en", endpoint.id.0, endpoint.created_at));
        let transaction =
            Transaction::new(&self.store, self.store.fresh_token(), [Some(put), key].into_iter().flatten())?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else { return Ok(Created::New) };
        let mut refusals = refusals.into_iter();
        match (refusals.next(), refusals.next(), idempotency) {
            (_, Some(Refusal::Condition(Some(taken))), Some(wanted)) => self.replayed(&taken, wanted).await,
            _ => Err(PortError::Corrupt(format!("endpoint number {} is taken", endpoint.id))),
        }
    }

    async fn replayed(&self, taken: &Item, wanted: &Idempotency) -> Result<Created<Endpoint>, PortError> {
        let fields = Fields(taken);
        let id = fields.maybe_number("en")?.map(EndpointId);
        let Some(id) = id.filter(|_| fields.bytes("q").is_ok_and(|request| request == wanted.request)) else {
            return Ok(Created::KeyReused);
        };
        // One that was deleted since cannot be given again, nor made anew under the same key.
        Ok(self.own_endpoint(id).await?.map_or(Created::KeyReused, |earlier| Created::Replayed(Box::new(earlier))))
    }

    pub(crate) async fn replace_endpoint(
        &self,
        seen: &Endpoint,
        endpoint: &Endpoint,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<EndpointChange, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return changed_before(&taken, wanted);
        }
        let put = as_seen(Write::put(&Place::endpoint(self.account, endpoint.id), item(endpoint)), seen);
        let key = idempotency.map(|key| self.put_key(key, "en", endpoint.id.0, at));
        let writes = [Some(put), key].into_iter().flatten();
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(refusals) = self.store.transact(&transaction).await? else {
            return Ok(EndpointChange::Done);
        };
        // Another one under this key may have been faster.
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return changed_before(&taken, wanted);
        }
        let there = matches!(refusals.first(), Some(Refusal::Condition(Some(item))) if !item.is_empty());
        Ok(if there { EndpointChange::Moved } else { EndpointChange::Missing })
    }

    pub(crate) async fn remove_endpoint(
        &self,
        id: EndpointId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        let delete = Write::delete(&Place::endpoint(self.account, id));
        let Some(wanted) = idempotency else {
            let (Written::Done(item) | Written::Refused(item)) = self.store.write(delete).await?;
            return Ok(if item.is_some_and(|item| !item.is_empty()) { Deleted::Done } else { Deleted::Missing });
        };
        if let Some(taken) = self.known_key(wanted, at).await? {
            return removed_before(&taken, wanted);
        }
        let writes = [delete.when("attribute_exists(pk)"), self.put_key(wanted, "en", id.0, at)];
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        if matches!(self.store.transact(&transaction).await?, Committed::Done) {
            return Ok(Deleted::Done);
        }
        // Another one under this key may have been faster.
        let taken = self.known_key(wanted, at).await?;
        taken.map_or(Ok(Deleted::Missing), |taken| removed_before(&taken, wanted))
    }

    pub(crate) async fn switch_off_endpoint(&self, id: EndpointId, reason: &str) -> Result<(), PortError> {
        let update = Write::update(&Place::endpoint(self.account, id), "SET off = :r");
        self.store.write(update.when("attribute_exists(pk)").with(":r", text(reason))).await.map(drop)
    }
}

/// Only in place of an endpoint that is as it was seen.
fn as_seen(write: Write, seen: &Endpoint) -> Write {
    let write = write.when("ur = :ur AND ev = :ev AND k = :k").with(":ur", text(&seen.url));
    let write = write.with(":ev", events(seen)).with(":k", bytes(seen.sealed_secret.clone()));
    match &seen.disabled {
        None => write.and("attribute_not_exists(off)"),
        Some(reason) => write.and("off = :off").with(":off", text(reason)),
    }
}

fn events(endpoint: &Endpoint) -> AttributeValue {
    texts(endpoint.subscription.names().into_iter().map(str::to_owned))
}

fn changed_before(taken: &Item, wanted: &Idempotency) -> Result<EndpointChange, PortError> {
    let same = Fields(taken).bytes("q")? == wanted.request;
    Ok(if same { EndpointChange::Before } else { EndpointChange::KeyReused })
}

fn removed_before(taken: &Item, wanted: &Idempotency) -> Result<Deleted, PortError> {
    Ok(if Fields(taken).bytes("q")? == wanted.request { Deleted::Done } else { Deleted::KeyReused })
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::AccountId;

    use super::*;

    #[test]
    fn an_endpoint_is_read_back_as_it_was_written() {
        for disabled in [None, Some("gone".to_owned())] {
            let endpoint = Endpoint {
                account: AccountId(1),
                id: EndpointId(2),
                url: "https://example.com/hook".into(),
                subscription: Subscription::All,
                sealed_secret: vec![1, 2, 3],
                disabled,
                created_at: Timestamp(4),
            };
            assert_eq!(read(&item(&endpoint)).unwrap(), endpoint);
        }
    }
}
