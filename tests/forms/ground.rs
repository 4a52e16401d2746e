//! Tables of one test on the emulator, accounts in them, and API processes on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_async::time::SharedTimeSource;
use hantar_api::{ApiParts, RateLimits, Readiness};
use hantar_domain::device::Status;
use hantar_domain::ids::{AccountId, Epoch, Shard, UserId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::token::Abilities;
use hantar_domain::user::Email;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, static_credentials, tokio_sleep};
use hantar_platform::blobs::NoBlobs;
use hantar_platform::clock::{CivilTime, SystemClock};
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::key_file::KeyFile;
use hantar_platform::mail::LogMail;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::found_account::{Founders, NewAccount, found_account};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock as _, DeviceChange, Fleet, Job, JobQueue, KeyWrap, Outcome, Queue, Tenants};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const REGION: &str = "eu-west-1";
/// The key that nobody checks.
const KEY: &str = "test";
pub(crate) const SHARDS: u16 = 4;

/// Tables that no other test has.
pub(crate) struct Ground {
    pub(crate) tables: TableNames,
    prefix: String,
    pub(crate) aws: String,
    key: KeyFile,
    parts: Parts,
    _folder: TempDir,
}

/// What one process holds.
#[derive(Clone)]
struct Parts {
    fleet: Arc<dyn Fleet>,
    tenants: Arc<dyn Tenants>,
    queue: Arc<dyn JobQueue>,
    numbers: Arc<Numbers>,
}

/// An account, and a token that may do everything in it.
pub(crate) struct Shop {
    pub(crate) account: AccountId,
    pub(crate) user: UserId,
    pub(crate) token: String,
}

impl Ground {
    /// Fresh tables on the emulator that `cargo xtask test` started.
    pub(crate) async fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("HANTAR_EMULATOR_URL");
        let aws = url.unwrap_or_else(|_| panic!("HANTAR_EMULATOR_URL names no emulator: run `cargo xtask test`"));
        let prefix = format!("forms{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let tables = TableNames::with_prefix(&prefix);
        let folder = TempDir::new().unwrap();
        let key = KeyFile::open(&folder.path().join("master.key"), &SystemEntropy).unwrap();
        let parts = parts(&aws, &tables, &prefix);
        parts.fleet.prepare().await.unwrap();
        parts.fleet.shard_count(SHARDS).await.unwrap();
        parts.queue.prepare(SHARDS).await.unwrap();
        Self { tables, prefix, aws, key, parts, _folder: folder }
    }

