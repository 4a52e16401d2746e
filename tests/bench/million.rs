//! The embedded tables after a million writes: do writes stay as quick as they were?

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hantar_platform::embedded::DynamoEngine;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::figures::{Latencies, rate};

const TABLE: &str = "bench";
/// Items of one batch.
const BATCH: usize = 25;

pub(crate) async fn run(writes: usize, span: Duration) -> anyhow::Result<()> {
    let folder = TempDir::new()?;
    let engine = open(folder.path()).await?;
    measure(&engine, "before", span.min(Duration::from_secs(10)), 0).await?;
    let started = Instant::now();
    let mut written = 0;
    while written < writes {
        let puts: Vec<Value> = (written..written + BATCH)
            .map(|number| json!({ "PutRequest": { "Item": item("fill", number) } }))
            .collect();
        call(&engine, "BatchWriteItem", &json!({ "RequestItems": { TABLE: puts } })).await?;
        written += BATCH;
        if written % 1000 == 0 {
            consume(&engine).await?;
        }
    }
    println!(
        "million: {written} items written in {:.0} s, the stream consumed alongside",
        started.elapsed().as_secs_f64()
    );
    measure(&engine, "after", span, 1).await
}

async fn open(folder: &Path) -> anyhow::Result<DynamoEngine> {
    let engine = DynamoEngine::open(&folder.join("tables.db"))?;
    let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let table = json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }, { "AttributeName": "sk", "AttributeType": "S" }],
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    call(&engine, "CreateTable", &table).await?;
    Ok(engine)
}

/// Conditional puts one after the other, with the stream consumed as the relay does.
async fn measure(engine: &DynamoEngine, name: &str, span: Duration, round: usize) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut latencies = Latencies::default();
    while started.elapsed() < span {
        let put = json!({ "TableName": TABLE, "Item": item(&format!("measured {round}"), latencies.count()), "ConditionExpression": "attribute_not_exists(pk)" });
        let began = Instant::now();
        call(engine, "PutItem", &put).await?;
        latencies.add(began.elapsed());
        if latencies.count() % 100 == 0 {
            consume(engine).await?;
        }
    }
    println!(
        "million: conditional puts {name} it: {:.0}/s over {:.0} s, {}",
        rate(latencies.count(), started.elapsed()),
        span.as_secs_f64(),
        latencies.line()
    );
    Ok(())
}

fn item(partition: &str, number: usize) -> Value {
    json!({ "pk": { "S": format!("{partition} {}", number % 997) }, "sk": { "S": format!("{number:010}") }, "b": { "S": "x".repeat(300) } })
}

async fn consume(engine: &DynamoEngine) -> anyhow::Result<()> {
    while let Some(last) = engine.stream_batch(TABLE, 1000).await?.last().map(|record| record.sequence) {
        engine.consume(TABLE, last).await?;
    }
    Ok(())
}

async fn call(engine: &DynamoEngine, operation: &str, request: &Value) -> anyhow::Result<()> {
    let (status, answer) = engine.call(operation, request.to_string().as_bytes()).await;
    ensure!(status == 200, "{operation}: {answer}");
    Ok(())
}
