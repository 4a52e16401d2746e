//! The stream becomes doorbells and deliveries.

use std::collections::BTreeSet;
use std::time::Duration;

use hantar_domain::device::Status;
use hantar_domain::ids::Epoch;
use hantar_domain::message::{Fact, State};
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::EventId;
use hantar_jobs::relay::{Record, Relay};
use hantar_platform::faults::{Calls, FaultPlan, Throttle, ThrottleError, When};
use hantar_testkit::webhook_receiver::WebhookReceiver;
use hantar_usecases::link_device::want_pairing;
use hantar_usecases::ports::{Clock as _, DeliveryState, DeviceChange, StateCounts};
use hantar_usecases::receive_messages::receive_messages;
use hantar_usecases::send_message::Draft;
use serde_json::Value;

use crate::home::{Home, draft, incoming};
use crate::world::{World, handle};

/// An address that nobody needs to answer at: relaying calls nobody.
const URL: &str = "http://127.0.0.1:9/webhook";

/// One message on its whole way, with a hold.
async fn road(home: &Home) -> u64 {
    let id = home.send("hello").await.id;
    let (tenant, now) = (home.tenant(), || home.process.clock.now());
    tenant.hold(id, now() + Duration::from_secs(5), "paced", now()).await.unwrap();
    home.dispatch(id).await;
    for fact in [Fact::Acknowledged, Fact::Delivered, Fact::Read] {
        home.learn(id, fact).await;
    }
    id.0
}

