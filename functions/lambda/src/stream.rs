//! The stream of the business table, as an event source mapping brings it: batches of one stream shard, in order. A batch is
//! answered with the lowest sequence number that is not done; the mapping gives everything from there on again.
//!
//! What is counted per account is remembered by sequence number, and an event does not name its stream shard. All messages
//! of an account have one partition key, and so one line of rising numbers, as long as the mapping does not read a shard
//! in parallel (`ParallelizationFactor` 1).

use std::sync::Arc;

use hantar_domain::time::Timestamp;
use hantar_jobs::count::Counter;
use hantar_jobs::relay::{Record, Relay};
use hantar_store::stream::change;
use hantar_usecases::ports::{Change, Clock, JobQueue, PortError};
use serde::Deserialize;
use serde_json::Value;

use crate::batch::BatchAnswer;
use crate::image::image;
use crate::time_left::time_left;

/// How many records are handled at once. What is done stays done when a later part of a batch fails or time runs out.
const PART: usize = 50;
/// What a record is parked with that can never be handled.
const POISON: &str = "poison_row";
/// A part is not begun with less time than this: an ordinary one takes a fraction of it.
const LEAST: std::time::Duration = std::time::Duration::from_secs(2);

/// A batch of a stream. Its records are read one by one, so that one that makes no sense does not spoil the others.
#[derive(Clone, Debug, Deserialize)]
pub struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Value>,
}

/// What is done with changes.
pub enum Act {
    /// They are told.
    Relay(Relay),
    /// They are counted.
    Count(Counter),
}

/// A reader of the stream behind an event source mapping of its own.
pub struct StreamReader {
    /// What it does with changes.
    pub act: Act,
    /// Where what can never be handled is parked.
    pub queue: Arc<dyn JobQueue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A record: what it says, or why it can never be read.
struct Row {
    /// As it came, to be answered with; empty when there is none, which stands for the whole batch.
    sequence: String,
    read: Result<Option<Record>, String>,
}

/// A part is not done from here on.
struct From(String);

impl Act {
    async fn handle(&self, stream: &str, records: &[Record]) -> Result<(), PortError> {
        match self {
            Self::Relay(relay) => relay.handle(records).await,
            Self::Count(counter) => counter.handle(stream, records).await,
        }
    }
}

impl StreamReader {
    /// Handles a batch until `deadline`.
    pub async fn handle(&self, event: &StreamEvent, deadline: Timestamp) -> BatchAnswer {
        let stream = stream_of(event);
        let rows: Vec<Row> = event.records.iter().map(row).collect();
        for part in rows.chunks(PART) {
            let from = part.first().map(|row| row.sequence.as_str()).unwrap_or_default();
            let left = time_left(self.clock.as_ref(), deadline);
            if left < LEAST {
                tracing::warn!(from, "time runs out; the rest of the batch will be given again");
                return BatchAnswer::from(from);
            }
            match tokio::time::timeout(left, self.part(stream, part)).await {
                Ok(Ok(())) => {}
                Ok(Err(From(sequence))) => return BatchAnswer::from(&sequence),
                Err(_) => {
                    tracing::warn!(from, "a part of the batch took too long; it will be given again");
                    return BatchAnswer::from(from);
                }
            }
        }
        BatchAnswer::done()
    }

    async fn part(&self, stream: &str, rows: &[Row]) -> Result<(), From> {
        let first = rows.first().map(|row| row.sequence.clone()).unwrap_or_default();
        for row in rows {
            if let Err(why) = &row.read {
                self.park(&row.sequence, why).await.map_err(|()| From(first.clone()))?;
            }
        }
        let records: Vec<Record> = rows.iter().filter_map(|row| row.read.as_ref().ok()?.clone()).collect();
        match self.act.handle(stream, &records).await {
            Ok(()) => Ok(()),
            // One of them will never work, and nobody says which.
            Err(PortError::Corrupt(_)) => self.one_by_one(stream, rows).await,
            Err(error) => Err(again(&first, &error)),
        }
    }

    async fn one_by_one(&self, stream: &str, rows: &[Row]) -> Result<(), From> {
        for row in rows {
            let Ok(Some(record)) = &row.read else { continue };
            match self.act.handle(stream, std::slice::from_ref(record)).await {
                Ok(()) => {}
                Err(error @ PortError::Corrupt(_)) => {
                    let parked = self.park(&row.sequence, &format!("{error}; {}", whose(&record.change))).await;
                    parked.map_err(|()| From(row.sequence.clone()))?;
                }
                Err(error) => return Err(again(&row.sequence, &error)),
            }
        }
        Ok(())
    }

    /// A row that can never be handled must not hold up those after it.
    async fn park(&self, sequence: &str, why: &str) -> Result<(), ()> {
        tracing::error!(sequence, why, "a record of the stream can never be handled; it is parked");
        let parked = self.queue.park(POISON, &format!("{why}; sequence {sequence}")).await;
        parked.map_err(|error| {
            tracing::warn!(error = &error as &dyn std::error::Error, "a record could not be parked");
        })
    }
}

fn again(sequence: &str, error: &PortError) -> From {
    tracing::warn!(sequence, error = error as &dyn std::error::Error, "the stream will be read again from here");
    From(sequence.to_owned())
}

/// The stream's label, which a stream that is made anew does not share: numbers of one say nothing of the other.
fn stream_of(event: &StreamEvent) -> &str {
    let arn = event.records.iter().find_map(|record| record["eventSourceARN"].as_str());
    arn.and_then(|arn| arn.rsplit('/').next()).filter(|label| !label.is_empty()).unwrap_or("stream")
}

fn row(record: &Value) -> Row {
    let body = &record["dynamodb"];
    let sequence = body["SequenceNumber"].as_str().unwrap_or_default().to_owned();
    let read = read(body, &sequence).map_err(|why| format!("{why}; keys {}", body["Keys"]));
    Row { sequence, read }
}

fn read(body: &Value, sequence: &str) -> Result<Option<Record>, String> {
    let images = |name: &str| body.get(name).filter(|value| !value.is_null()).map(image).transpose();
    let (old, new) = (images("OldImage")?, images("NewImage")?);
    let Some(change) = change(old.as_ref(), new.as_ref()).map_err(|error| error.to_string())? else { return Ok(None) };
    let sequence = sequence.parse().map_err(|_| "its sequence number is none".to_owned())?;
    Ok(Some(Record { sequence, change }))
}

fn whose(change: &Change) -> String {
    match change {
        Change::Message { new, .. } => format!("message {} of account {}", new.id, new.account),
        Change::Device { new, .. } => format!("device {} of account {}", new.id, new.account),
    }
}
