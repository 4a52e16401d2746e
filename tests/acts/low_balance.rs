//! A balance that runs low is told to subscribers and owners, once.

use std::time::Duration;

use hantar_domain::ids::EndpointId;
use hantar_domain::webhook::EventId;
use hantar_platform::faults::{Calls, FaultPlan, Throttle, ThrottleError, When};
use hantar_usecases::ports::Clock as _;
use serde_json::{Value, json};

use crate::door::Door;
use crate::home::Home;
use crate::world::{World, handle};

/// An address that nobody needs to answer at.
const URL: &str = "http://127.0.0.1:9/webhook";

/// An account with five credits that is told below three, and who hears of it.
async fn shop(world: &World) -> (Home, EndpointId) {
    let home = world.home(5).await;
    home.tenant().ledger().warn_below(3, None, world.clock.now()).await.unwrap();
    let (endpoint, _) = home.subscribe(URL, &["credits.low"]).await;
    world.skip_stream().await;
    (home, endpoint)
}

/// Sends so many messages, and relays each.
async fn send(world: &World, home: &Home, count: usize) {
    for _ in 0..count {
        home.send("spent").await;
        world.relay(&home.process).await;
    }
}

async fn told(world: &World, home: &Home) -> Vec<String> {
    world.deliveries(home.account).await.into_iter().map(|(_, event)| event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_balance_is_told_once_each_time_that_it_becomes_low() {
    let world = World::new(1601).await;
    let (home, endpoint) = shop(&world).await;
    let account = home.account;
    send(&world, &home, 2).await;
    assert!(told(&world, &home).await.is_empty(), "three are left, and that is not below three");
    send(&world, &home, 3).await;
    assert_eq!(told(&world, &home).await, [format!("low_{account}_1")]);
    let delivery = home.delivery(endpoint, &EventId(format!("low_{account}_1"))).await;
    let body: Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["balance"], &body["data"]["threshold"]),
        (&json!("credits.low"), &json!(2), &json!(3))
    );
    home.tenant().grant(4, "more", world.clock.now()).await.unwrap();
    send(&world, &home, 1).await;
    assert_eq!(told(&world, &home).await.len(), 1, "it is high again");
    send(&world, &home, 3).await;
    assert_eq!(told(&world, &home).await, [format!("low_{account}_1"), format!("low_{account}_2")]);
}

#[tokio::test(start_paused = true)]
async fn whoever_dies_before_it_is_remembered_tells_the_same_event_again() {
    let world = World::new(1602).await;
    let (home, _) = shop(&world).await;
    for _ in 0..4 {
        home.send("spent").await;
    }
    let (records, _) = world.stream(200).await.unwrap();
    let relay = home.process.relay();
    for failing in ["SET tl", "low_balance-0"] {
        let calls = Calls { operation: None, containing: Some(failing.into()), when: When::Chance(1.0) };
        world.faults.change(|plan| plan.throttles.push(Throttle { calls, error: ThrottleError::RequestLimitExceeded }));
        handle(&relay, "local", &records).await.unwrap_err();
        world.faults.set_plan(FaultPlan::default());
    }
    for _ in 0..2 {
        handle(&relay, "local", &records).await.unwrap();
    }
    assert_eq!(told(&world, &home).await, [format!("low_{}_1", home.account)]);
    assert_eq!(home.tenant().ledger().warning().await.unwrap().told, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_get_a_letter_and_at_most_one_a_day() {
    let world = World::new(1603).await;
    let (home, _) = shop(&world).await;
    let letters = async || {
        home.process.sweep_work().await;
        home.process.work().await;
        home.process.mailbox.take()
    };
    send(&world, &home, 3).await;
    let sent = letters().await;
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].to.as_str(), sent[0].subject.as_str()), ("owner0@example.com", "2 credits left in Kedai"));
    assert!(letters().await.is_empty(), "the work is over");
    for (wait, expected) in [(Duration::from_hours(1), 0), (Duration::from_hours(24), 1)] {
        world.clock.advance(wait);
        home.tenant().grant(3, &format!("{wait:?}"), world.clock.now()).await.unwrap();
        send(&world, &home, 3).await;
        assert_eq!(letters().await.len(), expected, "{wait:?} later");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_a_letter_about_a_balance_that_is_high_again_when_it_is_written() {
    let world = World::new(1604).await;
    let (home, _) = shop(&world).await;
    send(&world, &home, 3).await;
    home.tenant().grant(100, "in time", world.clock.now()).await.unwrap();
    home.process.sweep_work().await;
    assert_eq!(home.process.work().await, 1);
    assert!(home.process.mailbox.take().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_are_answered_as_agreed() {
    let world = World::new(1605).await;
    let home = world.home(5).await;
    let door = Door::of(&home).await;
    let path = "/api/v1/credits/settings";
    door.get(path).await.is("credits_settings_bare");
    door.put(path, &json!({ "low_balance": 100 })).await.is("credits_settings");
    door.put(path, &json!({})).await.is("credits_settings_missing");
    door.put(path, &json!({ "low_balance": -1 })).await.is("credits_settings_invalid");
    for value in [json!(null), json!(0)] {
        door.put(path, &json!({ "low_balance": 7 })).await;
        assert_eq!(door.put(path, &json!({ "low_balance": value })).await.data(), json!({ "low_balance": null }));
    }
    let keyed = async |value: u64| door.ask("PUT", path, Some(&json!({ "low_balance": value })), Some("k")).await;
    assert_eq!((keyed(5).await.code(), keyed(5).await.code()), (200, 200));
    keyed(6).await.is("credits_settings_key_reused");
}
