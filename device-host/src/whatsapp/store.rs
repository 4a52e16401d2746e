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
mod device;
mod keys;
mod prekeys;
mod protocol;
mod secrets;
mod signal;
#[cfg(test)]
mod tests;
mod tokens;

use tokio::sync::Mutex;
use wacore::store::error::StoreError;

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
    /// Held shared while a received message is being stored, and alone while sessions are: the ratchet's step past a
    /// message is never durable before the message is.
    receiving: tokio::sync::RwLock<()>,
}

impl Store {
    /// Storage under `keys`, with received messages going to `inbox` and sent ones read back from `outbox`.
    pub(crate) fn new(keys: DeviceKeys, inbox: Inbox, outbox: Outbox) -> Self {
        Self {
            keys,
            inbox,
            outbox,
            packing: Mutex::default(),
            tokens: tokens::Known::default(),
            probe: std::sync::Mutex::default(),
            receiving: tokio::sync::RwLock::default(),
        }
    }

    /// The notes about messages that are on their way in.
    pub(crate) fn inbox(&self) -> &Inbox {
        &self.inbox
    }
}
