//! What happens by the clock: sweeps of devices and deliveries, and the cleaning of what has expired.

use std::time::Duration;

use hantar_domain::ids::Shard;
use hantar_jobs::sweep::Sweeper;
use hantar_platform::embedded::DynamoEngine;

/// How often devices and deliveries are looked after.
const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// How often expired items are cleaned away: once in this many sweeps.
const CLEAN_EVERY: u32 = 240;

/// Runs until it is dropped. The first sweep runs at once: it finds what was left by a death.
pub async fn run(sweeper: Sweeper, shards: u16, engine: DynamoEngine) {
    let mut round = 0_u32;
    loop {
        for shard in 0..shards {
            if let Err(error) = sweeper.shard(Shard(shard)).await {
                tracing::warn!(shard, error = &error as &dyn std::error::Error, "a sweep was not finished");
            }
        }
        if let Err(error) = sweeper.deliveries().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "due deliveries could not be read");
        }
        if let Err(error) = sweeper.work().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "due work could not be read");
        }
        if round % CLEAN_EVERY == CLEAN_EVERY - 1
            && let Err(error) = engine.sweep_ttl().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "expired items could not be cleaned away");
        }
        round = round.wrapping_add(1);
        tokio::time::sleep(SWEEP_EVERY).await;
    }
}
