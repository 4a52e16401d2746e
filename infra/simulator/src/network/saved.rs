//! What of the network outlives a restart: the server's keys, the accounts with their phones, companions and queues.
//! Not kept: fault rules, held acks, the stanza log, and stanzas a phone could have encrypted again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use wacore_libsignal::protocol::KeyPair;

use crate::certificate::ServerIdentity;
use crate::network::accounts::SignedPreKey;
use crate::network::agenda::{Agenda, SavedAgenda};
use crate::network::app_state::AppState;
use crate::network::chat::{Chat, Entry};
use crate::network::delivery::DeviceQueue;
use crate::network::groups::Group;
use crate::network::media::SavedMedia;
use crate::network::newsletters::Newsletters;
use crate::network::passkey_links::Gate;
use crate::network::phone_inbound::PhoneDelivery;
use crate::network::phone_outbound::SentStanzas;
use crate::network::presence::{ChatStates, Presence};
use crate::network::profile::Profile;
use crate::network::{Account, Device, Network, Script, lock};
use crate::signal::{SavedEndpoint, SignalEndpoint, SignalError};
use crate::time;

/// The whole network as it stands in the state file.
#[derive(Serialize, Deserialize)]
pub(crate) struct SavedNetwork {
    identity: ServerIdentity,
    /// How often the network was restored; part of the seed, so that ids do not come twice.
    restarts: u64,
    #[serde(default)]
    time: time::Setting,
    #[serde(default)]
    agenda: SavedAgenda,
    accounts: Vec<SavedAccount>,
    #[serde(default)]
    groups: Vec<Group>,
    #[serde(default)]
    newsletters: Newsletters,
    #[serde(default)]
    media: SavedMedia,
}

impl SavedNetwork {
    /// Which files there are; their contents stand elsewhere.
    pub(crate) fn take_media(&mut self) -> SavedMedia {
        std::mem::take(&mut self.media)
    }
}

#[derive(Serialize, Deserialize)]
struct SavedAccount {
    phone: Arc<str>,
    lid: Arc<str>,
    name: String,
    online: bool,
    identity: KeyPair,
    endpoint: SavedEndpoint,
    app_state_key: [u8; 32],
    devices: Vec<SavedDevice>,
    next_device: u16,
    messages: Vec<Entry>,
    waiting: Vec<PhoneDelivery>,
    #[serde(default)]
    script: Script,
    #[serde(default)]
    blocked: BTreeSet<usize>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    app_state: AppState,
    #[serde(default)]
    gate: Gate,
    #[serde(default = "long_ago")]
    migrated_at: Option<u64>,
}

/// Accounts of earlier files all went by LID.
#[expect(clippy::unnecessary_wraps, reason = "the field's type")]
fn long_ago() -> Option<u64> {
    Some(0)
}

#[derive(Serialize, Deserialize)]
struct SavedDevice {
    number: u16,
    key_index: u32,
    registration: u32,
    identity: Vec<u8>,
    signed: SignedPreKey,
    one_time: VecDeque<(Vec<u8>, Vec<u8>)>,
    signed_identity: Vec<u8>,
    queue: Vec<Vec<u8>>,
    keys_shared: bool,
    #[serde(default)]
    notify: Option<String>,
}

impl Network {
    /// A picture of the network. Phones are taken one after the other, so a message under way may be in one and not
    /// in the other; receipts and retries heal that, as after any crash.
    pub(crate) fn save(&self, media: SavedMedia) -> Result<SavedNetwork, SignalError> {
        let count = self.state().accounts.len();
        let mut accounts = Vec::with_capacity(count);
        for index in 0..count {
            let endpoint = self.state().accounts.get(index).map(|account| Arc::clone(&account.endpoint));
            let Some(endpoint) = endpoint else { continue };
            let endpoint = lock(&endpoint).save()?;
            let state = self.state();
            accounts.extend(state.accounts.get(index).map(|account| save_account(account, endpoint)));
        }
        let (identity, restarts) = (self.identity().clone(), self.restarts());
        let (agenda, newsletters, groups) = {
            let state = self.state();
            (state.agenda.save(), state.newsletters.clone(), state.groups.values().cloned().collect())
        };
        let time = self.clock().setting();
        Ok(SavedNetwork { identity, restarts, time, agenda, accounts, groups, newsletters, media })
    }

