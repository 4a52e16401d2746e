//! What WhatsApp's multi-device protocol needs beside Signal: who has our sender keys, hidden ids, device lists, groups,
//! tokens; and the two roads that lead to our own message items, sent messages and received ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use async_trait::async_trait;
use wacore::store::error::StoreError;
use wacore::store::traits::{
    DeviceListRecord, LidPnMappingEntry, PendingInboundKey, PendingInboundRow, ProtocolStore, TcTokenEntry,
};

use super::keys::{pack, unpack};
use super::{Result, Store};

const GROUPS: &str = "skd#";
/// Hidden ids are spread over so many items: with 10,000 contacts one holds 3 KB.
const BUCKETS: u32 = 256;
const LIDS: &str = "lp#";
const PHONES: &str = "pl#";
/// The library stores, reads and deletes one row under such an id when a client is built, to see whether it can. It is
/// the only caller of the single-row `store_pending_inbound`; messages come in batches.
const PROBE_PREFIX: &str = "__wa_durability_probe_";

/// Device address to "has our sender key".
type Distribution = BTreeMap<String, bool>;
type ByLid = BTreeMap<String, LidPnMappingEntry>;
type LidByPhone = BTreeMap<String, String>;

fn bucket(prefix: &str, user: &str) -> String {
    format!("{prefix}{:03}", crc32fast::hash(user.as_bytes()) % BUCKETS)
}

fn group_name(group: &str) -> String {
    format!("{GROUPS}{group}")
}

fn devices_name(user: &str) -> String {
    format!("dl#{user}")
}

fn metadata_name(group: &str) -> String {
    format!("gm#{group}")
}

fn base_key_name(address: &str, message: &str) -> String {
    format!("bk#{address}#{message}")
}

fn encoded(error: serde_json::Error) -> StoreError {
    StoreError::Serialization(Box::new(error))
}

impl Store {
    async fn put_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        let _packing = self.packing.lock().await;
        let mut by_lid: BTreeMap<String, ByLid> = BTreeMap::new();
        let mut by_phone: BTreeMap<String, LidByPhone> = BTreeMap::new();
        for entry in entries {
            let name = bucket(LIDS, &entry.lid);
            if !by_lid.contains_key(&name) {
                by_lid.insert(name.clone(), self.keys.read(&name).await?.unwrap_or_default());
            }
            if let Some(map) = by_lid.get_mut(&name) {
                map.insert(entry.lid.clone(), entry.clone());
            }
            let name = bucket(PHONES, &entry.phone_number);
            if !by_phone.contains_key(&name) {
                by_phone.insert(name.clone(), self.keys.read(&name).await?.unwrap_or_default());
            }
            if let Some(map) = by_phone.get_mut(&name) {
                map.insert(entry.phone_number.clone(), entry.lid.clone());
            }
        }
        let lids = by_lid.into_iter().map(|(name, map)| Ok((name, pack(&map)?)));
        let packed: Result<Vec<_>> =
            lids.chain(by_phone.into_iter().map(|(name, map)| Ok((name, pack(&map)?)))).collect();
        self.keys.put_all(packed?).await
    }

    async fn mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        let map: Option<ByLid> = self.keys.read(&bucket(LIDS, lid)).await?;
        Ok(map.and_then(|mut map| map.remove(lid)))
    }

    async fn change_distribution(&self, group: &str, change: impl FnOnce(&mut Distribution) + Send) -> Result<()> {
        let _packing = self.packing.lock().await;
        let name = group_name(group);
        let mut devices: Distribution = self.keys.read(&name).await?.unwrap_or_default();
        change(&mut devices);
        self.keys.write(&name, &devices).await
    }

    fn probe(&self) -> std::sync::MutexGuard<'_, Option<(String, Vec<u8>)>> {
        self.probe.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hidden id's number, where the chat is one; else the chat's own number.
    async fn phone_of_chat(&self, chat: &str) -> Result<Option<String>> {
        let (user, server) = chat.split_once('@').unwrap_or((chat, ""));
        let user = user.split(':').next().unwrap_or(user);
        match server {
            "lid" => Ok(self.mapping(user).await?.map(|entry| entry.phone_number)),
            "s.whatsapp.net" | "c.us" => Ok(Some(user.to_owned())),
            _ => Ok(None),
        }
    }
}

fn failed(error: hantar_usecases::ports::PortError) -> StoreError {
    StoreError::Database(Box::new(error))
}

#[async_trait]
impl ProtocolStore for Store {
    async fn get_sender_key_devices(&self, group: &str) -> Result<Vec<(String, bool)>> {
        let devices: Distribution = self.keys.read(&group_name(group)).await?.unwrap_or_default();
        Ok(devices.into_iter().collect())
    }

