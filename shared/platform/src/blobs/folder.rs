//! Large things in a folder, for one machine.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::AccountId;
use hantar_usecases::ports::{BlobKey, Blobs, PortError, Presigned};
use tokio::task::spawn_blocking;

use super::signed::Signer;

/// Tells drafts of one process apart.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// A folder of files, each named as its blob.
pub struct FolderBlobs {
    folder: PathBuf,
    signer: Option<Signer>,
}

/// A file that is being received.
pub struct Upload {
    draft: Draft,
    path: PathBuf,
    size: u64,
    received: u64,
}

/// Why a received file is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It is not as long as was said.
    #[error("the file is not as long as was said")]
    OtherSize,
    /// There is one already.
    #[error("the file is there already")]
    Exists,
    /// The folder cannot be written to.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl FolderBlobs {
    /// Keeps blobs in `folder`, which is made when the first one comes. Gives out no addresses.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, signer: None }
    }

    /// Keeps blobs in `folder`, and gives out addresses for a server that serves them.
    pub fn served(folder: PathBuf, signer: Signer) -> Self {
        Self { folder, signer: Some(signer) }
    }

    /// What gives out its addresses.
    pub fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }

    /// Begins to receive the file with this name, which is to have `size` bytes.
    pub async fn begin_upload(&self, name: &str, size: u64) -> Result<Upload, NotKept> {
        let path = self.folder.join(name);
        let taken = path.clone();
        let draft = blocking(move || if taken.exists() { Ok(None) } else { Draft::beside(&taken).map(Some) }).await?;
        let draft = draft.flatten().ok_or(NotKept::Exists)?;
        Ok(Upload { draft, path, size, received: 0 })
    }

    /// A part of the file with this name, as [`Blobs::read`].
    pub async fn part_of(&self, name: &str, from: u64, most: usize) -> Result<Option<Vec<u8>>, PortError> {
        let path = self.folder.join(name);
        blocking(move || part(&path, from, most)).await
    }

    /// How long the file with this name is, as [`Blobs::size`].
    pub async fn size_of(&self, name: &str) -> Result<Option<u64>, PortError> {
        let path = self.folder.join(name);
        blocking(move || Ok(std::fs::metadata(path)?.len())).await
    }

    fn path(&self, key: &BlobKey) -> PathBuf {
        self.folder.join(key.as_str())
    }

    fn sign(&self) -> Result<&Signer, PortError> {
        self.signer.as_ref().map_or_else(super::refuse, Ok)
    }
}

impl Upload {
    /// Takes the next bytes. More than were announced are refused at once.
    pub async fn write(mut self, bytes: Vec<u8>) -> Result<Self, NotKept> {
        self.received += bytes.len() as u64;
        if self.received > self.size {
            return Err(NotKept::OtherSize);
        }
        let written = blocking(move || {
            self.draft.file.write_all(&bytes)?;
            Ok(self)
        });
        written.await?.ok_or(NotKept::OtherSize)
    }

    /// Keeps the file, if it is whole and there is none yet.
    pub async fn end(self) -> Result<(), NotKept> {
        if self.received != self.size {
            return Err(NotKept::OtherSize);
        }
        let kept = blocking(move || match self.draft.keep_new(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            other => other.map(|()| true),
        });
        if kept.await? == Some(true) { Ok(()) } else { Err(NotKept::Exists) }
    }
}

/// Does something on a thread where it may block. `None` when a file is not there.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<Option<T>, PortError> {
    match spawn_blocking(act).await.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(PortError::Unavailable { what: "blob store", source: Box::new(error) }),
    }
}

/// A file that is written beside its place first, so that it is there whole or not at all. Gone unless it is kept.
struct Draft {
    file: File,
    path: PathBuf,
}

impl Draft {
    fn beside(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{}.part", std::process::id(), DRAFTS.fetch_add(1, Ordering::Relaxed)));
        let path = PathBuf::from(name);
        Ok(Self { file: File::create(&path)?, path })
    }

