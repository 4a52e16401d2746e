//! App state: the settings an account's devices share, as a sequence of patches per collection. The server keeps
//! patches it cannot read, refuses one that was made on an older version, and tells the other devices of each new
//! one. The phone can read them and makes its own.

use std::collections::{BTreeMap, HashMap};

use buffa::{Message as _, MessageField};
use serde::{Deserialize, Serialize};
use wacore::appstate::decode::decode_record;
use wacore::appstate::encode::encode_record;
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::keys::{ExpandedAppStateKeys, expand_app_state_keys};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp::sync_action_value::{
    ArchiveChatAction, ContactAction, MuteAction, NctSaltSyncAction, PinAction, PushNameSetting,
};
use waproto::whatsapp::syncd_mutation::SyncdOperation;
use waproto::whatsapp::{
    ExternalBlobReference, KeyId, SyncActionValue, SyncdMutation, SyncdPatch, SyncdRecord, SyncdSnapshot, SyncdVersion,
};

use crate::content::APP_STATE_KEY_ID;
use crate::content::media;
use crate::entropy::key_rng;
use crate::network::iq::Answer;
use crate::network::{Network, NetworkError, Session, State};
use crate::stanza;

/// The collections there are.
const COLLECTIONS: [&str; 5] = ["critical_block", "critical_unblock_low", "regular_low", "regular_high", "regular"];
/// How many patches one answer brings.
const MAX_PATCHES: usize = 100;
/// A device that is further behind gets a snapshot when it asks for one.
const SNAPSHOT_AFTER: usize = 200;
/// Patches beyond this are forgotten once a snapshot can stand for them.
const MAX_KEPT: usize = 2_000;
const CONFLICT: u16 = 409;
/// The version of the actions the phone writes.
const ACTION_VERSION: i32 = 1;

/// An account's collections.
pub(crate) type AppState = BTreeMap<String, Collection>;

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Collection {
    version: u64,
    /// The newest patches, encoded, each with the version it made.
    patches: Vec<(u64, Vec<u8>)>,
    /// The records in force, encoded, by their index.
    records: HashMap<String, Vec<u8>>,
    state: HashState,
    /// Of the newest patch: what a snapshot of this version is checked with.
    mac: Vec<u8>,
}

/// A setting as the phone reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedSetting {
    /// The collection it stands in.
    pub collection: String,
    /// What it is about, such as `["pin_v1", "60123@s.whatsapp.net"]`.
    pub index: Vec<String>,
    /// When it was set, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A setting a person changes on the phone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "setting", rename_all = "snake_case")]
pub enum SettingChange {
    /// The name others see.
    Name {
        /// The name.
        name: String,
    },
    /// A contact in the address book.
    Contact {
        /// Phone digits.
        phone: String,
        /// The name.
        name: String,
    },
    /// A chat at the top of the list.
    Pin {
        /// Phone digits.
        phone: String,
        /// Whether it is there.
        on: bool,
    },
    /// A chat out of the list.
    Archive {
        /// Phone digits.
        phone: String,
        /// Whether it is out.
        on: bool,
    },
    /// A chat that makes no sound.
    Mute {
        /// Phone digits.
        phone: String,
        /// Whether it is silent.
        on: bool,
    },
    /// What the account's own tokens for strangers are computed from.
    TokenSalt {
        /// As hexadecimal digits; absent to take it away.
        #[serde(default)]
        salt: Option<String>,
    },
}

impl Network {
    /// Answers a request to send or fetch patches.
    pub(crate) fn app_state_iq(&self, session: Session, iq: &Node) -> Answer {
        let asked = iq.get_optional_child("sync").and_then(Node::children).unwrap_or_default();
        let collections: Vec<Node> = asked.iter().map(|asked| self.sync_collection(session, asked)).collect();
        Answer::With(NodeBuilder::new("sync").children(collections).build())
    }

    fn sync_collection(&self, session: Session, asked: &Node) -> Node {
        let name = stanza::owned(asked, "name");
        let version: u64 = stanza::owned(asked, "version").parse().unwrap_or_default();
        let node = NodeBuilder::new("collection").attr("name", name.clone());
        if !COLLECTIONS.contains(&name.as_str()) {
            return refused(node, 400, "bad-request");
        }
        if let Some(patch) = asked.get_optional_child("patch") {
            let taken = self.state().take_patch(session, &name, version, &stanza::bytes(Some(patch)));
            return match taken {
                Ok(version) => node.attr("version", version).build(),
                Err(code) => refused(node, code, if code == CONFLICT { "conflict" } else { "bad-request" }),
            };
        }
        let wants_snapshot = stanza::attribute(asked, "return_snapshot").as_deref() == Some("true");
        self.behind(session.account, &name, version, wants_snapshot)
    }

