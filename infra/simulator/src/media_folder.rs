//! Uploaded files beside the state file, so that what was sent before a restart can be fetched after it. A file never
//! changes: it is written once and removed when the network forgot it.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

const FRESH: &str = "new";

/// The folder of a state file.
pub(crate) struct MediaFolder(PathBuf);

impl MediaFolder {
    pub(crate) fn beside(state_file: &Path) -> Self {
        let mut folder = state_file.as_os_str().to_owned();
        folder.push(".media");
        Self(folder.into())
    }

    /// Writes the files that are not there yet, each by the path it is fetched with.
    pub(crate) fn write(&self, files: &[(String, Bytes)]) -> io::Result<()> {
        let missing: Vec<_> = files.iter().filter(|(path, _)| !self.file(path).exists()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(&self.0)?;
        for (path, bytes) in missing {
            let (file, fresh) = (self.file(path), self.file(path).with_extension(FRESH));
            std::fs::write(&fresh, bytes)?;
            std::fs::rename(fresh, file)?;
        }
        Ok(())
    }

    /// The file that is fetched with this path; nothing when it is not there.
    pub(crate) fn read(&self, path: &str) -> Option<Bytes> {
        std::fs::read(self.file(path)).ok().map(Bytes::from)
    }

    /// Removes every file but these.
    pub(crate) fn sweep(&self, files: &[(String, Bytes)]) -> io::Result<()> {
        let entries = match std::fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        let wanted: HashSet<PathBuf> = files.iter().map(|(path, _)| self.file(path)).collect();
        for entry in entries {
            let path = entry?.path();
            if !wanted.contains(&path) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Paths come from outside, so names are made of their hashes.
    fn file(&self, path: &str) -> PathBuf {
        self.0.join(hex::encode(Sha256::digest(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &'static [u8])]) -> Vec<(String, Bytes)> {
        of.iter().map(|(path, bytes)| ((*path).to_owned(), Bytes::from_static(bytes))).collect()
    }

    #[test]
    fn what_is_written_reads_back_and_what_is_swept_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let folder = MediaFolder::beside(&place.path().join("network.json"));
        folder.sweep(&[]).unwrap();
        let both = files(&[("/v/a", b"one"), ("/v/../../b", b"two")]);
        folder.write(&both).unwrap();
        folder.write(&both).unwrap();
        assert_eq!(folder.read("/v/a").as_deref(), Some(&b"one"[..]));
        assert_eq!(folder.read("/v/../../b").as_deref(), Some(&b"two"[..]));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "nothing stands outside the folder");
        folder.sweep(&files(&[("/v/a", b"one")])).unwrap();
        assert_eq!((folder.read("/v/a").is_some(), folder.read("/v/../../b")), (true, None));
    }
}
