//! What the embedded DynamoDB engine does per second on this machine, through the SDK:
//! `cargo run -p hantar-platform --features embedded --example engine_rates [memory]`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::cast_precision_loss,
    reason = "a measuring program"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, Put, ScalarAttributeType,
    StreamSpecification, StreamViewType, TransactWriteItem,
};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, tokio_sleep};
use hantar_platform::embedded::DynamoEngine;

const TABLE: &str = "rates";

fn text(value: String) -> AttributeValue {
    AttributeValue::S(value)
}

async fn create(client: &Client) {
    let attribute = |name: &str| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let stream = StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
    let table = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let table = table.attribute_definitions(attribute("pk")).attribute_definitions(attribute("sk"));
    let table = table.key_schema(key("pk", KeyType::Hash)).key_schema(key("sk", KeyType::Range));
    table.stream_specification(stream.build().unwrap()).send().await.unwrap();
}

/// Runs `count` calls from `clients` tasks and prints the rate.
async fn measure<F>(name: &str, clients: usize, count: usize, call: impl Fn(usize) -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send,
{
    let (call, next, start) = (Arc::new(call), Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..clients {
        let (call, next) = (call.clone(), next.clone());
        tasks.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    break;
                }
                call(number).await;
            }
        });
    }
    tasks.join_all().await;
    println!("{name:<34} {clients:>3} clients {:>8.0}/s", count as f64 / start.elapsed().as_secs_f64());
}

async fn measure_all(client: &Client, clients: usize, count: usize) {
    let c = client.clone();
    measure("conditional put, 1 KB", clients, count, move |i| {
        let put =
            c.put_item().table_name(TABLE).item("pk", text(format!("P{clients}.{i}"))).item("sk", text("A".into()));
        let put = put.item("body", text("x".repeat(900))).condition_expression("attribute_not_exists(pk)");
        async move { drop(put.send().await.unwrap()) }
    })
    .await;
    let c = client.clone();
    measure("get", clients, count * 2, move |i| {
        let get = c.get_item().table_name(TABLE).key("pk", text(format!("P{clients}.{}", i % count)));
        let get = get.key("sk", text("A".into()));
        async move { assert!(get.send().await.unwrap().item.is_some()) }
    })
    .await;
    let c = client.clone();
    measure("conditional update", clients, count, move |i| {
        let update = c.update_item().table_name(TABLE).key("pk", text(format!("P{clients}.{i}")));
        let update = update.key("sk", text("A".into())).update_expression("SET s = :s");
        let update = update.condition_expression("attribute_exists(pk)");
        let update = update.expression_attribute_values(":s", text("sent".into()));
        async move { drop(update.send().await.unwrap()) }
    })
    .await;
    let c = client.clone();
    measure("transaction of 4 conditional puts", clients, count / 2, move |i| {
        let put = |k: usize| {
            let put = Put::builder().table_name(TABLE).item("pk", text(format!("T{clients}.{i}.{k}")));
            let put = put.item("sk", text("A".into())).item("body", text("x".repeat(300)));
            let put = put.condition_expression("attribute_not_exists(pk)").build().unwrap();
            TransactWriteItem::builder().put(put).build()
        };
        let transaction = c.transact_write_items().set_transact_items(Some((0..4).map(put).collect()));
        async move { drop(transaction.send().await.unwrap()) }
    })
    .await;
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let memory = std::env::args().nth(1).is_some_and(|arg| arg == "memory");
    let engine = if memory {
        DynamoEngine::in_memory().unwrap()
    } else {
        DynamoEngine::open(&folder.path().join("rates.sqlite")).unwrap()
    };
    let time = SharedTimeSource::new(SystemTimeSource::new());
    let connector = Connector::InProcess(engine.http_client());
    let client = dynamodb(&AwsEndpoint::in_process(), connector, tokio_sleep(), time);
    create(&client).await;
    for clients in [1, 16] {
        measure_all(&client, clients, 4_000).await;
    }
    let bare = engine.clone();
    measure("get, without the SDK", 1, 4_000, move |i| {
        let engine = bare.clone();
        let body = format!(r#"{{"TableName":"{TABLE}","Key":{{"pk":{{"S":"P1.{i}"}},"sk":{{"S":"A"}}}}}}"#);
        async move { assert_eq!(engine.call("GetItem", body.as_bytes()).await.0, 200) }
    })
    .await;
    let bare = engine.clone();
    measure("put, without the SDK", 1, 4_000, move |i| {
        let engine = bare.clone();
        let text = "x".repeat(900);
        let item = format!(r#"{{"pk":{{"S":"B.{i}"}},"sk":{{"S":"A"}},"body":{{"S":"{text}"}}}}"#);
        let body = format!(r#"{{"TableName":"{TABLE}","Item":{item}}}"#);
        async move { assert_eq!(engine.call("PutItem", body.as_bytes()).await.0, 200) }
    })
    .await;
    let (start, mut consumed) = (Instant::now(), 0_usize);
    loop {
        let batch = engine.stream_batch(TABLE, 1000).await.unwrap();
        let Some(last) = batch.last() else { break };
        consumed += batch.len();
        engine.consume(TABLE, last.sequence).await.unwrap();
    }
    println!("stream read and consumed {:>26.0}/s", consumed as f64 / start.elapsed().as_secs_f64());
}
