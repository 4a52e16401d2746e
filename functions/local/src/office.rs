//! What the administrator's commands work on: the records of a data folder, or the tables of the cloud that the
//! environment names.

use std::path::Path;
use std::sync::Arc;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_platform::aws::{Connector, dynamodb, tokio_sleep};
use hantar_platform::clock::SystemClock;
use hantar_platform::cloud::{Cloud, KeySource, Variables};
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::sleep::TokioSleep;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::found_account::Founders;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock, Entropy, Fleet, KeyWrap, Tenants};

use crate::stack::Stack;

/// A command makes few things: the rest of a block of numbers is a gap for ever.
const NUMBER_BLOCK: u64 = 1;

/// The records, and what founding needs.
pub struct Office {
    /// The fleet's records.
    pub fleet: Arc<dyn Fleet>,
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Numbers of new things.
    pub numbers: Arc<Numbers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where the pages are, if the environment says so.
    pub public_url: Option<String>,
    /// The key of keys.
    pub wrap: Arc<dyn KeyWrap>,
}

impl Office {
    /// In a data folder, beside a running server.
    pub async fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        let Stack { fleet, tenants, numbers, clock, entropy, wrap, .. } = Stack::open(folder).await?;
        Ok(Self { fleet, tenants, numbers, clock, entropy, wrap, public_url: None })
    }

    /// On the tables that the variables name, which are there: a deployment makes them.
    pub async fn in_cloud(get: impl Fn(&'static str) -> Option<String>) -> anyhow::Result<Self> {
        let from = Variables(get);
        let (cloud, keys) = (Cloud::parse(&from)?, KeySource::parse(&from)?);
        let public_url = from.web_address("HANTAR_PUBLIC_URL")?;
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let around = Surroundings { clock: clock.clone(), entropy: entropy.clone(), sleep: Arc::new(TokioSleep) };
        let time = SharedTimeSource::new(SystemTimeSource::new());
        let client = dynamodb(&cloud.aws, Connector::Https, tokio_sleep(), time);
        let tables = TableNames { business: cloud.business_table.clone(), engine: cloud.engine_table.clone() };
        let store = Store::new(client, tables, around);
        let fleet = store.fleet();
        cloud.check_shards(fleet.shard_count(cloud.shards).await?)?;
        Ok(Self {
            numbers: Arc::new(Numbers::new(fleet.clone(), NUMBER_BLOCK)),
            tenants: store.tenants(),
            wrap: keys.open(&cloud.aws)?,
            fleet,
            clock,
            entropy,
            public_url: public_url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        })
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
