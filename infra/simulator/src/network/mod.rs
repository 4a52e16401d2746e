//! The simulated network: accounts, their phones and companions, and what the server does between them.
//!
//! Locks: the state has one mutex, every phone's Signal endpoint its own. An endpoint may be held while the state
//! is taken, never the other way round, and neither across an await.

mod accounts;
mod agenda;
mod app_state;
mod calls;
mod chat;
mod conventions;
mod counts;
mod delivery;
mod devices;
mod fault_rules;
mod faults;
mod groups;
mod iq;
mod last_stretch;
mod lid_migration;
mod login;
mod media;
mod media_retry;
mod messages;
mod mex;
mod moving_time;
mod newsletters;
mod outbound;
mod pair_code;
mod pairing;
mod participants;
mod passkey_links;
mod people;
mod phone_actions;
mod phone_data;
mod phone_inbound;
mod phone_outbound;
mod prekeys;
mod presence;
mod privacy;
mod profile;
mod receipts;
mod refusal;
mod saved;
mod scripts;
mod stanza_log;
mod stream_errors;
mod usync;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use wacore_binary::{Jid, Node};

pub use app_state::{SettingChange, SharedSetting};
pub use calls::PhoneCall;
pub use chat::PhoneMessage;
pub use faults::{ActiveFault, Fault, FaultKind};
pub use groups::{GroupChange, GroupView, MemberView, Role};
pub use media::PhoneMedia;
pub use moving_time::{NetworkTime, TimeChange};
pub use pairing::Paired;
pub use passkey_links::PasskeyView;
pub use people::{CompanionView, PhoneView};
pub use profile::Business;
pub use refusal::Refusal;
pub use scripts::{Script, ScriptRule, Step, When};
pub use stanza_log::{LoggedStanza, StanzaDirection, StanzaFilter};

pub(crate) use accounts::{Account, Device};
pub(crate) use counts::Count;
pub(crate) use delivery::HeldAck;
pub(crate) use fault_rules::{Disturbance, MediaFault};
pub(crate) use login::{Opened, Session};
pub(crate) use media::{MAX_FILE, Stored, Upload, token_owner};
pub(crate) use messages::Taken;
pub(crate) use outbound::{Outbound, Outbox, Outgoing, channel};
pub(crate) use saved::SavedNetwork;
pub(crate) use stanza_log::Origin;

use crate::certificate::ServerIdentity;
use crate::entropy::Ids;
use crate::signal::SignalError;
use crate::time::Clock;
use crate::{stanza, time};
use agenda::Agenda;
use calls::Calls;
use counts::Counts;
use fault_rules::Faults;
use groups::Groups;
use media::MediaStore;
use newsletters::Newsletters;
use pairing::Pairings;
use stanza_log::StanzaLog;

/// The longest a caller may wait for something to happen.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Clients ask for a sign of life every 15 to 30 s.
const IDLE_MS: u64 = 180_000;
const MAX_IDLE_MS: u64 = 86_400_000;

