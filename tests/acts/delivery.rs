//! Deliveries: signed, claimed, tried again, given up.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::device::Status;
use hantar_domain::ids::{EndpointId, Epoch};
use hantar_domain::webhook::{Endpoint, EventId};
use hantar_jobs::Decision;
use hantar_testkit::webhook_receiver::{Reply, WebhookReceiver};
use hantar_usecases::manage_endpoints::delete_endpoint;
use hantar_usecases::ports::{Clock as _, Created, Deleted, Delivery, DeliveryState, DeviceChange, Job, Queue};

use crate::home::Home;
use crate::world::{LOOPBACK, World};

/// Longer than a call on the loopback takes on a busy machine.
const LONG: Duration = Duration::from_secs(30);
/// How long a claim keeps others away, and how long after that the sweep rings.
const CLAIM: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(15);

/// An account with a subscriber and one event that waits for it, whose doorbell was taken out of the queue.
struct Due {
    world: World,
    home: Home,
    receiver: WebhookReceiver,
    endpoint: EndpointId,
    secret: String,
    event: EventId,
}

impl Due {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed).await;
        let home = world.home(100).await;
        let receiver = WebhookReceiver::start().await;
        let (endpoint, secret) = home.subscribe(&receiver.url, &["*"]).await;
        let event = EventId::device(home.device, 1);
        let due = Self { world, home, receiver, endpoint, secret, event };
        due.change_status(Status::Connected).await;
        assert_eq!(due.home.process.rung_events().await, [(endpoint, due.event.0.clone())]);
        due
    }

    /// One more event.
    async fn change_status(&self, status: Status) {
        let change = DeviceChange::Status { status, reason: None, at: self.world.clock.now() };
        self.home.tenant().change_device(self.home.device, &change, Some(Epoch(1))).await.unwrap();
        self.world.relay(&self.home.process).await;
    }

    /// What a worker does, in a process that has just started.
    async fn deliver(&self) {
        let decision = self.world.process().deliverer().deliver(self.home.account, self.endpoint, &self.event).await;
        assert_eq!(decision.unwrap(), Decision::Done);
    }

    async fn delivery(&self) -> Delivery {
        self.home.delivery(self.endpoint, &self.event).await
    }

    /// How many requests came.
    fn calls(&self) -> usize {
        self.receiver.received().len()
    }

    /// Moves the clock on second by second until the event's doorbell rings; how many seconds that took.
    async fn wait_for_the_bell(&self, within: u64) -> Option<u64> {
        for second in 0..=within {
            let jobs = self.home.process.jobs(Queue::Webhooks).await;
            if !jobs.is_empty() {
                let (account, endpoint, event) = (self.home.account, self.endpoint, self.event.clone());
                assert_eq!(jobs, [Job::Delivery { account, endpoint, event }]);
                return Some(second);
            }
            self.world.clock.advance(Duration::from_secs(1));
        }
        None
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_posted_once_signed_with_the_shown_secret_and_the_attempt_is_stored() {
    let due = Due::new(201).await;
    let reply = Reply::Full { status: 202, header: ("x-any", "1".into()), body: "taken".into() };
    due.receiver.answer_with([reply]);
    let pending = due.delivery().await;
    due.deliver().await;
    due.deliver().await;
    let received = due.receiver.received();
    assert_eq!(received.len(), 1, "what is delivered is not delivered again");
    received[0].verify_at_any_time(&due.secret).unwrap();
    assert_eq!((received[0].header("webhook-id"), &*received[0].method), ("dev_1_1", "POST"));
    assert_eq!(received[0].body, pending.body.as_bytes());
    assert_eq!(received[0].header("webhook-timestamp"), due.world.clock.now().seconds().to_string());
    let delivery = due.delivery().await;
    assert_eq!(delivery.state, DeliveryState::Delivered);
    let [attempt] = delivery.attempts.as_slice() else { panic!("{:?}", delivery.attempts) };
    assert_eq!((attempt.status, attempt.failure.as_deref(), &*attempt.excerpt), (Some(202), None, "taken"));
    due.world.clock.advance(Duration::from_hours(1));
    assert_eq!(due.home.process.sweep_deliveries().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_stored_and_the_next_one_rings_when_it_is_due_and_not_before() {
    let due = Due::new(202).await;
    due.receiver.answer_with([500]);
    due.deliver().await;
    let delivery = due.delivery().await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Pending, 1));
    assert_eq!((delivery.attempts[0].status, &delivery.attempts[0].failure), (Some(500), &None));
    let pause = delivery.due_at.since(due.world.clock.now());
    assert!(pause > Duration::from_secs(4) && pause <= Duration::from_secs(6), "{pause:?}");
    due.deliver().await;
    assert_eq!(due.calls(), 1, "a doorbell that comes too early makes no call");
    let waited = due.wait_for_the_bell(10).await.unwrap();
    assert!((5..=8).contains(&waited), "{waited} s");
    due.deliver().await;
    let delivery = due.delivery().await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 2), "the bell came too early");
    let received = due.receiver.received();
    assert_eq!(
        (&received[0].body, received[0].header("webhook-id")),
        (&received[1].body, received[1].header("webhook-id"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hangs_closes_or_redirects_has_not_taken_the_event() {
    let due = Due::new(203).await;
    let elsewhere = WebhookReceiver::start().await;
    due.receiver.answer_with([Reply::Redirect(elsewhere.url.clone()), Reply::Close]);
    due.deliver().await;
    due.wait_for_the_bell(10).await.unwrap();
    due.deliver().await;
    let delivery = due.delivery().await;
    assert_eq!(delivery.state, DeliveryState::Pending);
    let told: Vec<_> = delivery.attempts.iter().map(|one| (one.status, one.failure.as_deref())).collect();
    assert_eq!(told, [(Some(302), None), (None, Some("protocol"))]);
    assert!(elsewhere.received().is_empty(), "no redirect is followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_asks_for_more_time_gets_it() {
    let due = Due::new(204).await;
    due.receiver.answer_with([Reply::Full { status: 429, header: ("retry-after", "90".into()), body: String::new() }]);
    due.deliver().await;
    let waited = due.wait_for_the_bell(120).await.unwrap();
    assert!((90..=92).contains(&waited), "{waited} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_attempts_are_made_over_days_and_then_the_delivery_is_given_up() {
    let due = Due::new(205).await;
    due.receiver.answer_with([503; 20]);
    let mut pauses = Vec::new();
    while due.delivery().await.state == DeliveryState::Pending {
        due.deliver().await;
        let now = due.world.clock.now();
        let delivery = due.delivery().await;
        if delivery.state == DeliveryState::Pending {
            pauses.push(delivery.due_at.since(now).as_secs());
            // The longer pauses are not left to the queue, which could not hold them.
            due.world.clock.advance_to(delivery.due_at);
            due.home.process.jobs(Queue::Webhooks).await;
            assert_eq!(due.home.process.sweep_deliveries().await, 0, "its own bell gets some grace");
            due.world.clock.advance(GRACE);
            assert_eq!(due.home.process.sweep_deliveries().await, 1);
        }
    }
    assert_eq!((due.calls(), pauses.len()), (10, 9));
    assert!(pauses.is_sorted(), "{pauses:?}");
    let delivery = due.delivery().await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::GivenUp, 10));
    due.world.clock.advance(Duration::from_hours(48));
    assert_eq!(due.home.process.sweep_deliveries().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_workers_at_once_make_one_call() {
    let due = Due::new(206).await;
    for round in 1..=15 {
        let workers: Vec<_> = (0..3).map(|_| due.world.process().deliverer()).collect();
        let event = EventId::device(due.home.device, round);
        let made = workers.iter().map(|worker| worker.deliver(due.home.account, due.endpoint, &event));
        for decision in join_all(made).await {
            assert_eq!(decision.unwrap(), Decision::Done);
        }
        assert_eq!(due.calls(), usize::try_from(round).unwrap());
        let delivery = due.home.delivery(due.endpoint, &event).await;
        assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 1));
        due.change_status(if round % 2 == 0 { Status::Connected } else { Status::Disconnected }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_died_in_its_call_is_followed_by_the_same_event_once_its_claim_is_over() {
    let due = Due::new(207).await;
    due.receiver.answer_with([Reply::Hang]);
    let (deliverer, account, endpoint, event) =
        (due.world.process().deliverer(), due.home.account, due.endpoint, due.event.clone());
    let worker = tokio::spawn(async move { deliverer.deliver(account, endpoint, &event).await });
    due.receiver.wait_for(1, LONG).await;
    worker.abort();
    assert!(worker.await.unwrap_err().is_cancelled());

    due.deliver().await;
    due.world.clock.advance(Duration::from_secs(29));
    due.deliver().await;
    assert_eq!((due.calls(), due.home.process.sweep_deliveries().await), (1, 0), "the claim still holds");
    due.world.clock.advance(GRACE + Duration::from_secs(2));
    assert_eq!(due.home.process.sweep_deliveries().await, 1);
    assert_eq!(due.wait_for_the_bell(0).await, Some(0));
    due.deliver().await;
    let received = due.receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    received[1].verify_at_any_time(&due.secret).unwrap();
    let delivery = due.delivery().await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_the_claim_ended_is_stored_once() {
    let due = Due::new(208).await;
    due.receiver.answer_with([Reply::Hang]);
    let (deliverer, account, endpoint, event) =
        (due.world.process().deliverer(), due.home.account, due.endpoint, due.event.clone());
    let slow = tokio::spawn(async move { deliverer.deliver(account, endpoint, &event).await });
    due.receiver.wait_for(1, LONG).await;
    due.world.clock.advance(CLAIM + Duration::from_secs(1));
    due.deliver().await;
    assert_eq!(due.delivery().await.state, DeliveryState::Delivered);
    // The slow one's call ends by its time-out; what it has to say is too late.
    assert_eq!(tokio::time::timeout(LONG, slow).await.unwrap().unwrap().unwrap(), Decision::Done);
    let delivery = due.delivery().await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Delivered, 1));
    due.world.clock.advance(Duration::from_hours(1));
    assert_eq!((due.home.process.sweep_deliveries().await, due.home.process.jobs(Queue::Webhooks).await), (0, vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_that_is_gone_for_good_is_switched_off() {
    let due = Due::new(209).await;
    due.receiver.answer_with([410]);
    due.change_status(Status::Disconnected).await;
    let waiting = EventId::device(due.home.device, 2);
    due.deliver().await;
    assert_eq!(due.delivery().await.state, DeliveryState::GivenUp);
    let endpoint = due.home.tenant().endpoint(due.endpoint).await.unwrap().unwrap();
    assert_eq!(endpoint.disabled.as_deref(), Some("gone"));
    // Neither what waits for it nor what happens from now on is posted.
    let deliverer = due.home.process.deliverer();
    deliverer.deliver(due.home.account, due.endpoint, &waiting).await.unwrap();
    assert_eq!(due.home.delivery(due.endpoint, &waiting).await.state, DeliveryState::GivenUp);
    due.change_status(Status::Connected).await;
    assert_eq!(due.world.deliveries(due.home.account).await.len(), 2);
    assert_eq!(due.calls(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_listed_no_more_is_refused_at_the_call_by_each_of_the_two_guards() {
    let due = Due::new(210).await;
    for (attempts, (own, egress)) in [("", ""), ("", LOOPBACK), (LOOPBACK, "")].into_iter().enumerate() {
        let deliverer = due.home.process.deliverer_with(own, egress);
        deliverer.deliver(due.home.account, due.endpoint, &due.event).await.unwrap();
        let delivery = due.delivery().await;
        assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::Pending, attempts + 1));
        let attempt = &delivery.attempts[attempts];
        assert_eq!((attempt.status, attempt.failure.as_deref()), (None, Some("refused_address")));
        due.world.clock.advance_to(delivery.due_at);
    }
    assert_eq!(due.calls(), 0);
    due.deliver().await;
    assert_eq!((due.calls(), due.delivery().await.state), (1, DeliveryState::Delivered), "once it is listed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_deleted_endpoint_is_given_up() {
    let due = Due::new(211).await;
    let deleted = delete_endpoint(due.home.tenant().as_ref(), &due.world.clock, due.endpoint, None).await.unwrap();
    assert_eq!(deleted, Deleted::Done);
    due.deliver().await;
    let delivery = due.delivery().await;
    assert_eq!((delivery.state, due.calls()), (DeliveryState::GivenUp, 0));
    assert_eq!(delivery.attempts[0].failure.as_deref(), Some("endpoint_gone"));
    due.world.clock.advance(Duration::from_hours(1));
    assert_eq!(due.home.process.sweep_deliveries().await, 0, "its entry among the due ones is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_endpoint_with_a_damaged_secret_is_given_up_and_put_aside_for_a_person() {
    let due = Due::new(214).await;
    let (tenant, process) = (due.home.tenant(), &due.home.process);
    let whole = tenant.endpoint(due.endpoint).await.unwrap().unwrap();
    let damaged = Endpoint { id: EndpointId(99), sealed_secret: b"no secret of ours".to_vec(), ..whole };
    assert_eq!(tenant.add_endpoint(&damaged, 9, None).await.unwrap(), Created::New);
    due.change_status(Status::Disconnected).await;
    process.jobs(Queue::Webhooks).await;
    let event = EventId::device(due.home.device, 2);
    let decision = process.deliverer().deliver(due.home.account, damaged.id, &event).await.unwrap();
    assert_eq!(decision, Decision::Park("secret_damaged"));
    let delivery = due.home.delivery(damaged.id, &event).await;
    assert_eq!((delivery.state, delivery.attempts.len()), (DeliveryState::GivenUp, 1));
    assert_eq!(delivery.attempts[0].failure.as_deref(), Some("secret_damaged"));
    // Nobody is called, and nothing is due any more but what the other endpoint waits for.
    assert_eq!((due.calls(), process.jobs(Queue::Webhooks).await), (0, vec![]));
    due.world.clock.advance(Duration::from_hours(1));
    assert_eq!(process.sweep_deliveries().await, 2);
    let mut rung = process.rung_events().await;
    rung.sort_unstable();
    assert_eq!(rung, [(due.endpoint, "dev_1_1".into()), (due.endpoint, "dev_1_2".into())]);
    let again = process.deliverer().deliver(due.home.account, damaged.id, &event).await.unwrap();
    assert_eq!(again, Decision::Done, "it is put aside once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_clears_what_outlived_its_delivery_and_rings_for_the_others() {
    let due = Due::new(215).await;
    due.world.clock.advance(Duration::from_hours(29 * 24));
    due.change_status(Status::Disconnected).await;
    let process = &due.home.process;
    process.jobs(Queue::Webhooks).await;
    due.world.clock.advance(GRACE + Duration::from_secs(1));
    assert_eq!(process.sweep_deliveries().await, 2, "late, but not gone");
    process.jobs(Queue::Webhooks).await;
    due.world.clock.advance(Duration::from_hours(25));
    for _ in 0..2 {
        assert_eq!(process.sweep_deliveries().await, 1);
        assert_eq!(process.rung_events().await, [(due.endpoint, "dev_1_2".into())]);
    }
    let entries = due.world.items().await.into_keys().filter(|(_, pk, _)| pk.starts_with("DUE#"));
    assert_eq!(entries.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_after_a_restart_rings_for_deliveries_whose_doorbells_were_lost() {
    let due = Due::new(212).await;
    for status in [Status::Disconnected, Status::Connected] {
        due.change_status(status).await;
    }
    due.home.process.jobs(Queue::Webhooks).await;
    due.world.clock.advance(GRACE + Duration::from_secs(1));
    let later = due.world.process();
    assert_eq!(later.sweep_deliveries().await, 3);
    let deliverer = later.deliverer();
    for job in later.jobs(Queue::Webhooks).await {
        let Job::Delivery { account, endpoint, event } = job else { panic!("{job:?}") };
        deliverer.deliver(account, endpoint, &event).await.unwrap();
    }
    let mut ids: Vec<_> = due.receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["dev_1_1", "dev_1_2", "dev_1_3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_nobody_knows_is_done() {
    let due = Due::new(213).await;
    let unknown = EventId("msg_1_99_9".into());
    let decision = due.home.process.deliverer().deliver(due.home.account, due.endpoint, &unknown).await;
    assert_eq!((decision.unwrap(), due.calls()), (Decision::Done, 0));
}
