//! Webhook endpoints and deliveries.

use std::time::Duration;

use hantar_domain::ids::EndpointId;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{Endpoint, EventId, EventKind, Subscription};
use hantar_usecases::ports::{Attempt, Created, Delivery, DeliveryState};

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
    let due = world.fleet.due_deliveries(world.clock_now(), 100_000).await.unwrap();
    let found = due.iter().filter(|due| **due == (home.account, delivery.endpoint, delivery.event.clone())).count();
    assert!(found <= 1, "two entries for one delivery");
    found == 1
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

/// Their whole life.
pub async fn endpoints_are_made_once_switched_off_and_deleted(world: World) {
    let home = world.home(0).await;
    let endpoint = |id| Endpoint {
        account: home.account,
        id: EndpointId(id),
        url: format!("https://example.com/{id}"),
        subscription: Subscription::Kinds(vec![EventKind::DeviceStatus, EventKind::MessageReceived]),
        sealed_secret: vec![1, 2, 3],
        disabled: None,
        created_at: home.now(),
    };
    let (first, second, key) = (endpoint(1), endpoint(12), home.key(1, 1));
    assert_eq!(home.tenant.add_endpoint(&first, Some(&key)).await.unwrap(), Created::New);
    let again = home.tenant.add_endpoint(&endpoint(2), Some(&key)).await.unwrap();
    assert_eq!(again, Created::Replayed(Box::new(first.clone())));
    let reused = home.tenant.add_endpoint(&endpoint(3), Some(&home.key(1, 2))).await.unwrap();
    assert_eq!(reused, Created::KeyReused);
    assert_eq!(home.tenant.add_endpoint(&second, None).await.unwrap(), Created::New);
    assert_eq!(home.tenant.endpoints().await.unwrap(), [first.clone(), second.clone()]);
    home.tenant.disable_endpoint(second.id, "gone").await.unwrap();
    let off = home.tenant.endpoint(second.id).await.unwrap().unwrap();
    assert_eq!(off.disabled.as_deref(), Some("gone"));
    assert!(home.tenant.delete_endpoint(first.id).await.unwrap());
    assert!(!home.tenant.delete_endpoint(first.id).await.unwrap());
    home.tenant.disable_endpoint(first.id, "gone").await.unwrap();
    assert_eq!(home.tenant.endpoints().await.unwrap(), [off], "switching off what is gone makes nothing");
}
