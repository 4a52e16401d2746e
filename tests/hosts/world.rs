//! One installation: the tables and queues that several hosts reach over HTTP, the relay, a shop with a number in every
//! shard, and the simulated network.
//!
//! No sweep runs here: whatever a hand-over needs, it must find by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hantar_domain::device::{Device, Status};
use hantar_domain::ids::{AccountId, DeviceId, Epoch, MessageId, Shard};
use hantar_domain::message::{Message, State};
use hantar_domain::user::Email;
use hantar_local::engines::Engines;
use hantar_local::relay_loop;
use hantar_local::stack::Stack;
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_simulator::{
    LoggedStanza, Network, PhoneMessage, Simulator, SimulatorConfig, StanzaDirection, StanzaFilter,
};
use hantar_testkit::aws_server::AwsServer;
use hantar_usecases::found_account::{NewAccount, add_device, found_account};
use hantar_usecases::link_device::want_pairing;
use hantar_usecases::ports::{Clock, HostId, ShardLease, Tenant};
use hantar_usecases::send_message::{Draft, send_message};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A customer's number.
pub(crate) const ALI: &str = "60123456789";
/// Longer than anything takes that is not broken, on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(90);
/// The pause between two looks at something that sends no notification.
const PULSE: Duration = Duration::from_millis(20);
/// One device for each of the four shards: by their hashes, the numbers 1 to 4 fall into all of them.
const DEVICES: usize = 4;

