//! A device's WhatsApp keys: opaque, already sealed values under short names, fenced by the owner's epoch.

use async_trait::async_trait;
use hantar_domain::ids::{DeviceId, Epoch};

use super::PortError;

/// Why a key could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A host of a later epoch has touched this key: this one lost the device and must stop at once.
    #[error("the device belongs to another host now")]
    Fenced,
    /// The store failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The keys of all devices. Each item carries the epoch of the host that last read or wrote it.
///
/// A read under a new epoch stamps the item first, so that what the new owner has seen, an older one can neither
/// overwrite, delete nor append to. Each write is conditional on the item not being of a later epoch. A delete leaves
/// a tombstone that carries the epoch.
#[async_trait]
pub trait KeyTable: Send + Sync {
    /// Takes a device over: refused when a later epoch has done so before. To be called before anything is read.
    async fn claim(&self, device: DeviceId, epoch: Epoch) -> Result<(), KeyError>;

    /// Reads one key.
    async fn get(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<Option<Vec<u8>>, KeyError>;

    /// Reads all keys whose name begins with `prefix`, in order of their names.
    async fn list(&self, device: DeviceId, epoch: Epoch, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, KeyError>;

    /// Writes one key.
    async fn put(&self, device: DeviceId, epoch: Epoch, key: &str, value: &[u8]) -> Result<(), KeyError>;

    /// Writes several keys at once, in parallel; all are stored when it answers.
    async fn put_all(&self, device: DeviceId, epoch: Epoch, entries: &[(String, Vec<u8>)]) -> Result<(), KeyError>;

    /// Deletes one key. A repeat changes nothing.
    async fn delete(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<(), KeyError>;

    /// Adds numbers to a set of numbers kept under `key`. A repeat changes nothing.
    async fn append(&self, device: DeviceId, epoch: Epoch, key: &str, numbers: &[u32]) -> Result<(), KeyError>;

    /// The numbers appended under `key`.
    async fn numbers(&self, device: DeviceId, epoch: Epoch, key: &str) -> Result<Vec<u32>, KeyError>;

    /// Deletes all keys of a device that was logged out, but for its claim.
    async fn erase(&self, device: DeviceId, epoch: Epoch) -> Result<(), KeyError>;
}
