//! The relay behind an event source mapping.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use hantar_domain::ids::MessageId;
use hantar_domain::time::Timestamp;
use hantar_lambda::stream::{StreamEvent, StreamReader};
use hantar_platform::clock::SystemClock;
use hantar_usecases::ports::Clock;
use serde_json::{Value, json};

use crate::world::{Home, World, plenty, within};

/// Nobody is called by relaying.
const URL: &str = "http://127.0.0.1:9/webhook";

async fn answer(reader: &StreamReader, event: Value, deadline: Timestamp) -> Value {
    let event: StreamEvent = serde_json::from_value(event).unwrap();
    serde_json::to_value(reader.handle(&event, deadline).await).unwrap()
}

fn texts(name: &str, count: usize) -> impl Iterator<Item = String> {
    let name = name.to_owned();
    (0..count).map(move |at| format!("{name}{at}"))
}

/// An account with received messages and a subscriber to them; only the messages are in the stream.
async fn home_with(world: &World, count: usize) -> (Home, hantar_domain::ids::EndpointId, Vec<MessageId>) {
    let home = world.home().await;
    let endpoint = world.subscribe(home, URL).await;
    world.skip_stream().await;
    world.receive(home, texts("M", count)).await;
    (home, endpoint, world.ids(home).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_replayed_from_the_lowest_failure_and_nothing_after_it_is_lost() {
    let world = World::new().await;
    let (home, endpoint, ids) = home_with(&world, 130).await;
    let failing = ids[70];
    world.refuse(format!("msg_{}_{failing}_0", home.account));
    let (relay, calls) = (world.relay(), AtomicU32::new(0));
    let mapped = world
        .mapping(1000, 100)
        .drain(async |event| {
            if calls.fetch_add(1, Ordering::SeqCst) == 2 {
                world.refuse_nothing();
            }
            Ok(answer(&relay, event, plenty()).await)
        })
        .await;
    for id in &ids {
        assert!(world.delivery(home, endpoint, *id).await.is_some(), "message {id} was lost");
    }
    assert!(mapped.given_up.is_empty());
    let (first, second) = (&mapped.invocations[0], &mapped.invocations[1]);
    let done = first.iter().position(|number| *number == second[0]).unwrap();
    assert!(done >= 50, "what was done before the failure is not replayed: {done}");
    assert_eq!(mapped.invocations[2][0], second[0], "the failure is, each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_is_parked_with_its_code_and_those_after_it_go_on() {
    let world = World::new().await;
    let (home, endpoint, before) = home_with(&world, 3).await;
    let pk = format!("A#{}#M", home.account);
    let item = json!({ "pk": { "S": pk }, "sk": { "S": "0000000009999999" }, "secret": { "S": "of a customer" } });
    world.put_raw(item).await;
    world.receive(home, texts("later", 3)).await;
    let after = (4..=6).map(MessageId);
    let relay = world.relay();
    let mapped = world.mapping(100, 0).drain(async |event| Ok(answer(&relay, event, plenty()).await)).await;
    assert_eq!((mapped.invocations.len(), mapped.given_up.len()), (1, 0));
    let parked = world.bodies("parked").await;
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(parked[0]["code"], "poison_row");
    let text = parked[0]["text"].as_str().unwrap();
    assert!(text.contains("0000000009999999") && !text.contains("customer"), "{text}");
    for id in before.into_iter().chain(after) {
        assert!(world.delivery(home, endpoint, id).await.is_some(), "message {id} was lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_meet_damaged_data_are_parked_one_by_one_and_another_accounts_rows_go_on() {
    let world = World::new().await;
    let (damaged, _, of_damaged) = home_with(&world, 2).await;
    let endpoint_item =
        json!({ "pk": { "S": format!("A#{}", damaged.account) }, "sk": { "S": "ENDPOINT#0000000000000099" } });
    let whole = world.home().await;
    let endpoint = world.subscribe(whole, URL).await;
    world.receive(whole, texts("W", 2)).await;
    let ids = world.ids(whole).await;
    world.put_raw(endpoint_item).await;
    let relay = world.relay();
    let mapped = world.mapping(100, 0).drain(async |event| Ok(answer(&relay, event, plenty()).await)).await;
    assert_eq!((mapped.invocations.len(), mapped.given_up.len()), (1, 0));
    let parked = world.bodies("parked").await;
    assert_eq!(parked.len(), of_damaged.len(), "{parked:?}");
    // A queue keeps no order.
    assert!(parked.iter().all(|parked| parked["code"] == "poison_row"), "{parked:?}");
    for id in of_damaged {
        let named = format!("message {id} of account {}", damaged.account);
        let count = parked.iter().filter(|parked| parked["text"].as_str().unwrap().contains(&named)).count();
        assert_eq!(count, 1, "{named}: {parked:?}");
    }
    for id in ids {
        assert!(world.delivery(whole, endpoint, id).await.is_some(), "message {id} was lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_ends_the_process_each_time_is_found_by_splitting_and_given_up_alone() {
    let world = World::new().await;
    let (home, endpoint, ids) = home_with(&world, 9).await;
    let deadly = format!("\"{:016}\"", ids[4].0);
    let relay = world.relay();
    let mapped = world
        .mapping(100, 1)
        .drain(async |event| {
            if event.to_string().contains(&deadly) { Err(json!({})) } else { Ok(answer(&relay, event, plenty()).await) }
        })
        .await;
    for (at, id) in ids.iter().enumerate() {
        assert_eq!(world.delivery(home, endpoint, *id).await.is_some(), at != 4, "message {id}");
    }
    assert!(!mapped.given_up.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_parked_is_replayed_and_not_passed_over() {
    let world = World::new().await;
    let (home, _, _) = home_with(&world, 0).await;
    world.put_raw(json!({ "pk": { "S": format!("A#{}#M", home.account) }, "sk": { "S": "damaged" } })).await;
    let relay = world.relay();
    let parked = world.url("parked").await;
    world.sqs("DeleteQueue", json!({ "QueueUrl": parked })).await;
    let tries = AtomicU32::new(0);
    world
        .mapping(10, 10)
        .drain(async |event| {
            let answer = answer(&relay, event, plenty()).await;
            if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1, "{answer}");
                world.queue.prepare(crate::world::SHARDS).await.unwrap();
            }
            Ok(answer)
        })
        .await;
    assert_eq!(world.bodies("parked").await.len(), 1);
}

/// A clock that goes on by some seconds each time it is read.
struct Hurrying(AtomicI64);

impl Clock for Hurrying {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.fetch_add(3_000_000, Ordering::SeqCst))
    }

    fn running(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn near_the_time_limit_no_further_part_is_begun_and_the_rest_is_replayed() {
    let world = World::new().await;
    let (home, endpoint, ids) = home_with(&world, 130).await;
    let begun = SystemClock.now();
    let mut relay = world.relay();
    relay.clock = Arc::new(Hurrying(AtomicI64::new(begun.0)));
    let hurried = AtomicU32::new(0);
    let patient = world.relay();
    let mapped = world
        .mapping(1000, 0)
        .drain(async |event| {
            if hurried.fetch_add(1, Ordering::SeqCst) > 0 {
                return Ok(answer(&patient, event, plenty()).await);
            }
            // It is read at 0, 3, and 6 seconds.
            Ok(answer(&relay, event, begun + Duration::from_millis(8200)).await)
        })
        .await;
    assert_eq!(mapped.invocations.len(), 2);
    assert_eq!(mapped.invocations[1], mapped.invocations[0][100..], "two parts of fifty were done");
    for id in ids {
        assert!(world.delivery(home, endpoint, id).await.is_some(), "message {id} was lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_replayed_is_counted_once_and_relaying_counts_nothing() {
    let world = World::new().await;
    let (home, endpoint, ids) = home_with(&world, 130).await;
    let (relay, mut counter, patient) = (world.relay(), world.counter(), world.counter());
    let begun = SystemClock.now();
    counter.clock = Arc::new(Hurrying(AtomicI64::new(begun.0)));
    let calls = AtomicU32::new(0);
    let counted = async || world.tenant(home).state_counts().await.unwrap().inbound;
    let mapped = world
        .mapping(1000, 0)
        .drain(async |event| {
            match calls.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    answer(&relay, event.clone(), plenty()).await;
                    assert_eq!(counted().await, 0);
                    // It is read at 0, 3, and 6 seconds.
                    Ok(answer(&counter, event, begun + Duration::from_millis(8200)).await)
                }
                1 => {
                    assert!((1..130).contains(&counted().await), "two parts of three were done");
                    // The answer is lost on its way, and the part comes again.
                    answer(&patient, event.clone(), plenty()).await;
                    Ok(answer(&patient, event, plenty()).await)
                }
                _ => Err(json!({})),
            }
        })
        .await;
    assert_eq!((mapped.invocations.len(), counted().await), (2, 130));
    assert!(world.delivery(home, endpoint, ids[0]).await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_time_at_all_nothing_is_done_and_everything_is_replayed() {
    let world = World::new().await;
    let (home, endpoint, ids) = home_with(&world, 2).await;
    let relay = world.relay();
    let tries = AtomicU32::new(0);
    world
        .mapping(10, 10)
        .drain(async |event| {
            let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            let answer = answer(&relay, event, if first { within(Duration::from_secs(1)) } else { plenty() }).await;
            if first {
                assert!(world.delivery(home, endpoint, ids[0]).await.is_none());
            }
            Ok(answer)
        })
        .await;
    assert!(world.delivery(home, endpoint, ids[1]).await.is_some());
}
