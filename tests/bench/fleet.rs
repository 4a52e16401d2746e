//! A fleet: three host processes on tables and queues that they reach over loopback, many devices under steady sending, and
//! the simulated network that they are on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, stream};
use hantar_device_host::{DeviceHost, HostConfig, WhatsAppServer};
use hantar_domain::device::Status;
use hantar_domain::ids::{AccountId, DeviceId, Shard};
use hantar_domain::user::Email;
use hantar_local::engines::Engines;
use hantar_local::relay_loop;
use hantar_local::stack::Stack;
use hantar_platform::clock::SystemClock;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::entropy::SystemEntropy;
use hantar_simulator::{Network, Simulator, SimulatorConfig, StanzaDirection, StanzaFilter};
use hantar_testkit::aws_server::AwsServer;
use hantar_testkit::process::Process;
use hantar_usecases::found_account::{NewAccount, add_device, found_account};
use hantar_usecases::link_device::want_pairing;
use hantar_usecases::ports::{Clock, HostId, Tenant};
use hantar_usecases::send_message::{Draft, send_message};
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

const CUSTOMER: &str = "60123456789";
/// So that three hosts can have equal shares, and one more after them.
const SHARDS: u16 = 48;
/// Longer than anything takes that works, on a busy machine.
const LONG: Duration = Duration::from_mins(10);
/// How many devices are linked at a time.
const LINKING: usize = 16;

/// One device and its number.
#[derive(Clone, Debug)]
pub(crate) struct Till {
    pub(crate) device: DeviceId,
    pub(crate) phone: String,
}

pub(crate) struct Fleet {
    pub(crate) simulator: Simulator,
    pub(crate) stack: Stack,
    pub(crate) tills: Vec<Till>,
    account: AccountId,
    tenant: Arc<dyn Tenant>,
    aws: AwsServer,
    folder: TempDir,
    _relay: JoinSet<()>,
}

/// A host process and its name in the table.
pub(crate) struct Host {
    pub(crate) process: Process,
    pub(crate) name: HostId,
}

impl Fleet {
    /// Tables, queues and so many linked devices; no host yet.
    pub(crate) async fn open(devices: usize) -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        settle_shards(folder.path(), &clock).await?;
        let engines = Engines::open(folder.path(), &clock)?;
        let aws = AwsServer::start(engines.dynamo.clone(), engines.queues.clone()).await;
        let stack = stack(engines, &clock).await?;
        ensure!(stack.shards == SHARDS, "{} shards", stack.shards);

