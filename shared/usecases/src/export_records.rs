//! Files made of an account's records: asked for, made by a job, fetched from the blobs.

use std::time::Duration;

use hantar_domain::export::{Export, Making, Subject};
use hantar_domain::file::{FileFormat, Stage};
use hantar_domain::ids::{AccountId, ExportId};
use sha2::{Digest, Sha256};

use crate::idempotency::idempotency;
use crate::import_contacts::ring;
use crate::numbers::Numbers;
use crate::ports::{BlobKey, Clock, Created, Idempotency, JobQueue, PortError, Sequence, Tenant, Work};

/// For how long a file is kept.
pub const KEPT: Duration = Duration::from_hours(72);
/// Whoever asks again within this time without a key is answered with the same export: asking is a `GET`, which
/// browsers and proxies repeat as they please.
const SAME: Duration = Duration::from_mins(1);

/// Why an export is not made. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What exporting needs from outside.
pub struct ExportParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Rings for the job.
    pub queue: &'a dyn JobQueue,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// Where the file of an export is.
pub fn exported(account: AccountId, id: ExportId) -> BlobKey {
    BlobKey::new(account, "exports", &format!("{id}.file"))
}

/// Begins to make a file. A repeat by the same key, or without one within a minute, answers the same export.
pub async fn start_export(
    with: &ExportParts<'_>,
    account: AccountId,
    subject: Subject,
    format: FileFormat,
    key: Option<&str>,
) -> Result<Export, ExportError> {
    let id = ExportId(with.numbers.next(Sequence::Exports(account)).await?);
    let now = with.clock.now();
    let content = format!("{subject:?} {format:?}").into_bytes();
    let key = match key {
        Some(key) => idempotency("export", key, &content, now),
        None => Idempotency {
            key: Sha256::new().chain_update("same export").chain_update(&content).finalize().into(),
            request: [0; 32],
            expires_at: now + SAME,
        },
    };
    let export = Export {
        account,
        id,
        subject,
        format,
        stage: Stage::Running,
        failure: None,
        making: Making::default(),
        rows: 0,
        size: None,
        created_at: now,
        finished_at: None,
        kept_until: now + KEPT,
        version: 0,
    };
    match with.tenant.files().add_export(&export, Some(&key)).await? {
        Created::New => ring(with.queue, account, Work::Export(id)).await,
        Created::Replayed(earlier) => return Ok(*earlier),
        Created::KeyReused | Created::Full => return Err(ExportError::KeyReused),
    }
    Ok(export)
}
