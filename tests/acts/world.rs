//! What the tests run in: one pair of engines, and as many "processes" on them as a test wants.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::ids::{AccountId, DeviceId, EndpointId, Shard};
use hantar_domain::pacing::Pacing;
use hantar_domain::time::Timestamp;
use hantar_domain::user::Email;
use hantar_jobs::count::Counter;
use hantar_jobs::deliver_webhook::Deliverer;
use hantar_jobs::relay::{Record, Relay};
use hantar_jobs::sweep::Sweeper;
use hantar_jobs::work::Worker;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::blobs::{FolderBlobs, Signer};
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::faults::{FaultPlan, FaultyClient};
use hantar_platform::key_file::KeyFile;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_queues::embedded::QueueEngine;
use hantar_store::stream::change;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_testkit::clock::{FrozenClock, SeededEntropy};
use hantar_testkit::mailbox::Mailbox;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::found_account::{Founders, NewAccount, found_account};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Fleet, Job, JobQueue, KeyWrap, PortError, Queue, Tenants};
use hantar_usecases::sweep_device::Swept;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::home::Home;

/// How many shards the tests settle on.
pub(crate) const SHARDS: u16 = 4;
/// What a test's subscribers need: they listen on the loopback.
pub(crate) const LOOPBACK: &str = "127.0.0.0/8";
/// The table that has the stream.
const BUSINESS: &str = "acts-business";

/// The engines, and time.
pub(crate) struct World {
    pub(crate) clock: FrozenClock,
    pub(crate) dynamo: DynamoEngine,
    pub(crate) faults: FaultyClient,
    queues: QueueEngine,
    entropy: SeededEntropy,
    key: KeyFile,
    mailbox: Mailbox,
    folder: TempDir,
}

/// What one process would hold: nothing in it outlives it but what is in the engines.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) fleet: Arc<dyn Fleet>,
    pub(crate) tenants: Arc<dyn Tenants>,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) keys: Arc<AccountKeys>,
    pub(crate) wrap: Arc<dyn KeyWrap>,
    pub(crate) clock: FrozenClock,
    pub(crate) entropy: SeededEntropy,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) mailbox: Mailbox,
}

/// A clock that always says the same: for rules that hold from one exact moment on.
struct Stopped(Timestamp);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn running(&self) -> Duration {
        Duration::ZERO
    }
}

impl World {
    /// Fresh engines with tables and queues; dice are thrown from `seed`.
    pub(crate) async fn new(seed: u64) -> Self {
        let clock = FrozenClock::default();
        let milliseconds = clock.clone();
        let dynamo = DynamoEngine::in_memory().unwrap();
        let queues = QueueEngine::in_memory(Arc::new(move || milliseconds.now().0.div_euclid(1000))).unwrap();
        let folder = TempDir::new().unwrap();
        let entropy = SeededEntropy::new(seed);
        let key = KeyFile::open(&folder.path().join("master.key"), &entropy).unwrap();
        let faults = FaultyClient::new(dynamo.http_client(), FaultPlan::default(), seed);
        let world = Self { clock, dynamo, faults, queues, entropy, key, mailbox: Mailbox::default(), folder };
        let process = world.process();
        process.fleet.prepare().await.unwrap();
        process.fleet.shard_count(SHARDS).await.unwrap();
        process.queue.prepare(SHARDS).await.unwrap();
        world
    }

    /// A process that has just started.
    pub(crate) fn process(&self) -> Process {
        self.process_on(|store| store)
    }

    /// A process of an installation that charges for nothing.
    pub(crate) fn free_process(&self) -> Process {
        self.process_on(Store::free_of_charge)
    }

    fn process_on(&self, changed: impl FnOnce(Store) -> Store) -> Process {
        let (endpoint, time) = (AwsEndpoint::in_process(), SharedTimeSource::new(SystemTimeSource::new()));
        let tables = Connector::InProcess(self.faults.http_client());
        let queues = Connector::InProcess(self.queues.http_client());
        let entropy = Arc::new(self.entropy.clone());
        let around =
            Surroundings { clock: Arc::new(self.clock.clone()), entropy: entropy.clone(), sleep: Arc::new(TokioSleep) };
        let dynamodb = dynamodb(&endpoint, tables, tokio_sleep(), time.clone());
        let store = changed(Store::new(dynamodb, TableNames::with_prefix("acts"), around));
        let queue = SqsQueues::new(sqs(&endpoint, queues, tokio_sleep(), time), "acts".into());
        let (fleet, tenants) = (store.fleet(), store.tenants());
        let wrap: Arc<dyn KeyWrap> = Arc::new(self.key.clone());
        Process {
            keys: Arc::new(AccountKeys::new(tenants.clone(), wrap.clone(), entropy)),
            numbers: Arc::new(Numbers::new(fleet.clone(), 100)),
            fleet,
            tenants,
            queue: Arc::new(queue),
            wrap,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            blobs: Arc::new(self.blobs()),
            mailbox: self.mailbox.clone(),
        }
    }