    pub(crate) fn restore(saved: SavedNetwork, seed: u64, root: Option<&[u8; 32]>) -> Result<Self, SignalError> {
        let restarts = saved.restarts + 1;
        let identity = match root {
            Some(root) => saved.identity.with_root(root).map_err(|error| SignalError::Keys(error.into()))?,
            None => saved.identity,
        };
        let network = Self::new(identity, seed.wrapping_add(restarts), restarts, saved.time);
        {
            let mut state = network.state();
            for account in saved.accounts {
                let account = restore_account(account)?;
                state.insert_account(account);
            }
            state.agenda = Agenda::restore(saved.agenda);
            state.newsletters = saved.newsletters;
            state.groups = saved.groups.into_iter().map(|group| (group.id.clone(), group)).collect();
        }
        Ok(network)
    }
}

fn save_account(account: &Account, endpoint: SavedEndpoint) -> SavedAccount {
    SavedAccount {
        phone: Arc::clone(&account.phone),
        lid: Arc::clone(&account.lid),
        name: account.name.clone(),
        online: account.online,
        identity: account.identity.clone(),
        endpoint,
        app_state_key: account.app_state_key,
        devices: account.devices.iter().map(|(number, device)| save_device(*number, device)).collect(),
        next_device: account.next_device,
        messages: account.chat.save(),
        waiting: account.waiting.iter().cloned().collect(),
        script: account.script.clone(),
        blocked: account.blocked.clone(),
        profile: account.profile.clone(),
        app_state: account.app_state.clone(),
        gate: account.gate.clone(),
        migrated_at: account.migrated_at,
    }
}

fn save_device(number: u16, device: &Device) -> SavedDevice {
    SavedDevice {
        number,
        key_index: device.key_index,
        registration: device.registration,
        identity: device.identity.clone(),
        signed: device.signed.clone(),
        one_time: device.one_time.clone(),
        signed_identity: device.signed_identity.clone(),
        queue: device.queue.save(),
        keys_shared: device.keys_shared,
        notify: device.notify.clone(),
    }
}

fn restore_account(saved: SavedAccount) -> Result<Account, SignalError> {
    Ok(Account {
        phone: saved.phone,
        lid: saved.lid,
        name: saved.name,
        online: saved.online,
        identity: saved.identity,
        endpoint: Arc::new(Mutex::new(SignalEndpoint::restore(saved.endpoint)?)),
        app_state_key: saved.app_state_key,
        devices: saved.devices.into_iter().map(restore_device).collect(),
        next_device: saved.next_device,
        chat: Chat::restore(saved.messages),
        waiting: saved.waiting.into(),
        sent: SentStanzas::default(),
        script: saved.script,
        blocked: saved.blocked,
        retries: HashMap::new(),
        sender_key_holders: HashMap::new(),
        profile: saved.profile,
        presence: Presence::default(),
        app_state: saved.app_state,
        gate: saved.gate,
        migrated_at: saved.migrated_at,
    })
}

fn restore_device(saved: SavedDevice) -> (u16, Device) {
    let device = Device {
        key_index: saved.key_index,
        registration: saved.registration,
        identity: saved.identity,
        signed: saved.signed,
        one_time: saved.one_time,
        signed_identity: saved.signed_identity,
        connected: None,
        queue: DeviceQueue::restore(&saved.queue),
        keys_shared: saved.keys_shared,
        notify: saved.notify,
        chat_states: ChatStates::new(),
        missed_presence: BTreeSet::new(),
    };
    (saved.number, device)
}
