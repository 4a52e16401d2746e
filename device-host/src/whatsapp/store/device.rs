//! The device's own keys and settings: one item.

use async_trait::async_trait;
use wacore::store::Device;
use wacore::store::error::StoreError;
use wacore::store::traits::DeviceStore;

use super::{Result, Store};

const DEVICE: &str = "dev";

#[async_trait]
impl DeviceStore for Store {
    async fn save(&self, device: &Device) -> Result<()> {
        // JSON: the library's serde attributes ask for a self-describing format.
        let json = serde_json::to_vec(device).map_err(|error| StoreError::Serialization(Box::new(error)))?;
        self.keys.put(DEVICE, &json).await
    }

    async fn load(&self) -> Result<Option<Device>> {
        let Some(json) = self.keys.get(DEVICE).await? else { return Ok(None) };
        serde_json::from_slice(&json).map(Some).map_err(|error| StoreError::Serialization(Box::new(error)))
    }

    async fn exists(&self) -> Result<bool> {
        Ok(self.keys.get(DEVICE).await?.is_some())
    }

    /// Nothing is stored before there is something to keep: the library makes the keys and saves them.
    async fn create(&self) -> Result<i32> {
        Ok(1)
    }
}