    /// The folder of large things.
    pub(crate) fn blobs(&self) -> FolderBlobs {
        let signer = Signer::new([7; 32], Arc::new(self.clock.clone()));
        FolderBlobs::served(self.folder.path().join("blobs"), signer)
    }

    /// A new account, in a process of its own.
    pub(crate) async fn home(&self, credits: i64) -> Home {
        let process = self.process();
        let number = process.fleet.accounts().await.unwrap().len();
        let new = NewAccount {
            name: "Kedai".into(),
            email: Email::parse(&format!("owner{number}@example.com")).unwrap(),
            verified: true,
            credits,
            device_name: "Shop".into(),
        };
        let founding = found_account(&process.founders(), new).await.unwrap().unwrap();
        Home { account: founding.account.id, owner: founding.owner.id, device: founding.device.id, process }
    }

    /// All items of both tables, by table and keys.
    pub(crate) async fn items(&self) -> BTreeMap<(String, String, String), Value> {
        let mut items = BTreeMap::new();
        for table in [BUSINESS, "acts-engine"] {
            let mut request = json!({ "TableName": table });
            loop {
                let (status, answer) = self.dynamo.call("Scan", request.to_string().as_bytes()).await;
                assert_eq!(status, 200, "{answer}");
                let mut answer: Value = serde_json::from_str(&answer).unwrap();
                for item in answer["Items"].as_array().unwrap() {
                    let key = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
                    items.insert((table.to_owned(), key("pk"), key("sk")), item.clone());
                }
                match answer["LastEvaluatedKey"].take() {
                    Value::Null => break,
                    next => request["ExclusiveStartKey"] = next,
                }
            }
        }
        items
    }

    /// The names of all deliveries that are stored for an account.
    pub(crate) async fn deliveries(&self, account: AccountId) -> BTreeSet<(EndpointId, String)> {
        let items = self.items().await;
        let own = items.keys().filter(|(_, pk, _)| *pk == format!("A#{account}#W"));
        own.map(|(_, _, sk)| {
            let (endpoint, event) = sk.strip_prefix("DLV#").unwrap().split_once('#').unwrap();
            (endpoint.parse().unwrap(), event.to_owned())
        })
        .collect()
    }

    /// The oldest changes that were not consumed, and through which number they go.
    pub(crate) async fn stream(&self, max: usize) -> Option<(Vec<Record>, u64)> {
        let batch = self.dynamo.stream_batch(BUSINESS, max).await.unwrap();
        let last = batch.last()?.sequence;
        let read = |record: &hantar_platform::embedded::StreamRecord| {
            let change = change(record.old.as_ref(), record.new.as_ref()).unwrap()?;
            Some(Record { sequence: record.sequence.into(), change })
        };
        Some((batch.iter().filter_map(read).collect(), last))
    }

    pub(crate) async fn consume(&self, through: u64) {
        self.dynamo.consume(BUSINESS, through).await.unwrap();
    }

    /// Lets what happened so far go by.
    pub(crate) async fn skip_stream(&self) {
        while let Some((_, through)) = self.stream(1000).await {
            self.consume(through).await;
        }
    }

    /// Relays all that is in the stream.
    pub(crate) async fn relay(&self, process: &Process) {
        while let Some((records, through)) = self.stream(200).await {
            handle(&process.relay(), "local", &records).await.unwrap();
            self.consume(through).await;
        }
    }
}

/// A batch is relayed and then counted.
pub(crate) async fn handle(relay: &Relay, stream: &str, records: &[Record]) -> Result<(), PortError> {
    relay.handle(records).await?;
    Counter { tenants: relay.tenants.clone() }.handle(stream, records).await
}

/// The way out, where these networks may be called.
pub(crate) fn guarded(allowed: &str) -> GuardedEgress {
    GuardedEgress::new(EgressSettings { allowed: allowed.parse().unwrap(), ..EgressSettings::default() }).unwrap()
}

