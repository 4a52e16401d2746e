//! Each fault, as a caller of the typed SDK meets it.

#![expect(clippy::disallowed_methods, clippy::float_cmp, reason = "time is paused; write units are whole numbers")]

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, PutRequest, TransactWriteItem, WriteRequest};

use super::{Calls, FaultPlan, FaultyClient, Loss, LostAs, Throttle, ThrottleError, When};
use crate::embedded::DynamoEngine;
use crate::embedded::tests::{TABLE, client, create, new_item, put, text};

const SEED: u64 = 7;

async fn ready(plan: FaultPlan) -> (FaultyClient, Client, DynamoEngine) {
    let engine = DynamoEngine::in_memory().unwrap();
    create(&client(engine.http_client()), TABLE).await;
    let faulty = FaultyClient::new(engine.http_client(), plan, SEED);
    let client = client(faulty.http_client());
    (faulty, client, engine)
}

fn blind_put(pk: &str) -> TransactWriteItem {
    let put = Put::builder().table_name(TABLE).item("pk", text(pk)).item("sk", text("A")).build().unwrap();
    TransactWriteItem::builder().put(put).build()
}

/// A window that only a paused clock ends.
fn endless() -> FaultPlan {
    FaultPlan { conflict_window: Some(Duration::from_hours(1)..=Duration::from_hours(1)), ..FaultPlan::default() }
}

#[tokio::test]
async fn a_transaction_that_meets_anothers_item_is_cancelled_with_a_reason_per_item_and_not_repeated_by_the_sdk() {
    let (faulty, client, _) = ready(endless()).await;
    client.transact_write_items().transact_items(blind_put("A")).send().await.unwrap();
    faulty.reset();
    let second = client.transact_write_items().transact_items(blind_put("B")).transact_items(blind_put("A"));
    let error = second.send().await.unwrap_err().into_service_error();
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { panic!("{error:?}") };
    let codes: Vec<_> = cancelled.cancellation_reasons().iter().map(|reason| reason.code().unwrap()).collect();
    assert_eq!(codes, ["None", "TransactionConflict"]);
    // Two units per item, once: the SDK did not try again.
    assert_eq!(faulty.write_units()[TABLE], 4.0);
}

#[tokio::test]
async fn a_plain_write_that_meets_a_transactions_item_is_in_conflict_and_not_repeated_by_the_sdk() {
    let (_, client, _) = ready(endless()).await;
    client.transact_write_items().transact_items(blind_put("A")).send().await.unwrap();
    let update = client.update_item().table_name(TABLE).key("pk", text("A")).key("sk", text("A"));
    assert!(update.send().await.unwrap_err().into_service_error().is_transaction_conflict_exception());
    let delete = client.delete_item().table_name(TABLE).key("pk", text("A")).key("sk", text("A"));
    assert!(delete.send().await.unwrap_err().into_service_error().is_transaction_conflict_exception());
    put(&client, "A", "another sort key", 0).await;
}

#[tokio::test]
async fn a_conflict_ends_with_its_window_and_a_refused_transaction_opens_none() {
    let (_, client, engine) = ready(FaultPlan::conflicting()).await;
    // From here on the clock moves only when told to.
    tokio::time::pause();
    client.transact_write_items().transact_items(blind_put("A")).send().await.unwrap();
    tokio::time::advance(Duration::from_millis(4)).await;
    let refused = client.transact_write_items().transact_items(blind_put("A")).transact_items(blind_put("B"));
    refused.send().await.unwrap_err();
    client.transact_write_items().transact_items(blind_put("B")).send().await.unwrap();
    tokio::time::advance(Duration::from_millis(10)).await;
    client.transact_write_items().transact_items(blind_put("A")).send().await.unwrap();
    drop(engine);
}

