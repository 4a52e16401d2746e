//! App state (contacts, stars, mutes as the phone syncs them): keys, versions, and the MACs of what is live.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::error::StoreError;
use wacore::store::traits::{AppStateSyncKey, AppSyncStore};

use super::{Result, Store};

/// All app-state keys: a few, about 100 bytes each, in order of arrival.
const KEYS: &str = "ak";
/// MACs are spread over so many items by their first byte.
const BUCKETS: u8 = 64;

/// A collection's version. Its state is JSON inside: the library's type asks for a self-describing format.
#[derive(Default, Serialize, Deserialize)]
struct Collection {
    /// Raised to forget all MACs at once.
    generation: u32,
    state: Option<Vec<u8>>,
}

type Macs = BTreeMap<Vec<u8>, Vec<u8>>;
type Keys = Vec<(Vec<u8>, AppStateSyncKey)>;

fn version_name(collection: &str) -> String {
    format!("av#{collection}")
}

fn bucket_name(collection: &str, generation: u32, index_mac: &[u8]) -> String {
    let bucket = index_mac.first().copied().unwrap_or(0) % BUCKETS;
    format!("am#{collection}#{generation}#{bucket:02}")
}

impl Store {
    async fn collection(&self, name: &str) -> Result<Collection> {
        Ok(self.keys.read(&version_name(name)).await?.unwrap_or_default())
    }

    /// Changes the buckets that `entries` fall into.
    async fn change_macs<E>(
        &self,
        name: &str,
        entries: &[E],
        key: impl Fn(&E) -> &[u8],
        change: impl Fn(&mut Macs, &E),
    ) -> Result<()> {
        let _packing = self.packing.lock().await;
        let generation = self.collection(name).await?.generation;
        let mut buckets: BTreeMap<String, Macs> = BTreeMap::new();
        for entry in entries {
            let bucket = bucket_name(name, generation, key(entry));
            if !buckets.contains_key(&bucket) {
                let stored = self.keys.read(&bucket).await?.unwrap_or_default();
                buckets.insert(bucket.clone(), stored);
            }
            if let Some(macs) = buckets.get_mut(&bucket) {
                change(macs, entry);
            }
        }
        let packed: Result<Vec<_>> =
            buckets.into_iter().map(|(bucket, macs)| Ok((bucket, super::keys::pack(&macs)?))).collect();
        self.keys.put_all(packed?).await
    }
}

#[async_trait]
impl AppSyncStore for Store {
    async fn get_sync_key(&self, key_id: &[u8]) -> Result<Option<AppStateSyncKey>> {
        let keys: Keys = self.keys.read(KEYS).await?.unwrap_or_default();
        Ok(keys.into_iter().find(|(id, _)| id == key_id).map(|(_, key)| key))
    }

    async fn set_sync_key(&self, key_id: &[u8], key: AppStateSyncKey) -> Result<()> {
        let _packing = self.packing.lock().await;
        let mut keys: Keys = self.keys.read(KEYS).await?.unwrap_or_default();
        keys.retain(|(id, _)| id != key_id);
        keys.push((key_id.to_vec(), key));
        self.keys.write(KEYS, &keys).await
    }

    async fn get_version(&self, name: &str) -> Result<HashState> {
        let Some(state) = self.collection(name).await?.state else { return Ok(HashState::default()) };
        serde_json::from_slice(&state).map_err(|error| StoreError::Serialization(Box::new(error)))
    }

    async fn set_version(&self, name: &str, state: HashState) -> Result<()> {
        let _packing = self.packing.lock().await;
        let json = serde_json::to_vec(&state).map_err(|error| StoreError::Serialization(Box::new(error)))?;
        let generation = self.collection(name).await?.generation;
        self.keys.write(&version_name(name), &Collection { generation, state: Some(json) }).await
    }

    async fn put_mutation_macs(&self, name: &str, _version: u64, mutations: &[AppStateMutationMAC]) -> Result<()> {
        let put = |macs: &mut Macs, one: &AppStateMutationMAC| {
            macs.insert(one.index_mac.clone(), one.value_mac.clone());
        };
        self.change_macs(name, mutations, |one| &one.index_mac, put).await
    }

    async fn get_mutation_mac(&self, name: &str, index_mac: &[u8]) -> Result<Option<Vec<u8>>> {
        let generation = self.collection(name).await?.generation;
        let macs: Option<Macs> = self.keys.read(&bucket_name(name, generation, index_mac)).await?;
        Ok(macs.and_then(|mut macs| macs.remove(index_mac)))
    }

    async fn get_mutation_macs(&self, name: &str, index_macs: &[[u8; 32]]) -> Result<HashMap<[u8; 32], Vec<u8>>> {
        let generation = self.collection(name).await?.generation;
        let mut buckets: HashMap<String, Macs> = HashMap::new();
        let mut found = HashMap::new();
        for index_mac in index_macs {
            let bucket = bucket_name(name, generation, index_mac);
            if !buckets.contains_key(&bucket) {
                let stored = self.keys.read(&bucket).await?.unwrap_or_default();
                buckets.insert(bucket.clone(), stored);
            }
            if let Some(mac) = buckets.get(&bucket).and_then(|macs| macs.get(index_mac.as_slice())) {
                found.insert(*index_mac, mac.clone());
            }
        }
        Ok(found)
    }

    async fn delete_mutation_macs(&self, name: &str, index_macs: &[Vec<u8>]) -> Result<()> {
        let remove = |macs: &mut Macs, index_mac: &Vec<u8>| {
            macs.remove(index_mac);
        };
        self.change_macs(name, index_macs, Vec::as_slice, remove).await
    }

    async fn clear_mutation_macs(&self, name: &str) -> Result<()> {
        let _packing = self.packing.lock().await;
        let old = self.collection(name).await?;
        let generation = old.generation.wrapping_add(1);
        self.keys.write(&version_name(name), &Collection { generation, state: old.state }).await?;
        for (bucket, _) in self.keys.list(&format!("am#{name}#{}#", old.generation)).await? {
            self.keys.delete(&bucket).await?;
        }
        Ok(())
    }

    async fn get_latest_sync_key_id(&self) -> Result<Option<Vec<u8>>> {
        let keys: Keys = self.keys.read(KEYS).await?.unwrap_or_default();
        Ok(keys.into_iter().next_back().map(|(id, _)| id))
    }
}