/// One of the shop's numbers.
#[derive(Clone, Debug)]
pub(crate) struct Till {
    pub(crate) device: DeviceId,
    pub(crate) phone: String,
}

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    /// Where the hosts find WhatsApp.
    pub(crate) whatsapp: String,
    pub(crate) aws: AwsServer,
    pub(crate) stack: Stack,
    pub(crate) account: AccountId,
    pub(crate) tenant: Arc<dyn Tenant>,
    pub(crate) tills: Vec<Till>,
    folder: TempDir,
    _relay: JoinSet<()>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engines = Engines::open(folder.path(), &clock).unwrap();
        let aws = AwsServer::start(engines.dynamo.clone(), engines.queues.clone()).await;
        let (tables, queues) = (engines.dynamo.http_client(), engines.queues.http_client());
        let stack = Stack::on(engines, tables, queues, clock, Arc::new(SystemEntropy)).await.unwrap();
        let config = SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 7, state_file: None };
        let simulator = Simulator::start(config).await.unwrap();
        simulator.network().create_phone(ALI, "Ali").unwrap();

        let email = Email::parse("owner@example.com").unwrap();
        let new =
            NewAccount { name: "Shop".into(), email, verified: true, credits: 100_000, device_name: "till 1".into() };
        let founding = found_account(&stack.founders(), new).await.unwrap().unwrap();
        let account = founding.account.id;
        let tenant = stack.tenants.for_account(account);
        for number in 2..=DEVICES {
            add_device(&stack.founders(), tenant.as_ref(), account, format!("till {number}")).await.unwrap();
        }
        let devices = tenant.devices().await.unwrap();
        let tills = devices.iter().map(|device| Till { device: device.id, phone: format!("6011100000{}", device.id) });
        let tills: Vec<_> = tills.collect();
        let shards: BTreeSet<_> = tills.iter().map(|till| Shard::of(till.device, stack.shards)).collect();
        assert_eq!(shards.len(), usize::from(stack.shards), "each shard has a device, so that each host has some");
        for till in &tills {
            simulator.network().create_phone(&till.phone, "Shop").unwrap();
        }
        let mut relay = JoinSet::new();
        relay.spawn(relay_loop::run(stack.readers()));
        Self {
            whatsapp: simulator.websocket_url(),
            simulator,
            aws,
            stack,
            account,
            tenant,
            tills,
            folder,
            _relay: relay,
        }
    }

    pub(crate) fn network(&self) -> &Network {
        self.simulator.network()
    }

    /// A folder of this world's own.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The key file that all hosts share.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    /// Links every number, as people do with the QR codes.
    pub(crate) async fn link(&self) {
        for till in &self.tills {
            let code = self.code(till).await;
            self.network().scan_qr(&code, Some(&till.phone)).unwrap();
        }
        self.connected().await;
    }

    /// Asks for a QR code, and waits until one is shown.
    pub(crate) async fn code(&self, till: &Till) -> String {
        self.want(till).await;
        let shown = self.until("a QR code", async || self.device(till).await.pairing_code).await;
        shown.text
    }

    pub(crate) async fn want(&self, till: &Till) {
        let device = self.device(till).await;
        want_pairing(self.tenant.as_ref(), self.stack.clock.as_ref(), device).await.unwrap();
    }

    pub(crate) async fn device(&self, till: &Till) -> Device {
        self.tenant.device(till.device).await.unwrap().unwrap()
    }

    /// Waits until all devices are logged in, as the network and the tables see it.
    pub(crate) async fn connected(&self) {
        self.until("all devices connected", async || {
            for till in &self.tills {
                if !self.is_online(till) || self.device(till).await.status != Status::Connected {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// Whether the network has a connection of the device.
    pub(crate) fn is_online(&self, till: &Till) -> bool {
        self.network().phone(&till.phone).unwrap().devices.iter().any(|device| device.connected)
    }

    /// Accepts a message to Ali.
    pub(crate) async fn send(&self, till: &Till, text: &str) -> MessageId {
        accept(&self.stack, self.account, till.device, text).await
    }

    pub(crate) async fn message(&self, id: MessageId) -> Message {
        self.tenant.message(id).await.unwrap().unwrap()
    }

    /// Waits until the server's answer to all of them is on record.
    pub(crate) async fn sent(&self, ids: &[MessageId]) {
        for id in ids {
            self.until(&format!("message {id} to be sent"), async || {
                matches!(self.message(*id).await.state, State::Sent | State::Delivered | State::Read).then_some(())
            })
            .await;
        }
    }

    /// What Ali's phone shows of each number, in order of arrival, once there are `count` in all.
    pub(crate) async fn shown(&self, count: usize) -> BTreeMap<String, Vec<PhoneMessage>> {
        self.until(&format!("{count} messages on the phone"), async || (self.arrived().len() >= count).then_some(()))
            .await;
        let mut shown = BTreeMap::<String, Vec<PhoneMessage>>::new();
        for message in self.arrived() {
            shown.entry(message.from.clone()).or_default().push(message);
        }
        shown
    }

    pub(crate) fn arrived(&self) -> Vec<PhoneMessage> {
        let messages = self.network().messages(ALI).unwrap();
        messages.into_iter().filter(|message| !message.from_me).collect()
    }

    /// The stanzas that a number's devices sent, oldest first; of this tag, or all.
    pub(crate) fn stanzas(&self, till: &Till, tag: Option<&str>) -> Vec<LoggedStanza> {
        let (phone, tag) = (Some(till.phone.clone()), tag.map(str::to_owned));
        self.network().stanzas(&StanzaFilter {
            phone,
            tag,
            direction: Some(StanzaDirection::In),
            ..StanzaFilter::default()
        })
    }

    /// The number of the last connection that a device of this number sent something by.
    pub(crate) fn connection(&self, till: &Till) -> u64 {
        self.stanzas(till, None).iter().map(|stanza| stanza.connection).max().unwrap_or(0)
    }

    /// How often each stanza id came that came more than once.
    pub(crate) fn repeated(&self, till: &Till) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for stanza in self.stanzas(till, Some("message")) {
            *counts.entry(stanza.id.unwrap_or_default()).or_default() += 1;
        }
        counts.retain(|_, count| *count > 1);
        counts
    }

    pub(crate) async fn leases(&self) -> Vec<ShardLease> {
        self.stack.leases.shards().await.unwrap()
    }

    /// The lease of a number's shard.
    pub(crate) async fn lease_of(&self, till: &Till) -> ShardLease {
        let shard = Shard::of(till.device, self.stack.shards);
        self.leases().await.into_iter().find(|lease| lease.shard == shard).unwrap()
    }

    pub(crate) async fn epoch_of(&self, till: &Till) -> Epoch {
        self.lease_of(till).await.epoch
    }

    /// The numbers whose shards `host` owns.
    pub(crate) async fn tills_of(&self, host: &HostId) -> Vec<Till> {
        let leases = self.leases().await;
        let is_theirs = |till: &&Till| {
            let shard = Shard::of(till.device, self.stack.shards);
            leases.iter().any(|lease| lease.shard == shard && lease.owner.as_ref() == Some(host))
        };
        self.tills.iter().filter(is_theirs).cloned().collect()
    }

    /// Waits until `host` owns so many shards.
    pub(crate) async fn owns(&self, host: &HostId, count: usize) {
        self.until(&format!("{host:?} to own {count} shards"), async || {
            let leases = self.leases().await;
            (leases.iter().filter(|lease| lease.owner.as_ref() == Some(host)).count() == count).then_some(())
        })
        .await;
    }

    /// The hosts that give signs of life, as far as the table says.
    pub(crate) async fn alive(&self) -> BTreeSet<HostId> {
        let heartbeats = self.stack.leases.heartbeats().await.unwrap();
        heartbeats.into_iter().filter(|beat| !beat.ended).map(|beat| beat.host).collect()
    }

    /// Looks again and again until `look` finds something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let found = tokio::time::timeout(LONG, async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(PULSE).await;
            }
        });
        match found.await {
            Ok(found) => found,
            Err(_) => {
                panic!("waited in vain for {what}; {:?}; {:#?}", self.leases().await, self.tenant.devices().await)
            }
        }
    }
}

/// Accepts a message to Ali.
pub(crate) async fn accept(stack: &Stack, account: AccountId, device: DeviceId, text: &str) -> MessageId {
    let draft = Draft { phone: format!("+{ALI}"), body: text.into(), device: Some(device), ..Draft::default() };
    let tenant = stack.tenants.for_account(account);
    send_message(tenant.as_ref(), &stack.numbers, stack.clock.as_ref(), account, draft).await.unwrap().id
}
