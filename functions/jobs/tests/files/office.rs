//! The records and blobs of one account in memory. Every call may be the last: it waits once before it does what it is asked,
//! and once after that.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::contact::{Contact, ContactEdit, Said};
use hantar_domain::export::Export;
use hantar_domain::ids::*;
use hantar_domain::import::Import;
use hantar_domain::media::Upload;
use hantar_domain::pacing::Pacing;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_jobs::work::Worker;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::*;

pub(crate) const ACCOUNT: AccountId = AccountId(1);

/// Waits once.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Here somebody may die.
pub(crate) async fn here() {
    Once(false).await;
}

/// Of a part of the records that files have nothing to do with.
pub(crate) fn nobody_asks_this<T>() -> T {
    panic!("a step of an import or export asked for something else")
}

/// Everything.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) contacts: Mutex<BTreeMap<PhoneNumber, Contact>>,
    pub(crate) imports: Mutex<HashMap<ImportId, Import>>,
    pub(crate) exports: Mutex<HashMap<ExportId, Export>>,
    pub(crate) uploads: Mutex<HashMap<UploadId, Upload>>,
    pub(crate) blobs: Mutex<HashMap<String, Vec<u8>>>,
    pub(crate) work: Mutex<HashMap<Work, Timestamp>>,
    pub(crate) numbers: AtomicU64,
    now: AtomicI64,
}

/// One who has a desk.
#[derive(Clone)]
pub(crate) struct Office(pub(crate) Arc<Desk>);

impl Office {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn pass(&self, span: Duration) {
        self.0.now.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn worker(&self) -> Worker {
        let office = Arc::new(self.clone());
        Worker {
            fleet: office.clone(),
            tenants: office.clone(),
            queue: office.clone(),
            numbers: Arc::new(Numbers::new(office.clone(), 10)),
            blobs: office.clone(),
            mail: office.clone(),
            clock: office.clone(),
            entropy: office,
            shards: 4,
            pacing: Pacing::default(),
        }
    }

    pub(crate) fn is_due(&self, work: Work) -> bool {
        self.0.work.lock().unwrap().get(&work).is_some_and(|due| *due <= self.now())
    }

    pub(crate) fn arm(&self, work: Work, due: Timestamp) {
        self.0.work.lock().unwrap().insert(work, due);
    }

    pub(crate) fn blob(&self, key: &BlobKey) -> Option<Vec<u8>> {
        self.0.blobs.lock().unwrap().get(key.as_str()).cloned()
    }
}

impl Tenants for Office {
    fn for_account(&self, _: AccountId) -> Arc<dyn Tenant> {
        Arc::new(self.clone())
    }
}

impl Clock for Office {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.now.load(Ordering::SeqCst))
    }

    fn running(&self) -> Duration {
        Duration::ZERO
    }
}

impl Entropy for Office {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[async_trait]
impl Mail for Office {
    async fn send(&self, _: &Letter) -> Result<(), PortError> {
        nobody_asks_this()
    }
}

#[async_trait]
impl JobQueue for Office {
    async fn prepare(&self, _: u16) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn send(&self, _: Queue, _: &[Job], _: Duration) -> Result<(), PortError> {
        Ok(())
    }

    async fn receive(&self, _: Queue, _: Duration) -> Result<Vec<Received>, PortError> {
        nobody_asks_this()
    }

    async fn park(&self, _: &str, _: &str) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn done(&self, _: Queue, _: &[String]) -> Result<(), PortError> {
        nobody_asks_this()
    }
}

#[async_trait]
impl Blobs for Office {
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), PortError> {
        here().await;
        self.0.blobs.lock().unwrap().insert(key.as_str().to_owned(), bytes);
        here().await;
        Ok(())
    }

