//! What the tests run in: one pair of engines, the ports on them, and an account.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::egress::AllowList;
use hantar_domain::ids::{AccountId, DeviceId, EndpointId, MessageId, StanzaId, UserId};
use hantar_domain::pacing::Pacing;
use hantar_domain::time::Timestamp;
use hantar_domain::token::Abilities;
use hantar_domain::user::Email;
use hantar_domain::webhook::EventId;
use hantar_jobs::count::Counter;
use hantar_jobs::deliver_webhook::Deliverer;
use hantar_jobs::relay::Relay;
use hantar_jobs::work::Worker;
use hantar_lambda::stream::{Act, StreamReader};
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::blobs::FolderBlobs;
use hantar_platform::clock::SystemClock;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::faults::{Calls, FaultPlan, FaultyClient, Throttle, ThrottleError, When};
use hantar_platform::key_file::KeyFile;
use hantar_platform::mail::LogMail;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_queues::embedded::QueueEngine;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_testkit::stream_mapping::StreamMapping;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::found_account::{Founders, NewAccount, found_account};
use hantar_usecases::manage_endpoints::{EndpointParts, NewEndpoint, create_endpoint};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock, Delivery, Fleet, JobQueue, MessageFilter, Tenant, Tenants};
use hantar_usecases::receive_messages::{Incoming, receive_messages};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const SHARDS: u16 = 4;
pub(crate) const PREFIX: &str = "cloud";
const LOOPBACK: &str = "127.0.0.0/8";

/// The engines and the ports on them.
pub(crate) struct World {
    pub(crate) dynamo: DynamoEngine,
    pub(crate) queues: QueueEngine,
    pub(crate) faults: FaultyClient,
    pub(crate) folder: TempDir,
    pub(crate) fleet: Arc<dyn Fleet>,
    pub(crate) tenants: Arc<dyn Tenants>,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) numbers: Arc<Numbers>,
    keys: Arc<AccountKeys>,
    wrap: KeyFile,
}

/// An account with credits.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) user: UserId,
}

impl World {
    /// What does long work.
    pub(crate) fn worker(&self) -> Worker {
        Worker {
            fleet: self.fleet.clone(),
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            numbers: self.numbers.clone(),
            blobs: Arc::new(FolderBlobs::new(self.folder.path().join("blobs"))),
            mail: Arc::new(LogMail),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            shards: SHARDS,
            pacing: Pacing::default(),
        }
    }

    pub(crate) async fn new() -> Self {
        let dynamo = DynamoEngine::in_memory().unwrap();
        let queues = QueueEngine::in_memory(Arc::new(|| SystemClock.now().0.div_euclid(1000))).unwrap();
        let faults = FaultyClient::new(dynamo.http_client(), FaultPlan::default(), 7);
        let (endpoint, time) = (AwsEndpoint::in_process(), SharedTimeSource::new(SystemTimeSource::new()));
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let around = Surroundings { clock, entropy: entropy.clone(), sleep: Arc::new(TokioSleep) };
        let tables = Connector::InProcess(faults.http_client());
        let store = Store::new(
            dynamodb(&endpoint, tables, tokio_sleep(), time.clone()),
            TableNames::with_prefix(PREFIX),
            around,
        );
        let client = sqs(&endpoint, Connector::InProcess(queues.http_client()), tokio_sleep(), time);
        let queue: Arc<dyn JobQueue> = Arc::new(SqsQueues::new(client, PREFIX.into()));
        let folder = TempDir::new().unwrap();
        let wrap = KeyFile::open(&folder.path().join("master.key"), &SystemEntropy).unwrap();
        let (fleet, tenants) = (store.fleet(), store.tenants());
        fleet.prepare().await.unwrap();
        fleet.shard_count(SHARDS).await.unwrap();
        queue.prepare(SHARDS).await.unwrap();
        let keys = Arc::new(AccountKeys::new(tenants.clone(), Arc::new(wrap.clone()), entropy));
        let numbers = Arc::new(Numbers::new(fleet.clone(), 100));
        Self { dynamo, queues, faults, folder, fleet, tenants, queue, numbers, keys, wrap }
    }

    pub(crate) async fn home(&self) -> Home {
        let number = self.fleet.accounts().await.unwrap().len();
        let new = NewAccount {
            name: "Kedai".into(),
            email: Email::parse(&format!("owner{number}@example.com")).unwrap(),
            verified: true,
            credits: 1000,
            device_name: "Shop".into(),
        };
        let founders = Founders {
            fleet: self.fleet.as_ref(),
            numbers: &self.numbers,
            wrap: &self.wrap,
            entropy: &SystemEntropy,
            clock: &SystemClock,
        };
        let founding = found_account(&founders, new).await.unwrap().unwrap();
        Home { account: founding.account.id, device: founding.device.id, user: founding.owner.id }
    }

    pub(crate) fn tenant(&self, home: Home) -> Arc<dyn Tenant> {
        self.tenants.for_account(home.account)
    }

    pub(crate) async fn token(&self, home: Home) -> String {
        let new = NewToken {
            account: home.account,
            user: home.user,
            name: "test".into(),
            abilities: Abilities::all(),
            expires_at: None,
        };
        create_token(self.fleet.as_ref(), &self.numbers, &SystemEntropy, &SystemClock, new).await.unwrap().1
    }

