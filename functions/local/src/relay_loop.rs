//! Reads the embedded table's stream and hands it to the relay and the counter, in order, one batch after the other.
//!
//! A batch is relayed at once. It is counted, and only then consumed, when a second has passed since the last time, or much
//! was gathered: a message changes some four times within seconds, and each count is a write.

use std::time::Duration;

use hantar_jobs::count::Counter;
use hantar_jobs::relay::{Record, Relay};
use hantar_platform::embedded::{DynamoEngine, StreamRecord};
use hantar_store::stream::change;
use hantar_usecases::ports::JobQueue;

/// How many records one batch holds at most, and how many are gathered before they are counted.
const BATCH: usize = 200;
/// How often other processes' writes are looked for; this process's own wake the loop at once.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often changes are counted when they come one by one. The first after a quiet time does not wait.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long the next records may gather after a batch that was not full: a message's steps come in quick succession, and
/// what is done per batch is then done once. The first record after a quiet time does not wait.
const GATHER: Duration = Duration::from_millis(10);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Who reads what.
pub struct Readers {
    /// The database.
    pub engine: DynamoEngine,
    /// The table.
    pub table: String,
    /// Who reads its changes first, and at once.
    pub relay: Relay,
    /// Who reads them then.
    pub counter: Counter,
}

/// Runs until it is dropped.
pub async fn run(with: Readers) {
    let mut changed = with.engine.changed();
    let mut reader = Reader { with, place: Place::default(), counted_at: None };
    loop {
        changed.borrow_and_update();
        match reader.step().await {
            Ok(0) => {
                let _ = tokio::time::timeout(LOOK_EVERY, changed.changed()).await;
            }
            Ok(BATCH..) => {}
            Ok(_) => tokio::time::sleep(GATHER).await,
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the relay will read the stream again");
                reader.place = Place::default();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

struct Reader {
    with: Readers,
    place: Place,
    /// When it last counted, on the running clock.
    counted_at: Option<Duration>,
}

/// How far the loop is in the stream. After a death it begins at the start again: nothing is consumed before it is counted.
#[derive(Default)]
struct Place {
    /// The number of the last record that was relayed.
    relayed: u64,
    /// What was relayed and is not counted.
    gathered: Vec<Record>,
    /// Whether records up to `relayed` are neither counted nor consumed.
    uncounted: bool,
}

impl Reader {
    /// Relays the next batch, and counts if it is time; answers how many records the batch held.
    async fn step(&mut self) -> anyhow::Result<usize> {
        let batch = self.with.engine.stream_after(&self.with.table, self.place.relayed, BATCH).await?;
        if let Some(last) = batch.last() {
            let records = self.records(&batch).await?;
            self.with.relay.handle(&records).await?;
            self.place.gathered.extend(records);
            (self.place.relayed, self.place.uncounted) = (last.sequence, true);
        }
        if self.place.uncounted && self.is_time_to_count() {
            self.count().await?;
        }
        Ok(batch.len())
    }

    async fn records(&self, batch: &[StreamRecord]) -> anyhow::Result<Vec<Record>> {
        let mut records = Vec::with_capacity(batch.len());
        for record in batch {
            match change(record.old.as_ref(), record.new.as_ref()) {
                Ok(Some(change)) => records.push(Record { sequence: record.sequence.into(), change }),
                Ok(None) => {}
                Err(error) => park(self.with.relay.queue.as_ref(), record, &error.to_string()).await?,
            }
        }
        Ok(records)
    }

    fn is_time_to_count(&self) -> bool {
        let since = self.counted_at.map(|at| self.with.relay.clock.running().saturating_sub(at));
        self.place.gathered.len() >= BATCH || since.is_none_or(|since| since >= COUNT_EVERY)
    }

    /// A death between counting and consuming repeats both: counts remember how far they went.
    async fn count(&mut self) -> anyhow::Result<()> {
        self.with.counter.handle("local", &self.place.gathered).await?;
        point("before");
        self.with.engine.consume(&self.with.table, self.place.relayed).await?;
        point("after");
        self.place.gathered.clear();
        self.place.uncounted = false;
        self.counted_at = Some(self.with.relay.clock.running());
        Ok(())
    }
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
