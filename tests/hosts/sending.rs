//! A shop that goes on writing to Ali from all of its numbers, and what must be true of that afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hantar_domain::ids::MessageId;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::world::{Till, World, accept};

/// How often each number sends.
const EVERY: Duration = Duration::from_millis(150);

/// What was accepted.
#[derive(Debug, Default)]
pub(crate) struct Accepted {
    pub(crate) ids: Vec<MessageId>,
    /// By the sender's phone, in order.
    pub(crate) texts: BTreeMap<String, Vec<String>>,
}

/// Sends steadily until it is told to stop.
pub(crate) struct Sending {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Accepted>,
}

impl Sending {
    pub(crate) fn begin(world: &World) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (stopped, stack, account, tills) = (stop.clone(), world.stack.clone(), world.account, world.tills.clone());
        let task = tokio::spawn(async move {
            let mut accepted = Accepted::default();
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut round = 0_u32;
            while !stopped.load(Ordering::Acquire) {
                ticks.tick().await;
                for till in &tills {
                    let text = format!("{} number {round}", till.phone);
                    accepted.ids.push(accept(&stack, account, till.device, &text).await);
                    accepted.texts.entry(till.phone.clone()).or_default().push(text);
                }
                round += 1;
            }
            accepted
        });
        Self { stop, task }
    }

    /// Stops, and answers what was accepted.
    pub(crate) async fn end(self) -> Accepted {
        self.stop.store(true, Ordering::Release);
        self.task.await.unwrap()
    }
}

impl Accepted {
    /// Sends so many more from one number.
    pub(crate) async fn send(&mut self, world: &World, till: &Till, name: &str, count: usize) {
        for number in 0..count {
            let text = format!("{} {name} {number}", till.phone);
            self.ids.push(world.send(till, &text).await);
            self.texts.entry(till.phone.clone()).or_default().push(text);
        }
    }

    /// All of it is on the phone, each once, in order for each number, and known to be sent.
    pub(crate) async fn all_arrived_once_in_order(&self, world: &World) {
        let shown = world.shown(self.ids.len()).await;
        world.sent(&self.ids).await;
        let shown: BTreeMap<String, Vec<String>> = shown
            .into_iter()
            .map(|(phone, messages)| (phone, messages.into_iter().map(|message| message.text).collect()))
            .collect();
        for (phone, texts) in &self.texts {
            assert_eq!(shown.get(phone), Some(texts), "what came from {phone}");
        }
        assert_eq!(world.arrived().len(), self.ids.len(), "nothing else came, and nothing came twice");
    }
}

/// Waits until something was sent by a connection later than `connection`; answers when that was (milliseconds since 1970).
pub(crate) async fn sends_again(world: &World, till: &Till, connection: u64) -> u64 {
    world
        .until(&format!("{} to send again", till.phone), async || {
            let stanzas = world.stanzas(till, Some("message"));
            stanzas.into_iter().find(|stanza| stanza.connection > connection).map(|stanza| stanza.at_ms)
        })
        .await
}

/// Now, as the network notes it.
pub(crate) fn milliseconds() -> u64 {
    u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap()
}
