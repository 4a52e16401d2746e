//! Large things in a folder, for one machine.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::AccountId;
use hantar_usecases::ports::{BlobKey, Blobs, PortError, Presigned};
use tokio::task::spawn_blocking;

/// A folder of files, each named as its blob.
pub struct FolderBlobs {
    folder: PathBuf,
}

impl FolderBlobs {
    /// Keeps blobs in `folder`, which is made when the first one comes.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Does something with a blob's file, on a thread where it may block.
    async fn with<T: Send + 'static>(
        &self,
        path: PathBuf,
        act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<Option<T>, PortError> {
        let done = spawn_blocking(move || act(&path)).await;
        match done.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PortError::Unavailable { what: "blob store", source: Box::new(error) }),
        }
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.folder.join(key.as_str())
    }
}

/// Whole or not at all: written beside its place first.
fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    {
        let mut file = std::fs::File::create(&beside)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
    }
    std::fs::rename(&beside, path)
}

fn part(path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
    use std::io::{Read as _, Seek as _};
    let mut file = std::fs::File::open(path)?;
    file.seek(io::SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), PortError> {
        self.with(self.path(key), move |path| store(path, &bytes)).await.map(drop)
    }

    async fn read(&self, key: &BlobKey, from: u64, most: usize) -> Result<Option<Vec<u8>>, PortError> {
        self.with(self.path(key), move |path| part(path, from, most)).await
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, PortError> {
        self.with(self.path(key), |path| Ok(std::fs::metadata(path)?.len())).await
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), PortError> {
        self.with(self.path(key), |path| std::fs::remove_file(path)).await.map(drop)
    }

    async fn delete_all(&self, account: AccountId) -> Result<(), PortError> {
        let folder = self.folder.join(account.to_string());
        self.with(folder, |path| std::fs::remove_dir_all(path)).await.map(drop)
    }

    async fn upload(&self, _: &BlobKey, _: u64, _: Duration) -> Result<Presigned, PortError> {
        super::refuse()
    }

    async fn download(&self, _: &BlobKey, _: &str, _: Duration) -> Result<Presigned, PortError> {
        super::refuse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_blob_is_read_in_parts_and_gone_once_it_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::new(folder.path().join("blobs"));
        let key = BlobKey::new(AccountId(1), "imports", "1.csv");
        assert_eq!(blobs.read(&key, 0, 10).await.unwrap(), None);
        blobs.put(&key, b"hello".to_vec()).await.unwrap();
        assert_eq!(blobs.size(&key).await.unwrap(), Some(5));
        assert_eq!(blobs.read(&key, 1, 3).await.unwrap().unwrap(), b"ell");
        assert_eq!(blobs.read(&key, 5, 3).await.unwrap().unwrap(), b"");
        blobs.delete(&key).await.unwrap();
        blobs.delete(&key).await.unwrap();
        assert_eq!(blobs.size(&key).await.unwrap(), None);
        blobs.put(&key, b"again".to_vec()).await.unwrap();
        blobs.delete_all(AccountId(1)).await.unwrap();
        assert_eq!(blobs.size(&key).await.unwrap(), None);
    }
}