    async fn read(&self, key: &BlobKey, from: u64, most: usize) -> Result<Option<Vec<u8>>, PortError> {
        here().await;
        let blobs = self.0.blobs.lock().unwrap();
        let from = usize::try_from(from).unwrap();
        let part = |bytes: &Vec<u8>| bytes[from.min(bytes.len())..from.saturating_add(most).min(bytes.len())].to_vec();
        Ok(blobs.get(key.as_str()).map(part))
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, PortError> {
        here().await;
        Ok(self.blob(key).map(|bytes| bytes.len() as u64))
    }

    async fn join(&self, key: &BlobKey, pieces: &[BlobKey]) -> Result<bool, PortError> {
        here().await;
        let Some(parts) = pieces.iter().map(|piece| self.blob(piece)).collect::<Option<Vec<_>>>() else {
            return Ok(false);
        };
        let (_, before) = parts.split_last().unwrap();
        assert!(before.iter().all(|part| part.len() >= PIECE_BYTES), "a piece that S3 does not join");
        self.0.blobs.lock().unwrap().insert(key.as_str().to_owned(), parts.concat());
        here().await;
        Ok(true)
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), PortError> {
        here().await;
        self.0.blobs.lock().unwrap().remove(key.as_str());
        here().await;
        Ok(())
    }

    async fn delete_all(&self, _: AccountId) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn upload(&self, _: &BlobKey, _: u64, _: Duration) -> Result<Presigned, PortError> {
        Ok(Presigned { method: "PUT", url: String::new(), headers: Vec::new() })
    }

    async fn download(&self, _: &BlobKey, _: &str, _: Duration) -> Result<Presigned, PortError> {
        nobody_asks_this()
    }
}

#[async_trait]
impl Files for Office {
    async fn add_import(&self, import: &Import, _: Option<&Idempotency>) -> Result<Created<Import>, PortError> {
        self.0.imports.lock().unwrap().insert(import.id, import.clone());
        self.arm(Work::Import(import.id), import.kept_until);
        Ok(Created::New)
    }

    async fn import(&self, id: ImportId) -> Result<Option<Import>, PortError> {
        here().await;
        Ok(self.0.imports.lock().unwrap().get(&id).cloned())
    }

    async fn earlier_start(&self, _: &Idempotency, _: Timestamp) -> Result<Option<ImportStart>, PortError> {
        nobody_asks_this()
    }

    async fn start_import(
        &self,
        import: &Import,
        at: Timestamp,
        _: Option<&Idempotency>,
    ) -> Result<ImportStart, PortError> {
        assert!(self.change_import(import).await?);
        self.arm(Work::Import(import.id), at);
        Ok(ImportStart::Now)
    }

    async fn change_import(&self, import: &Import) -> Result<bool, PortError> {
        here().await;
        let changed = {
            let mut imports = self.0.imports.lock().unwrap();
            let stored = imports.get_mut(&import.id).unwrap();
            let fits = stored.version == import.version;
            if fits {
                *stored = Import { version: import.version + 1, ..import.clone() };
            }
            fits
        };
        here().await;
        Ok(changed)
    }

    async fn add_export(&self, export: &Export, _: Option<&Idempotency>) -> Result<Created<Export>, PortError> {
        self.0.exports.lock().unwrap().insert(export.id, export.clone());
        self.arm(Work::Export(export.id), export.created_at);
        Ok(Created::New)
    }

    async fn export(&self, id: ExportId) -> Result<Option<Export>, PortError> {
        here().await;
        Ok(self.0.exports.lock().unwrap().get(&id).cloned())
    }

    async fn change_export(&self, export: &Export) -> Result<bool, PortError> {
        here().await;
        let changed = {
            let mut exports = self.0.exports.lock().unwrap();
            let stored = exports.get_mut(&export.id).unwrap();
            let fits = stored.version == export.version;
            if fits {
                *stored = Export { version: export.version + 1, ..export.clone() };
            }
            fits
        };
        here().await;
        Ok(changed)
    }

    async fn add_upload(&self, upload: &Upload, _: Option<&Idempotency>) -> Result<Created<Upload>, PortError> {
        self.0.uploads.lock().unwrap().insert(upload.id, upload.clone());
        self.arm(Work::Upload(upload.id), upload.kept_until);
        Ok(Created::New)
    }

