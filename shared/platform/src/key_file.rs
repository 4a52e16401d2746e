//! The key of keys on one machine: a file with 32 random bytes, made at the first start, under which the data keys of
//! all accounts are wrapped. Whoever loses it loses every secret in the tables, so it belongs into the backup, apart
//! from the tables.
//!
//! A wrapped data key is `format (1 byte) | what DataKey::seal makes`, so that a later release can wrap otherwise and
//! still unwrap what this one wrote.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use hantar_domain::sealed::{DataKey, NONCE_BYTES};
use hantar_usecases::ports::{Entropy, KeyWrap, PortError};
use hmac::Mac as _;

use crate::blobs::keyed;
use crate::entropy::SystemEntropy;

const KEY_BYTES: usize = 32;
/// The format of wrapped keys that this release writes.
const FORMAT: u8 = 1;
/// What wrapped keys are sealed for.
const PLACE: &str = "data-key";

/// A key file that was opened. Holds the key itself; the file is not read again.
#[derive(Clone, Debug)]
pub struct KeyFile {
    master: DataKey,
}

/// A key file cannot be used: a person must look. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read or made.
    #[error("the key file {path} cannot be {what}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It is a folder, a device or a pipe.
    #[error("the key file {0} is no plain file")]
    NoFile(PathBuf),
    /// Others than its owner may use it.
    #[error("the key file {path} is open to others (mode {mode:03o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It does not hold a key.
    #[error("the key file {path} must hold {KEY_BYTES} bytes, and does not; restore it from the backup")]
    Length {
        /// The file.
        path: PathBuf,
    },
}

impl KeyFile {
    /// Opens the key file at `path`, and makes it first if there is none, of bytes from `entropy`. Its folder must
    /// exist. Processes that start at once end with the same key. Blocks for a moment.
    pub fn open(path: &Path, entropy: &dyn Entropy) -> Result<Self, KeyFileError> {
        if let Some(key_file) = Self::read(path)? {
            return Ok(key_file);
        }
        create(path, entropy).map_err(failure(path, "made"))?;
        let gone = || failure(path, "read")(io::ErrorKind::NotFound.into());
        Self::read(path)?.ok_or_else(gone)
    }

    /// A key for `purpose` (a few words) that tells nothing of this one. The same for the same file, for ever.
    pub fn derived(&self, purpose: &str) -> [u8; 32] {
        let mut mac = keyed(self.master.bytes());
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    fn read(path: &Path) -> Result<Option<Self>, KeyFileError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failure(path, "read")(error)),
        };
        let metadata = file.metadata().map_err(failure(path, "read"))?;
        if !metadata.is_file() {
            return Err(KeyFileError::NoFile(path.to_owned()));
        }
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { path: path.to_owned(), mode });
        }
        let mut bytes = Vec::with_capacity(KEY_BYTES + 1);
        file.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failure(path, "read"))?;
        let key = bytes.try_into().map_err(|_| KeyFileError::Length { path: path.to_owned() })?;
        Ok(Some(Self { master: DataKey::from_bytes(key) }))
    }
}

#[async_trait]
impl KeyWrap for KeyFile {
    /// The nonce always comes from the system: one that repeats would break the cipher, so nobody's dice are taken.
    async fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, PortError> {
        let mut nonce = [0; NONCE_BYTES];
        SystemEntropy.fill(&mut nonce);
        let mut wrapped = vec![FORMAT];
        wrapped.extend(self.master.seal(nonce, PLACE, key.bytes()));
        Ok(wrapped)
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, PortError> {
        let damaged = |why: &str| PortError::Corrupt(format!("a data key {why}"));
        let (format, sealed) = wrapped.split_first().ok_or_else(|| damaged("is empty"))?;
        if *format != FORMAT {
            return Err(damaged("is wrapped in a format that this release does not know"));
        }
        let opened = self.master.open(PLACE, sealed).map_err(|_| damaged("was wrapped under another key file"))?;
        let key = opened.try_into().map_err(|_| damaged("has the wrong length"))?;
        Ok(DataKey::from_bytes(key))
    }
}

fn failure(path: &Path, what: &'static str) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::File { path, what, source }
}

/// Makes the file whole or not at all: it is written under a name of its own and then linked to `path`, which fails
/// when another process was faster. That is no failure: its key is the one that counts.
fn create(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let (mut key, mut draw) = ([0; KEY_BYTES], [0; 8]);
    entropy.fill(&mut key);
    // The name of the draft must differ between processes even if their `entropy` does not.
    SystemEntropy.fill(&mut draw);
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{:016x}", u64::from_be_bytes(draw)));
    let draft = path.with_file_name(name);
    let linked = write_draft(&draft, &key).and_then(|()| fs::hard_link(&draft, path));
    // A draft that stays behind is a key that nobody uses; the outcome of the linking matters more.
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn write_draft(draft: &Path, key: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(key)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tempfile::TempDir;

    use super::*;

    fn place() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("master.key");
        (folder, path)
    }

    fn put(path: &Path, bytes: &[u8], mode: u32) {
        fs::write(path, bytes).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_start_makes_a_file_for_its_owner_alone_and_the_next_one_reads_it() {
        let (folder, path) = place();
        let first = KeyFile::open(&path, &SystemEntropy).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), first.master.bytes());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the draft is gone");
        assert_eq!(KeyFile::open(&path, &SystemEntropy).unwrap().master, first.master);
    }