    /// A new account.
    pub(crate) async fn shop(&self, credits: i64, verified: bool) -> Shop {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let Parts { fleet, numbers, .. } = &self.parts;
        let new = NewAccount {
            name: "Kedai".into(),
            email: Email::parse(&format!("owner{}@example.com", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap(),
            verified,
            credits,
            device_name: "Counter".into(),
        };
        let (entropy, clock) = (&SystemEntropy, &SystemClock);
        let founders = Founders { fleet: &**fleet, numbers, wrap: &self.key, entropy, clock };
        let founding = found_account(&founders, new).await.unwrap().unwrap();
        let (account, user) = (founding.account.id, founding.owner.id);
        let mut shop = Shop { account, user, token: String::new() };
        shop.token = self.token(&shop, Abilities::all()).await;
        shop
    }

    /// A token that may do only this.
    pub(crate) async fn token(&self, shop: &Shop, abilities: Abilities) -> String {
        let new =
            NewToken { account: shop.account, user: shop.user, name: "forms".into(), abilities, expires_at: None };
        create_token(&*self.parts.fleet, &self.parts.numbers, &SystemEntropy, &SystemClock, new).await.unwrap().1
    }

    /// Links a number to the account's device, and then answers the first command to it, as a host of a fleet does.
    pub(crate) async fn host(&self, shop: &Shop, outcome: Outcome) {
        let Parts { tenants, queue, .. } = &self.parts;
        let tenant = tenants.for_account(shop.account);
        let device = tenant.devices().await.unwrap()[0].id;
        let phone = PhoneNumber::from_e164("60111222333").unwrap();
        tenant.change_device(device, &DeviceChange::Linked { phone, lid: None }, None).await.unwrap();
        let connected = DeviceChange::Status { status: Status::Connected, reason: None, at: SystemClock.now() };
        tenant.change_device(device, &connected, None).await.unwrap();
        let queue = queue.clone();
        tokio::spawn(async move {
            let shard = Queue::Shard(Shard::of(device, SHARDS));
            for received in queue.receive(shard, SOON.min(Duration::from_secs(20))).await.unwrap() {
                let Some(Job::Command { command, .. }) = received.job else { panic!("{received:?}") };
                tenant.take_command(device, command, Epoch(1)).await.unwrap().unwrap();
                assert!(tenant.answer_command(command, Epoch(1), &outcome).await.unwrap());
            }
        });
    }

    /// The bindings of a Worker on these tables, whose AWS is at `aws`.
    pub(crate) fn bindings(&self, aws: &str) -> Vec<(&'static str, String)> {
        vec![
            ("HANTAR_AWS_REGION", REGION.into()),
            ("HANTAR_AWS_ENDPOINT_URL", aws.into()),
            ("HANTAR_AWS_ACCESS_KEY_ID", KEY.into()),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", KEY.into()),
            ("HANTAR_BUSINESS_TABLE", self.tables.business.clone()),
            ("HANTAR_ENGINE_TABLE", self.tables.engine.clone()),
            ("HANTAR_QUEUE_PREFIX", self.prefix.clone()),
            ("HANTAR_SHARDS", SHARDS.to_string()),
        ]
    }

    /// An API process: the same routes, with memory of its own and the key that opens accounts' keys.
    pub(crate) async fn api(&self) -> ApiProcess {
        let Parts { fleet, tenants, queue, numbers } = parts(&self.aws, &self.tables, &self.prefix);
        let wrap: Arc<dyn KeyWrap> = Arc::new(self.key.clone());
        let api = ApiParts {
            account_keys: Arc::new(AccountKeys::new(tenants.clone(), wrap, Arc::new(SystemEntropy))),
            fleet,
            tenants,
            queue,
            shards: SHARDS,
            blobs: Arc::new(NoBlobs),
            mail: Arc::new(LogMail),
            numbers,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            sleep: Arc::new(TokioSleep),
            allowed: "127.0.0.0/8".parse().unwrap(),
            ready: Arc::new(Always),
            limits: RateLimits { reads_per_minute: 60_000, writes_per_minute: 60_000 },
            public_url: None,
            pages_url: None,
            version: "native".into(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = hantar_api::router(Arc::new(api));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        ApiProcess { url, serving }
    }
}

/// Serves until it is dropped.
pub(crate) struct ApiProcess {
    pub(crate) url: String,
    serving: JoinHandle<()>,
}

impl Drop for ApiProcess {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Always;

#[async_trait]
impl Readiness for Always {
    async fn obstacles(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What a process that has just started holds.
fn parts(aws: &str, tables: &TableNames, prefix: &str) -> Parts {
    let credentials = Some(static_credentials(KEY, KEY, None));
    let endpoint = AwsEndpoint { endpoint_url: Some(aws.to_owned()), region: REGION.to_owned(), credentials };
    let time = SharedTimeSource::new(CivilTime);
    let queues = sqs(&endpoint, Connector::Https, tokio_sleep(), time.clone());
    let client = dynamodb(&endpoint, Connector::Https, tokio_sleep(), time);
    let around =
        Surroundings { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy), sleep: Arc::new(TokioSleep) };
    let store = Store::new(client, tables.clone(), around);
    let fleet = store.fleet();
    let queue = Arc::new(SqsQueues::new(queues, prefix.to_owned()));
    Parts { numbers: Arc::new(Numbers::new(fleet.clone(), 100)), tenants: store.tenants(), queue, fleet }
}

/// How long anything here may take to come up.
pub(crate) const SOON: Duration = Duration::from_secs(30);
