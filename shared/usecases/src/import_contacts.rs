//! Contacts from a file: announced, uploaded past us to the blobs, started, and then read by a job.

use std::time::Duration;

use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::ids::{AccountId, ImportId};
use hantar_domain::import::{Import, Plan, Reading, Rows};

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{
    BlobKey, Blobs, Clock, Created, ImportStart, Job, JobQueue, PortError, Presigned, Queue, Sequence, Tenant, Work,
};

/// For how long a file may be uploaded, and one of rejected rows be fetched once somebody asked for its address.
pub const ADDRESS_VALID: Duration = Duration::from_hours(1);
/// For how long files are kept: an uploaded one for its start, one of rejected rows for whoever wants it.
pub const KEPT: Duration = Duration::from_hours(72);

/// What an import is to be.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// What its owner calls the file.
    pub filename: String,
    /// What the file is.
    pub format: FileFormat,
    /// How long it is, in bytes.
    pub size: u64,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// Why an import is not made or started. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// There is no such import.
    #[error("no such import")]
    Missing,
    /// It was started before, or its file is no longer kept.
    #[error("the import cannot be started again")]
    TooLate,
    /// Its file is not there.
    #[error("the file was not uploaded")]
    NotUploaded,
    /// Its file is another one than was announced.
    #[error("the file is {found} bytes long, and was to be {announced}")]
    OtherSize {
        /// As it is.
        found: u64,
        /// As was said.
        announced: u64,
    },
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What importing needs from outside.
pub struct ImportParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Where files are.
    pub blobs: &'a dyn Blobs,
    /// Rings for the job.
    pub queue: &'a dyn JobQueue,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// Where the uploaded file of an import is.
pub fn uploaded(account: AccountId, id: ImportId) -> BlobKey {
    BlobKey::new(account, "imports", &format!("{id}.upload"))
}

/// Where the rejected rows of an import are.
pub fn rejected(account: AccountId, id: ImportId) -> BlobKey {
    BlobKey::new(account, "imports", &format!("{id}.rejected.csv"))
}

/// Announces a file. Answers the import and where to upload the file. With an idempotency key a repeat answers the same
/// import.
pub async fn create_import(
    with: &ImportParts<'_>,
    account: AccountId,
    new: NewImport,
) -> Result<(Import, Presigned), ImportError> {
    let id = ImportId(with.numbers.next(Sequence::Imports(account)).await?);
    let now = with.clock.now();
    let import = Import {
        account,
        id,
        filename: new.filename,
        format: new.format,
        size: new.size,
        stage: Stage::Waiting,
        failure: None,
        plan: None,
        reading: Reading::default(),
        rows: Rows::default(),
        created_at: now,
        started_at: None,
        finished_at: None,
        kept_until: now + KEPT,
        version: 0,
    };
    let key = new.idempotency.map(|(key, content)| idempotency("import", &key, &content, now));
    let import = match with.tenant.files().add_import(&import, key.as_ref()).await? {
        Created::New => import,
        Created::Replayed(earlier) => *earlier,
        Created::KeyReused | Created::Full => return Err(ImportError::KeyReused),
    };
    let upload = with.blobs.upload(&uploaded(account, import.id), import.size, ADDRESS_VALID).await?;
    Ok((import, upload))
}

/// Starts an import whose file is there; one whose rows were only checked may be started again. A repeat by the same key
/// answers the import as it is.
pub async fn start_import(
    with: &ImportParts<'_>,
    account: AccountId,
    id: ImportId,
    plan: Plan,
    key: Option<(String, Vec<u8>)>,
) -> Result<Import, ImportError> {
    let files = with.tenant.files();
    let now = with.clock.now();
    let key = key.map(|(key, content)| {
        let content = [&id.0.to_be_bytes()[..], &content].concat();
        idempotency("start import", &key, &content, now)
    });
    if let Some(key) = &key {
        match files.earlier_start(key, now).await? {
            Some(ImportStart::Replayed(import)) => return Ok(*import),
            Some(_) => return Err(ImportError::KeyReused),
            None => {}
        }
    }
    let import = files.import(id).await?.ok_or(ImportError::Missing)?;
    if !import.may_start(now) {
        return Err(ImportError::TooLate);
    }
    look_at_file(with.blobs, &import).await?;
    let started = Import {
        stage: Stage::Running,
        plan: Some(plan),
        reading: Reading::default(),
        rows: Rows::default(),
        started_at: Some(now),
        finished_at: None,
        ..import
    };
    match files.start_import(&started, now, key.as_ref()).await? {
        ImportStart::Now => {}
        ImportStart::Replayed(import) => return Ok(*import),
        ImportStart::KeyReused => return Err(ImportError::KeyReused),
        ImportStart::Changed => return Err(ImportError::TooLate),
    }
    ring(with.queue, account, Work::Import(id)).await;
    Ok(started)
}

/// A form that cannot look at files leaves it to the job.
async fn look_at_file(blobs: &dyn Blobs, import: &Import) -> Result<(), ImportError> {
    match blobs.size(&uploaded(import.account, import.id)).await {
        Ok(None) => Err(ImportError::NotUploaded),
        Ok(Some(found)) if found != import.size => Err(ImportError::OtherSize { found, announced: import.size }),
        Ok(Some(_)) | Err(_) => Ok(()),
    }
}

/// Rings for work that is noted. If that fails, the sweep does it.
pub(crate) async fn ring(queue: &dyn JobQueue, account: AccountId, work: Work) {
    if let Err(error) = queue.send(Queue::Jobs, &[Job::Work { account, work }], Duration::ZERO).await {
        tracing::warn!(account.id = account.0, %work, error = &error as &dyn std::error::Error, "work was not rung for");
    }
}