impl Process {
    pub(crate) fn founders(&self) -> Founders<'_> {
        Founders {
            fleet: self.fleet.as_ref(),
            numbers: &self.numbers,
            wrap: self.wrap.as_ref(),
            entropy: &self.entropy,
            clock: &self.clock,
        }
    }

    pub(crate) fn relay(&self) -> Relay {
        Relay {
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            shards: SHARDS,
            numbers: self.numbers.clone(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// A worker that may call the loopback.
    pub(crate) fn deliverer(&self) -> Deliverer {
        self.deliverer_with(LOOPBACK, LOOPBACK)
    }

    /// A worker whose own list and whose egress's list are these.
    pub(crate) fn deliverer_with(&self, own: &str, egress: &str) -> Deliverer {
        Deliverer {
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            egress: Arc::new(guarded(egress)),
            keys: self.keys.clone(),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(self.entropy.clone()),
            allowed: own.parse().unwrap(),
        }
    }

    fn sweeper(&self, clock: Arc<dyn Clock>) -> Sweeper {
        Sweeper { fleet: self.fleet.clone(), tenants: self.tenants.clone(), queue: self.queue.clone(), clock }
    }

    /// Sweeps all shards at this very moment.
    pub(crate) async fn try_sweep_at(&self, moment: Timestamp) -> Result<Swept, PortError> {
        let sweeper = self.sweeper(Arc::new(Stopped(moment)));
        let (mut total, mut failure) = (Swept::default(), None);
        for shard in 0..SHARDS {
            match sweeper.shard(Shard(shard)).await {
                Ok(swept) => {
                    total.ring |= swept.ring;
                    total.silent += swept.silent;
                    total.refunded += swept.refunded;
                }
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(total), Err)
    }

    /// Sweeps all shards at this very moment; nothing goes wrong.
    pub(crate) async fn sweep_at(&self, moment: Timestamp) -> Swept {
        self.try_sweep_at(moment).await.unwrap()
    }

    /// Rings for due deliveries, by the world's clock.
    pub(crate) async fn sweep_deliveries(&self) -> usize {
        self.sweeper(Arc::new(self.clock.clone())).deliveries().await.unwrap()
    }

    /// Rings for due work, by the world's clock.
    pub(crate) async fn sweep_work(&self) -> usize {
        self.sweeper(Arc::new(self.clock.clone())).work().await.unwrap()
    }

    /// What does long work.
    pub(crate) fn worker(&self) -> Worker {
        Worker {
            fleet: self.fleet.clone(),
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            numbers: self.numbers.clone(),
            blobs: self.blobs.clone(),
            mail: Arc::new(self.mailbox.clone()),
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(self.entropy.clone()),
            shards: SHARDS,
            pacing: Pacing::default(),
        }
    }

    /// Does steps of long work as long as doorbells of it can be seen. Answers how many it did.
    pub(crate) async fn work(&self) -> usize {
        let (worker, mut steps) = (self.worker(), 0);
        loop {
            let jobs = self.jobs(Queue::Jobs).await;
            if jobs.is_empty() {
                return steps;
            }
            for job in jobs {
                let Job::Work { account, work } = job else { panic!("{job:?} in the queue of long work") };
                worker.work(account, work).await.unwrap();
                steps += 1;
            }
        }
    }

    /// Takes all jobs that can be seen out of a queue.
    pub(crate) async fn jobs(&self, queue: Queue) -> Vec<Job> {
        let mut jobs = Vec::new();
        loop {
            let received = self.queue.receive(queue, Duration::ZERO).await.unwrap();
            if received.is_empty() {
                return jobs;
            }
            let receipts: Vec<_> = received.iter().map(|one| one.receipt.clone()).collect();
            self.queue.done(queue, &receipts).await.unwrap();
            jobs.extend(received.into_iter().map(|one| one.job.unwrap()));
        }
    }

    /// Takes all devices' jobs that can be seen, each from the shard that is its own.
    pub(crate) async fn rings(&self) -> Vec<(AccountId, DeviceId)> {
        let mut rings = Vec::new();
        for shard in (0..SHARDS).map(Shard) {
            for job in self.jobs(Queue::Shard(shard)).await {
                let Job::Device { account, device } = job else { panic!("{job:?} in a shard's queue") };
                assert_eq!(Shard::of(device, SHARDS), shard, "device {device} was rung elsewhere");
                rings.push((account, device));
            }
        }
        rings
    }

    /// Takes the events whose deliveries were rung for.
    pub(crate) async fn rung_events(&self) -> Vec<(EndpointId, String)> {
        let jobs = self.jobs(Queue::Webhooks).await.into_iter();
        jobs.map(|job| match job {
            Job::Delivery { endpoint, event, .. } => (endpoint, event.0),
            Job::Device { .. } | Job::Command { .. } | Job::Work { .. } => panic!("{job:?} in the queue of deliveries"),
        })
        .collect()
    }
}
