//! One-time pre-keys, packed: the library writes 812 of them at pairing and reads them back at each connect. A consumed
//! one is a number added to a set, which costs a small write instead of rewriting its chunk.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::keys::{pack, unpack};
use super::{Result, Store};

/// Keys to an item: about 4.5 KB.
const CHUNK: u32 = 64;
/// Numbers of consumed keys to an item.
const BLOCK: u32 = 4096;
const CHUNKS: &str = "pk#";

type Chunk = BTreeMap<u32, Vec<u8>>;

fn chunk_name(id: u32) -> String {
    format!("{CHUNKS}{:08}", id / CHUNK)
}

fn consumed_name(id: u32) -> String {
    format!("pkdel#{:06}", id / BLOCK)
}

impl Store {
    pub(super) async fn put_prekeys(&self, keys: impl IntoIterator<Item = (u32, &[u8])>) -> Result<()> {
        let _packing = self.packing.lock().await;
        let mut chunks: BTreeMap<String, Chunk> = BTreeMap::new();
        for (id, record) in keys {
            chunks.entry(chunk_name(id)).or_default().insert(id, record.to_vec());
        }
        let mut packed = Vec::with_capacity(chunks.len());
        for (name, new) in chunks {
            // A whole chunk of new keys replaces nothing: only the first and the last may stand in a stored one.
            let mut chunk = if new.len() < CHUNK as usize {
                self.keys.read::<Chunk>(&name).await?.unwrap_or_default()
            } else {
                Chunk::new()
            };
            chunk.extend(new);
            packed.push((name, pack(&chunk)?));
        }
        self.keys.put_all(packed).await
    }

    pub(super) async fn prekey(&self, id: u32) -> Result<Option<Bytes>> {
        let chunk: Option<Chunk> = self.keys.read(&chunk_name(id)).await?;
        let Some(record) = chunk.and_then(|mut chunk| chunk.remove(&id)) else { return Ok(None) };
        let consumed = self.keys.numbers(&consumed_name(id)).await?.contains(&id);
        Ok((!consumed).then(|| Bytes::from(record)))
    }

    pub(super) async fn prekeys(&self, ids: &[u32]) -> Result<Vec<(u32, Bytes)>> {
        let names: BTreeSet<String> = ids.iter().copied().map(chunk_name).collect();
        let mut keys = Chunk::new();
        if names.len() <= 2 {
            for name in &names {
                keys.extend(self.keys.read::<Chunk>(name).await?.unwrap_or_default());
            }
        } else {
            for (_, value) in self.keys.list(CHUNKS).await? {
                keys.extend(unpack::<Chunk>(&value)?);
            }
        }
        for name in ids.iter().copied().map(consumed_name).collect::<BTreeSet<_>>() {
            for id in self.keys.numbers(&name).await? {
                keys.remove(&id);
            }
        }
        Ok(ids.iter().filter_map(|id| Some((*id, Bytes::from(keys.remove(id)?)))).collect())
    }

    pub(super) async fn consume_prekey(&self, id: u32) -> Result<()> {
        self.keys.append(&consumed_name(id), &[id]).await
    }

    /// The highest number ever stored, consumed ones too: a number is never used for a second key.
    pub(super) async fn highest_prekey(&self) -> Result<u32> {
        let chunks = self.keys.list(CHUNKS).await?;
        let Some((_, last)) = chunks.last() else { return Ok(0) };
        Ok(unpack::<Chunk>(last)?.into_keys().next_back().unwrap_or(0))
    }
}
