//! An account's contacts: made or changed by their number, edited, merged, deleted.

use std::collections::BTreeMap;

use hantar_domain::consent;
use hantar_domain::contact::{Contact, ContactEdit, Edit, OptIn, Said};
use hantar_domain::ids::{AccountId, ContactId, GroupId};
use hantar_domain::phone::{PhoneError, PhoneNumber, Region};

use crate::idempotency::idempotency;
use crate::note_consent::{Statement, note_consent};
use crate::numbers::Numbers;
use crate::ports::{Clock, ContactDraft, Deleted, Edited, PortError, Saved, Sequence, Tenant, Upserted};

/// A contact as somebody gives it, not yet checked. Texts are no longer than `hantar_domain::contact` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewContact {
    /// The number, in any spelling.
    pub phone: String,
    /// What it is called.
    pub name: Option<String>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Attributes to set.
    pub attributes: BTreeMap<String, String>,
    /// Groups to put it into.
    pub groups: Vec<GroupId>,
    /// That it agreed to be written to.
    pub opted_in: Option<OptIn>,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// What is wrong with a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactProblem {
    /// No number of the account's regions (named by the home region's adjective).
    Phone {
        /// Such as "Malaysian".
        adjective: String,
        /// More exactly.
        error: PhoneError,
    },
    /// There is no group like the one at this place.
    NoGroup(usize),
    /// The contact would hold more attributes than it may.
    TooMuch,
}

/// Why a contact is not made or changed. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum ContactError {
    /// Something is wrong with it.
    #[error("{0:?}")]
    Invalid(Vec<ContactProblem>),
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// All that is wrong with a contact, and its number if that is not.
pub async fn contact_problems(
    tenant: &dyn Tenant,
    new: &NewContact,
) -> Result<(Option<PhoneNumber>, Vec<ContactProblem>), PortError> {
    let mut problems = Vec::new();
    let regions = tenant.account().await?.map_or_else(|| vec![Region::MALAYSIA], |account| account.regions);
    let phone = PhoneNumber::parse(&new.phone, &regions).map_err(|error| {
        let adjective = regions.first().copied().unwrap_or(Region::MALAYSIA).adjective();
        problems.push(ContactProblem::Phone { adjective, error });
    });
    let contacts = tenant.contacts();
    for (index, group) in new.groups.iter().enumerate() {
        if contacts.group(*group).await?.is_none() {
            problems.push(ContactProblem::NoGroup(index));
        }
    }
    let phone = phone.ok();
    if !new.attributes.is_empty() {
        let known = match &phone {
            Some(phone) => contacts.contact_by_phone(phone).await?,
            None => None,
        };
        let said = Said { name: None, external_id: None, attributes: &new.attributes, opted_in: None };
        let fits =
            known.map_or_else(|| hantar_domain::contact::fits(&new.attributes), |mut known| known.learn(said).is_ok());
        if !fits {
            problems.push(ContactProblem::TooMuch);
        }
    }
    Ok((phone, problems))
}

/// Makes a contact, or changes the one with this number: what is absent stays. A repeat changes nothing more; under the
/// same idempotency key it is told what the first one was told.
pub async fn save_contact(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    new: NewContact,
) -> Result<Upserted, ContactError> {
    let (phone, problems) = contact_problems(tenant, &new).await?;
    let Some(phone) = phone.filter(|_| problems.is_empty()) else { return Err(ContactError::Invalid(problems)) };
    let at = clock.now();
    let draft = ContactDraft {
        id: ContactId(numbers.next(Sequence::Contacts(account)).await?),
        phone,
        name: new.name,
        external_id: new.external_id,
        attributes: new.attributes,
        groups: new.groups,
        opted_in: new.opted_in,
        at,
    };
    let contacts = tenant.contacts();
    let Some((key, content)) = new.idempotency else {
        let saved = contacts.upsert(std::slice::from_ref(&draft)).await?;
        return saved.into_iter().next().ok_or(ContactError::Port(PortError::Conflict));
    };
    match contacts.save(&draft, &idempotency("contact", &key, &content, at)).await? {
        Saved::Done(saved) => Ok(saved),
        Saved::KeyReused => Err(ContactError::KeyReused),
    }
}

/// Changes what `edit` names of a contact. A repeat under the same key changes nothing more. Whether it may be written to
/// goes to the consent ledger, too, which is what counts.
pub async fn edit_contact(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: ContactId,
    edit: &ContactEdit,
    key: Option<(String, Vec<u8>)>,
) -> Result<Edited, PortError> {
    let now = clock.now();
    let idempotency = key.map(|(key, content)| idempotency("edit contact", &key, &content, now));
    let edited = tenant.contacts().edit(id, edit, idempotency.as_ref(), now).await?;
    if let (Edited::Done(contact), Edit::To(out)) = (&edited, &edit.opted_out) {
        // Whoever repeats an older change finds the contact as a newer one left it, and says nothing by it.
        if contact.opted_out == *out {
            say_so(tenant, clock, contact, *out).await?;
        }
    }
    Ok(edited)
}

/// Enters into the ledger whether a contact may be written to, unless that is known.
async fn say_so(tenant: &dyn Tenant, clock: &dyn Clock, contact: &Contact, out: bool) -> Result<(), PortError> {
    let said = if out { consent::Said::Out } else { consent::Said::In };
    let known = tenant.consents().standing(&contact.phone).await?.map(|standing| standing.said);
    if known == Some(said) || (known.is_none() && !out) {
        return Ok(());
    }
    let (phone, source) = (contact.phone.clone(), consent::Source::Contact);
    let statement = Statement { phone, said, note: None, source, idempotency: None };
    note_consent(tenant, clock, statement).await.map(drop)
}

/// Contacts as they are shown: whether each may be written to is what the consent ledger says. The copy that a contact holds
/// serves filters and counts, and may be behind where somebody opted out while the contact was being made, or where a process
/// died between the two.
pub async fn as_the_ledger_says(tenant: &dyn Tenant, contacts: &mut [Contact]) -> Result<(), PortError> {
    let phones: Vec<_> = contacts.iter().map(|contact| contact.phone.clone()).collect();
    let opted_out = tenant.consents().suppressed(&phones).await?;
    for contact in contacts {
        contact.opted_out = opted_out.contains(&contact.phone);
    }
    Ok(())
}

/// Makes one contact of several: `into` takes what it lacks of the others, which are deleted then. Whether somebody may be
/// written to stays with their number. Others that are not there are passed over.
pub async fn merge_contacts(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    into: ContactId,
    others: &[ContactId],
    key: Option<(String, Vec<u8>)>,
) -> Result<Edited, PortError> {
    let now = clock.now();
    let idempotency = key.map(|(key, content)| idempotency("merge contacts", &key, &content, now));
    tenant.contacts().merge(into, others, idempotency.as_ref(), now).await
}

/// Deletes a contact for good; its messages stay. A repeat under the same key answers the same; without a key the second
/// one finds nothing.
pub async fn delete_contact(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: ContactId,
    key: Option<&str>,
) -> Result<Deleted, PortError> {
    let now = clock.now();
    let idempotency = key.map(|key| idempotency("delete contact", key, &id.0.to_be_bytes(), now));
    tenant.contacts().delete_contact(id, idempotency.as_ref(), now).await
}