    pub(crate) fn relay(&self) -> StreamReader {
        let relay = Relay {
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            shards: SHARDS,
            numbers: self.numbers.clone(),
            clock: Arc::new(SystemClock),
        };
        StreamReader { act: Act::Relay(relay), queue: self.queue.clone(), clock: Arc::new(SystemClock) }
    }

    pub(crate) fn counter(&self) -> StreamReader {
        let act = Act::Count(Counter { tenants: self.tenants.clone() });
        StreamReader { act, queue: self.queue.clone(), clock: Arc::new(SystemClock) }
    }

    pub(crate) fn deliverer(&self) -> Deliverer {
        let allowed: AllowList = LOOPBACK.parse().unwrap();
        let settings = EgressSettings { allowed: allowed.clone(), ..EgressSettings::default() };
        Deliverer {
            tenants: self.tenants.clone(),
            queue: self.queue.clone(),
            egress: Arc::new(GuardedEgress::new(settings).unwrap()),
            keys: self.keys.clone(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            allowed,
        }
    }

    pub(crate) fn mapping(&self, batch: usize, retries: u32) -> StreamMapping {
        StreamMapping { engine: self.dynamo.clone(), table: format!("{PREFIX}-business"), batch, retries }
    }

    /// Lets what happened so far go by.
    pub(crate) async fn skip_stream(&self) {
        self.mapping(10_000, 0).drain(async |_| Ok(json!({}))).await;
    }

    /// A direct call to a queue, as any SQS client makes it.
    pub(crate) async fn sqs(&self, operation: &str, body: Value) -> Value {
        let (status, answer, _) =
            self.queues.call(&format!("AmazonSQS.{operation}"), body.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    pub(crate) async fn url(&self, queue: &str) -> String {
        let answer = self.sqs("GetQueueUrl", json!({ "QueueName": format!("{PREFIX}-{queue}") })).await;
        answer["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// The bodies of all messages of a queue that can be seen; they are deleted.
    pub(crate) async fn bodies(&self, queue: &str) -> Vec<Value> {
        let url = self.url(queue).await;
        let mut bodies = Vec::new();
        loop {
            let received = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0 });
            let answer = self.sqs("ReceiveMessage", received).await;
            let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() {
                return bodies;
            }
            for message in messages {
                bodies.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
                let receipt = message["ReceiptHandle"].clone();
                self.sqs("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": receipt })).await;
            }
        }
    }
}

/// So much time from now.
pub(crate) fn within(span: Duration) -> Timestamp {
    SystemClock.now() + span
}

/// As much as a test ever needs.
pub(crate) fn plenty() -> Timestamp {
    within(Duration::from_mins(5))
}

impl World {
    /// Messages from a customer's phone: each is an event for subscribers.
    pub(crate) async fn receive(&self, home: Home, texts: impl IntoIterator<Item = String>) {
        let incoming = |text: String| Incoming {
            chat: "60123456789@s.whatsapp.net".into(),
            sender: "60123456789@s.whatsapp.net".into(),
            stanza: StanzaId(text.clone()),
            phone: None,
            lid: None,
            push_name: None,
            text,
        };
        let incoming = texts.into_iter().map(incoming).collect();
        let tenant = self.tenant(home);
        let received =
            receive_messages(tenant.as_ref(), &self.numbers, &SystemClock, home.account, home.device, incoming);
        received.await.unwrap();
    }

    /// The ids of all messages, in order.
    pub(crate) async fn ids(&self, home: Home) -> Vec<MessageId> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = self.tenant(home).list_messages(&MessageFilter::default(), before, 100).await.unwrap();
            all.extend(page.messages.iter().map(|message| message.id));
            before = page.older;
            if before.is_none() {
                all.reverse();
                return all;
            }
        }
    }

    pub(crate) async fn subscribe(&self, home: Home, url: &str) -> EndpointId {
        let (tenant, allowed) = (self.tenant(home), LOOPBACK.parse().unwrap());
        let with = EndpointParts {
            tenant: tenant.as_ref(),
            numbers: &self.numbers,
            keys: &self.keys,
            entropy: &SystemEntropy,
            clock: &SystemClock,
            allowed: &allowed,
        };
        let new = NewEndpoint { url: url.into(), events: vec!["*".into()], idempotency: None };
        create_endpoint(&with, home.account, new).await.unwrap().0.id
    }

    /// The delivery of a received message, if it was relayed.
    pub(crate) async fn delivery(&self, home: Home, endpoint: EndpointId, message: MessageId) -> Option<Delivery> {
        let event = EventId::message(home.account, message, 0);
        self.tenant(home).delivery(endpoint, &event).await.unwrap()
    }

    /// Writes an item as it stands, past the store.
    pub(crate) async fn put_raw(&self, item: Value) {
        let body = json!({ "TableName": format!("{PREFIX}-business"), "Item": item });
        let (status, answer) = self.dynamo.call("PutItem", body.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Refuses each call that holds this text, until the faults are taken away.
    pub(crate) fn refuse(&self, text: String) {
        let calls = Calls { operation: None, containing: Some(text), when: When::Chance(1.0) };
        let throttle = Throttle { calls, error: ThrottleError::RequestLimitExceeded };
        self.faults.set_plan(FaultPlan { throttles: vec![throttle], ..FaultPlan::default() });
    }

    pub(crate) fn refuse_nothing(&self) {
        self.faults.set_plan(FaultPlan::default());
    }
}
