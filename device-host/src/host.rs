//! A device host: what it is made of, and its life from start to drain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hantar_domain::lease::Terms;
use hantar_domain::pacing::Pacing;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Download, Entropy, Fleet, JobQueue, KeyTable, Leases, PortError, Tenants};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::device::desk::Shared;
use crate::device::files::Files;
use crate::intake::Workplace;
use crate::metrics::Metrics;
use crate::rate::Rate;
use crate::shards::Keeper;
use crate::whatsapp::client::Identity;
use crate::whatsapp::tls::{self, TlsError};
use crate::whatsapp::transport::{AddressError, Server};
use crate::whatsapp::version::Versions;

/// Where WhatsApp is.
const WHATSAPP: &str = "wss://web.whatsapp.com/ws/chat";
/// How many message numbers are reserved at once, for what comes in.
const NUMBER_BLOCK: u64 = 32;
/// How long leaving may take in all.
const DRAIN_LIMIT: Duration = Duration::from_secs(25);

/// What a host needs from outside.
pub struct HostParts {
    /// The fleet's records.
    pub fleet: Arc<dyn Fleet>,
    /// The tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Heartbeats and shards.
    pub leases: Arc<dyn Leases>,
    /// The devices' keys.
    pub keys: Arc<dyn KeyTable>,
    /// Doorbells.
    pub queue: Arc<dyn JobQueue>,
    /// Files that were uploaded to be sent.
    pub blobs: Arc<dyn Blobs>,
    /// The guarded way to files at addresses that messages name.
    pub download: Arc<dyn Download>,
    /// What secrets are sealed with.
    pub account_keys: Arc<AccountKeys>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// How a host runs.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// The number of shards that this installation wants; what is stored wins.
    pub shards: u16,
    /// How leases run: the same for the whole fleet.
    pub terms: Terms,
    /// Where WhatsApp is.
    pub server: WhatsAppServer,
    /// How fast devices send.
    pub pacing: Pacing,
    /// How many one-time pre-keys a new device makes; the library's 812 when absent.
    pub pre_keys: Option<usize>,
    /// How many connections are begun in a second.
    pub connects_per_second: u32,
    /// What phones show in their list of linked devices.
    pub device_name: String,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            shards: 64,
            terms: Terms::default(),
            server: WhatsAppServer::default(),
            pacing: Pacing::default(),
            pre_keys: None,
            connects_per_second: 20,
            device_name: "Hantar".to_owned(),
        }
    }
}

/// Where WhatsApp, or what stands in for it, is.
#[derive(Debug, Clone)]
pub struct WhatsAppServer {
    /// `ws` or `wss`.
    pub url: String,
    /// The version of the web client to say. When absent: the one that the server itself tells, looked up once a day for
    /// the whole fleet; the pinned one where it does not.
    pub version: Option<(u32, u32, u32)>,
    /// Certificates (PEM) to trust beside the public roots.
    pub extra_root_pem: Option<Vec<u8>>,
}

impl Default for WhatsAppServer {
    fn default() -> Self {
        Self { url: WHATSAPP.to_owned(), version: None, extra_root_pem: None }
    }
}

/// Why a host does not start.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The address of WhatsApp is wrong: mend the configuration.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The extra certificate is wrong: mend the configuration.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The tables do not answer: try again.
    #[error("the tables do not answer")]
    Port(#[from] PortError),
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFacts {
    /// Shards that it works for.
    pub shards: usize,
    /// Devices that it looks after.
    pub devices: usize,
    /// Devices that are logged in.
    pub connected: usize,
    /// Connected devices not heard of for five minutes.
    pub silent: usize,
    /// Messages written and not answered for a minute and more.
    pub unacked: usize,
}

/// A running host. Dropping it stops everything at once, as a crash would; see [`DeviceHost::drain`].
pub struct DeviceHost {
    place: Arc<Workplace>,
    draining: watch::Sender<bool>,
    keeper: JoinHandle<()>,
}

impl DeviceHost {
    /// Starts a host. It takes its shards when it has seen who else is there. Needs a Tokio runtime.
    pub async fn start(parts: HostParts, config: HostConfig) -> Result<Self, HostError> {
        if cfg!(feature = "simulator") {
            tracing::warn!(
                "this build takes any server for WhatsApp (feature `simulator`): never run it for customers"
            );
        }
        let tls = tls::client_config(config.server.extra_root_pem.as_deref())?;
        let server = Server::new(&config.server.url, tls)?;
        let shards = parts.fleet.shard_count(config.shards).await?;
        let clock = Arc::clone(&parts.clock);
        let shared = Shared {
            keys: parts.keys,
            account_keys: parts.account_keys,
            numbers: Arc::new(Numbers::new(Arc::clone(&parts.fleet), NUMBER_BLOCK)),
            clock: parts.clock,
            entropy: parts.entropy,
            identity: Identity { name: config.device_name, pre_keys: config.pre_keys },
            versions: Versions::new(config.server.version, server.clone(), Arc::clone(&parts.fleet), clock),
            server,
            pacing: config.pacing,
            connects: Rate::per_second(config.connects_per_second),
            connected: AtomicUsize::default(),
            files: Files::new(parts.blobs, parts.download),
            metrics: Arc::new(Metrics::new()),
        };
        let place = Arc::new(Workplace::new(parts.fleet, parts.tenants, parts.queue, shards, Arc::new(shared)));
        let (draining, drain) = watch::channel(false);
        let keeper = Keeper::new(parts.leases, config.terms, shards, Arc::clone(&place));
        Ok(Self { place, draining, keeper: tokio::spawn(keeper.run(drain)) })
    }

    /// How it stands now.
    pub fn facts(&self) -> HostFacts {
        let summary = self.place.shared.metrics.summary(self.place.shared.clock.now());
        HostFacts {
            shards: self.place.shards_held(),
            devices: self.place.devices.load(Ordering::Relaxed),
            connected: self.place.shared.connected.load(Ordering::Relaxed),
            silent: summary.silent,
            unacked: summary.overdue,
        }
    }

    /// Whether it goes about its work at all: if not, only a new start helps.
    pub fn is_alive(&self) -> bool {
        !self.keeper.is_finished()
    }

    /// Whether its right to act holds now. Not while the tables do not answer, and not before they have answered once.
    pub fn is_ready(&self) -> bool {
        self.is_alive() && self.place.is_leased()
    }

    /// What can be measured, as Prometheus reads it.
    pub fn metrics(&self) -> String {
        self.place.shared.metrics.text(self.place.shared.clock.now(), self.place.shards_held())
    }

    /// Leaves in order: no more jobs, what is on the wire is finished, sockets closed, shards given back, heartbeat ended.
    /// Takes at most 25 s.
    pub async fn drain(mut self) {
        self.draining.send_replace(true);
        if tokio::time::timeout(DRAIN_LIMIT, &mut self.keeper).await.is_err() {
            tracing::warn!("the host did not leave in time; its shards go over when its lease ends");
        }
    }
}

impl Drop for DeviceHost {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}
