//! The real store and the real queues on engines in memory, and an account with one device on them.

use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId};
use hantar_domain::sealed::DataKey;
use hantar_domain::user::Email;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::blobs::FolderBlobs;
use hantar_platform::clock::SystemClock;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::faults::{FaultPlan, FaultyClient};
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_queues::embedded::QueueEngine;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::found_account::{Founders, NewAccount, found_account};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{
    Blobs, Clock, Download, Entropy, Fleet, JobQueue, KeyTable, KeyWrap, Leases, PortError, Tenant, Tenants,
};
use tempfile::TempDir;

/// How many shards the tests settle on.
pub(crate) const SHARDS: u16 = 4;

/// The ports.
#[derive(Clone)]
pub(crate) struct Tables {
    pub(crate) fleet: Arc<dyn Fleet>,
    pub(crate) tenants: Arc<dyn Tenants>,
    pub(crate) leases: Arc<dyn Leases>,
    pub(crate) keys: Arc<dyn KeyTable>,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) account_keys: Arc<AccountKeys>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) download: Arc<dyn Download>,
    pub(crate) numbers: Arc<Numbers>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) faults: FaultyClient,
    pub(crate) engines: Engines,
}

/// An account with its default device.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) tenant: Arc<dyn Tenant>,
}

/// Keys that lie open: what is tested here is what is sealed with them.
struct Unwrapped;

#[async_trait]
impl KeyWrap for Unwrapped {
    async fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, PortError> {
        Ok(key.bytes().to_vec())
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, PortError> {
        Ok(DataKey::from_bytes(wrapped.try_into().map_err(|_| PortError::Corrupt("a key of another length".into()))?))
    }
}

/// The engines, which outlive every process on them.
#[derive(Clone)]
pub(crate) struct Engines {
    pub(crate) dynamo: DynamoEngine,
    queues: QueueEngine,
    folder: Arc<TempDir>,
}

impl Engines {
    fn new() -> Self {
        let milliseconds = Arc::new(|| SystemClock.now().0.div_euclid(1000));
        Self {
            dynamo: DynamoEngine::in_memory().unwrap(),
            queues: QueueEngine::in_memory(milliseconds).unwrap(),
            folder: Arc::new(TempDir::new().unwrap()),
        }
    }
}

impl Tables {
    /// New, empty tables.
    pub(crate) async fn new() -> Self {
        let tables = Self::on(Engines::new());
        tables.fleet.prepare().await.unwrap();
        tables.fleet.shard_count(SHARDS).await.unwrap();
        tables.queue.prepare(SHARDS).await.unwrap();
        tables
    }

    /// The same tables as another process sees them, with faults of its own.
    pub(crate) fn elsewhere(&self) -> Self {
        Self::on(self.engines.clone())
    }

    fn on(engines: Engines) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let time = SharedTimeSource::new(SystemTimeSource::new());
        let faults = FaultyClient::new(engines.dynamo.http_client(), FaultPlan::default(), 1);
        let endpoint = AwsEndpoint::in_process();
        let dynamodb = dynamodb(&endpoint, Connector::InProcess(faults.http_client()), tokio_sleep(), time.clone());
        let sqs = sqs(&endpoint, Connector::InProcess(engines.queues.http_client()), tokio_sleep(), time);
        let around =
            Surroundings { clock: Arc::clone(&clock), entropy: Arc::clone(&entropy), sleep: Arc::new(TokioSleep) };
        let store = Store::new(dynamodb, TableNames::with_prefix("host"), around);
        let (fleet, tenants) = (store.fleet(), store.tenants());
        // Files at addresses of this machine, which the tests serve.
        let egress = EgressSettings { allowed: "127.0.0.0/8".parse().unwrap(), ..EgressSettings::default() };
        Self {
            blobs: Arc::new(FolderBlobs::new(engines.folder.path().to_owned())),
            download: Arc::new(GuardedEgress::new(egress).unwrap()),
            account_keys: Arc::new(AccountKeys::new(Arc::clone(&tenants), Arc::new(Unwrapped), Arc::clone(&entropy))),
            numbers: Arc::new(Numbers::new(Arc::clone(&fleet), 10)),
            leases: store.leases(),
            keys: store.keys(),
            queue: Arc::new(SqsQueues::new(sqs, "host".into())),
            fleet,
            tenants,
            clock,
            entropy,
            faults,
            engines,
        }
    }

    /// Founds an account with some credits.
    pub(crate) async fn shop(&self, email: &str) -> Shop {
        let founders = Founders {
            fleet: self.fleet.as_ref(),
            numbers: &self.numbers,
            wrap: &Unwrapped,
            entropy: self.entropy.as_ref(),
            clock: self.clock.as_ref(),
        };
        let email = Email::parse(email).unwrap();
        let new = NewAccount { name: "Shop".into(), email, verified: true, credits: 1000, device_name: "till".into() };
        let founding = found_account(&founders, new).await.unwrap().unwrap();
        let account = founding.account.id;
        Shop { account, device: founding.device.id, tenant: self.tenants.for_account(account) }
    }
}

impl Shop {
    /// The device as it is stored.
    pub(crate) async fn device(&self) -> Device {
        self.tenant.device(self.device).await.unwrap().unwrap()
    }
}
