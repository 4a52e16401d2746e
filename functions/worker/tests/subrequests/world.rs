//! What runs in a Worker, natively over the embedded engine, with a connector that counts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use hantar_domain::device::Status;
use hantar_domain::egress::AllowList;
use hantar_domain::ids::{AccountId, DeviceId, UserId};
use hantar_domain::pacing::Pacing;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::sealed::DataKey;
use hantar_domain::token::Abilities;
use hantar_domain::user::Email;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::clock::CivilTime;
use hantar_platform::embedded::DynamoEngine;
use hantar_queues::SqsQueues;
use hantar_queues::embedded::QueueEngine;
use hantar_store::{Store, TableNames};
use hantar_testkit::clock::{FrozenClock, SeededEntropy};
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::found_account::{Founders, NewAccount, found_account};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock as _, DeviceChange, Fleet, JobQueue as _, KeyWrap, PortError, Sleep, Tenants};
use hantar_usecases::send_message::{Draft, send_message};
use hantar_usecases::sign_in::create_sign_in;
use hantar_worker::{Config, Surroundings, router};
use serde_json::Value;
use tower::ServiceExt as _;

const ORIGIN: &str = "https://api.example.com";
const PREFIX: &str = "worker";

/// The SDK's calls, in order, by operation.
#[derive(Clone, Debug)]
struct Counting {
    tables: SharedHttpClient,
    queues: SharedHttpClient,
    calls: Arc<Mutex<Vec<String>>>,
}

impl HttpClient for Counting {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let tables = self.tables.http_connector(settings, parts);
        let queues = self.queues.http_connector(settings, parts);
        SharedHttpConnector::new(CountingConnector { tables, queues, calls: self.calls.clone() })
    }
}

#[derive(Debug)]
struct CountingConnector {
    tables: SharedHttpConnector,
    queues: SharedHttpConnector,
    calls: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        self.calls.lock().unwrap().push(target.rsplit('.').next().unwrap_or_default().to_owned());
        if target.starts_with("AmazonSQS") { self.queues.call(request) } else { self.tables.call(request) }
    }
}

/// Time that passes when somebody waits for it.
struct Waiting(FrozenClock);

#[async_trait]
impl Sleep for Waiting {
    async fn sleep(&self, span: Duration) {
        self.0.advance(span);
    }
}

/// Keeps keys as they are: nothing here opens one.
struct Bare;

#[async_trait]
impl KeyWrap for Bare {
    async fn wrap(&self, _: &DataKey) -> Result<Vec<u8>, PortError> {
        Ok(vec![0])
    }

    async fn unwrap(&self, _: &[u8]) -> Result<DataKey, PortError> {
        Err(PortError::Conflict)
    }
}

/// An account, who may act for it, and the Worker.
pub(crate) struct World {
    config: Config,
    around: Surroundings,
    counting: Counting,
    pub(crate) token: String,
    pub(crate) cookie: String,
    pub(crate) sign_in: String,
    pub(crate) account: AccountId,
    pub(crate) tenants: Arc<dyn Tenants>,
    numbers: Numbers,
    clock: FrozenClock,
}

