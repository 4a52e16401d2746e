//! The ports on AWS, put together once per process. Calls nobody.

use std::sync::Arc;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::egress::AllowList;
use hantar_jobs::count::Counter;
use hantar_jobs::deliver_webhook::Deliverer;
use hantar_jobs::relay::Relay;
use hantar_jobs::sweep::Sweeper;
use hantar_jobs::work::Worker;
use hantar_platform::aws::{Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::blobs::{NoBlobs, S3Blobs};
use hantar_platform::clock::SystemClock;
use hantar_platform::cloud::{Cloud, KeySource};
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::mail::MailSettings;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Entropy, Fleet, JobQueue, Mail, Sleep, Tenants};
use lambda_runtime::Error;

use crate::config::{Config, WebhooksConfig};

/// How many message numbers a process reserves at a time. A process that Lambda takes away leaves a gap as long.
const NUMBER_BLOCK: u64 = 20;

/// Everything below the use cases.
pub struct Stack {
    cloud: Cloud,
    mail: MailSettings,
    /// The fleet's records.
    pub fleet: Arc<dyn Fleet>,
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Waiting.
    pub sleep: Arc<dyn Sleep>,
}

impl Stack {
    /// The ports of this configuration.
    pub fn new(config: &Config) -> Self {
        let Config { cloud, mail, .. } = config;
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let sleep: Arc<dyn Sleep> = Arc::new(TokioSleep);
        let around = Surroundings { clock: clock.clone(), entropy: entropy.clone(), sleep: sleep.clone() };
        let tables = TableNames { business: cloud.business_table.clone(), engine: cloud.engine_table.clone() };
        let client = dynamodb(&cloud.aws, Connector::Https, tokio_sleep(), time());
        let store = Store::new(client, tables, around);
        let store = if cloud.charges { store } else { store.free_of_charge() };
        let (cloud, mail) = (cloud.clone(), mail.clone());
        Self { cloud, mail, fleet: store.fleet(), tenants: store.tenants(), clock, entropy, sleep }
    }

    /// Doorbells.
    pub fn queue(&self) -> Arc<dyn JobQueue> {
        let client = sqs(&self.cloud.aws, Connector::Https, tokio_sleep(), time());
        Arc::new(SqsQueues::new(client, self.cloud.queue_prefix.clone()))
    }

    /// Accounts' data keys.
    pub fn account_keys(&self, source: &KeySource) -> Result<Arc<AccountKeys>, Error> {
        Ok(Arc::new(AccountKeys::new(self.tenants.clone(), source.open(&self.cloud.aws)?, self.entropy.clone())))
    }

    /// Numbers of new things.
    pub fn numbers(&self) -> Arc<Numbers> {
        Arc::new(Numbers::new(self.fleet.clone(), NUMBER_BLOCK))
    }

    /// The fixed number of shards, settled now if nobody did before. Another one than configured is refused: doorbells
    /// would ring where nobody listens.
    pub async fn shards(&self) -> Result<u16, Error> {
        let stored = self.fleet.shard_count(self.cloud.shards).await?;
        Ok(self.cloud.check_shards(stored)?)
    }

    /// What counts what is in the stream.
    pub fn counter(&self) -> Counter {
        Counter { tenants: self.tenants.clone() }
    }

    /// What tells of what is in the stream.
    pub async fn relay(&self) -> Result<Relay, Error> {
        Ok(Relay {
            tenants: self.tenants.clone(),
            queue: self.queue(),
            shards: self.shards().await?,
            numbers: self.numbers(),
            clock: self.clock.clone(),
        })
    }

    /// What a timer does.
    pub fn sweeper(&self) -> Sweeper {
        let (fleet, tenants) = (self.fleet.clone(), self.tenants.clone());
        Sweeper { fleet, tenants, queue: self.queue(), clock: self.clock.clone() }
    }

    /// Large things.
    pub fn blobs(&self) -> Arc<dyn Blobs> {
        let Some((endpoint, bucket)) = &self.cloud.bucket else { return Arc::new(NoBlobs) };
        let (bucket, clock) = (bucket.clone(), self.clock.clone());
        Arc::new(S3Blobs::new(endpoint, Connector::Https, tokio_sleep(), time(), bucket, clock))
    }

    /// Letters.
    pub fn mail(&self) -> Result<Arc<dyn Mail>, Error> {
        Ok(self.mail.open_on(&self.cloud.aws)?)
    }

    /// What does long work.
    pub async fn worker(&self) -> Result<Worker, Error> {
        Ok(Worker {
            fleet: self.fleet.clone(),
            tenants: self.tenants.clone(),
            queue: self.queue(),
            numbers: self.numbers(),
            blobs: self.blobs(),
            mail: self.mail()?,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            shards: self.shards().await?,
            pacing: self.cloud.pacing,
        })
    }

    /// What calls subscribers.
    pub fn deliverer(&self, config: &WebhooksConfig) -> Result<Deliverer, Error> {
        Ok(Deliverer {
            tenants: self.tenants.clone(),
            queue: self.queue(),
            egress: Arc::new(egress(&config.allowed)?),
            keys: self.account_keys(&config.keys)?,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            allowed: config.allowed.clone(),
        })
    }
}

/// The guarded way out.
pub fn egress(allowed: &AllowList) -> Result<GuardedEgress, Error> {
    Ok(GuardedEgress::new(EgressSettings { allowed: allowed.clone(), ..EgressSettings::default() })?)
}

fn time() -> SharedTimeSource {
    SharedTimeSource::new(SystemTimeSource::new())
}