    async fn set_sender_key_status(&self, group: &str, entries: &[(&str, bool)]) -> Result<()> {
        let new: Vec<_> = entries.iter().map(|(device, has)| ((*device).to_owned(), *has)).collect();
        self.change_distribution(group, |devices| devices.extend(new)).await
    }

    async fn clear_sender_key_devices(&self, group: &str) -> Result<()> {
        self.keys.delete(&group_name(group)).await
    }

    async fn delete_sender_key_device_rows(&self, device_jids: &[&str]) -> Result<()> {
        let _packing = self.packing.lock().await;
        let gone: BTreeSet<&str> = device_jids.iter().copied().collect();
        for (name, value) in self.keys.list(GROUPS).await? {
            let mut devices: Distribution = unpack(&value)?;
            let before = devices.len();
            devices.retain(|device, _| !gone.contains(device.as_str()));
            if devices.len() != before {
                self.keys.write(&name, &devices).await?;
            }
        }
        Ok(())
    }

    async fn clear_all_sender_key_devices(&self) -> Result<()> {
        let _packing = self.packing.lock().await;
        for (name, _) in self.keys.list(GROUPS).await? {
            self.keys.delete(&name).await?;
        }
        Ok(())
    }

    async fn get_lid_mapping(&self, lid: &str) -> Result<Option<LidPnMappingEntry>> {
        self.mapping(lid).await
    }

    async fn get_pn_mapping(&self, phone: &str) -> Result<Option<LidPnMappingEntry>> {
        let map: LidByPhone = self.keys.read(&bucket(PHONES, phone)).await?.unwrap_or_default();
        match map.get(phone) {
            Some(lid) => self.mapping(lid).await,
            None => Ok(None),
        }
    }

    async fn put_lid_mapping(&self, entry: &LidPnMappingEntry) -> Result<()> {
        self.put_mappings(std::slice::from_ref(entry)).await
    }

    async fn put_lid_mappings(&self, entries: &[LidPnMappingEntry]) -> Result<()> {
        self.put_mappings(entries).await
    }

    async fn get_all_lid_mappings(&self) -> Result<Vec<LidPnMappingEntry>> {
        let mut all = Vec::new();
        for (_, value) in self.keys.list(LIDS).await? {
            all.extend(unpack::<ByLid>(&value)?.into_values());
        }
        Ok(all)
    }

    async fn save_base_key(&self, address: &str, message_id: &str, base_key: &[u8]) -> Result<()> {
        self.keys.put(&base_key_name(address, message_id), base_key).await
    }

    async fn has_same_base_key(&self, address: &str, message_id: &str, current: &[u8]) -> Result<bool> {
        Ok(self.keys.get(&base_key_name(address, message_id)).await?.is_some_and(|saved| saved == current))
    }

    async fn delete_base_key(&self, address: &str, message_id: &str) -> Result<()> {
        self.keys.delete(&base_key_name(address, message_id)).await
    }

    async fn update_device_list(&self, record: DeviceListRecord) -> Result<()> {
        self.update_device_lists(vec![record]).await
    }

    async fn update_device_lists(&self, records: Vec<DeviceListRecord>) -> Result<()> {
        // JSON: the library leaves fields out.
        let entries: Result<Vec<_>> = records
            .iter()
            .map(|record| Ok((devices_name(&record.user), serde_json::to_vec(record).map_err(encoded)?)))
            .collect();
        self.keys.put_all(entries?).await
    }

    async fn get_devices(&self, user: &str) -> Result<Option<DeviceListRecord>> {
        let Some(json) = self.keys.get(&devices_name(user)).await? else { return Ok(None) };
        serde_json::from_slice(&json).map(Some).map_err(encoded)
    }

    async fn delete_devices(&self, user: &str) -> Result<()> {
        self.keys.delete(&devices_name(user)).await
    }

    async fn get_group_metadata(&self, group: &str) -> Result<Option<Vec<u8>>> {
        self.keys.get(&metadata_name(group)).await
    }

    async fn put_group_metadata(&self, group: &str, blob: &[u8]) -> Result<()> {
        self.keys.put(&metadata_name(group), blob).await
    }

    async fn delete_group_metadata(&self, group: &str) -> Result<()> {
        self.keys.delete(&metadata_name(group)).await
    }

    async fn get_tc_token(&self, jid: &str) -> Result<Option<TcTokenEntry>> {
        self.token(jid).await
    }

