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
/// How long the next records may gather after a batch that was not full: a message's steps come in quick succession, and
/// what is done per batch is then done once. The first record after a quiet time does not wait.
const GATHER: Duration = Duration::from_millis(10);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until it is dropped.
pub async fn run(engine: DynamoEngine, table: String, relay: Relay) {
    let mut changed = engine.changed();
    loop {
        changed.borrow_and_update();
        match step(&engine, &table, &relay).await {
            Ok(0) => {
                let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
            }
            Ok(BATCH..) => {}
            Ok(_) => tokio::time::sleep(GATHER).await,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the relay will read its batch again");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Handles one batch; answers how many records it held. A death between handling and consuming repeats the batch.
async fn step(engine: &DynamoEngine, table: &str, relay: &Relay) -> anyhow::Result<usize> {
    let batch = engine.stream_batch(table, BATCH).await?;
    let Some(last) = batch.last().map(|record| record.sequence) else { return Ok(0) };
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
    Ok(batch.len())
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