    /// Puts it into its place, instead of what is there.
    fn keep(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, path)
    }

    /// Puts it into its place, unless there is something.
    fn keep_new(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::hard_link(&self.path, path)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a renaming there is none, and what stays behind is only garbage.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn store(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut draft = Draft::beside(path)?;
    draft.file.write_all(bytes)?;
    draft.keep(path)
}

fn join(path: &Path, pieces: &[PathBuf]) -> io::Result<()> {
    let mut draft = Draft::beside(path)?;
    for piece in pieces {
        io::copy(&mut File::open(piece)?, &mut draft.file)?;
    }
    draft.keep(path)
}

fn part(path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), PortError> {
        let path = self.path(key);
        blocking(move || store(&path, &bytes)).await.map(drop)
    }

    async fn read(&self, key: &BlobKey, from: u64, most: usize) -> Result<Option<Vec<u8>>, PortError> {
        self.part_of(key.as_str(), from, most).await
    }

    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, PortError> {
        self.size_of(key.as_str()).await
    }

    async fn join(&self, key: &BlobKey, pieces: &[BlobKey]) -> Result<bool, PortError> {
        let (path, pieces) = (self.path(key), pieces.iter().map(|piece| self.path(piece)).collect::<Vec<_>>());
        Ok(blocking(move || join(&path, &pieces)).await?.is_some())
    }

    async fn delete(&self, key: &BlobKey) -> Result<(), PortError> {
        let path = self.path(key);
        blocking(move || std::fs::remove_file(path)).await.map(drop)
    }

    async fn delete_all(&self, account: AccountId) -> Result<(), PortError> {
        let folder = self.folder.join(account.to_string());
        blocking(move || std::fs::remove_dir_all(folder)).await.map(drop)
    }

    async fn upload(&self, key: &BlobKey, size: u64, valid_for: Duration) -> Result<Presigned, PortError> {
        let url = self.sign()?.upload(key.as_str(), size, valid_for);
        Ok(Presigned { method: "PUT", url, headers: Vec::new() })
    }

    async fn download(&self, key: &BlobKey, filename: &str, valid_for: Duration) -> Result<Presigned, PortError> {
        let url = self.sign()?.download(key.as_str(), filename, valid_for);
        Ok(Presigned { method: "GET", url, headers: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, FolderBlobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FolderBlobs::new(folder.path().join("blobs"));
        (folder, blobs)
    }

    fn key(name: &str) -> BlobKey {
        BlobKey::new(AccountId(1), "imports", name)
    }

    #[tokio::test]
    async fn a_blob_is_read_in_parts_and_gone_once_it_is_deleted() {
        let (_folder, blobs) = blobs();
        let key = key("1.csv");
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

    #[tokio::test]
    async fn blobs_are_joined_in_their_order_or_not_at_all() {
        let (_folder, blobs) = blobs();
        let (one, two, whole) = (key("1"), key("2"), key("whole"));
        blobs.put(&one, b"one ".to_vec()).await.unwrap();
        assert!(!blobs.join(&whole, &[one.clone(), two.clone()]).await.unwrap(), "one is not there");
        assert_eq!(blobs.size(&whole).await.unwrap(), None);
        blobs.put(&two, b"two".to_vec()).await.unwrap();
        for _ in 0..2 {
            assert!(blobs.join(&whole, &[one.clone(), two.clone()]).await.unwrap());
            assert_eq!(blobs.read(&whole, 0, 100).await.unwrap().unwrap(), b"one two");
        }
    }

    #[tokio::test]
    async fn an_upload_is_kept_whole_and_once() {
        let (folder, blobs) = blobs();
        let name = key("1.upload");
        let begin = async || blobs.begin_upload(name.as_str(), 5).await;
        let short = begin().await.unwrap().write(b"hell".to_vec()).await.unwrap();
        assert!(matches!(short.end().await, Err(NotKept::OtherSize)));
        let long = begin().await.unwrap().write(b"hello!".to_vec()).await;
        assert!(matches!(long, Err(NotKept::OtherSize)));
        let (first, second) = (begin().await.unwrap(), begin().await.unwrap());
        first.write(b"hello".to_vec()).await.unwrap().end().await.unwrap();
        let late = second.write(b"other".to_vec()).await.unwrap().end().await;
        assert!(matches!(late, Err(NotKept::Exists)));
        assert!(matches!(begin().await, Err(NotKept::Exists)));
        assert_eq!(blobs.read(&name, 0, 10).await.unwrap().unwrap(), b"hello");
        let files = std::fs::read_dir(folder.path().join("blobs/1/imports")).unwrap().count();
        assert_eq!(files, 1, "drafts are gone");
    }
}
