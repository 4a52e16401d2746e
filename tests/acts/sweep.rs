//! Sweeping devices: doorbells that were missed, and entries that are stale.

use std::time::Duration;

use hantar_domain::ids::Shard;
use hantar_domain::message::{Fact, State};
use hantar_domain::time::Timestamp;
use hantar_platform::faults::{Calls, FaultPlan, Loss, LostAs, When};
use hantar_usecases::found_account::add_device;
use hantar_usecases::ports::Clock as _;
use hantar_usecases::send_message::Draft;
use hantar_usecases::sweep_device::Swept;

use crate::home::{Home, draft, moved};
use crate::world::{SHARDS, World};

/// The shortest span of time.
const TICK: Duration = Duration::from_micros(1);
const MINUTE: Duration = Duration::from_mins(1);

/// Loses all calls of an operation that contain this.
fn lose(world: &World, operation: &str, containing: Option<String>) {
    let calls = Calls { operation: Some(operation.into()), containing, when: When::Chance(1.0) };
    world.faults.change(|plan| plan.losses.push(Loss { calls, executed: false, error: LostAs::Io }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_queued_for_a_minute_rings_and_a_younger_one_does_not() {
    let world = World::new(501).await;
    let home = world.home(10).await;
    let accepted = home.send("missed").await.accepted_at;
    assert_eq!(home.process.sweep_at(accepted + MINUTE - TICK).await, Swept::default());
    assert!(home.process.rings().await.is_empty());
    let swept = home.process.sweep_at(accepted + MINUTE).await;
    assert_eq!(swept, Swept { ring: true, ..Swept::default() });
    assert_eq!(home.process.rings().await, [(home.account, home.device)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_message_rings_when_it_is_due_and_not_before() {
    let world = World::new(502).await;
    let home = world.home(10).await;
    let due = world.clock.now() + Duration::from_hours(3);
    home.try_send(Draft { scheduled_at: Some(due.into()), ..draft("later") }).await.unwrap();
    assert!(!home.process.sweep_at(due - TICK).await.ring);
    assert!(home.process.sweep_at(due).await.ring);
    assert_eq!(home.process.rings().await, [(home.account, home.device)]);
    let id = home.send("paced").await.id;
    let tenant = home.tenant();
    let (until, now) = (due + Duration::from_hours(1), world.clock.now());
    tenant.hold(id, until, "paced", now).await.unwrap();
    tenant.hold(home.messages().await[1].id, until, "paced", now).await.unwrap();
    assert!(!home.process.sweep_at(until - TICK).await.ring, "a hold that was extended");
    assert!(home.process.sweep_at(until).await.ring);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_nothing_to_do_is_left_in_peace() {
    let world = World::new(503).await;
    let home = world.home(10).await;
    let id = home.send("done").await.id;
    home.dispatch(id).await;
    home.learn(id, Fact::Delivered).await;
    assert_eq!(home.process.sweep_at(Timestamp(i64::MAX)).await, Swept::default());
    assert!(home.process.rings().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_device_is_rung_once_however_many_of_its_messages_were_missed() {
    let world = World::new(504).await;
    let home = world.home(10).await;
    let second =
        add_device(&home.process.founders(), home.tenant().as_ref(), home.account, "Two".into()).await.unwrap();
    for device in [None, Some(second.id), None, Some(second.id)] {
        home.try_send(Draft { device, ..draft("missed") }).await.unwrap();
    }
    assert!(home.process.sweep_at(world.clock.now() + MINUTE).await.ring);
    let mut rings = home.process.rings().await;
    rings.sort_unstable();
    assert_eq!(rings, [(home.account, home.device), (home.account, second.id)]);
}

#[tokio::test(start_paused = true)]
async fn one_devices_failure_does_not_keep_the_others_from_being_swept() {
    let world = World::new(505).await;
    let mut homes = Vec::new();
    for _ in 0..10 {
        homes.push(world.home(10).await);
    }
    for home in &homes {
        home.send("missed").await;
    }
    let shard = |home: &Home| Shard::of(home.device, SHARDS);
    assert!(homes[1..].iter().any(|home| shard(home) == shard(&homes[0])), "nobody stands behind the first one");
    lose(&world, "Query", Some(format!("A#{}#D#{}\"", homes[0].account, homes[0].device)));
    let process = world.process();
    let later = world.clock.now() + MINUTE;
    process.try_sweep_at(later).await.unwrap_err();
    world.faults.set_plan(FaultPlan::default());
    let mut rings = process.rings().await;
    rings.sort_unstable();
    assert_eq!(rings, homes[1..].iter().map(|home| (home.account, home.device)).collect::<Vec<_>>());
    process.sweep_at(later).await;
    assert_eq!(process.rings().await.len(), 10);
}

#[tokio::test(start_paused = true)]
async fn stale_turns_are_forgotten() {
    let world = World::new(506).await;
    let home = world.home(10).await;
    let id = home.send("answered").await.id;
    home.dispatch(id).await;
    // The process dies between the answer and taking the entry away.
    lose(&world, "DeleteItem", None);
    assert_eq!(moved(home.learn(id, Fact::Acknowledged).await).state, State::Sent);
    world.faults.set_plan(FaultPlan::default());
    assert_eq!(home.line().await.len(), 1, "the entry is stale");
    assert_eq!(home.process.sweep_at(Timestamp(i64::MAX)).await, Swept::default());
    assert!(home.line().await.is_empty());
    home.audit().await;
}

#[tokio::test(start_paused = true)]
async fn stale_entries_among_the_unknown_ones_are_forgotten() {
    let world = World::new(507).await;
    let home = world.home(10).await;
    let tenant = home.tenant();
    let id = home.unknown_message("late").await.id;
    lose(&world, "DeleteItem", None);
    assert_eq!(moved(home.learn(id, Fact::Acknowledged).await).state, State::Sent);
    world.faults.set_plan(FaultPlan::default());
    assert_eq!(tenant.unknown_messages(home.device, 10).await.unwrap(), [id], "the entry is stale");
    assert_eq!(home.process.sweep_at(world.clock.now()).await, Swept::default());
    assert!(tenant.unknown_messages(home.device, 10).await.unwrap().is_empty());
    assert_eq!(home.audit().await.refunded, 0);
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_message_is_found_after_a_death_while_it_took_its_turn() {
    for (operation, containing) in [("PutItem", "OPEN#"), ("DeleteItem", "OPEN#HELD#")] {
        let world = World::new(509).await;
        let home = world.home(10).await;
        let due = world.clock.now() + Duration::from_hours(1);
        let held = home.try_send(Draft { scheduled_at: Some(due.into()), ..draft("later") }).await.unwrap();
        assert!(home.line().await.is_empty());
        world.clock.advance_to(due);
        lose(&world, operation, Some(containing.into()));
        home.process.try_sweep_at(due).await.unwrap_err();
        world.faults.set_plan(FaultPlan::default());
        for _ in 0..2 {
            assert!(home.process.sweep_at(due).await.ring, "{operation}");
            assert_eq!(home.line().await, [held.id], "{operation}");
        }
        home.dispatch(held.id).await;
        home.learn(held.id, Fact::Acknowledged).await;
        assert!(home.line().await.is_empty(), "{operation}");
        let entries = world.items().await.into_keys().filter(|(_, _, sk)| sk.starts_with("OPEN#"));
        assert_eq!(entries.count(), 0, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_scheduled_messages_do_not_hide_those_behind_them() {
    let world = World::new(508).await;
    let home = world.home(1000).await;
    let due = world.clock.now() + Duration::from_hours(240);
    for chunk in 0..15 {
        let sends = (0..40).map(|_| home.try_send(Draft { scheduled_at: Some(due.into()), ..draft("later") }));
        for sent in futures::future::join_all(sends).await {
            assert_eq!(sent.unwrap().state, State::Held, "chunk {chunk}");
        }
    }
    let silent = home.send("silent").await.id;
    home.dispatch(silent).await;
    let missed = home.send("missed").await;
    let swept = home.process.sweep_at(missed.accepted_at + MINUTE).await;
    assert_eq!(swept, Swept { ring: true, silent: 1, refunded: 0 });
    assert_eq!(home.message(silent).await.state, State::Unknown);
}
