//! Callers' idempotency keys: what each stands for, for 24 hours by its own expiry.

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Idempotency, PortError};

use crate::items::{Fields, Item, NewItem, TTL, bytes, expiry, number};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::writing::Write;

/// What a key says about the request that it comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: it is new, or there is none.
    Nothing,
    /// It stood for this same request, which came to the thing with this number.
    Same(u64),
    /// It stands for another request.
    Other,
}

/// What a key that is taken stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// The same request, and the number of what it was about.
    Same(u64),
    /// Another request.
    Other,
}

/// What the entry of a taken key says to a request that brings the key again, where the key's kind is `kind`.
pub(crate) fn earlier(taken: &Item, wanted: &Idempotency, kind: &str) -> Result<Earlier, PortError> {
    let fields = Fields(taken);
    match fields.maybe_number(kind)? {
        Some(id) if fields.bytes("q")? == wanted.request => Ok(Earlier::Same(id)),
        _ => Ok(Earlier::Other),
    }
}

impl TenantStore {
    /// What a caller's key stands for, where it may stand for a thing of this kind.
    pub(crate) async fn stands_for(
        &self,
        wanted: Option<&Idempotency>,
        kind: &str,
        now: Timestamp,
    ) -> Result<Known, PortError> {
        let Some(wanted) = wanted else { return Ok(Known::Nothing) };
        let Some(taken) = self.known_key(wanted, now).await? else { return Ok(Known::Nothing) };
        Ok(match earlier(&taken, wanted, kind)? {
            Earlier::Same(id) => Known::Same(id),
            Earlier::Other => Known::Other,
        })
    }

    /// A key's entry, unless it has ended.
    pub(crate) async fn known_key(&self, key: &Idempotency, now: Timestamp) -> Result<Option<Item>, PortError> {
        let item = self.store.get(&Place::idempotency(self.account, &key.key)).await?;
        match item {
            Some(item) if !Fields(&item).expired(now)? => Ok(Some(item)),
            _ => Ok(None),
        }
    }

    /// Puts a key that stands for the thing with this number, unless it stands for one.
    pub(crate) fn put_key(&self, key: &Idempotency, kind: &str, id: u64, now: Timestamp) -> Write {
        let place = Place::idempotency(self.account, &key.key);
        let item = NewItem::at(&place)
            .with("q", bytes(key.request))
            .with(kind, number(id))
            .with(TTL, expiry(key.expires_at))
            .done();
        Write::put(&place, item).when("attribute_not_exists(pk) OR #ttl <= :now").with(":now", number(now.seconds()))
    }
}