    #[test]
    fn a_derived_key_is_one_of_its_file_and_its_purpose() {
        let [(_a, ours), (_b, other)] = [place(), place()];
        let [ours, other] = [ours, other].map(|path| KeyFile::open(&path, &SystemEntropy).unwrap());
        assert_eq!(ours.derived("blobs"), ours.derived("blobs"));
        assert_ne!(ours.derived("blobs"), ours.derived("letters"));
        assert_ne!(ours.derived("blobs"), other.derived("blobs"));
        assert_ne!(ours.derived("blobs"), *ours.master.bytes());
    }

    #[test]
    fn all_who_start_at_once_end_with_the_same_key() {
        for _ in 0..20 {
            let (_folder, path) = place();
            let barrier = std::sync::Barrier::new(8);
            let open = || {
                barrier.wait();
                KeyFile::open(&path, &SystemEntropy).unwrap().master
            };
            let keys: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| key.bytes().as_slice() == fs::read(&path).unwrap()));
        }
    }

    #[test]
    fn making_does_not_overwrite_a_key_that_is_there() {
        let (_folder, path) = place();
        put(&path, &[7; KEY_BYTES], 0o600);
        create(&path, &SystemEntropy).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [7; KEY_BYTES]);
    }

    #[test]
    fn a_file_of_another_length_is_refused() {
        let (_folder, path) = place();
        for length in [0, 31, 33, 4096] {
            put(&path, &vec![1; length], 0o600);
            let error = KeyFile::open(&path, &SystemEntropy).unwrap_err();
            assert!(matches!(error, KeyFileError::Length { .. }), "{length}: {error}");
        }
    }

    #[test]
    fn a_file_that_others_may_use_is_refused() {
        let (_folder, path) = place();
        for mode in [0o604, 0o640, 0o620, 0o601] {
            put(&path, &[1; KEY_BYTES], mode);
            let error = KeyFile::open(&path, &SystemEntropy).unwrap_err();
            assert!(error.to_string().ends_with(&format!("chmod 600 {}", path.display())), "{error}");
        }
        put(&path, &[1; KEY_BYTES], 0o400);
        assert!(KeyFile::open(&path, &SystemEntropy).is_ok());
    }

    #[test]
    fn what_is_no_file_is_refused_and_a_missing_folder_is_said() {
        let (folder, path) = place();
        fs::create_dir(&path).unwrap();
        assert!(matches!(KeyFile::open(&path, &SystemEntropy), Err(KeyFileError::NoFile(_))));
        let nowhere = folder.path().join("no/such/folder.key");
        assert!(matches!(KeyFile::open(&nowhere, &SystemEntropy), Err(KeyFileError::File { what: "made", .. })));
    }

    #[tokio::test]
    async fn a_wrapped_key_comes_back_under_its_own_file_alone() {
        let (_folder, path) = place();
        let ours = KeyFile::open(&path, &SystemEntropy).unwrap();
        let key = DataKey::from_bytes([5; 32]);
        let wrapped = ours.wrap(&key).await.unwrap();
        assert_eq!(wrapped[0], FORMAT);
        assert_eq!(KeyFile::open(&path, &SystemEntropy).unwrap().unwrap(&wrapped).await.unwrap(), key);
        assert_ne!(ours.wrap(&key).await.unwrap(), wrapped, "each wrapping has a nonce of its own");

        let (_folder, path) = place();
        let other = KeyFile::open(&path, &SystemEntropy).unwrap();
        assert!(matches!(other.unwrap(&wrapped).await, Err(PortError::Corrupt(_))));
    }

    #[tokio::test]
    async fn damaged_and_unknown_wrappings_are_told_apart_from_a_key() {
        let (_folder, path) = place();
        let ours = KeyFile::open(&path, &SystemEntropy).unwrap();
        let wrapped = ours.wrap(&DataKey::from_bytes([5; 32])).await.unwrap();
        let other_length = [&[FORMAT][..], &ours.master.seal([0; NONCE_BYTES], PLACE, &[1; 16])].concat();
        let later_format = [&[FORMAT + 1], &wrapped[1..]].concat();
        let cut = wrapped[..wrapped.len() - 1].to_vec();
        for bad in [Vec::new(), vec![FORMAT], other_length, later_format, cut] {
            assert!(matches!(ours.unwrap(&bad).await, Err(PortError::Corrupt(_))), "{bad:?}");
        }
    }
}
