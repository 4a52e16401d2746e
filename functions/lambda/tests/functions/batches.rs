//! Batches of queues, and what the schedule asks for.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_domain::webhook::EventId;
use hantar_jobs::sweep::Sweeper;
use hantar_lambda::queue::{QueueEvent, webhooks, work};
use hantar_lambda::sweep::{Timer, Timers};
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_testkit::webhook_receiver::WebhookReceiver;
use serde_json::{Value, json};

use crate::world::{SHARDS, World, plenty, within};

fn batch(bodies: &[(&str, String)]) -> QueueEvent {
    let message = |(id, body): &(&str, String)| {
        json!({
            "messageId": id, "body": body, "receiptHandle": "r", "md5OfBody": "", "messageAttributes": {},
            "attributes": { "ApproximateReceiveCount": "1" },
            "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:q", "awsRegion": "eu-west-1",
        })
    };
    serde_json::from_value(json!({ "Records": bodies.iter().map(message).collect::<Vec<_>>() })).unwrap()
}

/// Three deliveries to one subscriber that were relayed, and their jobs' bodies.
async fn three_deliveries(world: &World, url: &str) -> (crate::world::Home, Vec<EventId>, Vec<String>) {
    let home = world.home().await;
    world.subscribe(home, url).await;
    world.skip_stream().await;
    world.receive(home, ["a", "b", "c"].map(str::to_owned)).await;
    let ids = world.ids(home).await;
    let relay = world.relay();
    let relayed = async |event: Value| {
        let answer = relay.handle(&serde_json::from_value(event).unwrap(), plenty()).await;
        Ok(serde_json::to_value(answer).unwrap())
    };
    world.mapping(100, 0).drain(relayed).await;
    let mut bodies: Vec<String> = world.bodies("webhooks").await.iter().map(Value::to_string).collect();
    bodies.sort_unstable();
    (home, ids.into_iter().map(|id| EventId::message(home.account, id, 0)).collect(), bodies)
}

async fn delivered(world: &World, deadline: Timestamp, event: &QueueEvent) -> Vec<String> {
    let answer = webhooks(&world.deliverer(), event, deadline).await;
    let mut items: Vec<String> = answer.items().map(str::to_owned).collect();
    items.sort_unstable();
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_batch_of_deliveries_those_that_failed_come_again_and_what_is_none_is_parked() {
    let world = World::new().await;
    let receiver = WebhookReceiver::start().await;
    let (_, events, bodies) = three_deliveries(&world, &receiver.url).await;
    world.refuse(format!("{}", events[1]));
    let messages = [
        ("m0", bodies[0].clone()),
        ("m1", bodies[1].clone()),
        ("m2", bodies[2].clone()),
        ("foreign", "not ours".to_owned()),
        ("bell", json!({ "kind": "device", "account": 1, "device": 1 }).to_string()),
    ];
    assert_eq!(delivered(&world, plenty(), &batch(&messages)).await, ["m1"]);
    assert_eq!(receiver.received().len(), 2);
    let parked = world.bodies("parked").await;
    assert_eq!(parked.len(), 2, "{parked:?}");
    assert!(parked.iter().all(|parked| parked["code"] == "not_a_delivery"), "{parked:?}");

    world.refuse_nothing();
    assert!(delivered(&world, plenty(), &batch(&messages[..3])).await.is_empty());
    let mut called: Vec<String> =
        receiver.received().iter().map(|call| call.headers["webhook-id"].to_str().unwrap().to_owned()).collect();
    called.sort_unstable();
    let mut expected: Vec<String> = events.iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    assert_eq!(called, expected, "each event once");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_begun_that_might_outlive_the_time_limit() {
    let world = World::new().await;
    let receiver = WebhookReceiver::start().await;
    let (_, _, bodies) = three_deliveries(&world, &receiver.url).await;
    let messages: Vec<_> = ["m0", "m1", "m2"].into_iter().zip(bodies).collect();
    let near = within(Duration::from_secs(15));
    assert_eq!(delivered(&world, near, &batch(&messages)).await, ["m0", "m1", "m2"]);
    assert!(receiver.received().is_empty());
    assert!(delivered(&world, plenty(), &batch(&messages)).await.is_empty());
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_kinds_that_nobody_knows_are_parked_and_come_again_only_when_that_fails() {
    let world = World::new().await;
    let worker = world.worker();
    let event = batch(&[("m0", r#"{"kind":"import","account":1}"#.to_owned()), ("m1", "?".to_owned())]);
    let late = work(&worker, &event, within(Duration::from_secs(1))).await;
    assert_eq!(late.items().collect::<Vec<_>>(), ["m0", "m1"]);
    assert_eq!(work(&worker, &event, plenty()).await.items().count(), 0);
    let parked = world.bodies("parked").await;
    assert_eq!(parked.iter().filter(|parked| parked["code"] == "unknown_job").count(), 2, "{parked:?}");
    let gone = world.url("parked").await;
    world.sqs("DeleteQueue", json!({ "QueueUrl": gone })).await;
    assert_eq!(work(&worker, &event, plenty()).await.items().count(), 2);
}

fn timers(world: &World) -> Timers {
    let (fleet, tenants, queue) = (world.fleet.clone(), world.tenants.clone(), world.queue.clone());
    let sweeper = Sweeper { fleet, tenants, queue, clock: Arc::new(SystemClock) };
    Timers { sweeper, entropy: Arc::new(SystemEntropy), shards: SHARDS }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_sweeps_every_shard_and_says_what_it_left() {
    let world = World::new().await;
    let timer: Timer = serde_json::from_value(json!({ "timer": "sweep" })).unwrap();
    let swept = timers(&world).handle(timer, plenty()).await.unwrap();
    assert_eq!((swept.shards, swept.left), (usize::from(SHARDS), 0));
    let swept = timers(&world).handle(timer, within(Duration::from_secs(2))).await.unwrap();
    assert_eq!((swept.shards, swept.left), (0, usize::from(SHARDS)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_cannot_be_swept_fails_the_invocation_after_the_others_were_swept() {
    let world = World::new().await;
    world.refuse("SHARD#".into());
    assert!(timers(&world).handle(Timer::Sweep, plenty()).await.is_err());
}

#[test]
fn a_timer_that_nobody_knows_is_refused() {
    for input in [json!({}), json!({ "timer": "dance" }), json!("sweep")] {
        assert!(serde_json::from_value::<Timer>(input.clone()).is_err(), "{input}");
    }
}
