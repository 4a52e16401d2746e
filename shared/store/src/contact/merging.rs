//! Making one contact of several: it takes what it lacks, and then the others go. Two steps, each whole: after a death in
//! between both are there, and a repeat goes on.

use hantar_domain::ids::ContactId;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Edited, Idempotency, PortError};

use super::Record;
use super::change::change;
use super::revise::{CHANGED, Outcome, ROUNDS, Revised, Revision, Whom};
use crate::tenant::TenantStore;

impl TenantStore {
    pub(super) async fn merge_contacts(
        &self,
        into: ContactId,
        others: &[ContactId],
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Edited, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return self.edited_before(&taken, wanted).await;
        }
        for other in others.iter().filter(|other| **other != into) {
            let answer = self.take_over(into, *other, at).await?;
            if !matches!(answer, Edited::Done(_)) {
                return Ok(answer);
            }
        }
        let Some(record) = self.contact_record(into).await? else { return Ok(Edited::Missing) };
        if let Some(wanted) = idempotency {
            self.store.write(self.put_key(wanted, CHANGED, into.0, at)).await?;
        }
        Ok(Edited::Done(Box::new(record.contact)))
    }

    async fn take_over(&self, into: ContactId, other: ContactId, at: Timestamp) -> Result<Edited, PortError> {
        for round in 0..ROUNDS {
            let Some(source) = self.contact_record(other).await? else {
                let record = self.contact_record(into).await?;
                return Ok(record.map_or(Edited::Missing, |record| Edited::Done(Box::new(record.contact))));
            };
            let revised = self.revise(Whom::Id(into), |_: &Edited| None, |old| absorbed(old, &source, at)).await?;
            let Revised::Done(answer) = revised else { return Err(PortError::Conflict) };
            if !matches!(answer, Edited::Done(_)) {
                return Ok(answer);
            }
            // Only as it was absorbed: what came to it since would be lost.
            match self.commit_change(&change(Some(&source), None), None).await? {
                Outcome::Done => return Ok(answer),
                Outcome::Outrun | Outcome::Taken(_) => self.pause_after(round).await,
            }
        }
        Err(PortError::Conflict)
    }
}

fn absorbed(old: Option<&Record>, source: &Record, at: Timestamp) -> Revision<Edited> {
    let Some(old) = old else { return Revision::Leave(Edited::Missing) };
    let mut new = old.clone();
    if new.contact.absorb(&source.contact).is_err() {
        return Revision::Leave(Edited::TooMuch);
    }
    new.join(source.groups.iter().copied());
    if new == *old {
        return Revision::Leave(Edited::Done(Box::new(new.contact)));
    }
    let new = new.moved_on(old, at);
    let answer = Edited::Done(Box::new(new.contact.clone()));
    Revision::To(Some(new), answer)
}
