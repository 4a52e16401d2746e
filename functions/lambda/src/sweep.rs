//! What the schedule asks for: the sweep of all shards and of the deliveries that are due.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use hantar_domain::ids::Shard;
use hantar_domain::time::Timestamp;
use hantar_jobs::sweep::Sweeper;
use hantar_usecases::ports::{Entropy, PortError};
use serde::{Deserialize, Serialize};

use crate::time_left::time_left;

/// How many shards are swept at a time.
const AT_A_TIME: usize = 8;
/// A shard is not begun with less time than this.
const LEAST: Duration = Duration::from_secs(3);

/// The schedule's input: `{"timer":"sweep"}`. Another timer is refused, and the function says so by failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "timer", rename_all = "snake_case")]
pub enum Timer {
    /// Look after messages and deliveries.
    Sweep,
}

/// What came of a sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Swept {
    /// Shards that were swept.
    pub shards: usize,
    /// Shards that time ran out for; the next sweep begins elsewhere.
    pub left: usize,
    /// Deliveries that were rung for.
    pub deliveries: usize,
    /// Long work that was rung for.
    pub work: usize,
}

/// A sweep was not finished: nothing is lost, the next one finds it.
#[derive(Debug, thiserror::Error)]
#[error("{failed} of the sweeps failed, one of them because {first}")]
pub struct SweepError {
    failed: usize,
    #[source]
    first: PortError,
}

/// The sweeps behind a schedule.
pub struct Timers {
    /// What sweeps.
    pub sweeper: Sweeper,
    /// Chooses where to begin.
    pub entropy: Arc<dyn Entropy>,
    /// How many shards there are.
    pub shards: u16,
}

impl Timers {
    /// Sweeps until `deadline`. One shard's failure does not keep the others from being swept.
    pub async fn handle(&self, Timer::Sweep: Timer, deadline: Timestamp) -> Result<Swept, SweepError> {
        let mut failures = Vec::new();
        let mut swept = Swept::default();
        // First: they are one read, and people wait for webhooks.
        match self.sweeper.deliveries().await {
            Ok(rung) => swept.deliveries = rung,
            Err(error) => failures.push(error),
        }
        match self.sweeper.work().await {
            Ok(rung) => swept.work = rung,
            Err(error) => failures.push(error),
        }
        let clock = self.sweeper.clock.as_ref();
        let one = |shard| async move {
            let left = time_left(clock, deadline);
            if left < LEAST {
                return None;
            }
            tokio::time::timeout(left, self.sweeper.shard(Shard(shard))).await.ok()
        };
        let mut sweeps = futures::stream::iter(self.order()).map(one).buffer_unordered(AT_A_TIME);
        while let Some(outcome) = sweeps.next().await {
            match outcome {
                Some(Ok(_)) => swept.shards += 1,
                Some(Err(error)) => failures.push(error),
                None => swept.left += 1,
            }
        }
        if swept.left > 0 {
            tracing::warn!(left = swept.left, "time ran out before all shards were swept");
        }
        let failed = failures.len();
        failures.into_iter().next().map_or(Ok(swept), |first| Err(SweepError { failed, first }))
    }

    /// All shards, from a random one on: where time is short, none is always the last.
    fn order(&self) -> impl Iterator<Item = u16> + use<> {
        let mut bytes = [0; 2];
        self.entropy.fill(&mut bytes);
        let (shards, first) = (u32::from(self.shards), u32::from(u16::from_be_bytes(bytes)));
        (0..shards).map(move |at| u16::try_from((at + first) % shards).unwrap_or_default())
    }
}
