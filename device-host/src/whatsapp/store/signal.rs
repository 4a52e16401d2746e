//! Signal sessions, identities, pre-keys and sender keys.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use wacore::store::error::StoreError;
use wacore::store::traits::SignalStore;

use super::{Result, Store};

const SIGNED: &str = "spk#";

pub(super) fn session(address: &str) -> String {
    format!("s#{address}")
}

fn identity(address: &str) -> String {
    format!("i#{address}")
}

fn sender_key(name: &str) -> String {
    format!("sk#{name}")
}

fn signed(id: u32) -> String {
    format!("{SIGNED}{id:010}")
}

impl Store {
    async fn put_sessions(&self, sessions: &[(&str, &[u8])]) -> Result<()> {
        for (address, record) in sessions {
            self.messages_of(address, record).await?;
        }
        self.keys.put_all(sessions.iter().map(|(address, record)| (session(address), record))).await
    }
}

#[async_trait]
impl SignalStore for Store {
    async fn put_identity(&self, address: &str, key: [u8; 32]) -> Result<()> {
        self.keys.put(&identity(address), &key).await
    }

    async fn put_identities_batch(&self, identities: &[(Arc<str>, [u8; 32])]) -> Result<()> {
        self.keys.put_all(identities.iter().map(|(address, key)| (identity(address), key))).await
    }

    async fn load_identity(&self, address: &str) -> Result<Option<[u8; 32]>> {
        let Some(bytes) = self.keys.get(&identity(address)).await? else { return Ok(None) };
        let wrong = |bytes: Vec<u8>| StoreError::Validation(format!("an identity of {} bytes", bytes.len()));
        bytes.try_into().map(Some).map_err(wrong)
    }

    async fn delete_identity(&self, address: &str) -> Result<()> {
        self.keys.delete(&identity(address)).await
    }

    async fn get_session(&self, address: &str) -> Result<Option<Bytes>> {
        Ok(self.keys.get(&session(address)).await?.map(Bytes::from))
    }

    async fn put_session(&self, address: &str, record: &[u8]) -> Result<()> {
        self.put_sessions(&[(address, record)]).await
    }

    async fn put_sessions_batch(&self, sessions: &[(Arc<str>, Bytes)]) -> Result<()> {
        let sessions: Vec<_> = sessions.iter().map(|(address, record)| (&**address, record.as_ref())).collect();
        self.put_sessions(&sessions).await
    }

    async fn delete_session(&self, address: &str) -> Result<()> {
        self.keys.delete(&session(address)).await
    }

    /// Addresses are `user@server.0` or `user:device@server.0`.
    async fn has_signal_state_for_user(&self, user: &str) -> Result<bool> {
        for prefix in [session(user), identity(user)] {
            let ours = |name: &str| name[prefix.len()..].starts_with(['@', ':']);
            if self.keys.list(&prefix).await?.iter().any(|(name, _)| ours(name)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn store_prekey(&self, id: u32, record: &[u8], _uploaded: bool) -> Result<()> {
        self.put_prekeys([(id, record)]).await
    }

    async fn store_prekeys_batch(&self, keys: &[(u32, Bytes)], _uploaded: bool) -> Result<()> {
        self.put_prekeys(keys.iter().map(|(id, record)| (*id, record.as_ref()))).await
    }

    async fn load_prekey(&self, id: u32) -> Result<Option<Bytes>> {
        self.prekey(id).await
    }

    async fn load_prekeys_batch(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        self.prekeys(ids).await
    }

    /// The water marks that count are in the device's own item; the library's in-memory store keeps none here either.
    async fn mark_prekeys_uploaded(&self, _ids: &[u32]) -> Result<()> {
        Ok(())
    }

    async fn remove_prekey(&self, id: u32) -> Result<()> {
        self.consume_prekey(id).await
    }

    async fn get_max_prekey_id(&self) -> Result<u32> {
        self.highest_prekey().await
    }

    async fn store_signed_prekey(&self, id: u32, record: &[u8]) -> Result<()> {
        self.keys.put(&signed(id), record).await
    }

    async fn load_signed_prekey(&self, id: u32) -> Result<Option<Vec<u8>>> {
        self.keys.get(&signed(id)).await
    }

    async fn load_all_signed_prekeys(&self) -> Result<Vec<(u32, Vec<u8>)>> {
        let found = self.keys.list(SIGNED).await?;
        Ok(found
            .into_iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(SIGNED)?.parse().ok()?, value)))
            .collect())
    }

    async fn remove_signed_prekey(&self, id: u32) -> Result<()> {
        self.keys.delete(&signed(id)).await
    }

    async fn put_sender_key(&self, name: &str, record: &[u8]) -> Result<()> {
        self.keys.put(&sender_key(name), record).await
    }

    async fn put_sender_keys_batch(&self, keys: &[(Arc<str>, Bytes)]) -> Result<()> {
        self.keys.put_all(keys.iter().map(|(name, record)| (sender_key(name), record))).await
    }

    async fn get_sender_key(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.keys.get(&sender_key(name)).await
    }

    async fn delete_sender_key(&self, name: &str) -> Result<()> {
        self.keys.delete(&sender_key(name)).await
    }
}
