//! Accepting one message: the one way in, whoever asks for it.

use hantar_domain::account::Account;
use hantar_domain::bulk::Kept;
use hantar_domain::consent::{ANSWERED, Said, may_be_sent_to};
use hantar_domain::contact::Contact;
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, ContactId, MessageId};
use hantar_domain::media::Upload;
use hantar_domain::message::{Lane, Message};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;

use crate::draft::Ground;
pub use crate::draft::{Draft, FieldProblem, MAX_LABEL_CHARS, Problem};
use crate::idempotency::idempotency;
use crate::link_device::find_device;
use crate::numbers::Numbers;
use crate::ports::{Acceptance, Accepted, Clock, ContactDraft, Idempotency, Peer, PortError, Sequence, Tenant};

/// Why a message is not accepted. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The sender's e-mail address is not verified.
    #[error("the sender's e-mail address is not verified")]
    Unverified,
    /// The draft is wrong: mend the named fields.
    #[error("the message is not valid")]
    Invalid(Vec<FieldProblem>),
    /// Too few credits: top up.
    #[error("too few credits: {required} required, {balance} left")]
    Credits {
        /// What it costs.
        required: i64,
        /// What is left.
        balance: i64,
    },
    /// The idempotency key stands for another request: take a new key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed: see there.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Accepts a message: charged, stored and on its way when it answers. With an idempotency key a repeat answers the same
/// message; without one each run makes another.
pub async fn send_message(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    draft: Draft,
) -> Result<Message, SendError> {
    let (record, device, sender) = tenant.sending_from(draft.device, draft.sender).await?;
    let record = record.ok_or_else(|| missing(account))?;
    if draft.sender.is_some() && sender.is_none_or(|sender| sender.verified_at.is_none()) {
        return Err(SendError::Unverified);
    }
    let found = look(tenant, &record, device.as_ref(), &draft).await?;
    let now = clock.now();
    let idempotency = draft.idempotency.as_ref().map(|(key, content)| idempotency("send", key, content, now));
    let checked = match draft.check(&found.ground(&record, device.as_ref(), &draft, now)) {
        Ok(checked) => checked,
        Err(problems) => return accepted_before(tenant, idempotency.as_ref(), now, problems).await,
    };
    let device = device.ok_or_else(|| PortError::Corrupt("a checked message has no device".into()))?;
    let lane = if draft.campaign {
        Lane::Campaign
    } else if found.peer.wrote_at.is_some_and(|at| at >= now - ANSWERED) {
        Lane::Reply
    } else {
        Lane::Single
    };
    if let Some(kept) = draft.kept() {
        // Before the message: what was answered as accepted is kept, whoever dies in between.
        let contact = found.contact.as_ref();
        keep_contact(tenant, numbers, account, contact, &checked.phone, draft.name.as_ref(), kept, now).await?;
        if contact.is_none() && found.peer.standing.is_some_and(|standing| standing.said == Said::Out) {
            // An answer to somebody who opted out before anybody knew them.
            tenant.contacts().mark_opted_out(&checked.phone, true, now).await?;
        }
    }
    let id = MessageId(numbers.next(Sequence::Messages(account)).await?);
    let price = tenant.price();
    let message = draft.message(account, id, &device, checked, lane, price, clock.now());
    match tenant.accept(&Acceptance { message: message.clone(), idempotency }).await? {
        Accepted::Stored => Ok(message),
        Accepted::Replayed(earlier) => Ok(*earlier),
        Accepted::KeyReused => Err(SendError::KeyReused),
        Accepted::Refused { balance } => Err(SendError::Credits { required: price, balance }),
    }
}

/// What is wrong now may have been right when the same request came first: its recipient opted out since, say.
async fn accepted_before(
    tenant: &dyn Tenant,
    idempotency: Option<&Idempotency>,
    now: Timestamp,
    problems: Vec<FieldProblem>,
) -> Result<Message, SendError> {
    let earlier = match idempotency {
        Some(key) => tenant.accepted_before(key, now).await?,
        None => None,
    };
    earlier.ok_or(SendError::Invalid(problems))
}

