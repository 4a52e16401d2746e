//! What a device's task works with: what is its own, and what all devices of a host share.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hantar_domain::ids::{AccountId, CommandId, DeviceId, Epoch};
use hantar_domain::pacing::Pacing;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock, Entropy, KeyTable, Tenant};
use tokio::sync::{Notify, mpsc, watch};

use super::files::Files;
use super::machine::Now;
use crate::metrics::Metrics;
use crate::rate::Rate;
use crate::standing::Ours;
use crate::whatsapp::client::Identity;
use crate::whatsapp::transport::Server;
use crate::whatsapp::version::Versions;

/// What all devices of a host share.
pub(crate) struct Shared {
    /// The keys of all devices.
    pub(crate) keys: Arc<dyn KeyTable>,
    /// What keys are sealed with.
    pub(crate) account_keys: Arc<AccountKeys>,
    /// Numbers of messages.
    pub(crate) numbers: Arc<Numbers>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// WhatsApp.
    pub(crate) server: Server,
    /// What we say we are.
    pub(crate) identity: Identity,
    /// Which version of it.
    pub(crate) versions: Versions,
    /// How fast to send.
    pub(crate) pacing: Pacing,
    /// How many connections are begun in a second.
    pub(crate) connects: Rate,
    /// How many devices are logged in.
    pub(crate) connected: AtomicUsize,
    /// Files that messages carry.
    pub(crate) files: Files,
    /// What is counted.
    pub(crate) metrics: Arc<Metrics>,
}

/// One device's place of work.
pub(crate) struct Desk {
    /// Whose.
    pub(crate) account: AccountId,
    /// Which.
    pub(crate) device: DeviceId,
    /// The right under which all is done.
    pub(crate) epoch: Epoch,
    /// The account's records.
    pub(crate) tenant: Arc<dyn Tenant>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the shard is ours.
    pub(crate) ours: Ours,
    /// What all devices share.
    pub(crate) shared: Arc<Shared>,
}

impl Desk {
    /// Whether this host may still act for the device. To be asked right before each act.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours.holds()
    }

    pub(super) fn now(&self) -> Now {
        let mut dice = [0; 4];
        self.shared.entropy.fill(&mut dice);
        Now { at: self.clock.now(), dice: u32::from_ne_bytes(dice) }
    }
}

/// How a device is reached.
pub(crate) struct Mailbox {
    /// Rung when there may be work. A flag: many rings are one.
    pub(crate) bell: Arc<Notify>,
    /// Commands that somebody waits for.
    pub(crate) commands: mpsc::Receiver<CommandId>,
    /// Says that the host leaves.
    pub(crate) leaving: watch::Receiver<bool>,
}
