//! Callers' idempotency keys: what each stands for, for 24 hours by its own expiry.

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Deleted, Idempotency, PortError};

use crate::items::{Fields, Item, NewItem, TTL, bytes, expiry, number};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::Write;

impl TenantStore {
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
        self.put_key_with(key, kind, id, None, now)
    }

    /// The same, with something sealed that a repeat is given again.
    pub(crate) fn put_key_with(
        &self,
        key: &Idempotency,
        kind: &str,
        id: u64,
        sealed: Option<&[u8]>,
        now: Timestamp,
    ) -> Write {
        let place = Place::idempotency(self.account, &key.key);
        let item = NewItem::at(&place)
            .with("q", bytes(key.request))
            .with(kind, number(id))
            .maybe("sl", sealed.map(bytes))
            .with(TTL, expiry(key.expires_at))
            .done();
        Write::put(&place, item).when("attribute_not_exists(pk) OR #ttl <= :now").with(":now", number(now.seconds()))
    }
    /// Deletes a thing: `writes` are deletions, of which the first says by its condition whether it is there, in one
    /// transaction. Under a key a repeat answers the same.
    pub(crate) async fn delete_once(
        &self,
        writes: Vec<Write>,
        kind: &str,
        id: u64,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        if let Some(deleted) = self.deleted_before(idempotency, at).await? {
            return Ok(deleted);
        }
        let key = idempotency.map(|key| self.put_key(key, kind, id, at));
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes.into_iter().chain(key))?;
        if matches!(self.store.transact(&transaction).await?, Committed::Done) {
            return Ok(Deleted::Done);
        }
        // Another one under this key may have been faster.
        Ok(self.deleted_before(idempotency, at).await?.unwrap_or(Deleted::Missing))
    }

    /// What a deletion under this key was answered, if there was one.
    pub(crate) async fn deleted_before(
        &self,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Option<Deleted>, PortError> {
        let Some(wanted) = idempotency else { return Ok(None) };
        let Some(taken) = self.known_key(wanted, at).await? else { return Ok(None) };
        let same = Fields(&taken).bytes("q")? == wanted.request;
        Ok(Some(if same { Deleted::Done } else { Deleted::KeyReused }))
    }
}

/// The number of the thing of this kind that a taken key stands for; `None` when it stands for another request.
pub(crate) fn stands_for(taken: &Item, wanted: &Idempotency, kind: &str) -> Result<Option<u64>, PortError> {
    let fields = Fields(taken);
    let same = fields.bytes("q")? == wanted.request;
    Ok(fields.maybe_number(kind)?.filter(|_| same))
}