#[tokio::test]
async fn a_transaction_does_not_conflict_with_its_own_lost_try() {
    let (faulty, client, engine) = ready(endless()).await;
    let calls = Calls::next("TransactWriteItems", 1);
    faulty.change(|plan| plan.losses.push(Loss { calls, executed: true, error: LostAs::Timeout }));
    client.transact_write_items().client_request_token("t").transact_items(new_item("A")).send().await.unwrap();
    assert_eq!(engine.stream_batch(TABLE, 10).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn throttled_calls_are_tried_three_times_and_then_told() {
    for (error, code) in [
        (ThrottleError::ProvisionedThroughputExceeded, "ProvisionedThroughputExceededException"),
        (ThrottleError::RequestLimitExceeded, "RequestLimitExceeded"),
        (ThrottleError::Throttling, "ThrottlingException"),
    ] {
        let (faulty, client, _) = ready(FaultPlan::default()).await;
        faulty.change(|plan| plan.throttles.push(Throttle { calls: Calls::next("GetItem", 4), error }));
        let get = || client.get_item().table_name(TABLE).key("pk", text("A")).key("sk", text("A")).send();
        assert_eq!(get().await.unwrap_err().into_service_error().code(), Some(code));
        assert_eq!(faulty.plan().throttles[0].calls.when, When::Next(1));
        get().await.unwrap();
        assert!(faulty.plan().throttles.is_empty());
    }
}

#[tokio::test]
async fn a_conditional_write_whose_answer_is_lost_meets_itself_at_the_second_try() {
    let (faulty, client, engine) = ready(FaultPlan::default()).await;
    let calls = Calls::next("PutItem", 1);
    faulty.change(|plan| plan.losses.push(Loss { calls, executed: true, error: LostAs::Io }));
    let put = client.put_item().table_name(TABLE).item("pk", text("A")).item("sk", text("A"));
    let error = put.condition_expression("attribute_not_exists(pk)").send().await.unwrap_err();
    assert!(error.into_service_error().is_conditional_check_failed_exception());
    assert_eq!(engine.stream_batch(TABLE, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_question_changes_nothing_and_ends_as_a_failed_dispatch() {
    let (faulty, client, engine) = ready(FaultPlan::default()).await;
    let calls = Calls { operation: None, containing: Some("\"A\"".to_owned()), when: When::Next(3) };
    faulty.change(|plan| plan.losses.push(Loss { calls, executed: false, error: LostAs::Io }));
    let put = client.put_item().table_name(TABLE).item("pk", text("A")).item("sk", text("B"));
    let error = put.send().await.unwrap_err();
    assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
    assert!(engine.stream_batch(TABLE, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_same_seed_throws_the_same_dice() {
    let mut outcomes = Vec::new();
    for _ in 0..2 {
        let (faulty, client, _) = ready(FaultPlan::default()).await;
        let calls = Calls::any(0.5);
        faulty.set_plan(FaultPlan {
            losses: vec![Loss { calls, executed: false, error: LostAs::Timeout }],
            ..FaultPlan::default()
        });
        let mut run = Vec::new();
        for _ in 0..8 {
            // The SDK's three tries would hide most losses; each call here is one try.
            let once = aws_sdk_dynamodb::config::Config::builder()
                .retry_config(aws_smithy_types::retry::RetryConfig::disabled());
            let get = client.get_item().table_name(TABLE).key("pk", text("A")).key("sk", text("A"));
            run.push(get.customize().config_override(once).send().await.is_ok());
        }
        outcomes.push(run);
    }
    assert_eq!(outcomes[0], outcomes[1]);
    assert!(outcomes[0].contains(&true) && outcomes[0].contains(&false));
}

#[tokio::test]
async fn latency_delays_a_call_by_what_the_plan_says() {
    let (faulty, client, _) = ready(FaultPlan::default()).await;
    tokio::time::pause();
    let second = Duration::from_secs(1);
    faulty.set_plan(FaultPlan { latency: second..=second, ..FaultPlan::default() });
    let before = tokio::time::Instant::now();
    put(&client, "A", "A", 1).await;
    assert_eq!(before.elapsed().as_secs(), 1);
}

#[tokio::test]
async fn the_meter_counts_sizes_transactions_indexes_deletes_and_refusals_as_they_are_billed() {
    let (faulty, client, _) = ready(FaultPlan::default()).await;
    let mut counted = 0.0;
    let mut rise = |what: &str, units: f64| {
        let now = faulty.write_units()[TABLE];
        assert_eq!(now - counted, units, "{what}");
        counted = now;
    };
    put(&client, "A", "A", 1).await;
    rise("a small item", 1.0);
    let large = || client.put_item().table_name(TABLE).item("pk", text("L")).item("body", text(&"x".repeat(1500)));
    large().item("sk", text("1")).item("g", text("G")).send().await.unwrap();
    rise("two units for the table, two for the index", 4.0);
    client.delete_item().table_name(TABLE).key("pk", text("L")).key("sk", text("1")).send().await.unwrap();
    rise("a delete by what it deletes, in the table and the index", 4.0);
    client.delete_item().table_name(TABLE).key("pk", text("L")).key("sk", text("1")).send().await.unwrap();
    rise("a delete of nothing", 1.0);
    let pair = || client.transact_write_items().client_request_token("t").transact_items(new_item("B"));
    pair().transact_items(new_item("C")).send().await.unwrap();
    rise("a transaction of two", 4.0);
    pair().transact_items(new_item("C")).send().await.unwrap();
    rise("its repetition under the token, which AWS bills as reads", 0.0);
    client.transact_write_items().transact_items(new_item("B")).send().await.unwrap_err();
    rise("a cancelled transaction", 2.0);
    let refused = client.put_item().table_name(TABLE).item("pk", text("A")).item("sk", text("A"));
    refused.condition_expression("attribute_not_exists(pk)").send().await.unwrap_err();
    rise("a refused put", 1.0);
    let entry = |sk: &str| {
        let put = PutRequest::builder().item("pk", text("W")).item("sk", text(sk)).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    };
    client.batch_write_item().request_items(TABLE, vec![entry("1"), entry("2")]).send().await.unwrap();
    rise("a batch of two", 2.0);
    client.get_item().table_name(TABLE).key("pk", text("A")).key("sk", text("A")).send().await.unwrap();
    rise("a read", 0.0);
}
