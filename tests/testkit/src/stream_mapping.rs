//! An event source mapping of Lambda on the embedded table's stream, in one place with no timing of its own: batches in
//! order, replayed from the lowest failure, split when the function itself fails, and given up after so many tries.
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html>

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use hantar_platform::embedded::{DynamoEngine, Item, StreamEvent, StreamRecord};
use serde_json::{Map, Value, json};

/// How many records one look at the stream reads.
const READ: usize = 10_000;

/// The mapping's settings.
#[derive(Clone, Debug)]
pub struct StreamMapping {
    /// Where the stream is.
    pub engine: DynamoEngine,
    /// Whose stream.
    pub table: String,
    /// `BatchSize`.
    pub batch: usize,
    /// `MaximumRetryAttempts`: after so many replays that did not get beyond its first record, that record is given up.
    pub retries: u32,
}

/// What a mapping did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    /// The sequence numbers of each invocation's batch.
    pub invocations: Vec<Vec<u64>>,
    /// Records that went to the failure destination.
    pub given_up: Vec<u64>,
}

impl StreamMapping {
    /// Invokes until all that is in the stream now was consumed. `invoke` is the function: its answer, or that it failed.
    ///
    /// # Panics
    /// When the stream cannot be read, or an answer names a record that was not in the batch.
    pub async fn drain(&self, invoke: impl AsyncFn(Value) -> Result<Value, Value>) -> Mapped {
        let mut mapped = Mapped::default();
        let records = self.engine.stream_batch(&self.table, READ).await.expect("the stream can be read");
        let mut at = 0;
        while at < records.len() {
            at += self.advance(&records[at..], &invoke, &mut mapped).await;
            let consumed = records[at - 1].sequence;
            self.engine.consume(&self.table, consumed).await.expect("the stream can be consumed");
        }
        mapped
    }

    /// Gets on from the first record; how many are done with.
    async fn advance(
        &self,
        records: &[StreamRecord],
        invoke: &impl AsyncFn(Value) -> Result<Value, Value>,
        mapped: &mut Mapped,
    ) -> usize {
        let mut size = self.batch.min(records.len());
        let mut tries = 0;
        loop {
            let batch = &records[..size];
            mapped.invocations.push(batch.iter().map(|record| record.sequence).collect());
            let done = match invoke(self.event(batch)).await {
                Ok(answer) => lowest_failure(&answer, batch),
                Err(_) => 0,
            };
            if done > 0 {
                return done;
            }
            // Split, so that one record alone is blamed in the end.
            size = size.div_ceil(2);
            tries += u32::from(size == 1);
            if tries > self.retries {
                mapped.given_up.push(records[0].sequence);
                return 1;
            }
        }
    }

    fn event(&self, batch: &[StreamRecord]) -> Value {
        json!({ "Records": batch.iter().map(|record| self.record(record)).collect::<Vec<_>>() })
    }

    fn record(&self, record: &StreamRecord) -> Value {
        let name = match record.event {
            StreamEvent::Insert => "INSERT",
            StreamEvent::Modify => "MODIFY",
            StreamEvent::Remove => "REMOVE",
        };
        let mut body = json!({
            "ApproximateCreationDateTime": 1_767_225_600,
            "Keys": item(&record.keys),
            "SequenceNumber": sequence(record.sequence),
            "SizeBytes": 100,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        });
        for (name, image) in [("OldImage", &record.old), ("NewImage", &record.new)] {
            if let Some(image) = image {
                body[name] = item(image);
            }
        }
        json!({
            "eventID": format!("{:032x}", record.sequence),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-west-1",
            "eventSourceARN": format!("arn:aws:dynamodb:eu-west-1:000000000000:table/{}/stream/2026-01-01T00:00:00.000", self.table),
            "dynamodb": body,
        })
    }
}

/// With as many digits as AWS's have.
fn sequence(number: u64) -> String {
    format!("{}", 400_000_000_000_000_000_000_000_u128 + u128::from(number))
}

/// How many records of the batch are done with, by the lowest failure that the answer names.
fn lowest_failure(answer: &Value, batch: &[StreamRecord]) -> usize {
    let failures = answer["batchItemFailures"].as_array().map(Vec::as_slice).unwrap_or_default();
    let place = |failure: &Value| {
        let named = failure["itemIdentifier"].as_str().unwrap_or_default();
        // None named is the whole batch.
        if named.is_empty() {
            return 0;
        }
        let at = batch.iter().position(|record| sequence(record.sequence) == named);
        at.unwrap_or_else(|| panic!("the answer names `{named}`, which was not in the batch"))
    };
    failures.iter().map(place).min().unwrap_or(batch.len())
}

/// An item as DynamoDB's JSON.
pub fn item(item: &Item) -> Value {
    Value::Object(item.iter().map(|(name, value)| (name.clone(), attribute(value))).collect::<Map<_, _>>())
}

fn attribute(value: &AttributeValue) -> Value {
    use AttributeValue::{B, Bool, Bs, L, M, N, Ns, Null, S, Ss};
    let bytes = |bytes: &[u8]| aws_smithy_types::base64::encode(bytes);
    match value {
        S(text) => json!({ "S": text }),
        N(number) => json!({ "N": number }),
        B(blob) => json!({ "B": bytes(blob.as_ref()) }),
        Bool(truth) => json!({ "BOOL": truth }),
        Null(null) => json!({ "NULL": *null }),
        Ss(texts) => json!({ "SS": texts }),
        Ns(numbers) => json!({ "NS": numbers }),
        Bs(blobs) => json!({ "BS": blobs.iter().map(|blob| bytes(blob.as_ref())).collect::<Vec<_>>() }),
        L(list) => json!({ "L": list.iter().map(attribute).collect::<Vec<_>>() }),
        M(map) => json!({ "M": item(&HashMap::clone(map)) }),
        other => panic!("{other:?} is no attribute that a stream has"),
    }
}