/// An answer, and what it cost.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) cookie: Option<String>,
    pub(crate) calls: Vec<String>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (clock, entropy) = (FrozenClock::default(), SeededEntropy::new(31));
        let engine = DynamoEngine::in_memory().unwrap();
        let milliseconds = clock.clone();
        let queues = QueueEngine::in_memory(Arc::new(move || milliseconds.now().0.div_euclid(1000))).unwrap();
        let counting = Counting { tables: engine.http_client(), queues: queues.http_client(), calls: Arc::default() };
        let sleep: Arc<dyn Sleep> = Arc::new(Waiting(clock.clone()));
        let around = Surroundings {
            connector: SharedHttpClient::new(counting.clone()),
            sdk_sleep: tokio_sleep(),
            sleep: sleep.clone(),
            clock: Arc::new(clock.clone()),
            entropy: Arc::new(entropy.clone()),
        };
        let tables = TableNames::with_prefix("worker");
        let client = dynamodb(
            &AwsEndpoint::in_process(),
            Connector::InProcess(engine.http_client()),
            tokio_sleep(),
            aws_smithy_async::time::SharedTimeSource::new(CivilTime),
        );
        let below = hantar_store::Surroundings { clock: around.clock.clone(), entropy: around.entropy.clone(), sleep };
        let store = Store::new(client, tables.clone(), below);
        let fleet = store.fleet();
        fleet.prepare().await.unwrap();
        fleet.shard_count(4).await.unwrap();
        let queues = Connector::InProcess(queues.http_client());
        let time = aws_smithy_async::time::SharedTimeSource::new(CivilTime);
        let queues = sqs(&AwsEndpoint::in_process(), queues, tokio_sleep(), time);
        SqsQueues::new(queues, PREFIX.into()).prepare(4).await.unwrap();
        let numbers = Numbers::new(fleet.clone(), 100);
        let new = NewAccount {
            name: "Kedai".into(),
            email: Email::parse("owner@example.com").unwrap(),
            verified: true,
            credits: 100_000,
            device_name: "Shop".into(),
        };
        let founders = Founders { fleet: &*fleet, numbers: &numbers, wrap: &Bare, entropy: &entropy, clock: &clock };
        let founding = found_account(&founders, new).await.unwrap().unwrap();
        let (account, user) = (founding.account.id, founding.owner.id);
        let token = NewToken { account, user, name: "t".into(), abilities: Abilities::all(), expires_at: None };
        let (_, token) = create_token(&*fleet, &numbers, &entropy, &clock, token).await.unwrap();
        let aws = AwsEndpoint::in_process();
        let (shards, aws_api, public_url) = (Some(4), None, None);
        let queue_prefix = PREFIX.into();
        let (billing, log) = (hantar_domain::billing::Billing::Credits, tracing::Level::INFO);
        let pacing = Pacing::default();
        let (bucket, allowed) = (None, AllowList::default());
        let config =
            Config { aws, tables, queue_prefix, shards, bucket, pacing, aws_api, public_url, allowed, billing, log };
        let (sign_in, tenants) = (secret(&*fleet, &entropy, &clock, account, user).await, store.tenants());
        let cookie = String::new();
        let first = secret(&*fleet, &entropy, &clock, account, user).await;
        let mut world = Self { config, around, counting, token, cookie, sign_in, account, tenants, numbers, clock };
        let answer = world.ask("GET", &format!("/sign-in?secret={first}"), None, &[]).await;
        let cookie = answer.cookie.unwrap();
        cookie.split(';').next().unwrap().clone_into(&mut world.cookie);
        world
    }

    /// One request to a Worker that knows nothing of the ones before, with these headers.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&str>, headers: &[(&str, &str)]) -> Answer {
        self.counting.calls.lock().unwrap().clear();
        let mut request =
            Request::builder().method(method).uri(format!("{ORIGIN}{path}")).header("host", "api.example.com");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_owned()));
        let router = router(&self.config, self.around.clone(), ORIGIN);
        let response = router.oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 8 * 1024 * 1024).await.unwrap();
        Answer {
            status: parts.status.as_u16(),
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            cookie: parts.headers.get("set-cookie").map(|value| value.to_str().unwrap().to_owned()),
            calls: self.counting.calls.lock().unwrap().clone(),
        }
    }

    /// One request by the account's token.
    pub(crate) async fn api(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        self.api_with(method, path, body, &[]).await
    }

    /// The same with a header more.
    pub(crate) async fn api_with(&self, method: &str, path: &str, body: Option<&str>, more: &[(&str, &str)]) -> Answer {
        // The use of a token is noted once an hour; here each request is the one that notes it.
        self.clock.advance(Duration::from_hours(1));
        let bearer = format!("Bearer {}", self.token);
        let own = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.ask(method, path, body, &[&own, more].concat()).await
    }

    /// One request by a browser that is signed in.
    pub(crate) async fn page(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let own = [
            ("cookie", self.cookie.as_str()),
            ("sec-fetch-site", "same-origin"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.ask(method, path, body, &own).await
    }

    /// Links a number to the account's device, as a host of another place would.
    pub(crate) async fn link_elsewhere(&self) {
        let phone = PhoneNumber::from_e164("60111222333").unwrap();
        let linked = DeviceChange::Linked { phone, lid: None };
        let tenant = self.tenants.for_account(self.account);
        tenant.change_device(DeviceId(1), &linked, None).await.unwrap();
        let connected = DeviceChange::Status { status: Status::Connected, reason: None, at: self.now() };
        tenant.change_device(DeviceId(1), &connected, None).await.unwrap();
    }

    /// Sends so many at once, as one process of another form would.
    pub(crate) async fn send_elsewhere(&self, count: usize) {
        let tenant = self.tenants.for_account(self.account);
        let sent = (0..count).map(|at| {
            let draft = Draft { phone: "0123456789".into(), body: format!("number {at}"), ..Draft::default() };
            send_message(&*tenant, &self.numbers, &self.clock, self.account, draft)
        });
        futures::future::try_join_all(sent).await.unwrap();
    }

    pub(crate) fn now(&self) -> hantar_domain::time::Timestamp {
        self.clock.now()
    }
}

async fn secret(
    fleet: &dyn Fleet,
    entropy: &SeededEntropy,
    clock: &FrozenClock,
    account: AccountId,
    user: UserId,
) -> String {
    create_sign_in(fleet, entropy, clock, account, user).await.unwrap()
}
