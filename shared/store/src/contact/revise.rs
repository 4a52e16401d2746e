//! Changing one contact: read it, change it, write it if it is still as it was, and begin again where somebody was faster.

use hantar_domain::contact::ContactEdit;
use hantar_domain::ids::ContactId;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{ContactDraft, Deleted, Edited, Idempotency, PortError, Saved, Upserted};

use super::change::{Change, change};
use super::{Record, entries};
use crate::idempotency::{Earlier, earlier};
use crate::items::Item;
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::{Write, Written};

/// How often a change begins again. Of those who change a contact at the same time one gets through each time, and the
/// pauses part the others.
pub(super) const ROUNDS: u32 = 60;
/// The longest pause, reached after some rounds, in milliseconds.
const LONGEST_PAUSE: u64 = 160;

/// What kinds of request a key stands for: that a contact was made, or changed, or deleted.
const MADE: &str = "kn";
pub(super) const CHANGED: &str = "ku";
const DELETED: &str = "kd";

/// What became of a change.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It happened.
    Done,
    /// Somebody else was faster: read again.
    Outrun,
    /// The idempotency key is taken; its entry.
    Taken(Item),
}

/// How a record is to be changed.
pub(super) enum Revision<T> {
    /// To this, or away; and what to answer then.
    To(Option<Record>, T),
    /// Not at all.
    Leave(T),
}

/// What came of changing a record.
pub(super) enum Revised<T> {
    Done(T),
    Taken(Item),
}

/// Whom to change.
#[derive(Clone, Copy)]
pub(super) enum Whom<'a> {
    Id(ContactId),
    Phone(&'a PhoneNumber),
}

impl TenantStore {
    pub(super) async fn record_by_phone(&self, phone: &PhoneNumber) -> Result<Option<Record>, PortError> {
        let entry = self.store.get(&Place::contact_number(self.account, phone)).await?;
        let Some(id) = entry.as_ref().map(entries::named).transpose()? else { return Ok(None) };
        self.contact_record(id).await
    }

