//! The ports on embedded parts, put together once for the server and for the commands.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use hantar_device_host::HostParts;
use hantar_domain::pacing::Pacing;
use hantar_jobs::count::Counter;
use hantar_jobs::relay::Relay;
use hantar_jobs::work::Worker;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::blobs::{FolderBlobs, Signer};
use hantar_platform::clock::SystemClock;
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::mail::LogMail;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::found_account::Founders;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{
    Blobs, Clock, Download, Entropy, Fleet, JobQueue, KeyTable, KeyWrap, Leases, Mail, Tenants,
};

use crate::engines::Engines;
use crate::relay_loop::Readers;

/// How many shards there are on one machine.
const SHARDS: u16 = 4;
/// How many message numbers a process reserves at a time.
const NUMBER_BLOCK: u64 = 100;

/// Everything below the use cases.
#[derive(Clone)]
pub struct Stack {
    /// The database engine, for its stream.
    pub dynamo: DynamoEngine,
    /// The tables' names.
    pub tables: TableNames,
    /// The fleet's records.
    pub fleet: Arc<dyn Fleet>,
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Heartbeats and shards.
    pub leases: Arc<dyn Leases>,
    /// Devices' keys.
    pub keys: Arc<dyn KeyTable>,
    /// Doorbells.
    pub queue: Arc<dyn JobQueue>,
    /// Wraps data keys.
    pub wrap: Arc<dyn KeyWrap>,
    /// Accounts' data keys.
    pub account_keys: Arc<AccountKeys>,
    /// Large things.
    pub blobs: Arc<dyn Blobs>,
    /// The folder that they are in, to be served.
    pub folder: Arc<FolderBlobs>,
    /// Letters.
    pub mail: Arc<dyn Mail>,
    /// Numbers of new things.
    pub numbers: Arc<Numbers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How many shards there are.
    pub shards: u16,
    store: Store,
}

impl Stack {
    /// What a device host works with. Files at foreign addresses are fetched by `download`.
    pub fn host_parts(&self, download: Arc<dyn Download>) -> HostParts {
        HostParts {
            blobs: self.blobs.clone(),
            download,
            fleet: self.fleet.clone(),
            tenants: self.tenants.clone(),
            leases: self.leases.clone(),
            keys: self.keys.clone(),
            queue: self.queue.clone(),
            account_keys: self.account_keys.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }

    /// Opens the data folder and prepares tables and queues. Repeatable, also while another process runs on it.
    pub async fn open(folder: &Path) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engines = Engines::open(folder, &clock)?;
        let (tables, queues) = (mortal(engines.dynamo.http_client()), mortal(engines.queues.http_client()));
        Self::on(engines, tables, queues, clock, Arc::new(SystemEntropy)).await
    }

    /// Puts the ports together on engines that are reached by these connectors, and prepares tables and queues.
    pub async fn on(
        engines: Engines,
        tables: SharedHttpClient,
        queues: SharedHttpClient,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> anyhow::Result<Self> {
        let time = SharedTimeSource::new(SystemTimeSource::new());
        let endpoint = AwsEndpoint::in_process();
        let names = TableNames { business: "hantar".into(), engine: "hantar-engine".into() };
        let dynamodb = dynamodb(&endpoint, Connector::InProcess(tables), tokio_sleep(), time.clone());
        let sqs = sqs(&endpoint, Connector::InProcess(queues), tokio_sleep(), time);
        let around = Surroundings { clock: clock.clone(), entropy: entropy.clone(), sleep: Arc::new(TokioSleep) };
        let store = Store::new(dynamodb, names.clone(), around);
        let queue: Arc<dyn JobQueue> = Arc::new(SqsQueues::new(sqs, "hantar".into()));
        let (fleet, tenants) = (store.fleet(), store.tenants());
        let signer = Signer::new(engines.key.derived("addresses of blobs"), clock.clone());
        let folder = Arc::new(FolderBlobs::served(engines.blobs, signer));
        let wrap: Arc<dyn KeyWrap> = Arc::new(engines.key);
        fleet.prepare().await.context("the tables cannot be prepared")?;
        let shards = fleet.shard_count(SHARDS).await?;
        queue.prepare(shards).await.context("the queues cannot be prepared")?;
        Ok(Self {
            dynamo: engines.dynamo,
            tables: names,
            account_keys: Arc::new(AccountKeys::new(tenants.clone(), wrap.clone(), entropy.clone())),
            blobs: folder.clone(),
            folder,
            mail: Arc::new(LogMail),
            numbers: Arc::new(Numbers::new(fleet.clone(), NUMBER_BLOCK)),
            leases: store.leases(),
            keys: store.keys(),
            fleet,
            tenants,
            queue,
            wrap,
            clock,
            entropy,
            shards,
            store,
        })
    }

    /// What reads the stream.
    pub fn readers(&self) -> Readers {
        let relay = Relay {
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            shards: self.shards,
            numbers: self.numbers.clone(),
            clock: self.clock.clone(),
        };
        let counter = Counter { tenants: self.tenants.clone() };
        Readers { engine: self.dynamo.clone(), table: self.tables.business.clone(), relay, counter }
    }

    /// The same where messages cost nothing.
    #[must_use]
    pub fn free_of_charge(self) -> Self {
        let store = self.store.free_of_charge();
        Self { tenants: store.tenants(), store, ..self }
    }

    /// What does long work.
    pub fn worker(&self, pacing: Pacing) -> Worker {
        Worker {
            fleet: self.fleet.clone(),
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            numbers: self.numbers.clone(),
            blobs: self.blobs.clone(),
            mail: self.mail.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            shards: self.shards,
            pacing,
        }
    }

    /// What founding accounts needs.
    pub fn founders(&self) -> Founders<'_> {
        Founders {
            fleet: self.fleet.as_ref(),
            numbers: &self.numbers,
            wrap: self.wrap.as_ref(),
            entropy: self.entropy.as_ref(),
            clock: self.clock.as_ref(),
        }
    }
}

#[cfg(feature = "simulator")]
fn mortal(client: SharedHttpClient) -> SharedHttpClient {
    crate::mortal::wrap(client)
}

#[cfg(not(feature = "simulator"))]
fn mortal(client: SharedHttpClient) -> SharedHttpClient {
    client
}
