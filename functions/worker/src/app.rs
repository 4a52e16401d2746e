//! The routes with what they need, put together anew for each request.

use std::sync::Arc;

use async_trait::async_trait;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::Router;
use hantar_api::{ApiParts, RateLimits, Readiness};
use hantar_dashboard::DashboardParts;
use hantar_domain::sealed::DataKey;
use hantar_platform::aws::{Connector, dynamodb, sqs};
use hantar_platform::blobs::{Addresses, Bucket, NoBlobs};
use hantar_platform::clock::{CivilTime, SystemClock};
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::fetch::{FetchClient, FetchEgress};
use hantar_platform::sleep::WorkerSleep;
use hantar_queues::SqsQueues;
use hantar_store::Store;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Entropy, Fleet, KeyWrap, Letter, Mail, PortError, Sleep};

use crate::config::Config;

/// How many message numbers are reserved at a time: as many as one request can use.
const NUMBER_BLOCK: u64 = 1;
/// How many shards there are to be if nobody said so before; the number of the other forms.
const SHARDS: u16 = 64;
/// Where the source of this program is.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");

/// What the platform supplies. A test puts other things here, and measures what runs in a Worker.
#[derive(Clone)]
pub struct Surroundings {
    /// Carries the SDK's requests.
    pub connector: SharedHttpClient,
    /// The SDK's pauses and time limits.
    pub sdk_sleep: SharedAsyncSleep,
    /// Pauses between looks and tries.
    pub sleep: Arc<dyn Sleep>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Surroundings {
    /// Those of a Worker.
    pub fn of_worker() -> Self {
        Self {
            connector: SharedHttpClient::new(FetchClient),
            sdk_sleep: SharedAsyncSleep::new(WorkerSleep),
            sleep: Arc::new(WorkerSleep),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// All routes, for one request that came to `origin` (`https://api.example.com`).
pub fn router(config: &Config, around: Surroundings, origin: &str) -> Router {
    let public_url = config.public_url.as_ref().map_or(origin, |url| url.as_str()).trim_end_matches('/').to_owned();
    let https = public_url.starts_with("https:");
    let host = url::Url::parse(&public_url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let Surroundings { connector, sdk_sleep, sleep, clock, entropy } = around;
    let time = SharedTimeSource::new(CivilTime);
    let queues = sqs(&config.aws, Connector::InProcess(connector.clone()), sdk_sleep.clone(), time.clone());
    let client = dynamodb(&config.aws, Connector::InProcess(connector), sdk_sleep, time);
    let around = hantar_store::Surroundings { clock: clock.clone(), entropy: entropy.clone(), sleep: sleep.clone() };
    let store = Store::new(client, config.tables.clone(), around);
    let store = if config.billing.charges() { store } else { store.free_of_charge() };
    let (fleet, tenants) = (store.fleet(), store.tenants());
    let numbers = Arc::new(Numbers::new(fleet.clone(), NUMBER_BLOCK));
    let account_keys = Arc::new(AccountKeys::new(tenants.clone(), Arc::new(NoKeys), entropy.clone()));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let api = ApiParts {
        fleet: fleet.clone(),
        tenants: tenants.clone(),
        queue: Arc::new(SqsQueues::new(queues, config.queue_prefix.clone())),
        shards: config.shards.unwrap_or(SHARDS),
        account_keys: account_keys.clone(),
        blobs: blobs(config, &clock),
        mail: Arc::new(NoMail),
        billing: config.billing.clone(),
        egress: Arc::new(FetchEgress),
        numbers: numbers.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
        sleep: sleep.clone(),
        pacing: config.pacing,
        allowed: config.allowed.clone(),
        ready: Arc::new(Ready { fleet: fleet.clone(), shards: config.shards }),
        limits: RateLimits::default(),
        pages_url: Some(public_url.clone()),
        public_url: Some(public_url.clone()),
        version: version.clone(),
    };
    let pages = DashboardParts {
        fleet,
        tenants,
        numbers,
        clock,
        entropy,
        sleep,
        mail: Arc::new(NoMail),
        account_keys,
        pages_url: Some(public_url),
        hosts: host.into_iter().collect(),
        https,
        source_url: SOURCE.to_owned(),
        version,
    };
    hantar_api::router(Arc::new(api)).merge(hantar_dashboard::router(Arc::new(pages)))
}

/// A Worker only says where files are put and fetched.
fn blobs(config: &Config, clock: &Arc<dyn Clock>) -> Arc<dyn Blobs> {
    match &config.bucket {
        Some((endpoint, name)) => Arc::new(Addresses::new(Bucket::new(endpoint, name.clone()), clock.clone())),
        None => Arc::new(NoBlobs),
    }
}

/// A Worker holds no key that opens others, and refuses whoever asks for one.
struct NoKeys;

impl NoKeys {
    fn refuse<T>() -> Result<T, PortError> {
        Err(PortError::Unavailable {
            what: "key service",
            source: "accounts' keys are not unwrapped in Workers".into(),
        })
    }
}

#[async_trait]
impl KeyWrap for NoKeys {
    async fn wrap(&self, _: &DataKey) -> Result<Vec<u8>, PortError> {
        Self::refuse()
    }

    async fn unwrap(&self, _: &[u8]) -> Result<DataKey, PortError> {
        Self::refuse()
    }
}

/// Whatever sends letters is served elsewhere.
struct NoMail;

#[async_trait]
impl Mail for NoMail {
    async fn send(&self, _: &Letter) -> Result<(), PortError> {
        Err(PortError::Unavailable { what: "mail service", source: "Workers send no letters".into() })
    }
}

/// Ready: the tables answer, and hold as many shards as was said.
struct Ready {
    fleet: Arc<dyn Fleet>,
    shards: Option<u16>,
}

#[async_trait]
impl Readiness for Ready {
    async fn obstacles(&self) -> Vec<String> {
        match self.fleet.shard_count(self.shards.unwrap_or(SHARDS)).await {
            Ok(stored) => match self.shards {
                Some(wanted) if wanted != stored => {
                    vec![format!("HANTAR_SHARDS: expected {stored}, which is what the tables hold")]
                }
                _ => Vec::new(),
            },
            Err(error) => vec![format!("the tables do not answer: {error}")],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_ever_wrapped_or_unwrapped() {
        let key = DataKey::from_bytes([7; 32]);
        assert!(matches!(pollster::block_on(NoKeys.wrap(&key)), Err(PortError::Unavailable { .. })));
        assert!(matches!(pollster::block_on(NoKeys.unwrap(&[1, 2, 3])), Err(PortError::Unavailable { .. })));
    }
}
