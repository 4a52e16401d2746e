//! Forgetting a person who asks for it: their contact is deleted, and campaigns' recipients and messages lose what is
//! personal of them. That they
//! asked not to be written to is remembered. What is done is kept as a proof that names nobody.

use std::time::Duration;

use hantar_domain::erasure::{Erasure, Fate, fate, phone_hash};
use hantar_domain::ids::{AccountId, ContactId, ErasureId, UserId};
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{Clock, Created, Erasing, Forgetting, PortError, Sequence, Tenant};

/// How many messages that wait for an answer are remembered at most; beyond them the walk waits.
const MAX_WAITING: usize = 500;
/// How many parts of the messages one step looks at.
const PARTS: usize = 5;
/// When messages that wait are looked at again.
const AGAIN: Duration = Duration::from_mins(5);
/// How many campaigns one step looks at.
const CAMPAIGNS: usize = 100;
/// When a campaign or a bulk that is being taken in is looked at again.
const SOON: Duration = Duration::from_secs(30);

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Nothing: all is done.
    Nothing,
    /// More, now.
    More,
    /// Messages that wait for an answer: look again after this.
    Waiting(Duration),
}

/// Who is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Person {
    /// Whom this contact is.
    Contact(ContactId),
    /// Who has this number, contact or not.
    Phone(PhoneNumber),
}

/// What became of a request to forget somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// It is under way, or done; also for a repeat with the same idempotency key.
    Begun(Box<Erasure>),
    /// There is no such contact.
    Missing,
    /// The idempotency key stands for another request.
    KeyReused,
}

/// Begins to forget a person. The contact is gone when this answers; messages follow by long work.
pub async fn forget_person(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    (account, by): (AccountId, UserId),
    person: Person,
    key: Option<(String, Vec<u8>)>,
) -> Result<Forgotten, PortError> {
    let contacts = tenant.contacts();
    let now = clock.now();
    let key = key.map(|(key, content)| idempotency("forget", &key, &content, now));
    if let Some(key) = &key
        && let Some(earlier) = contacts.erasure_under(key, now).await?
    {
        return Ok(begun(earlier));
    }
    let contact = match &person {
        Person::Contact(id) => contacts.contact(*id).await?,
        Person::Phone(phone) => contacts.contact_by_phone(phone).await?,
    };
    let (contact, phone) = match (contact, person) {
        (Some(contact), _) => (Some(contact.id), contact.phone),
        (None, Person::Phone(phone)) => (None, phone),
        (None, Person::Contact(_)) => return Ok(Forgotten::Missing),
    };
    let erasure = Erasure {
        account,
        id: ErasureId(numbers.next(Sequence::Erasures(account)).await?),
        phone_hash: phone_hash(&phone),
        requested_by: by,
        requested_at: now,
        contact,
        messages: 0,
        recipients: 0,
        finished_at: None,
    };
    let created = contacts.add_erasure(&erasure, &phone, key.as_ref()).await?;
    if created != Created::New {
        return Ok(begun(created));
    }
    delete(tenant, clock, contact).await?;
    Ok(Forgotten::Begun(Box::new(erasure)))
}

fn begun(created: Created<Erasure>) -> Forgotten {
    match created {
        Created::Replayed(earlier) => Forgotten::Begun(earlier),
        Created::New | Created::KeyReused | Created::Full => Forgotten::KeyReused,
    }
}

async fn delete(tenant: &dyn Tenant, clock: &dyn Clock, contact: Option<ContactId>) -> Result<(), PortError> {
    let Some(contact) = contact else { return Ok(()) };
    tenant.contacts().delete_contact(contact, None, clock.now()).await.map(drop)
}

/// One step of forgetting. May be done twice, or by two at a time.
pub async fn forget_step(tenant: &dyn Tenant, clock: &dyn Clock, id: ErasureId) -> Result<Left, PortError> {
    let contacts = tenant.contacts();
    let Some(mut erasing) = contacts.erasing(id).await? else { return Ok(Left::Nothing) };
    delete(tenant, clock, erasing.erasure.contact).await?;
    if !erasing.campaigns_walked {
        let left = forget_recipient(tenant, &mut erasing).await?;
        let noted = contacts.note_erasing(&erasing).await?;
        return Ok(if noted { left } else { Left::More });
    }
    look_again(tenant, clock, &mut erasing).await?;
    for _ in 0..PARTS {
        if erasing.walked || erasing.waiting.len() >= MAX_WAITING {
            break;
        }
        let part = contacts.messages_of_person(&erasing.phone, id, erasing.after).await?;
        for message in &part.messages {
            if blanked(tenant, clock, id, message).await? {
                erasing.erasure.messages += 1;
            } else {
                erasing.waiting.push(message.id);
            }
        }
        erasing.walked = part.next.is_none();
        erasing.after = part.next;
    }
    let left = match (erasing.walked, erasing.waiting.is_empty()) {
        (true, true) => Left::Nothing,
        (false, _) if erasing.waiting.len() < MAX_WAITING => Left::More,
        _ => Left::Waiting(AGAIN),
    };
    if left == Left::Nothing {
        contacts.forget_peer(&erasing.phone).await?;
        erasing.erasure.finished_at = Some(clock.now());
    }
    // Who was faster has done the same; what is left is seen by the next step.
    let noted = contacts.note_erasing(&erasing).await?;
    Ok(if noted { left } else { Left::More })
}

/// Takes the person out of some campaigns. Messages that a bulk or a campaign was to make are made, or never will be, when
/// all campaigns are walked.
async fn forget_recipient(tenant: &dyn Tenant, erasing: &mut Erasing) -> Result<Left, PortError> {
    if tenant.bulks().unfinished(erasing.erasure.requested_at).await? {
        return Ok(Left::Waiting(SOON));
    }
    let campaigns = tenant.campaigns().list(erasing.campaign, CAMPAIGNS).await?;
    for campaign in &campaigns {
        match tenant.campaigns().forget(campaign, &erasing.phone).await? {
            Forgetting::Done(entries) => erasing.erasure.recipients += entries,
            Forgetting::Later => return Ok(Left::Waiting(SOON)),
        }
        erasing.campaign = Some(campaign.id);
    }
    erasing.campaigns_walked = campaigns.len() < CAMPAIGNS;
    Ok(Left::More)
}

/// Looks at those again that waited for an answer.
async fn look_again(tenant: &dyn Tenant, clock: &dyn Clock, erasing: &mut Erasing) -> Result<(), PortError> {
    let messages = tenant.messages(&erasing.waiting).await?;
    erasing.waiting.clear();
    for message in messages {
        if blanked(tenant, clock, erasing.erasure.id, &message).await? {
            erasing.erasure.messages += 1;
        } else {
            erasing.waiting.push(message.id);
        }
    }
    Ok(())
}

/// Blanks a message, unless it has to be waited for.
async fn blanked(tenant: &dyn Tenant, clock: &dyn Clock, id: ErasureId, message: &Message) -> Result<bool, PortError> {
    let now = clock.now();
    match fate(message, now) {
        Fate::Wait => return Ok(false),
        Fate::Blank => {}
        Fate::TakeBack => {
            tenant.cancel(message.id, None, now).await?;
            // Of cancel and dispatch one wins.
            let moved = tenant.message(message.id).await?;
            if moved.is_some_and(|moved| fate(&moved, now) != Fate::Blank) {
                return Ok(false);
            }
        }
    }
    tenant.contacts().blank_message(message, id).await?;
    Ok(true)
}