    /// What a device at `version` lacks.
    fn behind(&self, account: usize, name: &str, version: u64, wants_snapshot: bool) -> Node {
        let collection = {
            let state = self.state();
            state.accounts.get(account).and_then(|account| account.app_state.get(name).cloned()).unwrap_or_default()
        };
        let node = NodeBuilder::new("collection").attr("name", name.to_owned()).attr("version", collection.version);
        let newer: Vec<&(u64, Vec<u8>)> = collection.patches.iter().filter(|(made, _)| *made > version).collect();
        let has_all = newer.first().is_none_or(|(made, _)| *made == version + 1);
        if wants_snapshot && (newer.len() > SNAPSHOT_AFTER || !has_all) {
            return node.children(self.snapshot(&collection)).build();
        }
        let has_more = newer.len() > MAX_PATCHES;
        let patches = newer.into_iter().take(MAX_PATCHES).map(|(_, patch)| stanza::holding("patch", patch.as_slice()));
        let patches = NodeBuilder::new("patches").children(patches).build();
        node.attr("has_more_patches", if has_more { "true" } else { "false" }).children([patches]).build()
    }

    /// All records in force, uploaded, with a reference to them.
    fn snapshot(&self, collection: &Collection) -> Option<Node> {
        let records = collection.records.values().filter_map(|record| SyncdRecord::decode_from_slice(record).ok());
        let snapshot = SyncdSnapshot {
            version: MessageField::some(SyncdVersion { version: Some(collection.version) }),
            records: records.collect(),
            mac: Some(collection.mac.clone()),
            key_id: MessageField::some(KeyId { id: Some(APP_STATE_KEY_ID.to_vec()) }),
        }
        .encode_to_vec();
        let mut sealed = media::seal("md-app-state", &snapshot)?;
        let path = self.media().put(std::mem::take(&mut sealed.data_to_upload).into());
        let reference = ExternalBlobReference {
            media_key: Some(sealed.media_key.to_vec()),
            direct_path: Some(path),
            file_size_bytes: Some(snapshot.len() as u64),
            file_sha256: Some(sealed.file_sha256.to_vec()),
            file_enc_sha256: Some(sealed.file_enc_sha256.to_vec()),
            ..Default::default()
        };
        Some(stanza::holding("snapshot", reference.encode_to_vec()))
    }

    /// The shared settings in force, as the phone reads them.
    pub fn shared_settings(&self, phone: &str) -> Result<Vec<SharedSetting>, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        let Some(account) = state.accounts.get(account) else { return Ok(Vec::new()) };
        let keys = expand_app_state_keys(&account.app_state_key);
        let mut settings = Vec::new();
        for (collection, content) in &account.app_state {
            let records = content.records.values().filter_map(|record| SyncdRecord::decode_from_slice(record).ok());
            for record in records {
                let read = decode_record(SyncdOperation::SET, &record, &keys, &APP_STATE_KEY_ID, true);
                if let Ok((mutation, _)) = read {
                    let at_ms = mutation.action_value.and_then(|value| value.timestamp).unwrap_or_default();
                    settings.push(SharedSetting { collection: collection.clone(), index: mutation.index, at_ms });
                }
            }
        }
        settings.sort_by(|one, other| (&one.collection, &one.index).cmp(&(&other.collection, &other.index)));
        Ok(settings)
    }

    /// A person changes a setting on the phone; the companions are told.
    pub fn change_setting(&self, phone: &str, change: &SettingChange) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let now = state.now_ms();
        let chat = |state: &State, phone: &str| {
            let other = state.known_phone(phone)?;
            Ok::<_, NetworkError>(
                state.accounts.get(other).map(|other| other.jid(0, false).to_string()).unwrap_or_default(),
            )
        };
        let mut value = SyncActionValue { timestamp: i64::try_from(now).ok(), ..Default::default() };
        let (collection, index) = match change {
            SettingChange::Name { name } => {
                return state.rename(account, name);
            }
            SettingChange::Contact { phone, name } => {
                let jid = chat(&state, phone)?;
                value.contact_action = MessageField::some(ContactAction {
                    full_name: Some(name.clone()),
                    first_name: name.split(' ').next().map(str::to_owned),
                    ..Default::default()
                });
                ("critical_unblock_low", vec!["contact".to_owned(), jid])
            }
            SettingChange::Pin { phone, on } => {
                value.pin_action = MessageField::some(PinAction { pinned: Some(*on) });
                ("regular_low", vec!["pin_v1".to_owned(), chat(&state, phone)?])
            }
            SettingChange::Archive { phone, on } => {
                let action = ArchiveChatAction { archived: Some(*on), ..Default::default() };
                value.archive_chat_action = MessageField::some(action);
                ("regular_low", vec!["archive".to_owned(), chat(&state, phone)?])
            }
            SettingChange::Mute { phone, on } => {
                let until = if *on { -1 } else { 0 };
                let action = MuteAction { muted: Some(*on), mute_end_timestamp: Some(until), ..Default::default() };
                value.mute_action = MessageField::some(action);
                ("regular_high", vec!["mute".to_owned(), chat(&state, phone)?])
            }
            SettingChange::TokenSalt { salt } => {
                let salt = salt.as_deref().map(hex::decode).transpose();
                let salt = salt.map_err(|_| NetworkError::invalid("salt", "must be hexadecimal digits"))?;
                state.share_salt(account, salt);
                return Ok(());
            }
        };
        state.mutate(account, collection, &index, SyncdOperation::SET, &value);
        Ok(())
    }
}

