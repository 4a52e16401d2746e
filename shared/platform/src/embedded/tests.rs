//! The engine through the typed SDK, as the store uses it.

#![expect(clippy::disallowed_methods, reason = "AWS's clock decides what has expired")]

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::operation::create_table::CreateTableOutput;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, Put, ReturnConsumedCapacity, ReturnValuesOnConditionCheckFailure, ScalarAttributeType,
    StreamSpecification, StreamViewType, TimeToLiveSpecification, TransactWriteItem, Update,
};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::{DynamoEngine, StreamEvent, StreamRecord};
use crate::aws::{AwsEndpoint, Connector, dynamodb, tokio_sleep};

pub(crate) const TABLE: &str = "business";

pub(crate) fn client(http: SharedHttpClient) -> Client {
    let time = SharedTimeSource::new(SystemTimeSource::new());
    dynamodb(&AwsEndpoint::in_process(), Connector::InProcess(http), tokio_sleep(), time)
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(crate) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A table with keys `pk`, `sk`, one index on `g`, and a stream.
pub(crate) async fn create(client: &Client, table: &str) -> CreateTableOutput {
    let attribute = |name: &str| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let index = GlobalSecondaryIndex::builder()
        .index_name("by_g")
        .key_schema(key("g", KeyType::Hash))
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .unwrap();
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .unwrap();
    client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk"))
        .attribute_definitions(attribute("sk"))
        .attribute_definitions(attribute("g"))
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .global_secondary_indexes(index)
        .stream_specification(stream)
        .send()
        .await
        .unwrap()
}

pub(crate) async fn put(client: &Client, pk: &str, sk: &str, value: i64) {
    client
        .put_item()
        .table_name(TABLE)
        .item("pk", text(pk))
        .item("sk", text(sk))
        .item("n", number(value))
        .send()
        .await
        .unwrap();
}

pub(crate) fn new_item(pk: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .item("pk", text(pk))
        .item("sk", text("A"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap();
    TransactWriteItem::builder().put(put).build()
}

async fn ready() -> (DynamoEngine, Client) {
    let engine = DynamoEngine::in_memory().unwrap();
    let client = client(engine.http_client());
    create(&client, TABLE).await;
    (engine, client)
}

fn sequences(records: &[StreamRecord]) -> Vec<(StreamEvent, &str)> {
    records.iter().map(|record| (record.event, record.keys["sk"].as_s().unwrap().as_str())).collect()
}

#[tokio::test]
async fn a_failed_condition_of_a_put_is_its_own_error_and_carries_the_old_item() {
    let (_, client) = ready().await;
    put(&client, "P", "A", 7).await;
    let error = client
        .put_item()
        .table_name(TABLE)
        .item("pk", text("P"))
        .item("sk", text("A"))
        .condition_expression("attribute_not_exists(pk)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(error.code(), Some("ConditionalCheckFailedException"));
    let aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(failed) = error else {
        panic!("not typed: {error:?}")
    };
    assert_eq!(failed.item().unwrap()["n"], number(7));
}

#[tokio::test]
async fn a_conditional_update_holds_a_limit_under_contention() {
    let (_, client) = ready().await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let client = client.clone();
        tries.spawn(async move {
            let result = client
                .update_item()
                .table_name(TABLE)
                .key("pk", text("P"))
                .key("sk", text("A"))
                .update_expression("ADD n :one")
                .condition_expression("attribute_not_exists(n) OR n < :limit")
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":limit", number(10))
                .send()
                .await;
            match result {
                Ok(_) => true,
                Err(error) => {
                    assert!(error.into_service_error().is_conditional_check_failed_exception());
                    false
                }
            }
        });
    }
    let passed = tries.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(passed, 10);
}

#[tokio::test]
async fn a_cancelled_transaction_gives_a_reason_per_item_with_the_old_image_and_writes_nothing() {
    let (engine, client) = ready().await;
    put(&client, "B", "A", 3).await;
    let error = client
        .transact_write_items()
        .transact_items(new_item("A"))
        .transact_items(new_item("B"))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = error
    else {
        panic!("not typed: {error:?}")
    };
    let reasons = cancelled.cancellation_reasons();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "ConditionalCheckFailed"]);
    assert_eq!(reasons[1].item().unwrap()["n"], number(3));
    assert_eq!(engine.stream_batch(TABLE, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_transaction_under_a_known_token_is_answered_and_not_applied_again() {
    let (engine, client) = ready().await;
    let add = || {
        let update = Update::builder()
            .table_name(TABLE)
            .key("pk", text("P"))
            .key("sk", text("A"))
            .update_expression("ADD n :one")
            .expression_attribute_values(":one", number(1))
            .build()
            .unwrap();
        TransactWriteItem::builder().update(update).build()
    };
    for _ in 0..3 {
        client.transact_write_items().client_request_token("token").transact_items(add()).send().await.unwrap();
    }
    assert_eq!(engine.stream_batch(TABLE, 10).await.unwrap().len(), 1);
    let other = client.transact_write_items().client_request_token("token").transact_items(new_item("A"));
    assert!(other.send().await.unwrap_err().into_service_error().is_idempotent_parameter_mismatch_exception());
}

#[tokio::test]
async fn a_query_pages_through_a_partition_in_order_and_backwards() {
    let (_, client) = ready().await;
    for sk in ["1", "2", "3", "4", "5"] {
        put(&client, "P", sk, 0).await;
    }
    for (forward, expected) in [(true, "12345"), (false, "54321")] {
        let (mut seen, mut start, mut pages) = (String::new(), None, 0);
        loop {
            let page = client
                .query()
                .table_name(TABLE)
                .key_condition_expression("pk = :pk")
                .expression_attribute_values(":pk", text("P"))
                .scan_index_forward(forward)
                .limit(2)
                .set_exclusive_start_key(start)
                .send()
                .await
                .unwrap();
            page.items().iter().for_each(|item| seen.push_str(item["sk"].as_s().unwrap()));
            pages += 1;
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        assert_eq!((seen.as_str(), pages), (expected, 3));
    }
}

#[tokio::test]
async fn the_stream_shows_every_change_in_order_with_both_images() {
    use StreamEvent::{Insert, Modify, Remove};
    let (engine, client) = ready().await;
    put(&client, "P", "A", 1).await;
    put(&client, "P", "A", 2).await;
    client.delete_item().table_name(TABLE).key("pk", text("P")).key("sk", text("A")).send().await.unwrap();
    client.transact_write_items().transact_items(new_item("X")).transact_items(new_item("Y")).send().await.unwrap();
    let records = engine.stream_batch(TABLE, 100).await.unwrap();
    let events: Vec<_> = records.iter().map(|record| record.event).collect();
    assert_eq!(events, [Insert, Modify, Remove, Insert, Insert]);
    assert!(records.is_sorted_by(|one, two| one.sequence < two.sequence));
    let n = |image: &Option<super::Item>| image.as_ref().map(|item| item["n"].clone());
    assert_eq!((n(&records[1].old), n(&records[1].new)), (Some(number(1)), Some(number(2))));
    assert_eq!((n(&records[2].old), n(&records[2].new)), (Some(number(2)), None));
    assert_eq!(records[3].keys["pk"], text("X"));
}

#[tokio::test]
async fn a_write_that_changes_nothing_does_not_show_in_the_stream_nor_hide_what_follows() {
    let (engine, client) = ready().await;
    put(&client, "P", "A", 1).await;
    for _ in 0..5 {
        put(&client, "P", "A", 1).await;
    }
    put(&client, "P", "B", 1).await;
    let first = engine.stream_batch(TABLE, 1).await.unwrap();
    assert_eq!(sequences(&first), [(StreamEvent::Insert, "A")]);
    engine.consume(TABLE, first[0].sequence).await.unwrap();
    assert_eq!(sequences(&engine.stream_batch(TABLE, 1).await.unwrap()), [(StreamEvent::Insert, "B")]);
}

#[tokio::test]
async fn what_was_not_consumed_is_shown_again_and_consuming_may_be_repeated() {
    let (engine, client) = ready().await;
    for sk in ["1", "2", "3"] {
        put(&client, "P", sk, 0).await;
    }
    let batch = engine.stream_batch(TABLE, 2).await.unwrap();
    assert_eq!(batch, engine.stream_batch(TABLE, 2).await.unwrap());
    for _ in 0..2 {
        engine.consume(TABLE, batch[1].sequence).await.unwrap();
        assert_eq!(sequences(&engine.stream_batch(TABLE, 9).await.unwrap()), [(StreamEvent::Insert, "3")]);
    }
}

#[tokio::test]
async fn reading_on_after_a_record_consumes_nothing_and_passes_over_what_changed_nothing() {
    let (engine, client) = ready().await;
    put(&client, "P", "1", 0).await;
    let first = engine.stream_after(TABLE, 0, 9).await.unwrap();
    let told = first[0].sequence;
    put(&client, "P", "1", 0).await;
    assert!(engine.stream_after(TABLE, told, 1).await.unwrap().is_empty());
    put(&client, "P", "2", 0).await;
    assert_eq!(sequences(&engine.stream_after(TABLE, told, 1).await.unwrap()), [(StreamEvent::Insert, "2")]);
    assert_eq!(engine.stream_batch(TABLE, 1).await.unwrap(), first, "it is there until it is consumed");
}

#[tokio::test]
async fn a_stream_of_one_table_is_untouched_by_consuming_another() {
    let (engine, client) = ready().await;
    create(&client, "other").await;
    client.put_item().table_name("other").item("pk", text("O")).item("sk", text("1")).send().await.unwrap();
    put(&client, "P", "A", 1).await;
    let batch = engine.stream_batch(TABLE, 10).await.unwrap();
    engine.consume(TABLE, batch[0].sequence).await.unwrap();
    assert!(engine.stream_batch(TABLE, 10).await.unwrap().is_empty());
    assert_eq!(engine.stream_batch("other", 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_engines_on_one_file_share_items_and_one_stream_with_unique_rising_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.sqlite");
    let (one, two) = (DynamoEngine::open(&path).unwrap(), DynamoEngine::open(&path).unwrap());
    let clients = [client(one.http_client()), client(two.http_client())];
    create(&clients[0], TABLE).await;
    let mut writers = tokio::task::JoinSet::new();
    for (writer, client) in clients.into_iter().enumerate() {
        writers.spawn(async move {
            for i in 0..100 {
                put(&client, &format!("W{writer}"), &format!("{i:03}"), 0).await;
            }
        });
    }
    writers.join_all().await;
    let seen = one.stream_batch(TABLE, 1000).await.unwrap();
    assert_eq!(seen.len(), 200);
    assert!(seen.is_sorted_by(|a, b| a.sequence < b.sequence));
    two.consume(TABLE, seen[149].sequence).await.unwrap();
    assert_eq!(one.stream_batch(TABLE, 1000).await.unwrap(), seen[150..]);
}

#[tokio::test]
async fn a_file_opened_again_holds_every_answered_write_and_unconsumed_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("items.sqlite");
    let first = DynamoEngine::open(&path).unwrap();
    create(&client(first.http_client()), TABLE).await;
    put(&client(first.http_client()), "P", "A", 5).await;
    drop(first);
    let again = DynamoEngine::open(&path).unwrap();
    let got = client(again.http_client()).get_item().table_name(TABLE).key("pk", text("P")).key("sk", text("A"));
    assert_eq!(got.send().await.unwrap().item.unwrap()["n"], number(5));
    assert_eq!(again.stream_batch(TABLE, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_write_wakes_who_waits_and_a_refused_write_does_not() {
    let (engine, client) = ready().await;
    let mut changed = engine.changed();
    let waiting = tokio::spawn(async move { changed.changed().await.map(|()| changed) });
    put(&client, "P", "A", 1).await;
    let changed = tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap().unwrap().unwrap();
    let refused = client.put_item().table_name(TABLE).item("pk", text("P")).item("sk", text("A"));
    refused.condition_expression("attribute_not_exists(pk)").send().await.unwrap_err();
    assert!(!changed.has_changed().unwrap());
}

#[tokio::test]
async fn expired_items_go_and_the_stream_says_that_they_expired() {
    let (engine, client) = ready().await;
    let ttl = TimeToLiveSpecification::builder().attribute_name("until").enabled(true).build().unwrap();
    client.update_time_to_live().table_name(TABLE).time_to_live_specification(ttl).send().await.unwrap();
    // AWS ignores times more than five years past, so "one minute ago" it is.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().cast_signed();
    for (sk, until) in [("gone", now - 60), ("stays", now + 600)] {
        let item = client.put_item().table_name(TABLE).item("pk", text("P")).item("sk", text(sk));
        item.item("until", number(until)).send().await.unwrap();
    }
    assert_eq!(engine.sweep_ttl().await.unwrap(), 1);
    let records = engine.stream_batch(TABLE, 10).await.unwrap();
    assert_eq!(sequences(&records)[2], (StreamEvent::Remove, "gone"));
    assert!(records[2].expired && !records[0].expired);
}

#[tokio::test]
async fn readers_learn_that_a_table_became_another() {
    let (_, client) = ready().await;
    put(&client, "P", "A", 1).await;
    client.delete_table().table_name(TABLE).send().await.unwrap();
    let gone = client.get_item().table_name(TABLE).key("pk", text("P")).key("sk", text("A")).send().await;
    assert!(gone.unwrap_err().into_service_error().is_resource_not_found_exception());
    create(&client, TABLE).await;
    let empty = client.get_item().table_name(TABLE).key("pk", text("P")).key("sk", text("A")).send().await;
    assert!(empty.unwrap().item.is_none());
}

#[tokio::test]
async fn capacity_doubles_in_transactions_for_the_table_and_not_for_its_index() {
    let (_, client) = ready().await;
    let body = AttributeValue::S("x".repeat(1500));
    let single = client
        .put_item()
        .table_name(TABLE)
        .item("pk", text("P"))
        .item("sk", text("A"))
        .item("g", text("G"))
        .item("body", body.clone())
        .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
        .send()
        .await
        .unwrap();
    let used = single.consumed_capacity.unwrap();
    assert_eq!(used.table().unwrap().capacity_units(), Some(2.0));
    assert_eq!(used.global_secondary_indexes().unwrap()["by_g"].capacity_units(), Some(2.0));
    assert_eq!(used.capacity_units(), Some(4.0));

    let put = Put::builder().table_name(TABLE).item("pk", text("Q")).item("sk", text("A")).item("g", text("G"));
    let put = put.item("body", body).build().unwrap();
    let transaction = client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(put).build())
        .return_consumed_capacity(ReturnConsumedCapacity::Indexes)
        .send()
        .await
        .unwrap();
    let used = &transaction.consumed_capacity()[0];
    assert_eq!(used.table().unwrap().capacity_units(), Some(4.0));
    assert_eq!(used.global_secondary_indexes().unwrap()["by_g"].capacity_units(), Some(2.0));
    assert_eq!(used.write_capacity_units(), Some(6.0));
}
