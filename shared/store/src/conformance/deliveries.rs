//! Webhook endpoints and deliveries.

use std::time::Duration;

use hantar_domain::ids::EndpointId;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{Endpoint, EventId, EventKind, Subscription};
use hantar_usecases::ports::{
    Attempt, Created, Deleted, Delivery, DeliveryState, DueDelivery, EndpointChange, Idempotency,
};

use super::{Home, World};

fn delivery(home: &Home, event: &str) -> Delivery {
    Delivery {
        endpoint: EndpointId(3),
        event: EventId(format!("msg_{}_{event}", home.account)),
        kind: EventKind::MessageStatus,
        body: r#"{"type":"message.status"}"#.into(),
        state: DeliveryState::Pending,
        due_at: home.now(),
        attempts: vec![],
    }
}

fn attempt(at: Timestamp, status: Option<u16>) -> Attempt {
    let failure = status.is_none().then(|| "timeout".to_owned());
    Attempt { at, took: Duration::from_micros(1500), status, failure, excerpt: "oh no".into() }
}

/// Whether it stands among the due ones. Other accounts' may stand there, too.
async fn is_due(world: &World, home: &Home, delivery: &Delivery) -> bool {
    let entries = entries(world, home, delivery).await;
    assert!(entries.len() <= 1, "two entries for one delivery");
    entries.len() == 1
}

async fn entries(world: &World, home: &Home, delivery: &Delivery) -> Vec<DueDelivery> {
    let mut due = world.fleet.due_deliveries(world.clock_now(), 100_000).await.unwrap();
    due.retain(|due| (due.account, due.endpoint, &due.event) == (home.account, delivery.endpoint, &delivery.event));
    due
}

impl World {
    fn clock_now(&self) -> Timestamp {
        use hantar_usecases::ports::Clock as _;
        self.clock.now()
    }
}

/// From its adding, through its attempts, to its end.
pub async fn a_delivery_is_due_until_it_is_made(world: World) {
    let home = world.home(0).await;
    let mut expected = delivery(&home, "1");
    assert!(home.tenant.add_delivery(&expected).await.unwrap());
    assert!(!home.tenant.add_delivery(&Delivery { body: "other".into(), ..expected.clone() }).await.unwrap());
    assert!(is_due(&world, &home, &expected).await);
    let read = || home.tenant.delivery(expected.endpoint, &expected.event);
    assert_eq!(read().await.unwrap().as_ref(), Some(&expected));

    let failed = attempt(home.now(), None);
    let next = home.now() + Duration::from_mins(5);
    assert!(home.tenant.record_attempt(&expected, 0, &failed, DeliveryState::Pending, next).await.unwrap());
    assert!(!is_due(&world, &home, &expected).await);
    world.clock.pass(Duration::from_secs(301));
    assert!(is_due(&world, &home, &expected).await);

    let taken = attempt(home.now(), Some(204));
    expected = read().await.unwrap().unwrap();
    assert_eq!((expected.attempts.clone(), expected.due_at), (vec![failed.clone()], next));
    assert!(home.tenant.record_attempt(&expected, 1, &taken, DeliveryState::Delivered, next).await.unwrap());
    assert!(!is_due(&world, &home, &expected).await);
    let last = home.tenant.delivery(expected.endpoint, &expected.event).await.unwrap().unwrap();
    assert_eq!((last.state, last.attempts), (DeliveryState::Delivered, vec![failed, taken]));
}

/// Two workers have the same job.
pub async fn of_two_claims_one_wins(world: World) {
    let home = world.home(0).await;
    for round in 0..10 {
        let one = delivery(&home, &format!("claim{round}"));
        home.tenant.add_delivery(&one).await.unwrap();
        let (first, second) = (home.now() + Duration::from_secs(20), home.now() + Duration::from_secs(30));
        let (first, second) =
            futures::join!(home.tenant.claim_delivery(&one, first), home.tenant.claim_delivery(&one, second));
        assert!(first.unwrap() != second.unwrap());
        assert!(!is_due(&world, &home, &one).await);
        world.clock.pass(Duration::from_secs(40));
        assert!(is_due(&world, &home, &one).await, "if the winner dies, it is due again");
    }
}