/// Everything that is wrong with a draft, with nothing written: for a caller that found mistakes of its own before, so
/// that it can name all of them at once.
pub async fn problems(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    account: AccountId,
    draft: &Draft,
) -> Result<Vec<FieldProblem>, PortError> {
    let record = tenant.account().await?.ok_or_else(|| missing(account))?;
    let device = find_device(tenant, draft.device).await?;
    let found = look(tenant, &record, device.as_ref(), draft).await?;
    Ok(draft.check(&found.ground(&record, device.as_ref(), draft, clock.now())).err().unwrap_or_default())
}

fn missing(account: AccountId) -> PortError {
    PortError::Corrupt(format!("account {account} is missing"))
}

/// What is known of a draft's recipient and template.
struct Found {
    phone: Result<PhoneNumber, Problem>,
    template: Option<Template>,
    upload: Option<Upload>,
    contact: Option<Contact>,
    peer: Peer,
}

/// Reads what a draft is checked against, and nothing that it does not need.
async fn look(
    tenant: &dyn Tenant,
    account: &Account,
    device: Option<&Device>,
    draft: &Draft,
) -> Result<Found, PortError> {
    let phone = draft.number(account);
    let template = match draft.template {
        Some(id) => tenant.templates().template(id).await?,
        None => None,
    };
    let upload = match draft.upload() {
        Some(id) => tenant.files().uploads(&[id]).await?.pop(),
        None => None,
    };
    let contact = match &phone {
        Ok(phone) if draft.needs_contact(template.as_ref()) => tenant.contacts().contact_by_phone(phone).await?,
        _ => None,
    };
    let peer = match (&phone, device) {
        (Ok(phone), Some(device)) => tenant.consents().peer(device.id, phone).await?,
        _ => Peer::default(),
    };
    Ok(Found { phone, template, upload, contact, peer })
}

impl Found {
    fn ground<'a>(
        &'a self,
        account: &'a Account,
        device: Option<&'a Device>,
        draft: &Draft,
        now: Timestamp,
    ) -> Ground<'a> {
        // A row of a campaign answers nobody.
        let wrote_at = self.peer.wrote_at.filter(|_| !draft.campaign);
        Ground {
            account,
            phone: &self.phone,
            device,
            template: self.template.as_ref(),
            upload: self.upload.as_ref(),
            contact: self.contact.as_ref(),
            open: may_be_sent_to(self.peer.standing.as_ref(), wrote_at, now),
            now,
        }
    }
}

/// Keeps a recipient as a contact, unless all of it is known. Repeatable.
#[expect(clippy::too_many_arguments, reason = "one call, from one place, of what was just checked")]
async fn keep_contact(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    account: AccountId,
    known: Option<&Contact>,
    phone: &PhoneNumber,
    name: Option<&String>,
    kept: Kept,
    at: Timestamp,
) -> Result<(), PortError> {
    if known.is_some_and(|contact| knows(contact, name, &kept)) {
        return Ok(());
    }
    let id = match known {
        Some(contact) => contact.id,
        None => ContactId(numbers.next(Sequence::Contacts(account)).await?),
    };
    let draft = contact_draft(id, phone.clone(), name.cloned(), kept, at);
    tenant.contacts().upsert(&[draft]).await.map(drop)
}

fn knows(contact: &Contact, name: Option<&String>, kept: &Kept) -> bool {
    name.is_none_or(|name| contact.name.as_ref() == Some(name))
        && kept.external_id.as_ref().is_none_or(|id| contact.external_id.as_ref() == Some(id))
        && kept.attributes.iter().all(|(field, value)| contact.attributes.get(field) == Some(value))
}

/// What a contact becomes by what is kept of a message's recipient.
pub fn contact_draft(
    id: ContactId,
    phone: PhoneNumber,
    name: Option<String>,
    kept: Kept,
    at: Timestamp,
) -> ContactDraft {
    let Kept { external_id, attributes } = kept;
    ContactDraft { id, phone, name, external_id, attributes, groups: vec![], opted_in: None, at }
}
