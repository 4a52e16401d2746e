//! The library's storage traits on the engine table: one value of [`Store`] per device.
//!
//! | key | value |
//! |---|---|
//! | `dev` | the device's own keys and settings |
//! | `s#address`, `i#address` | a Signal session, an identity |
//! | `pk#chunk` | one-time pre-keys, 64 to an item; `pkdel#block` the numbers of the consumed ones |
//! | `spk#id` | a signed pre-key |
//! | `sk#group::sender`, `skd#group` | a sender key; which devices have ours |
//! | `ak`, `av#collection`, `am#collection#generation#bucket` | app-state keys, version, mutation MACs |
//! | `lp#bucket` | hidden ids and phone numbers, many to an item |
//! | `dl#user`, `gm#group`, `tc#user`, `bk#address#message` | device lists, groups, privacy tokens, base keys |
//!
//! Sent messages and received ones are our own message items. Message secrets are not kept: nothing reads them yet.
//! Values are sealed for `device/key`, so that a value moved to another place does not open.

mod app_state;
mod arrivals;
mod device;
mod keys;
mod prekeys;
mod protocol;
mod secrets;
mod signal;
#[cfg(test)]
#[path = "../../tests/host/tables.rs"]
#[expect(dead_code, reason = "shared with the tests of the whole host")]
pub(crate) mod test_tables;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use hantar_usecases::ports::Clock;
use tokio::sync::Mutex;
use wacore::store::error::StoreError;
use wacore::types::message::MessageInfo;
use wacore_binary::{Jid, NodeRef};

use arrivals::Arrivals;
pub(crate) use keys::{DeviceKeys, Fence};

use super::inbound::Inbox;
use super::outbox::Outbox;

/// What the library's storage traits answer.
pub(crate) type Result<T> = std::result::Result<T, StoreError>;

/// One device's storage.
pub(crate) struct Store {
    keys: DeviceKeys,
    inbox: Inbox,
    outbox: Outbox,
    /// Held over reading, changing and writing an item that holds many things.
    packing: Mutex<()>,
    tokens: tokens::Known,
    /// What the library stored to see whether we can: see [`protocol`].
    probe: std::sync::Mutex<Option<(String, Vec<u8>)>>,
    arrivals: Arrivals,
}

impl Store {
    /// Storage under `keys`, with received messages going to `inbox` and sent ones read back from `outbox`.
    pub(crate) fn new(keys: DeviceKeys, inbox: Inbox, outbox: Outbox, clock: Arc<dyn Clock>) -> Self {
        Self {
            keys,
            inbox,
            outbox,
            packing: Mutex::default(),
            tokens: tokens::Known::default(),
            probe: std::sync::Mutex::default(),
            arrivals: Arrivals::new(clock),
        }
    }

    /// The device's own addresses, without which nobody can tell its own messages from others'.
    pub(crate) fn set_own(&self, phone: Jid, lid: Option<Jid>) {
        self.inbox.set_own(phone, lid);
    }

    /// A message's stanza came. Called for each, in order, before its content is decrypted.
    pub(crate) fn arrives(&self, stanza: &NodeRef<'_>) {
        if let Some(info) = self.inbox.note(stanza)
            && Inbox::is_kept(&info)
        {
            self.arrivals.begin(&info);
        }
    }

    /// A message could not be decrypted.
    pub(crate) fn undecryptable(&self, info: &MessageInfo) {
        let (chat, sender) = (info.source.chat.to_string(), info.source.sender.to_string());
        self.arrivals.unread(&chat, &sender, &info.id);
    }
}