impl State {
    /// Gives an account the settings its phone shares from the start: its name for a client that has none, and what
    /// its tokens are computed from.
    pub(crate) fn seed_app_state(&mut self, account: usize, with_name: bool) {
        let Some(entry) = self.accounts.get(account).filter(|entry| entry.app_state.is_empty()) else { return };
        let (name, salt, by_app_state) = (entry.name.clone(), entry.profile.salt.clone(), entry.profile.salt_by.1);
        if with_name {
            self.share_name(account, &name);
        }
        if by_app_state {
            self.share_salt(account, Some(salt));
        }
    }

    /// The phone tells its companions what tokens for strangers are computed from, or takes it away.
    fn share_salt(&mut self, account: usize, salt: Option<Vec<u8>>) {
        let operation = if salt.is_some() { SyncdOperation::SET } else { SyncdOperation::REMOVE };
        let value = SyncActionValue {
            timestamp: i64::try_from(self.now_ms()).ok(),
            nct_salt_sync_action: MessageField::some(NctSaltSyncAction { salt: salt.clone() }),
            ..Default::default()
        };
        if let Some(entry) = self.accounts.get_mut(account) {
            entry.profile.salt = salt.unwrap_or_default();
        }
        self.mutate(account, "regular_high", &["nct_salt_sync".to_owned()], operation, &value);
    }

    fn rename(&mut self, account: usize, name: &str) -> Result<(), NetworkError> {
        let name = super::pairing::clean_name(name);
        if name.is_empty() {
            return Err(NetworkError::invalid("name", "must not be empty"));
        }
        self.share_name(account, &name);
        if let Some(entry) = self.accounts.get_mut(account) {
            entry.name = name;
        }
        Ok(())
    }

    fn share_name(&mut self, account: usize, name: &str) {
        let value = SyncActionValue {
            timestamp: i64::try_from(self.now_ms()).ok(),
            push_name_setting: MessageField::some(PushNameSetting { name: Some(name.to_owned()) }),
            ..Default::default()
        };
        self.mutate(account, "critical_block", &["setting_pushName".to_owned()], SyncdOperation::SET, &value);
    }

    /// The phone sets one value, or removes it.
    fn mutate(
        &mut self,
        account: usize,
        name: &str,
        index: &[String],
        operation: SyncdOperation,
        value: &SyncActionValue,
    ) {
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let keys = expand_app_state_keys(&entry.app_state_key);
        let iv: [u8; 16] = rand::RngExt::random(&mut key_rng());
        let index = serde_json::to_vec(index).unwrap_or_default();
        let (mutation, _) = encode_record(operation, &index, value, &keys, &APP_STATE_KEY_ID, &iv, ACTION_VERSION);
        let collection = entry.app_state.entry(name.to_owned()).or_default();
        let version = collection.version + 1;
        let mut next = collection.after(std::slice::from_ref(&mutation), version);
        let mut patch = SyncdPatch {
            mutations: vec![mutation],
            snapshot_mac: Some(next.generate_snapshot_mac(name, &keys.snapshot_mac)),
            key_id: MessageField::some(KeyId { id: Some(APP_STATE_KEY_ID.to_vec()) }),
            ..Default::default()
        };
        next.version = version;
        patch.patch_mac = Some(generate_patch_mac(&patch, name, &keys.patch_mac, version));
        collection.advance(patch, version, next);
        self.tell_collection(account, name, version, None);
    }