/// The attempts before it are the condition.
pub async fn of_two_attempts_at_once_one_is_recorded(world: World) {
    let home = world.home(0).await;
    let one = delivery(&home, "1");
    home.tenant.add_delivery(&one).await.unwrap();
    let (made, next) = (attempt(home.now(), Some(500)), home.now() + Duration::from_secs(9));
    let record = || home.tenant.record_attempt(&one, 0, &made, DeliveryState::Pending, next);
    let (first, second) = futures::join!(record(), record());
    assert!(first.unwrap() != second.unwrap());
    let read = home.tenant.delivery(one.endpoint, &one.event).await.unwrap().unwrap();
    assert_eq!((read.attempts.len(), read.due_at), (1, next));
}

/// And leaves no entry behind.
pub async fn an_attempt_is_recorded_although_the_delivery_was_claimed_since_it_was_read(world: World) {
    let home = world.home(0).await;
    let one = delivery(&home, "1");
    home.tenant.add_delivery(&one).await.unwrap();
    assert!(home.tenant.claim_delivery(&one, home.now() + Duration::from_mins(1)).await.unwrap());
    let made = attempt(home.now(), Some(200));
    assert!(home.tenant.record_attempt(&one, 0, &made, DeliveryState::Delivered, home.now()).await.unwrap());
    world.clock.pass(Duration::from_mins(2));
    assert!(!is_due(&world, &home, &one).await);
    assert!(!home.tenant.claim_delivery(&one, home.now()).await.unwrap(), "what is delivered is not claimed");
}

/// And clearing it away is repeatable.
pub async fn a_due_entry_can_be_cleared_away_when_its_delivery_is_gone(world: World) {
    let home = world.home(0).await;
    let (one, other) = (delivery(&home, "1"), delivery(&home, "2"));
    for one in [&one, &other] {
        home.tenant.add_delivery(one).await.unwrap();
    }
    world.clock.pass(Duration::from_hours(31 * 24));
    assert_eq!(home.tenant.delivery(one.endpoint, &one.event).await.unwrap(), None, "it has expired");
    let entry = entries(&world, &home, &one).await.remove(0);
    let expected =
        DueDelivery { account: home.account, endpoint: one.endpoint, event: one.event.clone(), due_at: one.due_at };
    assert_eq!(entry, expected);
    for _ in 0..2 {
        world.fleet.forget_due(&entry).await.unwrap();
    }
    assert!(!is_due(&world, &home, &one).await && is_due(&world, &home, &other).await);
}

fn endpoint(home: &Home, id: u64) -> Endpoint {
    Endpoint {
        account: home.account,
        id: EndpointId(id),
        url: format!("https://example.com/{id}"),
        subscription: Subscription::Kinds(vec![EventKind::DeviceStatus, EventKind::MessageReceived]),
        sealed_secret: vec![1, 2, 3],
        disabled: None,
        created_at: home.now(),
    }
}

/// A repeat of a creation is none.
pub async fn an_account_that_is_full_gets_no_endpoint_but_hears_of_its_earlier_ones(world: World) {
    let home = world.home(0).await;
    let (first, key) = (endpoint(&home, 1), home.key(1, 1));
    assert_eq!(home.tenant.add_endpoint(&first, 2, Some(&key)).await.unwrap(), Created::New);
    assert_eq!(home.tenant.add_endpoint(&endpoint(&home, 2), 2, None).await.unwrap(), Created::New);
    assert_eq!(home.tenant.add_endpoint(&endpoint(&home, 3), 2, None).await.unwrap(), Created::Full);
    let other = home.key(2, 1);
    assert_eq!(home.tenant.add_endpoint(&endpoint(&home, 4), 2, Some(&other)).await.unwrap(), Created::Full);
    let again = home.tenant.add_endpoint(&endpoint(&home, 5), 2, Some(&key)).await.unwrap();
    assert_eq!(again, Created::Replayed(Box::new(first)));
    let reused = home.tenant.add_endpoint(&endpoint(&home, 6), 2, Some(&home.key(1, 2))).await.unwrap();
    assert_eq!(reused, Created::KeyReused);
    assert_eq!(home.tenant.endpoints().await.unwrap().len(), 2);
    home.tenant.delete_endpoint(EndpointId(2), None, home.now()).await.unwrap();
    let later = home.tenant.add_endpoint(&endpoint(&home, 7), 2, Some(&other)).await.unwrap();
    assert_eq!(later, Created::New, "the key was not used up");
}

