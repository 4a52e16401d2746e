//! Accepting many messages in one request: all rows that nothing is wrong with are charged in one step.
//!
//! First the rows are written down as a blob, then one transaction charges them, then their messages are stored. Whoever dies
//! after the transaction is followed by [`store_bulk`], which finds the rows in the blob; what was stored stays as it is.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use hantar_domain::account::Account;
use hantar_domain::bulk::{Bulk, Rejected, Rejection, Row};
use hantar_domain::contact::Contact;
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, BulkId, ContactId, MessageId, TemplateId, UploadId, UserId};
use hantar_domain::media::Upload;
use hantar_domain::message::{Lane, Message};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;

use crate::draft::{Checked, Draft, Ground, Problem};
use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{
    BlobKey, Blobs, BulkAccepted, Clock, ContactDraft, Fleet, Job, JobQueue, PortError, Queue, Sequence, Tenant, Work,
};
use crate::send_message::contact_draft;

/// How long whoever accepted a bulk has for storing its messages before somebody else looks after it.
const ALONE: Duration = Duration::from_mins(1);
/// How many contacts are kept at a time.
const CONTACTS_AT_ONCE: usize = 100;
/// How much of a blob is read at a time.
const PART: usize = 4 * 1024 * 1024;
/// More than the rows of any request take.
const MAX_BLOB: usize = 64 * 1024 * 1024;

/// Many messages as their sender asks for them.
#[derive(Clone, Debug)]
pub struct BulkDraft {
    /// The messages; their own idempotency keys and senders count for nothing.
    pub rows: Vec<Draft>,
    /// The person who sends, who must have a verified address.
    pub sender: UserId,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// What accepting bulks needs from outside.
pub struct BulkParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// The fleet's records.
    pub fleet: &'a dyn Fleet,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Where the rows are written down.
    pub blobs: &'a dyn Blobs,
    /// Rings for what is left to do.
    pub queue: &'a dyn JobQueue,
    /// Time.
    pub clock: &'a dyn Clock,
    /// How rows are written down.
    pub written: fn(&[Row]) -> Vec<u8>,
}

/// An accepted bulk, as its sender is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkTold {
    /// What was accepted and what was not.
    pub bulk: Bulk,
    /// Each row's number, where it is one.
    pub phones: Vec<Option<PhoneNumber>>,
    /// The credits that are left.
    pub balance: i64,
}