    async fn uploads(&self, ids: &[UploadId]) -> Result<Vec<Upload>, PortError> {
        here().await;
        let uploads = self.0.uploads.lock().unwrap();
        Ok(ids.iter().filter_map(|id| uploads.get(id).cloned()).collect())
    }
}

/// One draft, in the contacts as they are.
fn upserted(contacts: &mut BTreeMap<PhoneNumber, Contact>, draft: &ContactDraft) -> Upserted {
    let is_new = !contacts.contains_key(&draft.phone);
    let contact = contacts.entry(draft.phone.clone()).or_insert_with(|| Contact {
        account: ACCOUNT,
        id: draft.id,
        phone: draft.phone.clone(),
        name: None,
        external_id: None,
        attributes: BTreeMap::new(),
        opted_out: false,
        opted_in: None,
        created_at: draft.at,
        updated_at: draft.at,
    });
    let said = Said {
        name: draft.name.as_ref(),
        external_id: draft.external_id.as_ref(),
        attributes: &draft.attributes,
        opted_in: draft.opted_in.as_ref(),
    };
    contact.learn(said).unwrap_or_default();
    if is_new { Upserted::Created(contact.clone()) } else { Upserted::Updated(contact.clone()) }
}

#[async_trait]
impl Contacts for Office {
    async fn contact_by_phone(&self, phone: &PhoneNumber) -> Result<Option<Contact>, PortError> {
        Ok(self.0.contacts.lock().unwrap().get(phone).cloned())
    }

    /// Each by itself: some may be stored when the others are not.
    async fn upsert(&self, drafts: &[ContactDraft]) -> Result<Vec<Upserted>, PortError> {
        let mut all = Vec::new();
        for draft in drafts {
            here().await;
            all.push(upserted(&mut self.0.contacts.lock().unwrap(), draft));
        }
        here().await;
        Ok(all)
    }

    async fn list_contacts(
        &self,
        _: &ContactFilter,
        after: Option<&str>,
        _: usize,
        limit: usize,
    ) -> Result<ContactPage, PortError> {
        here().await;
        let contacts = self.0.contacts.lock().unwrap();
        let behind = contacts.values().filter(|contact| after.is_none_or(|after| contact.phone.as_str() > after));
        let contacts: Vec<_> = behind.take(limit).cloned().collect();
        let next = contacts.last().filter(|_| contacts.len() == limit).map(|contact| contact.phone.to_string());
        Ok(ContactPage { contacts, skipped: 0, next })
    }

    async fn contact(&self, _: ContactId) -> Result<Option<Contact>, PortError> {
        nobody_asks_this()
    }

    async fn contacts_by_id(&self, _: &[ContactId]) -> Result<Vec<Contact>, PortError> {
        nobody_asks_this()
    }

    async fn contacts_by_phone(&self, _: &[PhoneNumber]) -> Result<Vec<Contact>, PortError> {
        nobody_asks_this()
    }

    async fn save(&self, _: &ContactDraft, _: &Idempotency) -> Result<Saved, PortError> {
        nobody_asks_this()
    }

    async fn edit(
        &self,
        _: ContactId,
        _: &ContactEdit,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Edited, PortError> {
        nobody_asks_this()
    }

    async fn mark_opted_out(&self, _: &PhoneNumber, _: bool, _: Timestamp) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn delete_contact(&self, _: ContactId, _: Option<&Idempotency>, _: Timestamp) -> Result<Deleted, PortError> {
        nobody_asks_this()
    }

    async fn merge(
        &self,
        _: ContactId,
        _: &[ContactId],
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Edited, PortError> {
        nobody_asks_this()
    }

    async fn contact_counts(&self) -> Result<ContactCounts, PortError> {
        nobody_asks_this()
    }

    async fn groups_of(&self, _: ContactId) -> Result<Vec<GroupId>, PortError> {
        nobody_asks_this()
    }

    async fn members(&self, _: GroupId, _: Option<ContactId>, _: usize) -> Result<Members, PortError> {
        nobody_asks_this()
    }
}