    /// Takes a companion's patch. Gives the new version, or the code of the refusal.
    fn take_patch(&mut self, session: Session, name: &str, base: u64, encoded: &[u8]) -> Result<u64, u16> {
        let patch = SyncdPatch::decode_from_slice(encoded).map_err(|_| 400_u16)?;
        let entry = self.accounts.get_mut(session.account).ok_or(400_u16)?;
        let keys = expand_app_state_keys(&entry.app_state_key);
        let collection = entry.app_state.entry(name.to_owned()).or_default();
        if base != collection.version {
            return Err(CONFLICT);
        }
        let version = collection.version + 1;
        let next = collection.after(&patch.mutations, version);
        let name_set = new_name(&patch.mutations, &keys);
        collection.advance(patch, version, next);
        if let Some(name) = name_set {
            entry.name = name;
        }
        self.tell_collection(session.account, name, version, Some(session.device));
        Ok(version)
    }

    /// Tells an account's other companions that a collection has a new version.
    fn tell_collection(&mut self, account: usize, name: &str, version: u64, but: Option<u16>) {
        let Some(entry) = self.accounts.get(account) else { return };
        let (from, devices): (_, Vec<u16>) = (entry.jid(0, false), entry.devices.keys().copied().collect());
        let child = NodeBuilder::new("collection").attr("name", name.to_owned()).attr("version", version).build();
        for device in devices.into_iter().filter(|device| Some(*device) != but) {
            let notification = self.notification("server_sync", &from, child.clone());
            self.push(account, device, notification);
        }
    }
}

impl Collection {
    /// The hash state after these mutations.
    fn after(&self, mutations: &[SyncdMutation], version: u64) -> HashState {
        let mut state = self.state.clone();
        state.version = version;
        let before = |index: &[u8], _: usize| Ok(self.value_mac(index));
        // A removal of what is not there is the client's affair; it sees its own check fail.
        let _unchecked = state.update_hash(mutations, before);
        state
    }

    /// The check value of the record in force at an index.
    fn value_mac(&self, index: &[u8]) -> Option<Vec<u8>> {
        let record = SyncdRecord::decode_from_slice(self.records.get(&hex::encode(index))?).ok()?;
        let blob = record.value.as_option()?.blob.as_deref()?;
        blob.len().checked_sub(32).and_then(|at| blob.get(at..)).map(<[u8]>::to_vec)
    }

    fn advance(&mut self, mut patch: SyncdPatch, version: u64, state: HashState) {
        for mutation in &patch.mutations {
            let Some(record) = mutation.record.as_option() else { continue };
            let Some(index) = record.index.as_option().and_then(|index| index.blob.as_deref()) else { continue };
            if mutation.operation == Some(SyncdOperation::REMOVE.into()) {
                self.records.remove(&hex::encode(index));
            } else {
                self.records.insert(hex::encode(index), record.encode_to_vec());
            }
        }
        self.mac = patch.snapshot_mac.clone().unwrap_or_default();
        patch.version = MessageField::some(SyncdVersion { version: Some(version) });
        self.patches.push((version, patch.encode_to_vec()));
        if self.patches.len() > MAX_KEPT {
            self.patches.drain(..SNAPSHOT_AFTER);
        }
        (self.version, self.state) = (version, state);
    }
}

/// The name among mutations, when they set it.
fn new_name(mutations: &[SyncdMutation], keys: &ExpandedAppStateKeys) -> Option<String> {
    mutations.iter().find_map(|mutation| {
        let record = mutation.record.as_option()?;
        let (read, _) = decode_record(SyncdOperation::SET, record, keys, &APP_STATE_KEY_ID, true).ok()?;
        let name = read.action_value?.push_name_setting.take()?.name?;
        Some(super::pairing::clean_name(&name)).filter(|name| !name.is_empty())
    })
}

fn refused(collection: NodeBuilder, code: u16, text: &'static str) -> Node {
    let error = NodeBuilder::new("error").attr("code", code).attr("text", text).build();
    collection.attr("type", "error").children([error]).build()
}