/// Why a bulk is not accepted. Nothing is charged and no message is sent then.
#[derive(Debug, thiserror::Error)]
pub enum BulkError {
    /// The sender's e-mail address is not verified.
    #[error("the sender's e-mail address is not verified")]
    Unverified,
    /// Too few credits for all rows: top up.
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

/// Where a bulk's rows are written down.
fn blob(account: AccountId, bulk: BulkId) -> BlobKey {
    BlobKey::new(account, "bulks", &bulk.to_string())
}

/// Accepts many messages. With an idempotency key a repeat answers the same; without one each run sends them once more.
pub async fn send_bulk(with: &BulkParts<'_>, account: AccountId, draft: BulkDraft) -> Result<BulkTold, BulkError> {
    let BulkDraft { rows, sender, idempotency: key } = draft;
    let (record, default, sender) = with.tenant.sending_from(None, Some(sender)).await?;
    let record = record.ok_or_else(|| PortError::Corrupt(format!("account {account} is missing")))?;
    if sender.is_none_or(|sender| sender.verified_at.is_none()) {
        return Err(BulkError::Unverified);
    }
    let now = with.clock.now();
    let phones: Vec<_> = rows.iter().map(|row| row.number(&record)).collect();
    let key = key.map(|(key, content)| idempotency("bulk", &key, &content, now));
    if let Some(key) = &key
        && let Some(earlier) = with.tenant.bulks().bulk_of_key(key, now).await?
    {
        return told_again(with, earlier, phones).await;
    }
    let known = Known::read(with.tenant, default, &rows, &phones).await?;
    let (accepted, rejected) = sort(&record, &known, &rows, &phones, now);
    let price = with.tenant.price();
    let count = u64::try_from(accepted.len()).unwrap_or(u64::MAX);
    let first = with.fleet.reserve(Sequence::Messages(account), count.max(1)).await?;
    let bulk = Bulk {
        account,
        id: BulkId(with.numbers.next(Sequence::Bulks(account)).await?),
        rows: rows.len(),
        first: MessageId(first),
        rejected,
        credits: price.saturating_mul(i64::try_from(accepted.len()).unwrap_or(i64::MAX)),
        at: now,
        done: false,
    };
    let stored = messages(&bulk, &rows, accepted, price, now);
    let keeps = stored.iter().any(|row| row.kept.is_some());
    let blob = blob(account, bulk.id);
    with.blobs.put(&blob, (with.written)(&stored)).await?;
    // Contacts are kept by the work; without them nothing may be left to do.
    let due = if keeps { now } else { now + ALONE };
    match with.tenant.bulks().accept_bulk(&bulk, due, key.as_ref()).await? {
        BulkAccepted::Stored => {}
        earlier => {
            with.blobs.delete(&blob).await?;
            if let BulkAccepted::Refused { balance } = earlier {
                return Err(BulkError::Credits { required: bulk.credits, balance });
            }
            return told_again(with, earlier, phones).await;
        }
    }
    let messages: Vec<Message> = stored.into_iter().map(|row| row.message).collect();
    finish(with, &bulk, &messages, keeps).await;
    told(with, bulk, phones).await
}

async fn told(
    with: &BulkParts<'_>,
    bulk: Bulk,
    phones: Vec<Result<PhoneNumber, Problem>>,
) -> Result<BulkTold, BulkError> {
    let balance = with.tenant.balance().await?.available;
    Ok(BulkTold { bulk, phones: phones.into_iter().map(Result::ok).collect(), balance })
}

async fn told_again(
    with: &BulkParts<'_>,
    earlier: BulkAccepted,
    phones: Vec<Result<PhoneNumber, Problem>>,
) -> Result<BulkTold, BulkError> {
    match earlier {
        BulkAccepted::Replayed(bulk) => told(with, *bulk, phones).await,
        BulkAccepted::KeyReused | BulkAccepted::Stored | BulkAccepted::Refused { .. } => Err(BulkError::KeyReused),
    }
}

/// What rows are checked against.
struct Known {
    default: Option<Device>,
    devices: Vec<Device>,
    templates: BTreeMap<TemplateId, Template>,
    uploads: BTreeMap<UploadId, Upload>,
    contacts: BTreeMap<PhoneNumber, Contact>,
    suppressed: BTreeSet<PhoneNumber>,
}

impl Known {
    /// Reads what the rows need, and nothing besides.
    async fn read(
        tenant: &dyn Tenant,
        default: Option<Device>,
        rows: &[Draft],
        phones: &[Result<PhoneNumber, Problem>],
    ) -> Result<Self, PortError> {
        let devices = if rows.iter().any(|row| row.device.is_some()) { tenant.devices().await? } else { vec![] };
        let mut named: Vec<_> = rows.iter().filter_map(|row| row.template).collect();
        named.sort_unstable();
        named.dedup();
        let templates = if named.is_empty() { vec![] } else { tenant.templates().templates_by_id(&named).await? };
        let templates: BTreeMap<_, _> = templates.into_iter().map(|template| (template.id, template)).collect();
        let named: Vec<_> = rows.iter().filter_map(Draft::upload).collect();
        let uploads = if named.is_empty() { vec![] } else { tenant.files().uploads(&named).await? };
        let valid = || rows.iter().zip(phones).filter_map(|(row, phone)| Some((row, phone.as_ref().ok()?)));
        let asked = |row: &Draft| row.needs_contact(row.template.and_then(|id| templates.get(&id)));
        let wanted: Vec<_> = valid().filter(|(row, _)| asked(row)).map(|(_, phone)| phone.clone()).collect();
        let contacts = if wanted.is_empty() { vec![] } else { tenant.contacts().contacts_by_phone(&wanted).await? };
        let phones: Vec<_> = valid().map(|(_, phone)| phone.clone()).collect();
        Ok(Self {
            default,
            devices,
            contacts: contacts.into_iter().map(|contact| (contact.phone.clone(), contact)).collect(),
            suppressed: tenant.consents().suppressed(&phones).await?,
            templates,
            uploads: uploads.into_iter().map(|upload| (upload.id, upload)).collect(),
        })
    }

