//! What the queue port promises, as tests that run on any SQS: on the embedded engine and on an emulator. Each case is
//! an async function over a [`World`] and panics where a promise is broken.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "these are tests: a broken promise panics")]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::{AccountId, CommandId, DeviceId, EndpointId, Shard};
use hantar_domain::webhook::EventId;
use hantar_usecases::ports::{Job, JobQueue, Queue, Received};

/// Hands the names of the cases that run anywhere to a macro that makes tests of them.
#[macro_export]
macro_rules! queue_cases {
    ($test:ident) => {
        $test! {
            jobs_of_every_kind_come_as_they_were_sent,
            each_queue_has_its_own_jobs,
            a_job_that_is_done_is_gone_and_doing_nothing_is_fine,
            a_delayed_job_is_not_seen_before_its_time,
            whoever_waits_gets_what_is_sent_meanwhile,
            waiting_for_nothing_ends,
            a_body_that_is_none_of_ours_comes_without_a_job,
            what_is_parked_can_be_read_by_a_person,
            preparing_is_repeatable_and_keeps_jobs,
        }
    };
}

/// The same for the cases that need a clock that can be moved.
#[macro_export]
macro_rules! queue_cases_in_time {
    ($test:ident) => {
        $test! {
            a_job_that_is_not_done_comes_again,
            a_job_received_too_often_goes_to_the_dead_letters,
        }
    };
}

/// Fresh queues.
pub struct World {
    /// The port.
    pub queue: Arc<dyn JobQueue>,
    /// The same queues, from below.
    pub client: aws_sdk_sqs::Client,
    /// How their names begin.
    pub prefix: String,
    /// Moves the queues' clock.
    pub pass: Arc<dyn Fn(Duration) + Send + Sync>,
}

const SHARDS: u16 = 3;
const ONE: Queue = Queue::Shard(Shard(1));
/// Enough for whatever is there already.
const AT_ONCE: Duration = Duration::ZERO;
const PATIENCE: Duration = Duration::from_secs(10);

impl World {
    /// Prepares the queues.
    pub async fn prepare(self) -> Self {
        self.queue.prepare(SHARDS).await.unwrap();
        self
    }

    /// All that comes, until `count` have come.
    async fn receive(&self, from: Queue, count: usize) -> Vec<Received> {
        let mut all = Vec::new();
        while all.len() < count {
            let some = self.queue.receive(from, PATIENCE).await.unwrap();
            assert!(!some.is_empty(), "{} of {count} jobs came", all.len());
            all.extend(some);
        }
        all
    }

    async fn url(&self, name: &str) -> String {
        let name = format!("{}-{name}", self.prefix);
        self.client.get_queue_url().queue_name(name).send().await.unwrap().queue_url.unwrap()
    }

    async fn bodies(&self, name: &str) -> Vec<String> {
        let call = self.client.receive_message().queue_url(self.url(name).await).max_number_of_messages(10);
        let messages = call.wait_time_seconds(5).send().await.unwrap().messages.unwrap_or_default();
        messages.into_iter().filter_map(|message| message.body).collect()
    }
}

fn device(number: u64) -> Job {
    Job::Device { account: AccountId(1), device: DeviceId(number) }
}

fn delivery(event: &str) -> Job {
    Job::Delivery { account: AccountId(1), endpoint: EndpointId(2), event: EventId(event.into()) }
}

fn jobs(received: &[Received]) -> HashSet<Job> {
    received.iter().filter_map(|one| one.job.clone()).collect()
}

/// More of them than a batch holds.
pub async fn jobs_of_every_kind_come_as_they_were_sent(world: World) {
    let mut sent: Vec<_> = (0..23).map(device).collect();
    sent.push(delivery("msg_1_2_3"));
    sent.push(Job::Command { account: AccountId(1), device: DeviceId(2), command: CommandId([7; 16]) });
    world.queue.send(ONE, &sent, Duration::ZERO).await.unwrap();
    assert_eq!(jobs(&world.receive(ONE, 25).await), sent.into_iter().collect());
}

/// Nobody gets another's.
pub async fn each_queue_has_its_own_jobs(world: World) {
    let queues = [Queue::Shard(Shard(0)), ONE, Queue::Webhooks, Queue::Jobs];
    for (number, queue) in (0..).zip(queues) {
        world.queue.send(queue, &[device(number)], Duration::ZERO).await.unwrap();
    }
    for (number, queue) in (0..).zip(queues) {
        assert_eq!(jobs(&world.receive(queue, 1).await), [device(number)].into());
    }
    assert!(world.queue.receive(Queue::Shard(Shard(2)), AT_ONCE).await.unwrap().is_empty());
}