/// Once, also when two ask at once; and a key stands for one endpoint.
pub async fn a_deletion_under_a_key_answers_the_same_again(world: World) {
    let home = world.home(0).await;
    for id in 1..=3 {
        home.tenant.add_endpoint(&endpoint(&home, id), 9, None).await.unwrap();
    }
    let delete = |id, key| {
        let (tenant, key, at) = (home.tenant.clone(), home.key(key, id), home.now());
        async move { tenant.delete_endpoint(EndpointId(u64::from(id)), Some(&key), at).await.unwrap() }
    };
    assert_eq!(futures::join!(delete(1, 1), delete(1, 1)), (Deleted::Done, Deleted::Done));
    assert_eq!(delete(1, 1).await, Deleted::Done);
    assert_eq!(delete(2, 1).await, Deleted::KeyReused);
    assert_eq!(delete(1, 2).await, Deleted::Missing, "another key asks anew");
    assert_eq!(delete(2, 2).await, Deleted::Done, "which used no key up");
    assert_eq!(home.tenant.endpoints().await.unwrap().len(), 1);
    world.clock.pass(Duration::from_hours(25));
    assert_eq!(delete(1, 1).await, Deleted::Missing, "the key has expired");
}

/// Their whole life.
pub async fn endpoints_are_made_once_switched_off_and_deleted(world: World) {
    let home = world.home(0).await;
    let endpoint = |id| endpoint(&home, id);
    let (first, second, key) = (endpoint(1), endpoint(12), home.key(1, 1));
    assert_eq!(home.tenant.add_endpoint(&first, 9, Some(&key)).await.unwrap(), Created::New);
    let again = home.tenant.add_endpoint(&endpoint(2), 9, Some(&key)).await.unwrap();
    assert_eq!(again, Created::Replayed(Box::new(first.clone())));
    let reused = home.tenant.add_endpoint(&endpoint(3), 9, Some(&home.key(1, 2))).await.unwrap();
    assert_eq!(reused, Created::KeyReused);
    assert_eq!(home.tenant.add_endpoint(&second, 9, None).await.unwrap(), Created::New);
    assert_eq!(home.tenant.endpoints().await.unwrap(), [first.clone(), second.clone()]);
    home.tenant.disable_endpoint(second.id, "gone").await.unwrap();
    let off = home.tenant.endpoint(second.id).await.unwrap().unwrap();
    assert_eq!(off.disabled.as_deref(), Some("gone"));
    for expected in [Deleted::Done, Deleted::Missing] {
        assert_eq!(home.tenant.delete_endpoint(first.id, None, home.now()).await.unwrap(), expected);
    }
    home.tenant.disable_endpoint(first.id, "gone").await.unwrap();
    assert_eq!(home.tenant.endpoints().await.unwrap(), [off], "switching off what is gone makes nothing");
}

/// A change takes the place of what was seen, and of nothing else.
pub async fn an_endpoint_is_changed_only_as_it_was_seen(world: World) {
    let home = world.home(0).await;
    let first = endpoint(&home, 1);
    let moved = Endpoint { url: "https://other.example/".into(), ..first.clone() };
    let change = async |seen: &Endpoint, to: &Endpoint, key: Option<&Idempotency>| {
        home.tenant.change_endpoint(seen, to, key, home.now()).await.unwrap()
    };
    assert_eq!(change(&first, &moved, None).await, EndpointChange::Missing);
    home.tenant.add_endpoint(&first, 9, None).await.unwrap();
    let key = home.key(1, 1);
    for expected in [EndpointChange::Done, EndpointChange::Before] {
        assert_eq!(change(&first, &moved, Some(&key)).await, expected);
    }
    assert_eq!(change(&first, &moved, Some(&home.key(1, 2))).await, EndpointChange::KeyReused);
    assert_eq!(change(&first, &first, None).await, EndpointChange::Moved);
    home.tenant.disable_endpoint(first.id, "gone").await.unwrap();
    let off = Endpoint { disabled: Some("gone".into()), ..moved.clone() };
    assert_eq!(
        change(&moved, &first, Some(&home.key(2, 1))).await,
        EndpointChange::Moved,
        "what we switched off stays off"
    );
    assert_eq!(home.tenant.endpoint(first.id).await.unwrap(), Some(off.clone()));
    assert_eq!(change(&off, &first, Some(&home.key(2, 1))).await, EndpointChange::Done);
    assert_eq!(home.tenant.endpoint(first.id).await.unwrap(), Some(first));
}