    fn device(&self, row: &Draft) -> Option<&Device> {
        match row.device {
            Some(id) => self.devices.iter().find(|device| device.id == id),
            None => self.default.as_ref(),
        }
    }

    fn check<'a>(
        &'a self,
        account: &Account,
        row: &Draft,
        phone: &Result<PhoneNumber, Problem>,
        now: Timestamp,
    ) -> Result<(&'a Device, Checked), (Rejection, Option<String>)> {
        let number = phone.as_ref().ok();
        let ground = Ground {
            account,
            phone,
            device: self.device(row),
            template: row.template.and_then(|id| self.templates.get(&id)),
            upload: row.upload().and_then(|id| self.uploads.get(&id)),
            contact: number.and_then(|phone| self.contacts.get(phone)),
            open: number.is_none_or(|phone| !self.suppressed.contains(phone)),
            now,
        };
        let checked = match row.check(&ground) {
            Ok(checked) => checked,
            Err(problems) => {
                let first = problems.first().map(|one| one.problem.rejection(one.field));
                return Err((first.unwrap_or(Rejection::EmptyBody), None));
            }
        };
        if let Some(field) = checked.missing.first() {
            return Err((Rejection::MissingField, Some(field.clone())));
        }
        self.device(row).map(|device| (device, checked)).ok_or((Rejection::InvalidDevice, None))
    }
}

/// The rows that are accepted, by their places, and those that are not. Of several with one number the first counts.
fn sort<'a>(
    account: &Account,
    known: &'a Known,
    rows: &[Draft],
    phones: &[Result<PhoneNumber, Problem>],
    now: Timestamp,
) -> (Vec<(usize, &'a Device, Checked)>, Vec<Rejected>) {
    let (mut accepted, mut rejected, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for (index, (row, phone)) in rows.iter().zip(phones).enumerate() {
        if phone.as_ref().is_ok_and(|phone| !seen.insert(phone)) {
            rejected.push(Rejected { index, why: Rejection::Duplicate, field: None });
            continue;
        }
        match known.check(account, row, phone, now) {
            Ok((device, checked)) => accepted.push((index, device, checked)),
            Err((why, field)) => rejected.push(Rejected { index, why, field }),
        }
    }
    (accepted, rejected)
}

fn messages(
    bulk: &Bulk,
    rows: &[Draft],
    accepted: Vec<(usize, &Device, Checked)>,
    price: i64,
    at: Timestamp,
) -> Vec<Row> {
    let numbered = accepted.into_iter().zip(bulk.queued());
    let row = |((index, device, checked), (_, id)): ((usize, &Device, Checked), (usize, MessageId))| {
        let draft = rows.get(index)?;
        let message = draft.message(bulk.account, id, device, checked, Lane::Campaign, price, at);
        Some(Row { message, kept: draft.kept() })
    };
    numbered.filter_map(row).collect()
}

/// Stores the messages of a bulk that was accepted. What cannot be done now is left to the work: its sender is told that it
/// was accepted all the same.
async fn finish(with: &BulkParts<'_>, bulk: &Bulk, messages: &[Message], keeps: bool) {
    let done = async {
        with.tenant.bulks().put_messages(messages).await?;
        if keeps {
            return ring(with, bulk).await;
        }
        with.tenant.bulks().finish_bulk(bulk.id).await?;
        with.blobs.delete(&blob(bulk.account, bulk.id)).await?;
        with.fleet.end_work(bulk.account, Work::Bulk(bulk.id)).await
    };
    if let Err(error) = done.await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(account.id = %bulk.account, bulk.id = %bulk.id, error, "a bulk is left to be finished");
    }
}

async fn ring(with: &BulkParts<'_>, bulk: &Bulk) -> Result<(), PortError> {
    let job = Job::Work { account: bulk.account, work: Work::Bulk(bulk.id) };
    with.queue.send(Queue::Jobs, &[job], Duration::ZERO).await
}

/// What storing a bulk needs from outside.
pub struct StoreParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Where the rows are written down.
    pub blobs: &'a dyn Blobs,
    /// How rows are read that were written down.
    pub read: fn(AccountId, &[u8]) -> Option<Vec<Row>>,
}