        let config = SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 5, state_file: None };
        let simulator = Simulator::start(config).await?;
        simulator.network().create_phone(CUSTOMER, "Ali")?;
        let new = NewAccount {
            name: "Bench".into(),
            email: Email::parse("bench@example.com")?,
            verified: true,
            credits: 100_000_000,
            device_name: "till".into(),
        };
        let account = found_account(&stack.founders(), new).await?.context("a new account")?.account.id;
        let tenant = stack.tenants.for_account(account);
        for number in 1..devices {
            add_device(&stack.founders(), tenant.as_ref(), account, format!("till {number}")).await?;
        }
        let known = tenant.devices().await?;
        let tills: Vec<_> = known
            .iter()
            .map(|device| Till { device: device.id, phone: format!("6011{:08}", 30_000_000 + device.id.0) })
            .collect();
        for till in &tills {
            simulator.network().create_phone(&till.phone, "Shop")?;
        }
        let mut relay = JoinSet::new();
        relay.spawn(relay_loop::run(stack.readers()));
        let fleet = Self { simulator, stack, tills, account, tenant, aws, folder, _relay: relay };
        fleet.link().await?;
        Ok(fleet)
    }

    pub(crate) fn network(&self) -> &Network {
        self.simulator.network()
    }

    /// Links all devices by a host in this process, which then leaves.
    async fn link(&self) -> anyhow::Result<()> {
        let server =
            WhatsAppServer { url: self.simulator.websocket_url(), version: Some((2, 3000, 1)), extra_root_pem: None };
        let config = HostConfig {
            shards: SHARDS,
            server,
            pre_keys: Some(16),
            connects_per_second: 200,
            ..HostConfig::default()
        };
        let host =
            DeviceHost::start(self.stack.host_parts(Arc::new(GuardedEgress::new(EgressSettings::default())?)), config)
                .await?;
        let linking = stream::iter(&self.tills).map(|till| self.link_one(till)).buffer_unordered(LINKING);
        linking.collect::<Vec<_>>().await.into_iter().collect::<anyhow::Result<()>>()?;
        host.drain().await;
        Ok(())
    }

    async fn link_one(&self, till: &Till) -> anyhow::Result<()> {
        let device = self.tenant.device(till.device).await?.context("the device")?;
        want_pairing(self.tenant.as_ref(), self.stack.clock.as_ref(), device).await?;
        let code = self.until("a QR code", async || Ok(self.device(till).await?.pairing_code)).await?;
        self.network().scan_qr(&code.text, Some(&till.phone))?;
        self.until("a linked device", async || Ok((self.device(till).await?.status == Status::Connected).then_some(())))
            .await
    }

    async fn device(&self, till: &Till) -> anyhow::Result<hantar_domain::device::Device> {
        self.tenant.device(till.device).await?.context("the device")
    }

    /// Starts a host process, and waits until it is in the table.
    pub(crate) async fn host(&self, key: &str) -> anyhow::Result<Host> {
        let known = self.alive().await?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("device-host");
        command.env("HANTAR_AWS_ENDPOINT_URL", &self.aws.url).env("HANTAR_AWS_REGION", "local");
        command.env("HANTAR_AWS_ACCESS_KEY_ID", key).env("HANTAR_AWS_SECRET_ACCESS_KEY", "secret");
        command.env("HANTAR_BUSINESS_TABLE", &self.stack.tables.business);
        command.env("HANTAR_ENGINE_TABLE", &self.stack.tables.engine);
        command.env("HANTAR_KEY_FILE", self.folder.path().join("master.key")).env("HANTAR_LISTEN", "127.0.0.1:0");
        command.env("HANTAR_WHATSAPP_URL", self.simulator.websocket_url());
        command.env("HANTAR_WHATSAPP_VERSION", "2.3000.1").env("HANTAR_LOG", "warn,hantar_device_host=info");
        let process = Process::start(command);
        let name = self
            .until("a new host in the table", async || Ok(self.alive().await?.difference(&known).next().cloned()))
            .await?;
        Ok(Host { process, name })
    }

    async fn alive(&self) -> anyhow::Result<BTreeSet<HostId>> {
        let beats = self.stack.leases.heartbeats().await?;
        Ok(beats.into_iter().filter(|beat| !beat.ended && !beat.leaving).map(|beat| beat.host).collect())
    }

    /// How many shards each living host has.
    async fn shares(&self) -> anyhow::Result<BTreeMap<HostId, usize>> {
        let mut shares: BTreeMap<_, usize> = self.alive().await?.into_iter().map(|host| (host, 0)).collect();
        for owner in self.stack.leases.shards().await?.into_iter().filter_map(|lease| lease.owner) {
            shares.entry(owner).and_modify(|count| *count += 1);
        }
        Ok(shares)
    }

    /// Waits until `hosts` of them have all shards between them, evenly, and all devices are logged in.
    pub(crate) async fn settled(&self, hosts: usize) -> anyhow::Result<()> {
        self.until("an even share", async || {
            let shares = self.shares().await?;
            let (most, least) = (shares.values().max(), shares.values().min());
            let even = most.zip(least).is_some_and(|(most, least)| most - least <= 1);
            let all = shares.values().sum::<usize>() == usize::from(SHARDS);
            Ok((shares.len() == hosts && even && all).then_some(()))
        })
        .await?;
        self.until("all devices online", async || Ok((self.online() == self.tills.len()).then_some(()))).await
    }

    /// How many devices are logged in.
    pub(crate) fn online(&self) -> usize {
        let phones = self.network().phones();
        phones.iter().flat_map(|phone| &phone.devices).filter(|device| device.connected).count()
    }

    /// The devices of a host's shards.
    pub(crate) async fn tills_of(&self, host: &HostId) -> anyhow::Result<Vec<Till>> {
        let leases = self.stack.leases.shards().await?;
        let theirs = |till: &&Till| {
            let shard = Shard::of(till.device, SHARDS);
            leases.iter().any(|lease| lease.shard == shard && lease.owner.as_ref() == Some(host))
        };
        Ok(self.tills.iter().filter(theirs).cloned().collect())
    }

    /// When a device first wrote a message after this moment (milliseconds since 1970).
    pub(crate) fn first_message_after(&self, till: &Till, moment: u64) -> Option<u64> {
        let filter = StanzaFilter {
            phone: Some(till.phone.clone()),
            tag: Some("message".into()),
            direction: Some(StanzaDirection::In),
            ..StanzaFilter::default()
        };
        self.network().stanzas(&filter).iter().map(|stanza| stanza.at_ms).find(|at| *at > moment)
    }

    /// Looks again and again until `look` finds something.
    pub(crate) async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + LONG;
        loop {
            if let Some(found) = look().await? {
                return Ok(found);
            }
            ensure!(Instant::now() < deadline, "waited in vain for {what}: {:?}", self.shares().await?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// One machine has four shards; a fleet has more.
async fn settle_shards(folder: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    let stack = stack(Engines::open(folder, clock)?, clock).await?;
    let settings = json!({
        "TableName": stack.tables.engine,
        "Item": { "pk": { "S": "SETTINGS" }, "sk": { "S": "SETTINGS" }, "shards": { "N": SHARDS.to_string() } },
    });
    let (status, body) = stack.dynamo.call("DynamoDB_20120810.PutItem", settings.to_string().as_bytes()).await;
    ensure!(status == 200, "the number of shards: {body}");
    Ok(())
}

async fn stack(engines: Engines, clock: &Arc<dyn Clock>) -> anyhow::Result<Stack> {
    let (tables, queues) = (engines.dynamo.http_client(), engines.queues.http_client());
    Stack::on(engines, tables, queues, clock.clone(), Arc::new(SystemEntropy)).await
}

/// Every device sends steadily until it is told to stop.
pub(crate) struct Sending {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<anyhow::Result<(String, usize)>>,
}

impl Sending {
    /// Each device sends one message in `every`.
    pub(crate) fn begin(fleet: &Fleet, every: Duration) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let mut tasks = JoinSet::new();
        for (number, till) in fleet.tills.iter().enumerate() {
            let (stop, stack, till, account) = (stop.clone(), fleet.stack.clone(), till.clone(), fleet.account);
            // Spread over the span, so that they do not all send at one moment.
            let offset = every.mul_f64(number as f64 / fleet.tills.len() as f64);
            tasks.spawn(async move {
                let mut ticks = interval_at(Instant::now() + offset, every);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let tenant = stack.tenants.for_account(account);
                let mut count = 0;
                while !stop.load(Ordering::Acquire) {
                    ticks.tick().await;
                    let draft = Draft {
                        phone: format!("+{CUSTOMER}"),
                        body: text(&till.phone, count),
                        device: Some(till.device),
                        ..Draft::default()
                    };
                    send_message(tenant.as_ref(), &stack.numbers, stack.clock.as_ref(), account, draft).await?;
                    count += 1;
                }
                Ok((till.phone, count))
            });
        }
        Self { stop, tasks }
    }

    /// Stops, waits until all arrived, and makes sure that each arrived once and in order. Answers how many, and how many
    /// stanzas came twice.
    pub(crate) async fn end(mut self, fleet: &Fleet) -> anyhow::Result<(usize, usize)> {
        self.stop.store(true, Ordering::Release);
        let mut expected = BTreeMap::new();
        while let Some(sent) = self.tasks.join_next().await {
            let (phone, count) = sent??;
            expected.insert(phone, count);
        }
        let all: usize = expected.values().sum();
        let arrived = || -> anyhow::Result<usize> {
            Ok(fleet.network().messages(CUSTOMER)?.iter().filter(|message| !message.from_me).count())
        };
        fleet.until("all messages on the phone", async || Ok((arrived()? >= all).then_some(()))).await?;
        let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for message in fleet.network().messages(CUSTOMER)?.into_iter().filter(|message| !message.from_me) {
            shown.entry(message.from).or_default().push(message.text);
        }
        for (phone, count) in &expected {
            let wanted: Vec<_> = (0..*count).map(|number| text(phone, number)).collect();
            let found = shown.remove(phone).unwrap_or_default();
            ensure!(found == wanted, "{phone}: lost, doubled or out of order: {found:?}");
        }
        ensure!(shown.is_empty(), "messages that nobody sent: {shown:?}");
        Ok((all, fleet.repeated()))
    }
}

impl Fleet {
    /// How many message stanzas came more than once.
    fn repeated(&self) -> usize {
        let filter = StanzaFilter {
            tag: Some("message".into()),
            direction: Some(StanzaDirection::In),
            ..StanzaFilter::default()
        };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for stanza in self.network().stanzas(&filter) {
            *counts.entry(stanza.id.unwrap_or_default()).or_default() += 1;
        }
        counts.values().filter(|count| **count > 1).count()
    }
}

fn text(phone: &str, number: usize) -> String {
    format!("{phone} {number}")
}

/// Now, as the network notes it.
pub(crate) fn milliseconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}
