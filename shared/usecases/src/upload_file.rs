//! Files that messages carry, put beside the tables by their owner.

use std::time::Duration;

use hantar_domain::ids::{AccountId, UploadId};
use hantar_domain::media::{UPLOAD_KEPT, Upload};

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{BlobKey, Blobs, Clock, Created, PortError, Presigned, Sequence, Tenant};

/// For how long an announced file may be put to its address.
pub const ADDRESS_VALID: Duration = Duration::from_hours(1);

/// A file that is to be uploaded.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// What its owner calls it.
    pub filename: String,
    /// How long it is, in bytes.
    pub size: u64,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// Why a file is not announced. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What announcing a file needs from outside.
pub struct UploadParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Where files are.
    pub blobs: &'a dyn Blobs,
    /// Numbers.
    pub numbers: &'a Numbers,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// Where an uploaded file is.
pub fn uploaded(account: AccountId, id: UploadId) -> BlobKey {
    BlobKey::new(account, "media", &id.to_string())
}

/// Announces a file. Answers what is known of it and where to put it. With an idempotency key a repeat answers the same
/// file, with an address that is valid anew.
pub async fn announce_upload(
    with: &UploadParts<'_>,
    account: AccountId,
    new: NewUpload,
) -> Result<(Upload, Presigned), UploadError> {
    let NewUpload { filename, size, idempotency: key } = new;
    let id = UploadId(with.numbers.next(Sequence::Uploads(account)).await?);
    let now = with.clock.now();
    let upload = Upload { account, id, filename, size, created_at: now, kept_until: now + UPLOAD_KEPT };
    let key = key.map(|(key, content)| idempotency("upload", &key, &content, now));
    let upload = match with.tenant.files().add_upload(&upload, key.as_ref()).await? {
        Created::New => upload,
        Created::Replayed(earlier) => *earlier,
        Created::KeyReused | Created::Full => return Err(UploadError::KeyReused),
    };
    let address = with.blobs.upload(&uploaded(account, upload.id), upload.size, ADDRESS_VALID).await?;
    Ok((upload, address))
}
