//! Keys of one device, sealed before they reach the table and opened after; a lost device is noticed here.

use std::sync::Arc;

use hantar_domain::ids::{DeviceId, Epoch};
use hantar_domain::sealed::{DataKey, NONCE_BYTES};
use hantar_usecases::ports::{Entropy, KeyError, KeyTable};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{RwLock, RwLockReadGuard, watch};
use wacore::store::error::StoreError;

use super::Result;
use crate::metrics::Metrics;

/// Says once and for all that a connection may touch neither keys nor socket any more: another host has the device, or
/// the connection is over. The library's tasks outlive a connection by a little, and what they store after its keys
/// were erased would come to life again.
#[derive(Debug, Clone)]
pub(crate) struct Fence {
    tripped: watch::Sender<bool>,
    /// Held shared over each call to the table.
    calls: Arc<RwLock<()>>,
}

impl Default for Fence {
    fn default() -> Self {
        Self { tripped: watch::Sender::new(false), calls: Arc::default() }
    }
}

impl Fence {
    /// From now on nothing may be begun.
    pub(crate) fn trip(&self) {
        self.tripped.send_replace(true);
    }

    /// The same; when it answers, nothing is under way either.
    pub(crate) async fn shut(&self) {
        self.trip();
        let _last_call_is_over = self.calls.write().await;
    }

    /// Whether that was said.
    pub(crate) fn is_tripped(&self) -> bool {
        *self.tripped.borrow()
    }

    /// Comes back when it is said.
    pub(crate) async fn tripped(&self) {
        let mut watched = self.tripped.subscribe();
        // The sender lives in `self`.
        let _ = watched.wait_for(|tripped| *tripped).await;
    }
}

/// The keys of one device under one epoch.
pub(crate) struct DeviceKeys {
    /// The table.
    pub(crate) table: Arc<dyn KeyTable>,
    /// Whose.
    pub(crate) device: DeviceId,
    /// Under which right.
    pub(crate) epoch: Epoch,
    /// What they are sealed with.
    pub(crate) key: DataKey,
    /// For nonces.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Tripped when the table says that another host was here.
    pub(crate) fence: Fence,
    /// Where failures are counted.
    pub(crate) metrics: Arc<Metrics>,
}

impl DeviceKeys {
    pub(super) async fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let _call = self.call().await?;
        let found = self.table.get(self.device, self.epoch, name).await;
        found.map_err(|error| self.failed(error))?.map(|sealed| self.open(name, &sealed)).transpose()
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let _call = self.call().await?;
        let found = self.table.list(self.device, self.epoch, prefix).await.map_err(|error| self.failed(error))?;
        found
            .into_iter()
            .map(|(name, sealed)| {
                let value = self.open(&name, &sealed)?;
                Ok((name, value))
            })
            .collect()
    }

    pub(super) async fn put(&self, name: &str, value: &[u8]) -> Result<()> {
        let _call = self.call().await?;
        let sealed = self.seal(name, value);
        self.table.put(self.device, self.epoch, name, &sealed).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn put_all(&self, entries: impl IntoIterator<Item = (String, impl AsRef<[u8]>)>) -> Result<()> {
        let _call = self.call().await?;
        let sealed: Vec<_> = entries
            .into_iter()
            .map(|(name, value)| {
                let sealed = self.seal(&name, value.as_ref());
                (name, sealed)
            })
            .collect();
        match sealed.as_slice() {
            [] => Ok(()),
            [(name, value)] => {
                self.table.put(self.device, self.epoch, name, value).await.map_err(|error| self.failed(error))
            }
            many => self.table.put_all(self.device, self.epoch, many).await.map_err(|error| self.failed(error)),
        }
    }

    pub(super) async fn delete(&self, name: &str) -> Result<()> {
        let _call = self.call().await?;
        self.table.delete(self.device, self.epoch, name).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn append(&self, name: &str, numbers: &[u32]) -> Result<()> {
        let _call = self.call().await?;
        self.table.append(self.device, self.epoch, name, numbers).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn numbers(&self, name: &str) -> Result<Vec<u32>> {
        let _call = self.call().await?;
        self.table.numbers(self.device, self.epoch, name).await.map_err(|error| self.failed(error))
    }

    /// Reads a packed value.
    pub(super) async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        self.get(name).await?.map(|bytes| unpack(&bytes)).transpose()
    }

    /// Writes a packed value.
    pub(super) async fn write<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<()> {
        self.put(name, &pack(value)?).await
    }

    /// A device that was lost stays lost: not one more call.
    async fn call(&self) -> Result<RwLockReadGuard<'_, ()>> {
        let call = self.fence.calls.read().await;
        if self.fence.is_tripped() { Err(self.failed(KeyError::Fenced)) } else { Ok(call) }
    }

    fn failed(&self, error: KeyError) -> StoreError {
        match error {
            KeyError::Fenced => self.fence.trip(),
            KeyError::Port(_) => self.metrics.store_failed("keys"),
        }
        StoreError::Database(Box::new(error))
    }

    fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.device)
    }

    fn seal(&self, name: &str, value: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        self.key.seal(nonce, &self.place(name), value)
    }

    fn open(&self, name: &str, sealed: &[u8]) -> Result<Vec<u8>> {
        self.key.open(&self.place(name), sealed).map_err(|error| StoreError::Serialization(Box::new(error)))
    }
}

/// Packs a value of our own or of the library's whose fields are all written.
pub(super) fn pack<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|error| StoreError::Serialization(Box::new(error)))
}

/// Unpacks it.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| StoreError::Serialization(Box::new(error)))
}
