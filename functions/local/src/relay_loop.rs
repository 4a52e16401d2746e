//! Reads the embedded table's stream and hands it to the relay, in order, one batch after the other.

use std::time::Duration;

use hantar_jobs::relay::{Record, Relay};
use hantar_platform::embedded::{DynamoEngine, StreamRecord};
use hantar_store::stream::change;
use hantar_usecases::ports::JobQueue;

/// How many records one batch holds at most.
const BATCH: usize = 200;
/// How often other processes' writes are looked for; this process's own wake the loop at once.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until it is dropped.
pub async fn run(engine: DynamoEngine, table: String, relay: Relay) {
    let mut changed = engine.changed();
    loop {
        changed.borrow_and_update();
        match step(&engine, &table, &relay).await {
            Ok(true) => {}
            Ok(false) => {
                let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the relay will read its batch again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Handles one batch; `false` when there was nothing. A death between handling and consuming repeats the batch.
async fn step(engine: &DynamoEngine, table: &str, relay: &Relay) -> anyhow::Result<bool> {
    let batch = engine.stream_batch(table, BATCH).await?;
    let Some(last) = batch.last().map(|record| record.sequence) else { return Ok(false) };
    let mut records = Vec::with_capacity(batch.len());
    for record in &batch {
        match change(record.old.as_ref(), record.new.as_ref()) {
            Ok(Some(change)) => records.push(Record { sequence: record.sequence.into(), change }),
            Ok(None) => {}
            Err(error) => park(relay.queue.as_ref(), record, &error.to_string()).await?,
        }
    }
    relay.handle("local", &records).await?;
    point("before");
    engine.consume(table, last).await?;
    point("after");
    Ok(true)
}

/// A row that cannot be read must not hold up those after it.
async fn park(queue: &dyn JobQueue, record: &StreamRecord, why: &str) -> anyhow::Result<()> {
    tracing::error!(sequence = record.sequence, why, "a record of the stream cannot be read; it is parked");
    let text = format!("{why}; keys {:?}, sequence {}", record.keys, record.sequence);
    Ok(queue.park("poison_row", &text).await?)
}

#[cfg(feature = "simulator")]
fn point(when: &str) {
    crate::mortal::pass(when, "consume");
}

#[cfg(not(feature = "simulator"))]
fn point(_: &str) {}
