//! What the network knows of an account: its phone, its companions, their keys and queues.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use wacore_binary::Jid;
use wacore_libsignal::protocol::{KeyPair, ProtocolAddress};

use crate::entropy::key_rng;
use crate::handshake::Pattern;
use crate::network::app_state::AppState;
use crate::network::chat::Chat;
use crate::network::delivery::DeviceQueue;
use crate::network::passkey_links::Gate;
use crate::network::phone_inbound::PhoneDelivery;
use crate::network::phone_outbound::SentStanzas;
use crate::network::presence::{ChatStates, Presence};
use crate::network::profile::Profile;
use crate::network::{NetworkError, Outbound, Script, State};
use crate::signal::SignalEndpoint;

/// The first device number a companion gets; real ones are small and never zero, which is the phone.
pub(crate) const FIRST_DEVICE: u16 = 33;
const MAX_ACCOUNTS: usize = 200_000;

pub(crate) struct Account {
    pub(crate) phone: Arc<str>,
    pub(crate) lid: Arc<str>,
    pub(crate) name: String,
    /// Whether the phone itself is on; companions work without it.
    pub(crate) online: bool,
    /// The phone's identity key, which signs companions and device lists.
    pub(crate) identity: KeyPair,
    pub(crate) endpoint: Arc<Mutex<SignalEndpoint>>,
    pub(crate) app_state_key: [u8; 32],
    pub(crate) devices: BTreeMap<u16, Device>,
    pub(crate) next_device: u16,
    pub(crate) chat: Chat,
    /// What arrived for the phone while it was off.
    pub(crate) waiting: VecDeque<PhoneDelivery>,
    pub(crate) sent: SentStanzas,
    /// What the person does by itself.
    pub(crate) script: Script,
    /// The accounts it wants nothing from.
    pub(crate) blocked: BTreeSet<usize>,
    /// How often the phone asked for a message again, by sender device and stanza id.
    pub(crate) retries: HashMap<(usize, u16, String), u8>,
    /// Which companions have the phone's sender key of a group, by the group's id.
    pub(crate) sender_key_holders: HashMap<String, BTreeSet<(usize, u16)>>,
    pub(crate) profile: Profile,
    pub(crate) presence: Presence,
    pub(crate) app_state: AppState,
    pub(crate) gate: Gate,
    /// Since when its chats go by LID, in seconds since 1970; absent while they go by phone number.
    pub(crate) migrated_at: Option<u64>,
}

/// A linked companion.
pub(crate) struct Device {
    pub(crate) key_index: u32,
    pub(crate) registration: u32,
    pub(crate) identity: Vec<u8>,
    pub(crate) signed: SignedPreKey,
    /// One-time keys that can still be handed out: id and public key.
    pub(crate) one_time: VecDeque<(Vec<u8>, Vec<u8>)>,
    /// The device identity signed by phone and companion, as others get it with the keys.
    pub(crate) signed_identity: Vec<u8>,
    pub(crate) connected: Option<Connected>,
    pub(crate) queue: DeviceQueue,
    /// Whether the phone shared its app-state keys with it already.
    pub(crate) keys_shared: bool,
    /// The name its presence told last, which its messages carry.
    pub(crate) notify: Option<String>,
    pub(crate) chat_states: ChatStates,
    /// Whose coming and going it missed while it was away.
    pub(crate) missed_presence: BTreeSet<usize>,
}

/// A companion's signed pre-key, as it was uploaded.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct SignedPreKey {
    pub(crate) id: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

/// A companion's live connection.
pub(crate) struct Connected {
    pub(crate) connection: u64,
    pub(crate) outbound: Outbound,
    pub(crate) pattern: Pattern,
    /// Whether the client asked for its queue (`passive active`); before that nothing is pushed.
    pub(crate) active: bool,
}

impl Device {
    /// Whether it is connected and asked for what waits for it.
    pub(crate) fn is_active(&self) -> bool {
        self.connected.as_ref().is_some_and(|connected| connected.active)
    }
}

impl Account {
    /// The name messages of a device carry.
    pub(crate) fn notify(&self, device: u16) -> &str {
        self.devices.get(&device).and_then(|device| device.notify.as_deref()).unwrap_or(&self.name)
    }

    pub(crate) fn companion_address(&self, device: u16) -> ProtocolAddress {
        companion_address(&self.lid, device)
    }

    /// The JID of one of the account's devices in the addressing a stanza uses.
    pub(crate) fn jid(&self, device: u16, by_lid: bool) -> Jid {
        if by_lid { Jid::lid_device(self.lid.as_ref(), device) } else { Jid::pn_device(self.phone.as_ref(), device) }
    }
}

/// How a phone's store names a peer device.
pub(crate) fn companion_address(lid: &str, device: u16) -> ProtocolAddress {
    ProtocolAddress::new(&format!("{lid}:{device}@lid"), 0.into())
}

impl State {
    /// Adds an account with a fresh phone; `phone` and `lid` are made up when absent.
    pub(crate) fn add_account(&mut self, phone: Option<&str>, name: &str) -> Result<usize, NetworkError> {
        if self.accounts.len() >= MAX_ACCOUNTS {
            return Err(NetworkError::invalid("phone", "the network is full"));
        }
        let phone: Arc<str> = match phone {
            Some(phone) if self.by_phone.contains_key(phone) => {
                return Err(NetworkError::PhoneExists(phone.to_owned()));
            }
            Some(phone) => phone.into(),
            None => self.unused_phone(),
        };
        let lid = self.unused_lid();
        let identity = KeyPair::generate(&mut key_rng());
        let endpoint = SignalEndpoint::generate(identity.clone(), self.ids.registration())?;
        let account = Account {
            phone: Arc::clone(&phone),
            lid: Arc::clone(&lid),
            name: name.to_owned(),
            online: true,
            identity,
            endpoint: Arc::new(Mutex::new(endpoint)),
            app_state_key: rand::RngExt::random(&mut key_rng()),
            devices: BTreeMap::new(),
            next_device: FIRST_DEVICE,
            chat: Chat::default(),
            waiting: VecDeque::new(),
            sent: SentStanzas::default(),
            script: Script::default(),
            blocked: BTreeSet::new(),
            retries: HashMap::new(),
            sender_key_holders: HashMap::new(),
            profile: Profile::named(name),
            presence: Presence::default(),
            app_state: AppState::new(),
            gate: Gate::default(),
            migrated_at: Some(self.now_seconds()),
        };
        Ok(self.insert_account(account))
    }

    /// Adds an account and its index entries; the first account of a name keeps the name.
    pub(crate) fn insert_account(&mut self, account: Account) -> usize {
        let index = self.accounts.len();
        self.by_phone.insert(Arc::clone(&account.phone), index);
        self.by_lid.insert(Arc::clone(&account.lid), index);
        self.by_name.entry(account.name.clone()).or_insert(index);
        self.accounts.push(account);
        index
    }

    /// The account with this name, made when there is none.
    pub(crate) fn account_by_name(&mut self, name: &str) -> Result<usize, NetworkError> {
        match self.by_name.get(name) {
            Some(account) => Ok(*account),
            None => self.add_account(None, name),
        }
    }

    fn unused_phone(&mut self) -> Arc<str> {
        loop {
            let phone = self.ids.phone();
            if !self.by_phone.contains_key(phone.as_str()) {
                return phone.into();
            }
        }
    }

    fn unused_lid(&mut self) -> Arc<str> {
        loop {
            let lid = self.ids.lid();
            if !self.by_lid.contains_key(lid.as_str()) {
                return lid.into();
            }
        }
    }
}