async fn receive(home: &Home, stanza: &str) {
    let (tenant, process) = (home.tenant(), &home.process);
    let incoming = vec![incoming(stanza, "hi")];
    receive_messages(tenant.as_ref(), &process.numbers, &process.clock, home.account, home.device, incoming)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn new_messages_of_one_batch_ring_their_devices_shard_once_for_each_device() {
    let world = World::new(101).await;
    let (one, two) = (world.home(100).await, world.home(100).await);
    world.skip_stream().await;
    for text in ["a", "b", "c"] {
        one.send(text).await;
        two.send(text).await;
    }
    let (records, through) = world.stream(200).await.unwrap();
    handle(&one.process.relay(), "local", &records).await.unwrap();
    world.consume(through).await;
    let mut rings = one.process.rings().await;
    rings.sort_unstable();
    assert_eq!(rings, [(one.account, one.device), (two.account, two.device)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_rings_so_that_the_host_learns_when_it_is_due() {
    let world = World::new(102).await;
    let home = world.home(100).await;
    world.skip_stream().await;
    let later = Draft { scheduled_at: Some((world.clock.now() + Duration::from_hours(1)).into()), ..draft("later") };
    assert_eq!(home.try_send(later).await.unwrap().state, State::Held);
    world.relay(&home.process).await;
    assert_eq!(home.process.rings().await, [(home.account, home.device)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn received_messages_later_steps_and_refunds_ring_nobody() {
    let world = World::new(103).await;
    let home = world.home(100).await;
    let id = home.unknown_message("silent").await.id;
    world.skip_stream().await;
    receive(&home, "IN1").await;
    assert!(home.tenant().refund_unknown(id, world.clock.now()).await.unwrap());
    home.learn(id, Fact::Acknowledged).await;
    world.relay(&home.process).await;
    assert!(home.process.rings().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_pairing_is_wanted_rings_each_time_somebody_asks() {
    let world = World::new(104).await;
    let home = world.home(100).await;
    world.relay(&home.process).await;
    assert!(home.process.rings().await.is_empty(), "a device that was just made has no work");
    let ask = || async {
        let device = home.tenant().device(home.device).await.unwrap().unwrap();
        want_pairing(home.tenant().as_ref(), &world.clock, device).await.unwrap();
        world.relay(&home.process).await;
        home.process.rings().await
    };
    assert_eq!(ask().await, [(home.account, home.device)]);
    let seen = DeviceChange::Seen(world.clock.now());
    home.tenant().change_device(home.device, &seen, Some(Epoch(1))).await.unwrap();
    world.relay(&home.process).await;
    assert!(home.process.rings().await.is_empty(), "another change of it rings nobody");
    assert_eq!(ask().await, [(home.account, home.device)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_devices_than_a_queue_takes_at_once_are_all_rung() {
    let world = World::new(105).await;
    let mut expected = BTreeSet::new();
    for _ in 0..45 {
        let home = world.home(1).await;
        home.send("one").await;
        expected.insert((home.account, home.device));
    }
    let process = world.process();
    world.relay(&process).await;
    let rings = process.rings().await;
    assert_eq!((rings.len(), BTreeSet::from_iter(rings)), (45, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_that_tells_something_becomes_one_delivery_to_those_who_subscribed_to_it() {
    let world = World::new(106).await;
    let (home, other) = (world.home(100).await, world.home(100).await);
    let (all, _) = home.subscribe(URL, &["*"]).await;
    let (status, _) = home.subscribe(URL, &["message.status"]).await;
    let (received, _) = home.subscribe(URL, &["message.received"]).await;
    home.subscribe(URL, &["device.status"]).await;
    other.subscribe(URL, &["*"]).await;
    let (account, message) = (home.account, road(&home).await);
    receive(&home, "IN1").await;
    let inbound = home.messages().await.into_iter().map(|message| message.id.0).max().unwrap();
    world.relay(&home.process).await;

    // Queued, held, dispatched, sent, delivered, read: the first and the third tell nothing.
    let steps: Vec<_> = [1, 3, 4, 5].into_iter().map(|step| format!("msg_{account}_{message}_{step}")).collect();
    let mut expected: BTreeSet<_> =
        steps.iter().flat_map(|event| [(all, event.clone()), (status, event.clone())]).collect();
    expected.extend([all, received].map(|endpoint| (endpoint, format!("msg_{account}_{inbound}_0"))));
    assert_eq!(world.deliveries(account).await, expected);
    assert!(world.deliveries(other.account).await.is_empty());
    let rung = home.process.rung_events().await;
    assert_eq!((rung.len(), BTreeSet::from_iter(rung)), (expected.len(), expected.clone()));

    let told: Vec<_> = ["held", "sent", "delivered", "read"].into_iter().zip(&steps).collect();
    for (word, event) in told {
        let delivery = home.delivery(status, &EventId(event.clone())).await;
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        assert_eq!((&body["type"], &body["data"]["status"]), (&"message.status".into(), &word.into()), "{body}");
        assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Pending, vec![]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_read_again_stores_each_delivery_once_counts_once_and_rings_again() {
    let world = World::new(107).await;
    let home = world.home(100).await;
    home.subscribe(URL, &["*"]).await;
    for _ in 0..3 {
        road(&home).await;
    }
    let (records, _) = world.stream(200).await.unwrap();
    let relay = home.process.relay();
    handle(&relay, "local", &records).await.unwrap();
    let (stored, counted) = (world.items().await, home.tenant().state_counts().await.unwrap());
    assert_eq!(world.deliveries(home.account).await.len(), 12);
    assert_eq!(counted, home.true_counts().await);
    let events = BTreeSet::from_iter(home.process.rung_events().await);
    let rings = home.process.rings().await;

    handle(&relay, "local", &records).await.unwrap();
    assert!(world.items().await == stored, "the second reading wrote something");
    assert_eq!(home.tenant().state_counts().await.unwrap(), counted);
    assert_eq!(BTreeSet::from_iter(home.process.rung_events().await), events, "the first doorbells may be lost");
    assert_eq!(home.process.rings().await, rings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_reading_with_other_batch_boundaries_stores_and_counts_nothing_twice() {
    let world = World::new(108).await;
    let home = world.home(100).await;
    home.subscribe(URL, &["message.status"]).await;
    for _ in 0..4 {
        road(&home).await;
    }
    let (records, _) = world.stream(200).await.unwrap();
    let relay = home.process.relay();
    // Each reading begins where the consumed ones end, and goes on beyond the one before, or stops short of it.
    for (from, to) in [(0, 7), (0, 11), (3, 9), (3, 20), (15, 17), (15, records.len()), (20, records.len())] {
        handle(&relay, "local", &records[from..to]).await.unwrap();
    }
    assert_eq!(home.tenant().state_counts().await.unwrap(), home.true_counts().await);
    assert_eq!(world.deliveries(home.account).await.len(), 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_was_made_already_is_not_made_pending_again_by_a_second_reading() {
    let world = World::new(109).await;
    let home = world.home(100).await;
    let receiver = WebhookReceiver::start().await;
    let (endpoint, _) = home.subscribe(&receiver.url, &["message.status"]).await;
    road(&home).await;
    let (records, _) = world.stream(200).await.unwrap();
    let relay = home.process.relay();
    handle(&relay, "local", &records).await.unwrap();
    let deliverer = home.process.deliverer();
    let deliver = || async {
        for (_, event) in home.process.rung_events().await {
            deliverer.deliver(home.account, endpoint, &EventId(event)).await.unwrap();
        }
    };
    deliver().await;
    assert_eq!(receiver.received().len(), 4);
    handle(&relay, "local", &records).await.unwrap();
    deliver().await;
    assert_eq!(receiver.received().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_gets_nothing() {
    let world = World::new(110).await;
    let home = world.home(100).await;
    let (on, _) = home.subscribe(URL, &["*"]).await;
    let (off, _) = home.subscribe(URL, &["*"]).await;
    home.tenant().disable_endpoint(off, "gone").await.unwrap();
    road(&home).await;
    world.relay(&home.process).await;
    let deliveries = world.deliveries(home.account).await;
    assert_eq!(deliveries.len(), 4);
    assert!(deliveries.iter().all(|(endpoint, _)| *endpoint == on), "{deliveries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_a_devices_status_is_one_event_and_other_changes_are_none() {
    let world = World::new(111).await;
    let home = world.home(100).await;
    let (endpoint, _) = home.subscribe(URL, &["device.status"]).await;
    let change = |change| {
        let home = home.clone();
        async move { home.tenant().change_device(home.device, &change, Some(Epoch(1))).await.unwrap() }
    };
    let connected = |at| DeviceChange::Status { status: Status::Connected, reason: None, at };
    change(connected(world.clock.now())).await;
    change(connected(world.clock.now())).await;
    change(DeviceChange::Seen(world.clock.now())).await;
    change(DeviceChange::PairingWanted(world.clock.now())).await;
    world.relay(&home.process).await;
    let device = home.device;
    let expected = |count: u64| (1..=count).map(|seq| (endpoint, format!("dev_{device}_{seq}"))).collect();
    assert_eq!(world.deliveries(home.account).await, expected(1));
    let lost = Some("conflict".to_owned());
    change(DeviceChange::Status { status: Status::Disconnected, reason: lost, at: world.clock.now() }).await;
    world.relay(&home.process).await;
    assert_eq!(world.deliveries(home.account).await, expected(2));
}

#[tokio::test(start_paused = true)]
async fn a_failure_in_the_middle_of_a_batch_leaves_it_to_be_read_again_with_nothing_lost_or_doubled() {
    let world = World::new(112).await;
    let home = world.home(100).await;
    home.subscribe(URL, &["*"]).await;
    for _ in 0..3 {
        road(&home).await;
    }
    let (records, _) = world.stream(200).await.unwrap();
    let relay = home.process.relay();
    let account = home.account;
    let (delivery, counts) = (|name: String| (None, name), |operation: &str| (Some(operation.into()), "COUNTS".into()));
    for (operation, failing) in [
        delivery(format!("msg_{account}_1_4")),
        delivery(format!("msg_{account}_3_1")),
        counts("GetItem"),
        counts("UpdateItem"),
    ] {
        let calls = Calls { operation, containing: Some(failing), when: When::Chance(1.0) };
        world.faults.change(|plan| plan.throttles.push(Throttle { calls, error: ThrottleError::RequestLimitExceeded }));
        handle(&relay, "local", &records).await.unwrap_err();
        world.faults.set_plan(FaultPlan::default());
    }
    assert_eq!(home.tenant().state_counts().await.unwrap(), StateCounts::default());
    handle(&relay, "local", &records).await.unwrap();
    assert_eq!(world.deliveries(home.account).await.len(), 12);
    assert_eq!(home.tenant().state_counts().await.unwrap(), home.true_counts().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_relays_on_one_stream_count_everything_once() {
    let world = World::new(113).await;
    let home = world.home(1000).await;
    let read = |relay: Relay, records: Vec<Record>| {
        // Until it has its turn: whoever finds another one counting reads its batch again.
        tokio::spawn(async move { while handle(&relay, "local", &records).await.is_err() {} })
    };
    for _ in 0..8 {
        for _ in 0..5 {
            road(&home).await;
        }
        let (records, through) = world.stream(200).await.unwrap();
        let beginnings = [10, 20, records.len()].map(|end| records[..end].to_vec());
        let readings = beginnings.map(|records| read(world.process().relay(), records));
        for reading in readings {
            tokio::time::timeout(Duration::from_mins(1), reading).await.unwrap().unwrap();
        }
        world.consume(through).await;
        assert_eq!(home.tenant().state_counts().await.unwrap(), home.true_counts().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_due_at_the_moment_of_its_event() {
    let world = World::new(114).await;
    let home = world.home(100).await;
    let (endpoint, _) = home.subscribe(URL, &["message.status"]).await;
    road(&home).await;
    world.clock.advance(Duration::from_hours(1));
    let steps: Vec<Timestamp> = home.messages().await[0].history.iter().map(|step| step.at).collect();
    world.relay(&home.process).await;
    assert_eq!(world.deliveries(home.account).await.len(), 4);
    for (_, event) in world.deliveries(home.account).await {
        let step: usize = event.rsplit('_').next().unwrap().parse().unwrap();
        assert_eq!(home.delivery(endpoint, &EventId(event)).await.due_at, steps[step]);
    }
}
