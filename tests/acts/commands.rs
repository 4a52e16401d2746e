//! Asking a device, on the real store and queues, with hosts that do what a test says.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::{Epoch, Shard};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ask_device::{AskError, Asking};
use hantar_usecases::ports::{Answer, Ask, Clock as _, Failed, Job, Outcome, Person, Queue, Sleep};

use crate::home::Home;
use crate::world::{SHARDS, World};

const HOST: Epoch = Epoch(1);

/// Time passes while somebody waits; once it is time, the host takes the jobs that it finds and answers.
struct Waiting<'a> {
    home: &'a Home,
    waited: Mutex<Vec<Duration>>,
    host: Option<(Duration, Outcome)>,
}

impl<'a> Waiting<'a> {
    fn new(home: &'a Home, host: Option<(Duration, Outcome)>) -> Self {
        Self { home, waited: Mutex::default(), host }
    }

    fn waited(&self) -> Vec<Duration> {
        self.waited.lock().unwrap().clone()
    }

    async fn ask(&self) -> Result<Answer, AskError> {
        ask(self.home, self).await
    }
}

/// Asks the account's device about a number.
async fn ask(home: &Home, sleep: &dyn Sleep) -> Result<Answer, AskError> {
    let process = &home.process;
    let asking = Asking {
        fleet: process.fleet.as_ref(),
        queue: process.queue.as_ref(),
        clock: &process.clock,
        sleep,
        entropy: &process.entropy,
        shards: SHARDS,
    };
    let number = Ask::Number(PhoneNumber::from_e164("60123456789").unwrap());
    asking.ask(home.tenant().as_ref(), home.account, home.device, number).await
}

#[async_trait]
impl Sleep for Waiting<'_> {
    async fn sleep(&self, span: Duration) {
        self.home.process.clock.advance(span);
        self.waited.lock().unwrap().push(span);
        let Some((after, outcome)) = &self.host else { return };
        if self.waited().iter().sum::<Duration>() < *after {
            return;
        }
        let Home { process, device, .. } = self.home;
        let tenant = self.home.tenant();
        let shard = Queue::Shard(Shard::of(*device, SHARDS));
        for received in process.queue.receive(shard, Duration::ZERO).await.unwrap() {
            let Some(Job::Command { command, .. }) = received.job else { panic!("{received:?}") };
            if tenant.take_command(*device, command, HOST).await.unwrap().is_some() {
                assert!(tenant.answer_command(command, HOST, outcome).await.unwrap());
            }
        }
    }
}

/// Each pause takes as long as four.
struct Slow<'a>(Waiting<'a>);

#[async_trait]
impl Sleep for Slow<'_> {
    async fn sleep(&self, span: Duration) {
        self.0.sleep(span * 4).await;
    }
}

fn ali() -> Answer {
    Answer::Number(Some(Person { jid: "60123456789@s.whatsapp.net".into(), lid: None }))
}

#[tokio::test]
async fn an_answer_is_seen_soon_after_it_is_there() {
    let home = World::new(41).await.home(0).await;
    for (after, by) in [(10, 30), (100, 150), (400, 700), (5_000, 5_500)] {
        let waiting = Waiting::new(&home, Some((Duration::from_millis(after), Ok(ali()))));
        assert_eq!(waiting.ask().await.unwrap(), ali());
        let waited: Duration = waiting.waited().iter().sum();
        assert!(waited <= Duration::from_millis(by), "an answer after {after} ms was seen after {waited:?}");
    }
    let waiting = Waiting::new(&home, Some((Duration::ZERO, Err(Failed::NotConnected))));
    assert!(matches!(waiting.ask().await, Err(AskError::Failed(Failed::NotConnected))));
}

#[tokio::test]
async fn without_a_host_the_command_is_named_after_ten_seconds_and_few_looks_and_is_over() {
    let world = World::new(42).await;
    let home = world.home(0).await;
    let waiting = Waiting::new(&home, None);
    let Err(AskError::NoAnswer(id)) = waiting.ask().await else { panic!("nobody is there") };
    let waited = waiting.waited();
    assert_eq!(waited.iter().sum::<Duration>(), Duration::from_secs(10));
    assert!(waited.len() <= 40, "{waited:?}");
    // A host that comes late finds the job, and does nothing.
    let shard = Queue::Shard(Shard::of(home.device, SHARDS));
    let jobs = home.process.queue.receive(shard, Duration::ZERO).await.unwrap();
    assert_eq!(jobs[0].job, Some(Job::Command { account: home.account, device: home.device, command: id }));
    assert_eq!(home.tenant().take_command(home.device, id, HOST).await.unwrap(), None);
}

#[tokio::test]
async fn where_the_tables_are_slow_the_clock_ends_the_wait() {
    let home = World::new(43).await.home(0).await;
    let begun = home.process.clock.now();
    let asked = ask(&home, &Slow(Waiting::new(&home, None))).await;
    assert!(matches!(asked, Err(AskError::NoAnswer(_))));
    let took = home.process.clock.now().since(begun);
    assert!(took < Duration::from_secs(13), "{took:?}");
}