    /// Writes a change, counts and perhaps a key with it.
    pub(super) async fn commit_change(&self, change: &Change, key: Option<Write>) -> Result<Outcome, PortError> {
        let counts = self.tally(&change.tally);
        let keyed = key.is_some();
        if let ([only], None, false) = (change.writes.as_slice(), &counts, keyed) {
            return Ok(match self.store.write(only.clone()).await? {
                Written::Done(_) => Outcome::Done,
                // Our own first try, whose answer was lost.
                Written::Refused(Some(item)) if only.puts(&item) => Outcome::Done,
                Written::Refused(_) => Outcome::Outrun,
            });
        }
        let writes = change.writes.iter().cloned().chain(counts).chain(key);
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        match self.store.transact(&transaction).await {
            Ok(Committed::Done) => Ok(Outcome::Done),
            Ok(Committed::Refused(mut refusals)) => Ok(match refusals.pop() {
                Some(Refusal::Condition(Some(taken))) if keyed => Outcome::Taken(taken),
                _ => Outcome::Outrun,
            }),
            Err(PortError::Conflict) => Ok(Outcome::Outrun),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn pause_after(&self, round: u32) {
        let longest = (5_u64 << round.min(8)).min(LONGEST_PAUSE);
        self.store.pause(std::time::Duration::from_millis(longest)).await;
    }

    pub(super) async fn revise<T: Send>(
        &self,
        whom: Whom<'_>,
        key: impl Fn(&T) -> Option<Write> + Send + Sync,
        how: impl Fn(Option<&Record>) -> Revision<T> + Send + Sync,
    ) -> Result<Revised<T>, PortError> {
        for round in 0..ROUNDS {
            let old = match whom {
                Whom::Id(id) => self.contact_record(id).await?,
                Whom::Phone(phone) => self.record_by_phone(phone).await?,
            };
            let (new, answer) = match how(old.as_ref()) {
                Revision::Leave(answer) => return Ok(Revised::Done(answer)),
                Revision::To(new, answer) => (new, answer),
            };
            let key = key(&answer);
            match self.commit_change(&change(old.as_ref(), new.as_ref()), key).await? {
                Outcome::Done => return Ok(Revised::Done(answer)),
                Outcome::Taken(item) => return Ok(Revised::Taken(item)),
                Outcome::Outrun => self.pause_after(round).await,
            }
        }
        Err(PortError::Conflict)
    }

    pub(super) async fn put_draft_once(
        &self,
        draft: &ContactDraft,
        idempotency: &Idempotency,
    ) -> Result<Saved, PortError> {
        if let Some(taken) = self.known_key(idempotency, draft.at).await? {
            return self.saved_before(&taken, idempotency).await;
        }
        let (groups, opted_out) = self.around_drafts(std::slice::from_ref(draft)).await?;
        let key = |answer: &Upserted| {
            let (kind, contact) = match answer {
                Upserted::Created(contact) => (MADE, contact),
                Upserted::Updated(contact) => (CHANGED, contact),
            };
            Some(self.put_key(idempotency, kind, contact.id.0, draft.at))
        };
        let revised = self.revise(Whom::Phone(&draft.phone), key, |old| {
            let (new, answer) = self.drafted(old, draft, &groups, opted_out.contains(&draft.phone));
            Revision::To(Some(new), answer)
        });
        match revised.await? {
            Revised::Done(answer) => Ok(Saved::Done(answer)),
            Revised::Taken(taken) => self.saved_before(&taken, idempotency).await,
        }
    }

    async fn saved_before(&self, taken: &Item, idempotency: &Idempotency) -> Result<Saved, PortError> {
        for kind in [MADE, CHANGED] {
            let Earlier::Same(id) = earlier(taken, idempotency, kind)? else { continue };
            let Some(record) = self.contact_record(ContactId(id)).await? else { return Ok(Saved::KeyReused) };
            let contact = record.contact;
            let answer = if kind == MADE { Upserted::Created(contact) } else { Upserted::Updated(contact) };
            return Ok(Saved::Done(answer));
        }
        Ok(Saved::KeyReused)
    }

    pub(super) async fn edit_contact(
        &self,
        id: ContactId,
        edit: &ContactEdit,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Edited, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return self.edited_before(&taken, wanted).await;
        }
        let key = |_: &Edited| idempotency.map(|wanted| self.put_key(wanted, CHANGED, id.0, at));
        let revised = self.revise(Whom::Id(id), key, |old| {
            let Some(old) = old else { return Revision::Leave(Edited::Missing) };
            let mut new = old.clone();
            if new.contact.edit(edit.clone()).is_err() {
                return Revision::Leave(Edited::TooMuch);
            }
            if new == *old && idempotency.is_none() {
                return Revision::Leave(Edited::Done(Box::new(new.contact)));
            }
            let new = new.moved_on(old, at);
            let answer = Edited::Done(Box::new(new.contact.clone()));
            Revision::To(Some(new), answer)
        });
        match (revised.await?, idempotency) {
            (Revised::Taken(taken), Some(wanted)) => self.edited_before(&taken, wanted).await,
            (Revised::Taken(_), None) => Ok(Edited::KeyReused),
            (Revised::Done(answer), _) => Ok(answer),
        }
    }

    pub(super) async fn edited_before(&self, taken: &Item, wanted: &Idempotency) -> Result<Edited, PortError> {
        let Earlier::Same(id) = earlier(taken, wanted, CHANGED)? else { return Ok(Edited::KeyReused) };
        Ok(self
            .contact_record(ContactId(id))
            .await?
            .map_or(Edited::Missing, |record| Edited::Done(Box::new(record.contact))))
    }

    pub(super) async fn note_opted_out(
        &self,
        phone: &PhoneNumber,
        opted_out: bool,
        at: Timestamp,
    ) -> Result<(), PortError> {
        let revised = self.revise(
            Whom::Phone(phone),
            |()| None,
            |old| match old {
                Some(old) if old.contact.opted_out != opted_out => {
                    let mut new = old.clone();
                    new.contact.opted_out = opted_out;
                    Revision::To(Some(new.moved_on(old, at)), ())
                }
                _ => Revision::Leave(()),
            },
        );
        revised.await.map(drop)
    }

    pub(crate) async fn remove_contact(
        &self,
        id: ContactId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        let before = |taken: &Item, wanted: &Idempotency| -> Result<Deleted, PortError> {
            Ok(match earlier(taken, wanted, DELETED)? {
                Earlier::Same(_) => Deleted::Done,
                Earlier::Other => Deleted::KeyReused,
            })
        };
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return before(&taken, wanted);
        }
        let key = |_: &Deleted| idempotency.map(|wanted| self.put_key(wanted, DELETED, id.0, at));
        let revised = self.revise(Whom::Id(id), key, |old| match old {
            None => Revision::Leave(Deleted::Missing),
            Some(_) => Revision::To(None, Deleted::Done),
        });
        match (revised.await?, idempotency) {
            (Revised::Taken(taken), Some(wanted)) => before(&taken, wanted),
            (Revised::Taken(_), None) => Ok(Deleted::KeyReused),
            (Revised::Done(answer), _) => Ok(answer),
        }
    }
}
