//! The ratchet never gets ahead of the messages: a session is stored only when every message that moved it is durable.
//!
//! The library decrypts a message (which moves the session in its cache), then hands it over to be stored, then tells
//! the server. But any other stanza may make it store all moved sessions in between. If the process died then, the
//! server would deliver the message again, the stored session would call it a repeat, and nobody would have it.
//!
//! So each live message is noted when its stanza arrives, and no more when it is durable (or could not be read). A
//! session of somebody with such a message under way is compared with the stored one: moved further than the messages
//! that are durable since, it waits for them. It must not wait for a message that is not decrypted yet, because the
//! library holds its lock on sessions meanwhile; such a one has not moved the session either.
//!
//! Messages that waited offline need none of this: the library itself commits them before it stores sessions.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use buffa::MessageView as _;
use hantar_usecases::ports::Clock;
use tokio::sync::Notify;
use wacore::store::error::StoreError;
use wacore::types::jid::JidExt as _;
use wacore::types::message::MessageInfo;
use wacore_binary::Jid;
use waproto::whatsapp::{RecordStructureView, SessionStructureView};

use super::{Result, Store, signal};

/// How long a session waits for messages. Storing one takes milliseconds; the library tries again after a failure.
const PATIENCE: Duration = Duration::from_secs(1);
/// Handling a stanza never takes so long: whatever is older was not handed over and never will be.
const LONGEST: Duration = Duration::from_mins(1);
/// The library handles 64 stanzas at once, and others wait in their chats.
const MOST: usize = 4096;

/// Live messages between their arrival and their being durable.
pub(super) struct Arrivals {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    under_way: VecDeque<Arrival>,
    /// How many became durable since the session at this address was stored.
    durable: BTreeMap<String, u32>,
}

struct Arrival {
    chat: String,
    sender: String,
    id: String,
    /// Where the session may stand that the message is encrypted under.
    addresses: Vec<String>,
    at: Duration,
}

impl Arrivals {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::default(), changed: Notify::new() }
    }

    /// A message's stanza arrived.
    pub(super) fn begin(&self, info: &MessageInfo) {
        if info.is_offline {
            return;
        }
        let source = &info.source;
        let hidden = source.sender_alt.as_ref().map(|other| other.with_device(source.sender.device));
        let addresses = [Some(&source.sender), hidden.as_ref()];
        let arrival = Arrival {
            chat: source.chat.to_string(),
            sender: source.sender.to_string(),
            id: info.id.clone(),
            addresses: addresses.into_iter().flatten().map(Jid::to_protocol_address_string).collect(),
            at: self.clock.running(),
        };
        let mut state = self.state();
        if state.under_way.len() >= MOST {
            state.under_way.pop_front();
        }
        state.under_way.push_back(arrival);
    }

    /// A message is durable. Messages of a chat are handled one after the other: those before it are over, too.
    pub(super) fn durable(&self, chat: &str, sender: &str, id: &str) {
        self.end(chat, sender, id, true);
    }

    /// A message was not decrypted: it moved nothing.
    pub(super) fn unread(&self, chat: &str, sender: &str, id: &str) {
        self.end(chat, sender, id, false);
    }

    fn end(&self, chat: &str, sender: &str, id: &str, durable: bool) {
        let mut state = self.state();
        let is_it = |arrival: &Arrival| arrival.id == id && arrival.chat == chat && arrival.sender == sender;
        let Some(last) = state.under_way.iter().position(is_it) else { return };
        let mut over = Vec::new();
        let mut index = 0;
        state.under_way.retain(|arrival| {
            let is_over = index <= last && arrival.chat == chat;
            if is_over {
                over.push(arrival.addresses.clone());
            }
            index += 1;
            !is_over
        });
        if durable {
            for address in over.into_iter().flatten() {
                *state.durable.entry(address).or_default() += 1;
            }
        }
        if state.durable.len() > MOST {
            state.durable.clear();
        }
        drop(state);
        self.changed.notify_waiters();
    }

    /// Whether a message is under way that may be encrypted under the session at this address. If none is, the count of
    /// durable ones begins anew: the session holds them all.
    fn concern(&self, address: &str) -> bool {
        let now = self.clock.running();
        let mut state = self.state();
        state.under_way.retain(|arrival| now.saturating_sub(arrival.at) < LONGEST);
        let concerned = state.under_way.iter().any(|arrival| arrival.addresses.iter().any(|known| known == address));
        if !concerned {
            state.durable.remove(address);
        }
        concerned
    }

    /// Whether so many messages became durable since the session was stored; then they are counted as stored with it.
    fn cover(&self, address: &str, steps: u32) -> bool {
        let mut state = self.state();
        let durable = state.durable.get(address).copied().unwrap_or_default();
        if durable >= steps {
            state.durable.insert(address.to_owned(), durable - steps);
        }
        durable >= steps
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Comes back when every message that moved the session is durable.
    pub(super) async fn messages_of(&self, address: &str, record: &[u8]) -> Result<()> {
        if !self.arrivals.concern(address) {
            return Ok(());
        }
        let stored = self.keys.get(&signal::session(address)).await?;
        let steps = steps(stored.as_deref(), record);
        let durable = async {
            loop {
                let mut changed = std::pin::pin!(self.arrivals.changed.notified());
                changed.as_mut().enable();
                if self.arrivals.cover(address, steps) || !self.arrivals.concern(address) {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, durable).await;
        waited.map_err(|_| StoreError::Validation("a received message is not stored yet: try again".into()))
    }
}

/// How many messages were decrypted between two states of a session, at least; all that can be, when it cannot be read.
fn steps(stored: Option<&[u8]>, record: &[u8]) -> u32 {
    let Some(now) = chains(record) else { return u32::MAX };
    let before = stored.map_or_else(|| Some(BTreeMap::new()), chains).unwrap_or_default();
    now.iter().map(|(key, index)| index.saturating_sub(before.get(key).copied().unwrap_or(0))).sum()
}

/// How far each receiving chain of a session is, by the other side's ratchet key.
fn chains(record: &[u8]) -> Option<BTreeMap<Vec<u8>, u32>> {
    let record = RecordStructureView::decode_view(record).ok()?;
    let mut chains = BTreeMap::new();
    let states = record.current_session.as_option().into_iter().chain(record.previous_sessions.iter());
    for state in states {
        add_chains(state, &mut chains);
    }
    Some(chains)
}

fn add_chains(state: &SessionStructureView<'_>, chains: &mut BTreeMap<Vec<u8>, u32>) {
    for chain in &state.receiver_chains {
        let index = chain.chain_key.as_option().and_then(|key| key.index).unwrap_or(0);
        let known = chains.entry(chain.sender_ratchet_key.map(<[u8]>::to_vec).unwrap_or_default()).or_default();
        *known = index.max(*known);
    }
}

#[cfg(test)]
#[path = "arrivals/tests.rs"]
mod tests;