/// More of them than a batch holds, and twice.
pub async fn a_job_that_is_done_is_gone_and_doing_nothing_is_fine(world: World) {
    let sent: Vec<_> = (0..12).map(device).collect();
    world.queue.send(ONE, &sent, Duration::ZERO).await.unwrap();
    let receipts: Vec<_> = world.receive(ONE, 12).await.into_iter().map(|one| one.receipt).collect();
    world.queue.done(ONE, &receipts).await.unwrap();
    world.queue.done(ONE, &receipts).await.unwrap();
    world.queue.done(ONE, &[]).await.unwrap();
    world.queue.send(ONE, &[], Duration::ZERO).await.unwrap();
    (world.pass)(Duration::from_hours(1));
    assert!(world.queue.receive(ONE, AT_ONCE).await.unwrap().is_empty());
}

/// And then it is.
pub async fn a_delayed_job_is_not_seen_before_its_time(world: World) {
    world.queue.send(ONE, &[device(1)], Duration::from_millis(1_500)).await.unwrap();
    assert!(world.queue.receive(ONE, AT_ONCE).await.unwrap().is_empty());
    (world.pass)(Duration::from_secs(3));
    assert_eq!(jobs(&world.receive(ONE, 1).await), [device(1)].into());
}

/// Long before its patience ends.
pub async fn whoever_waits_gets_what_is_sent_meanwhile(world: World) {
    let wait = world.queue.receive(ONE, PATIENCE);
    let jobs_to_send = [device(5)];
    let send = world.queue.send(ONE, &jobs_to_send, Duration::ZERO);
    let (received, answer) = futures::join!(wait, send);
    answer.unwrap();
    assert_eq!(jobs(&received.unwrap()), [device(5)].into());
}

/// With nothing.
pub async fn waiting_for_nothing_ends(world: World) {
    assert!(world.queue.receive(ONE, Duration::from_millis(100)).await.unwrap().is_empty());
}

/// So that it can be parked, and deleted.
pub async fn a_body_that_is_none_of_ours_comes_without_a_job(world: World) {
    let url = world.url("shard-1").await;
    for body in ["what is this?", r#"{"kind":"command","account":1,"device":2,"command":"no id"}"#] {
        world.client.send_message().queue_url(&url).message_body(body).send().await.unwrap();
        let received = world.receive(ONE, 1).await;
        assert_eq!(received[0].job, None, "{body}");
        world.queue.done(ONE, &[received[0].receipt.clone()]).await.unwrap();
    }
}

/// Also when it is long.
pub async fn what_is_parked_can_be_read_by_a_person(world: World) {
    world.queue.park("poison_row", "item A#1 / X").await.unwrap();
    world.queue.park("long", &"ö".repeat(300_000)).await.unwrap();
    let mut bodies = world.bodies("parked").await;
    if bodies.len() < 2 {
        bodies.extend(world.bodies("parked").await);
    }
    bodies.sort_by_key(String::len);
    assert_eq!(bodies[0], r#"{"code":"poison_row","text":"item A#1 / X"}"#);
    assert!(bodies[1].starts_with(r#"{"code":"long","text":"öö"#));
}

/// At each start of each process.
pub async fn preparing_is_repeatable_and_keeps_jobs(world: World) {
    world.queue.send(ONE, &[device(1)], Duration::ZERO).await.unwrap();
    world.queue.prepare(SHARDS + 1).await.unwrap();
    world.queue.send(Queue::Shard(Shard(SHARDS)), &[device(2)], Duration::ZERO).await.unwrap();
    assert_eq!(jobs(&world.receive(ONE, 1).await), [device(1)].into());
    assert_eq!(jobs(&world.receive(Queue::Shard(Shard(SHARDS)), 1).await), [device(2)].into());
}

/// Whoever received it may have died.
pub async fn a_job_that_is_not_done_comes_again(world: World) {
    world.queue.send(ONE, &[device(1)], Duration::ZERO).await.unwrap();
    world.receive(ONE, 1).await;
    assert!(world.queue.receive(ONE, AT_ONCE).await.unwrap().is_empty());
    (world.pass)(Duration::from_mins(10));
    assert_eq!(jobs(&world.receive(ONE, 1).await), [device(1)].into());
}

/// It would be received for ever.
pub async fn a_job_received_too_often_goes_to_the_dead_letters(world: World) {
    world.queue.send(ONE, &[device(1)], Duration::ZERO).await.unwrap();
    for _ in 0..20 {
        world.receive(ONE, 1).await;
        (world.pass)(Duration::from_mins(10));
    }
    assert!(world.queue.receive(ONE, AT_ONCE).await.unwrap().is_empty());
    assert_eq!(world.bodies("dead").await, [r#"{"kind":"device","account":1,"device":1}"#]);
}
