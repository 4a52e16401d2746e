//! Callers' idempotency keys: what each stands for, for 24 hours by its own expiry.

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Deleted, Idempotency, PortError};

use crate::items::{Fields, Item, NewItem, TTL, bytes, expiry, number};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
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

/// What became of writes under a caller's key.
#[derive(Debug)]
pub(crate) enum Keyed {
    /// They happened.
    Done,
    /// The key stood for the thing with this number, asked for by the same request; nothing was written.
    Replayed(u64),
    /// The key stands for another request; nothing was written.
    Reused,
    /// A condition of theirs failed; nothing was written.
    Refused,
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

    /// Carries writes out in one transaction with the caller's key, which then stands for the thing of this kind and
    /// number; or finds what the key stood for before.
    pub(crate) async fn under_key(
        &self,
        mut writes: Vec<Write>,
        key: Option<&Idempotency>,
        (kind, id): (&str, u64),
        now: Timestamp,
    ) -> Result<Keyed, PortError> {
        if let Some(wanted) = key {
            if let Some(taken) = self.known_key(wanted, now).await? {
                return stood_for(&taken, wanted, kind);
            }
            writes.push(self.put_key(wanted, kind, id, now));
        }
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let Committed::Refused(mut refusals) = self.store.transact(&transaction).await? else {
            return Ok(Keyed::Done);
        };
        match (key, refusals.pop()) {
            // Another one under this key was faster.
            (Some(wanted), Some(Refusal::Condition(Some(taken)))) => stood_for(&taken, wanted, kind),
            _ => Ok(Keyed::Refused),
        }
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

/// What a key's entry says to whoever comes with the key again.
pub(crate) fn stood_for(taken: &Item, wanted: &Idempotency, kind: &str) -> Result<Keyed, PortError> {
    Ok(match earlier(taken, wanted, kind)? {
        Earlier::Same(id) => Keyed::Replayed(id),
        Earlier::Other => Keyed::Reused,
    })
}
