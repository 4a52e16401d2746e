//! The embedded parts in the data folder: the database, the queues, the master key. Several processes may use one
//! folder at a time: the server, and the commands beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::key_file::KeyFile;
use hantar_queues::embedded::QueueEngine;
use hantar_usecases::ports::Clock;

/// What a data folder holds.
pub struct Engines {
    /// The tables.
    pub dynamo: DynamoEngine,
    /// The queues.
    pub queues: QueueEngine,
    /// The master key.
    pub key: KeyFile,
    /// The folder of large things.
    pub blobs: PathBuf,
}

impl Engines {
    /// Opens the folder, or makes it (for its owner's eyes only).
    pub fn open(folder: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        make_private(folder).with_context(|| format!("the data folder {} cannot be made", folder.display()))?;
        let clock = clock.clone();
        let milliseconds = Arc::new(move || clock.now().0.div_euclid(1000));
        Ok(Self {
            dynamo: DynamoEngine::open(&folder.join("tables.db"))?,
            queues: QueueEngine::open(&folder.join("queues.db"), milliseconds)?,
            key: KeyFile::open(&folder.join("master.key"), &SystemEntropy)?,
            blobs: folder.join("blobs"),
        })
    }
}

#[cfg(unix)]
/// Makes a folder for its owner's eyes only, where it is missing.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
/// Makes a folder for its owner's eyes only, where it is missing.
pub fn make_private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)
}
