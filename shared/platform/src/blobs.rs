//! Where large things are kept: a folder on one machine, S3 (or what speaks like it) elsewhere.

#[cfg(feature = "native")]
mod folder;

use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "native")]
pub use folder::FolderBlobs;
use hantar_domain::ids::AccountId;
use hantar_usecases::ports::{BlobKey, Blobs, PortError, Presigned};

/// No place for large things: whoever needs one is refused.
pub struct NoBlobs;

fn refuse<T>() -> Result<T, PortError> {
    Err(PortError::Unavailable { what: "blob store", source: "no place for large things is configured".into() })
}

#[async_trait]
impl Blobs for NoBlobs {
    async fn put(&self, _: &BlobKey, _: Vec<u8>) -> Result<(), PortError> {
        refuse()
    }

    async fn read(&self, _: &BlobKey, _: u64, _: usize) -> Result<Option<Vec<u8>>, PortError> {
        refuse()
    }

    async fn size(&self, _: &BlobKey) -> Result<Option<u64>, PortError> {
        refuse()
    }

    async fn delete(&self, _: &BlobKey) -> Result<(), PortError> {
        refuse()
    }

    /// There are none.
    async fn delete_all(&self, _: AccountId) -> Result<(), PortError> {
        Ok(())
    }

    async fn upload(&self, _: &BlobKey, _: u64, _: Duration) -> Result<Presigned, PortError> {
        refuse()
    }

    async fn download(&self, _: &BlobKey, _: &str, _: Duration) -> Result<Presigned, PortError> {
        refuse()
    }
}