    async fn put_tc_token(&self, jid: &str, entry: &TcTokenEntry) -> Result<()> {
        let entry = entry.clone();
        self.change_token(jid, |_| Some(entry)).await
    }

    async fn delete_tc_token(&self, jid: &str) -> Result<()> {
        self.delete_token(jid).await
    }

    async fn get_all_tc_token_jids(&self) -> Result<Vec<String>> {
        Ok(self.all_tokens().await?.into_iter().map(|(user, _)| user).collect())
    }

    async fn delete_expired_tc_tokens(&self, token_cutoff: i64, sender_cutoff: i64) -> Result<u32> {
        let mut deleted = 0;
        for (user, token) in self.all_tokens().await? {
            let received_is_over = token.token.is_empty() || token.token_timestamp < token_cutoff;
            let sent_is_over = token.sender_timestamp.is_none_or(|at| at < sender_cutoff);
            if received_is_over && sent_is_over {
                self.delete_token(&user).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }

    async fn touch_tc_token_sender_timestamp(&self, jid: &str, at: i64) -> Result<()> {
        let touched = |known: Option<TcTokenEntry>| match known {
            Some(token) => {
                let latest = token.sender_timestamp.map_or(at, |before| before.max(at));
                (token.sender_timestamp != Some(latest))
                    .then_some(TcTokenEntry { sender_timestamp: Some(latest), ..token })
            }
            None => Some(TcTokenEntry { token: Vec::new(), token_timestamp: at, sender_timestamp: Some(at) }),
        };
        self.change_token(jid, touched).await
    }

    async fn store_received_tc_token(&self, jid: &str, token: &[u8], at: i64) -> Result<()> {
        let token = token.to_vec();
        self.change_token(jid, |known| {
            let fresher = known.as_ref().is_some_and(|known| !known.token.is_empty() && at < known.token_timestamp);
            let sender_timestamp = known.and_then(|known| known.sender_timestamp);
            (!fresher).then_some(TcTokenEntry { token, token_timestamp: at, sender_timestamp })
        })
        .await
    }

    /// Our own message item holds it already: see [`super::Outbox`].
    async fn store_sent_message(&self, _chat: &str, _id: &str, _payload: &[u8]) -> Result<()> {
        Ok(())
    }

    /// The message that a phone could not decrypt, from our own item. Only for the chat that it was sent to: whoever
    /// knows a stanza id may ask for it again.
    async fn take_sent_message(&self, chat: &str, id: &str) -> Result<Option<Vec<u8>>> {
        let Some(phone) = self.phone_of_chat(chat).await? else { return Ok(None) };
        self.outbox.sent_message(&phone, id).await.map_err(failed)
    }

    async fn delete_expired_sent_messages(&self, _cutoff: i64) -> Result<u32> {
        Ok(0)
    }

    async fn store_pending_inbound(&self, _chat: &str, _sender: &str, id: &str, message: &[u8]) -> Result<()> {
        if !id.starts_with(PROBE_PREFIX) {
            return Err(StoreError::Validation("received messages are stored in batches".into()));
        }
        *self.probe() = Some((id.to_owned(), message.to_vec()));
        Ok(())
    }

    /// What was stored needs no second commit, and what was not is not here: a repeat of a known message is just
    /// acknowledged.
    async fn get_pending_inbound(&self, chat: &str, sender: &str, id: &str) -> Result<Option<Vec<u8>>> {
        if let Some((probe, bytes)) = self.probe().as_ref()
            && probe == id
        {
            return Ok(Some(bytes.clone()));
        }
        self.arrivals.unread(chat, sender, id);
        self.inbox.repeated(chat, sender, id).await;
        Ok(None)
    }

    async fn delete_pending_inbound(&self, _chat: &str, _sender: &str, id: &str) -> Result<()> {
        self.probe().take_if(|(probe, _)| probe == id);
        Ok(())
    }

    /// This is the durable insert. When it fails, the device stops: its copy of the ratchet has moved past a message
    /// that nobody has, and must not be stored.
    async fn store_pending_inbound_batch(&self, rows: &[PendingInboundRow<'_>]) -> Result<()> {
        self.inbox.receive(rows, &self.keys.fence).await.map_err(|error| {
            self.keys.metrics.store_failed("inbound");
            self.keys.fence.trip();
            failed(error)
        })?;
        self.keys.metrics.received(rows.len());
        for row in rows {
            self.arrivals.durable(row.chat, row.sender, row.id);
        }
        Ok(())
    }

    async fn delete_pending_inbound_batch(&self, _keys: &[PendingInboundKey<'_>]) -> Result<()> {
        Ok(())
    }
}