/// Why the network did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// There is no account with this phone number.
    #[error("no account has the phone number {0}")]
    UnknownPhone(String),
    /// The account has no such companion.
    #[error("the account has no companion device {0}")]
    UnknownDevice(u16),
    /// There is such an account already.
    #[error("an account has the phone number {0} already")]
    PhoneExists(String),
    /// The input cannot be used; `field` names the part to correct.
    #[error("{field} {problem}")]
    Invalid {
        /// The JSON field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The QR code was not offered by this network, was used, or its connection is gone; take the newest one.
    #[error("the QR code is not valid here: {0}")]
    Qr(&'static str),
    /// The server refuses it, as it would refuse a client.
    #[error("the network refuses: {0}")]
    Refused(#[from] Refusal),
    /// A passkey could not be made.
    #[error("the passkey could not be made")]
    Passkey(#[from] rcgen::Error),
    /// A phone could not encrypt.
    #[error("the phone could not encrypt")]
    Signal(#[from] SignalError),
}

impl NetworkError {
    pub(crate) fn invalid(field: &'static str, problem: &'static str) -> Self {
        Self::Invalid { field, problem }
    }
}

/// The state of the network and what can be done to it. Cheap to clone: all clones are the same network.
#[derive(Clone)]
pub struct Network {
    inner: Arc<Inner>,
}

struct Inner {
    identity: ServerIdentity,
    restarts: u64,
    state: Mutex<State>,
    log: StanzaLog,
    media: MediaStore,
    clock: Clock,
    /// Held by whoever does what the agenda says, so that it happens in order.
    appointments_turn: Mutex<()>,
    counts: Counts,
    /// After how long a silent companion is cut, in milliseconds of the machine's time.
    idle_ms: AtomicU64,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    by_phone: HashMap<Arc<str>, usize>,
    by_lid: HashMap<Arc<str>, usize>,
    by_name: HashMap<String, usize>,
    pub(crate) groups: Groups,
    pub(crate) newsletters: Newsletters,
    calls: Calls,
    pub(crate) ids: Ids,
    pairings: Pairings,
    faults: Faults,
    held_acks: Vec<HeldAck>,
    unknown_iqs: BTreeMap<String, u64>,
    connections: HashMap<u64, Outbound>,
    last_connection: u64,
    clock: Clock,
    agenda: Agenda,
    /// Told when something new stands in the agenda.
    planned: Arc<Notify>,
}

impl Network {
    pub(crate) fn new(identity: ServerIdentity, seed: u64, restarts: u64, time: time::Setting) -> Self {
        let clock = Clock::new(time);
        let state = State {
            accounts: Vec::new(),
            by_phone: HashMap::new(),
            by_lid: HashMap::new(),
            by_name: HashMap::new(),
            groups: Groups::new(),
            newsletters: Newsletters::new(),
            calls: Calls::default(),
            ids: Ids::new(seed),
            pairings: Pairings::default(),
            faults: Faults::new(clock.clone(), seed),
            held_acks: Vec::new(),
            unknown_iqs: BTreeMap::new(),
            connections: HashMap::new(),
            last_connection: 0,
            clock: clock.clone(),
            agenda: Agenda::default(),
            planned: Arc::default(),
        };
        let inner = Inner {
            identity,
            restarts,
            state: Mutex::new(state),
            log: StanzaLog::new(),
            media: MediaStore::default(),
            clock,
            appointments_turn: Mutex::default(),
            counts: Counts::default(),
            idle_ms: AtomicU64::new(IDLE_MS),
        };
        Self { inner: Arc::new(inner) }
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.inner.restarts
    }

    pub(crate) fn identity(&self) -> &ServerIdentity {
        &self.inner.identity
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Milliseconds since 1970 by the network's own clock.
    pub(crate) fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    /// Seconds since 1970, the unit of every `t` attribute.
    pub(crate) fn now_seconds(&self) -> u64 {
        self.now_ms() / 1000
    }

    pub(crate) fn log(&self, direction: StanzaDirection, origin: &Origin, node: &Node, encoded: &[u8]) {
        self.inner.counts.stanza(direction, &node.tag);
        self.inner.log.record(direction, origin, node, encoded);
    }

    /// The public key of the root certificate, for clients that check the chain.
    pub fn root_public_key(&self) -> &[u8] {
        self.identity().root_public_key()
    }

    /// The raw stanzas that match, oldest first.
    pub fn stanzas(&self, filter: &StanzaFilter) -> Vec<LoggedStanza> {
        self.inner.log.read(filter)
    }

    /// The raw stanzas that match, once there are at least `count` of them or after `limit` (cut at 30 s).
    pub async fn wait_for_stanzas(&self, filter: &StanzaFilter, count: usize, limit: Duration) -> Vec<LoggedStanza> {
        let found = time::at_most(limit.min(MAX_WAIT), self.inner.log.read_when(filter, count)).await;
        found.unwrap_or_else(|| self.stanzas(filter))
    }

    /// Forgets the stanzas logged so far; their numbering goes on.
    pub fn clear_stanzas(&self) {
        self.inner.log.clear();
    }

    /// After how long a companion that says nothing is cut.
    pub fn idle_limit(&self) -> Duration {
        Duration::from_millis(self.inner.idle_ms.load(Ordering::Relaxed))
    }

    /// Changes it: from a hundredth of a second to a day.
    pub fn set_idle_limit(&self, limit: Duration) -> Result<(), NetworkError> {
        match u64::try_from(limit.as_millis()) {
            Ok(ms @ 10..=MAX_IDLE_MS) => {
                self.inner.idle_ms.store(ms, Ordering::Relaxed);
                Ok(())
            }
            _ => Err(NetworkError::invalid("idle_ms", "must be from 10 to 86400000")),
        }
    }

    /// What the rules do to a stanza on a connection.
    pub(crate) fn disturb(&self, origin: &Origin, direction: StanzaDirection) -> Disturbance {
        let who = origin.client.as_ref().map(|(phone, device)| (phone.as_ref(), *device));
        let disturbance = self.state().faults.disturb(who, direction);
        if disturbance.lost {
            self.count(Count::StanzasLost);
        }
        disturbance
    }

    /// The IQs nobody taught the simulator to answer (they got an error), by namespace and child, with their count.
    pub fn unknown_iqs(&self) -> BTreeMap<String, u64> {
        self.state().unknown_iqs.clone()
    }
}

impl State {
    /// Milliseconds since 1970 by the network's own clock.
    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Seconds since 1970, the unit of every `t` attribute.
    pub(crate) fn now_seconds(&self) -> u64 {
        self.now_ms() / 1000
    }

    pub(crate) fn account_by_phone(&self, phone: &str) -> Option<usize> {
        self.by_phone.get(phone).copied()
    }

    /// The account a JID belongs to, by LID or by phone number.
    pub(crate) fn account_by_jid(&self, jid: &Jid) -> Option<usize> {
        if jid.is_lid() { self.by_lid.get(jid.user.as_str()).copied() } else { self.account_by_phone(&jid.user) }
    }

    /// An account has another number from now on.
    pub(crate) fn renumber(&mut self, account: usize, before: &str, now: Arc<str>) {
        self.by_phone.remove(before);
        self.by_phone.insert(now, account);
    }

    pub(crate) fn known_phone(&self, phone: &str) -> Result<usize, NetworkError> {
        self.account_by_phone(phone).ok_or_else(|| NetworkError::UnknownPhone(phone.to_owned()))
    }

    pub(crate) fn device(&mut self, account: usize, device: u16) -> Option<&mut Device> {
        self.accounts.get_mut(account)?.devices.get_mut(&device)
    }
}

/// A panic while a lock was held cannot leave worse behind than a lost stanza: carry on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stanza_text(node: &Node, name: &str) -> Option<String> {
    stanza::attribute(node, name).map(std::borrow::Cow::into_owned)
}