/// Stores what is missing of an accepted bulk's messages, and keeps its recipients as contacts where that was asked for.
/// Repeatable, also at two places at once.
pub async fn store_bulk(with: &StoreParts<'_>, account: AccountId, id: BulkId) -> Result<(), PortError> {
    let Some(bulk) = with.tenant.bulks().bulk(id).await? else { return Ok(()) };
    let blob = blob(account, id);
    if !bulk.done && !store_rows(with, account, id, &blob).await? {
        // Its rows are gone once it is done: whoever accepted it may have finished it meanwhile.
        if with.tenant.bulks().bulk(id).await?.is_some_and(|bulk| !bulk.done) {
            return Err(PortError::Corrupt(format!("the rows of bulk {id} of account {account} are lost")));
        }
    }
    with.blobs.delete(&blob).await
}

/// Does what is left to do for the rows that are written down; `false` when none are.
async fn store_rows(with: &StoreParts<'_>, account: AccountId, id: BulkId, blob: &BlobKey) -> Result<bool, PortError> {
    let Some(bytes) = read_whole(with.blobs, blob).await? else { return Ok(false) };
    let Some(rows) = (with.read)(account, &bytes) else { return Ok(false) };
    let ids: Vec<_> = rows.iter().map(|row| row.message.id).collect();
    let there: HashSet<_> = with.tenant.messages(&ids).await?.into_iter().map(|message| message.id).collect();
    let missing = rows.iter().filter(|row| !there.contains(&row.message.id));
    let missing: Vec<_> = missing.map(|row| row.message.clone()).collect();
    with.tenant.bulks().put_messages(&missing).await?;
    keep_contacts(with, account, &rows).await?;
    with.tenant.bulks().finish_bulk(id).await?;
    Ok(true)
}

async fn keep_contacts(with: &StoreParts<'_>, account: AccountId, rows: &[Row]) -> Result<(), PortError> {
    let mut drafts: Vec<ContactDraft> = Vec::new();
    for row in rows {
        let (Some(kept), Some(phone)) = (&row.kept, &row.message.phone) else { continue };
        let id = ContactId(with.numbers.next(Sequence::Contacts(account)).await?);
        let (name, at) = (row.message.name.clone(), row.message.accepted_at);
        drafts.push(contact_draft(id, phone.clone(), name, kept.clone(), at));
    }
    for part in drafts.chunks(CONTACTS_AT_ONCE) {
        with.tenant.contacts().upsert(part).await?;
    }
    Ok(())
}

async fn read_whole(blobs: &dyn Blobs, key: &BlobKey) -> Result<Option<Vec<u8>>, PortError> {
    let mut whole = Vec::new();
    loop {
        let Some(part) = blobs.read(key, whole.len() as u64, PART).await? else { return Ok(None) };
        if part.is_empty() || whole.len() > MAX_BLOB {
            return Ok(Some(whole));
        }
        whole.extend(part);
    }
}
