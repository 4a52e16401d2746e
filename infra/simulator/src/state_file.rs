//! The optional state file: read at start, written every few seconds and at shut-down, always as a whole (a new file
//! is renamed over the old one). Uploaded files stand beside it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::media_folder::MediaFolder;
use crate::network::{Network, SavedNetwork};
use crate::signal::SignalError;
use crate::time;

/// How much a crash of the simulator forgets at most.
const INTERVAL: Duration = Duration::from_secs(3);

/// Why the state file cannot be used; remove or repair it.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    /// The file cannot be read or written.
    #[error("the file cannot be read or written")]
    Io(#[from] io::Error),
    /// The file is not a state file of this version.
    #[error("the file does not hold the state of a simulator of this version")]
    Content(#[from] serde_json::Error),
    /// The keys in the file cannot be used.
    #[error("the keys in the file cannot be used")]
    Keys(#[from] SignalError),
}

/// The network in the file, under a given root if there is one; `None` when there is no file yet.
pub(crate) fn load(path: &Path, seed: u64, root: Option<&[u8; 32]>) -> Result<Option<Network>, StateFileError> {
    let content = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        content => content?,
    };
    let mut saved: SavedNetwork = serde_json::from_slice(&content)?;
    let media = saved.take_media();
    let network = Network::restore(saved, seed, root)?;
    let folder = MediaFolder::beside(path);
    network.media().restore(media, |path| folder.read(path));
    Ok(Some(network))
}

/// Writes the file.
pub(crate) fn store(network: &Network, path: &Path) -> Result<(), StateFileError> {
    let folder = MediaFolder::beside(path);
    let (media, files) = network.media().save();
    // Files first: what the state names is there.
    folder.write(&files)?;
    let content = serde_json::to_vec(&network.save(media)?)?;
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    std::fs::write(&fresh, content)?;
    std::fs::rename(&fresh, path)?;
    Ok(folder.sweep(&files)?)
}

/// Writes the file again and again, for as long as it is polled.
pub(crate) async fn keep(network: Network, path: PathBuf) {
    loop {
        time::pause(INTERVAL).await;
        let (network, path) = (network.clone(), path.clone());
        let stored = tokio::task::spawn_blocking(move || store(&network, &path)).await;
        if let Ok(Err(error)) = stored {
            tracing::warn!(error = &error as &dyn std::error::Error, "the state file could not be written");
        }
    }
}
