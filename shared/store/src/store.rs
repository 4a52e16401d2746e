//! The store: a client, the names of its tables, and what it needs from around. Gives out the ports.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use hantar_domain::ids::AccountId;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Clock, Entropy, Fleet, KeyTable, Leases, Sleep, Tenant, Tenants};

use crate::group::Lines;
use crate::places::Table;
use crate::tenant::TenantStore;

/// The names of the two tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableNames {
    /// Accounts and all that is theirs. Has the stream.
    pub business: String,
    /// Keys, leases, counters, queues of due things: what changes often and tells nobody anything.
    pub engine: String,
}

impl TableNames {
    /// `{prefix}-business` and `{prefix}-engine`.
    pub fn with_prefix(prefix: &str) -> Self {
        Self { business: format!("{prefix}-business"), engine: format!("{prefix}-engine") }
    }
}

/// What the store needs from around it.
#[derive(Clone)]
pub struct Surroundings {
    /// Judges expiries.
    pub clock: Arc<dyn Clock>,
    /// Spreads the pauses between tries, and names transactions.
    pub entropy: Arc<dyn Entropy>,
    /// Waits between tries.
    pub sleep: Arc<dyn Sleep>,
}

/// The tables. Cheap to clone; clones share one line of acceptances per account, so make one per process.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    tables: TableNames,
    around: Surroundings,
    shards: OnceLock<u16>,
    lines: Lines,
}

impl Store {
    /// A store on these tables. Calls nobody yet; [`Fleet::prepare`] makes the tables.
    pub fn new(client: Client, tables: TableNames, around: Surroundings) -> Self {
        let inner = Inner { client, tables, around, shards: OnceLock::new(), lines: Lines::default() };
        Self { inner: Arc::new(inner) }
    }

    /// What belongs to no tenant.
    pub fn fleet(&self) -> Arc<dyn Fleet> {
        Arc::new(self.clone())
    }

    /// The way to a tenant's records.
    pub fn tenants(&self) -> Arc<dyn Tenants> {
        Arc::new(self.clone())
    }

    /// Heartbeats and shard owners.
    pub fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(self.clone())
    }

    /// The devices' keys.
    pub fn keys(&self) -> Arc<dyn KeyTable> {
        Arc::new(self.clone())
    }

    pub(crate) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(crate) fn table(&self, table: Table) -> &str {
        match table {
            Table::Business => &self.inner.tables.business,
            Table::Engine => &self.inner.tables.engine,
        }
    }

    pub(crate) fn lines(&self) -> &Lines {
        &self.inner.lines
    }

    /// Where the fixed number of shards is kept once it is known.
    pub(crate) fn known_shards(&self) -> &OnceLock<u16> {
        &self.inner.shards
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.around.clock.now()
    }

    /// Waits for a random part of `most`, so that those who met do not meet again.
    pub(crate) async fn pause(&self, most: Duration) {
        let mut bytes = [0; 4];
        self.inner.around.entropy.fill(&mut bytes);
        let part = f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX);
        self.wait(most.mul_f64(part)).await;
    }

    /// A number that chance picks.
    pub(crate) fn chance(&self) -> u8 {
        let mut byte = [0];
        self.inner.around.entropy.fill(&mut byte);
        byte[0]
    }

    pub(crate) async fn wait(&self, span: Duration) {
        self.inner.around.sleep.sleep(span).await;
    }

    /// A name for a transaction that no other has. Never left to the SDK: its generator has a constant seed in wasm.
    pub(crate) fn fresh_token(&self) -> String {
        let mut bytes = [0; 16];
        self.inner.around.entropy.fill(&mut bytes);
        hex::encode(bytes)
    }
}

impl Tenants for Store {
    fn for_account(&self, account: AccountId) -> Arc<dyn Tenant> {
        Arc::new(TenantStore { store: self.clone(), account })
    }
}
