//! Telling the table what WhatsApp said about messages. Done beside the writing, so that the one does not wait for the
//! other, and with several tries: what is lost here is asked for again only by writing the message once more.
//!
//! Facts about one message are recorded one after the other, in the order in which they came; those about different
//! messages side by side.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use hantar_domain::ids::{MessageId, StanzaKey};
use hantar_usecases::ports::{Applied, Clock, PortError, Tenant};
use hantar_usecases::record_ack::record_ack;
use hantar_usecases::record_receipt::{Receipt, record_receipt};

use tokio::task::JoinSet;

use crate::metrics::Metrics;
use crate::whatsapp::events::Heard;

/// How many facts are recorded at once.
const AT_ONCE: usize = 16;
/// Pauses between tries.
const PAUSES_MS: [u64; 5] = [20, 100, 500, 2_000, 5_000];

/// A fact about one message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) message: MessageId,
    pub(super) what: What,
}

/// What is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Answer { error: Option<String> },
    Receipt(Receipt),
}

/// The facts about messages of ours in what was heard. Ids of others (the phone's own messages, say) fall out.
pub(super) fn facts(heard: Heard, key: &StanzaKey) -> Vec<Fact> {
    match heard {
        Heard::Answer { stanza, error } => {
            stanza.message(key).map(|message| Fact { message, what: What::Answer { error } }).into_iter().collect()
        }
        Heard::Receipt { stanzas, receipt } => {
            let ours = stanzas.iter().filter_map(|stanza| stanza.message(key));
            ours.map(|message| Fact { message, what: What::Receipt(receipt) }).collect()
        }
    }
}

/// Facts on their way to the table.
pub(super) struct Recorder {
    tenant: Arc<dyn Tenant>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    under_way: JoinSet<Recorded>,
    /// Facts that wait for an earlier one about the same message, by messages with one under way.
    waiting: BTreeMap<MessageId, VecDeque<What>>,
}

impl Recorder {
    pub(super) fn new(tenant: Arc<dyn Tenant>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { tenant, clock, metrics, under_way: JoinSet::new(), waiting: BTreeMap::new() }
    }

    /// Whether there is room for more.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < AT_ONCE
    }

    /// Takes a fact.
    pub(super) fn take(&mut self, fact: Fact) {
        if let Some(waiting) = self.waiting.get_mut(&fact.message) {
            waiting.push_back(fact.what);
        } else {
            self.waiting.insert(fact.message, VecDeque::new());
            self.begin(fact);
        }
    }

    /// What became of the next one; never, when none is under way. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Recorded {
        loop {
            match self.under_way.join_next().await {
                Some(Ok(recorded)) => {
                    self.go_on(recorded.message);
                    return recorded;
                }
                Some(Err(error)) => tracing::error!(%error, "recording an answer ended early"),
                None => std::future::pending().await,
            }
        }
    }

    /// Records all that was taken.
    pub(super) async fn finish(&mut self) {
        while let Some(recorded) = self.under_way.join_next().await {
            if let Ok(recorded) = recorded {
                self.go_on(recorded.message);
            }
        }
    }

    fn go_on(&mut self, message: MessageId) {
        match self.waiting.get_mut(&message).and_then(VecDeque::pop_front) {
            Some(what) => self.begin(Fact { message, what }),
            None => drop(self.waiting.remove(&message)),
        }
    }

    fn begin(&mut self, fact: Fact) {
        let (tenant, clock) = (Arc::clone(&self.tenant), Arc::clone(&self.clock));
        let lost = Recorded { message: fact.message, stored: false };
        let recorded = AssertUnwindSafe(record(tenant, clock, Arc::clone(&self.metrics), fact)).catch_unwind();
        // A panic must not hold up what waits behind this fact.
        self.under_way.spawn(async move { recorded.await.unwrap_or(lost) });
    }
}

/// What became of recording a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) message: MessageId,
    pub(super) stored: bool,
}

/// Records a fact.
#[tracing::instrument(name = "record", level = "debug", skip_all, fields(message.id = %fact.message))]
async fn record(tenant: Arc<dyn Tenant>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>, fact: Fact) -> Recorded {
    let mut pauses = PAUSES_MS.iter();
    loop {
        let Err(error) = once(tenant.as_ref(), clock.as_ref(), &fact).await else {
            return Recorded { message: fact.message, stored: true };
        };
        metrics.store_failed("record");
        let Some(pause) = pauses.next().filter(|_| !matches!(error, PortError::Corrupt(_))) else {
            tracing::warn!(message.id = %fact.message, %error, "an answer of WhatsApp could not be recorded");
            return Recorded { message: fact.message, stored: false };
        };
        tokio::time::sleep(Duration::from_millis(*pause)).await;
    }
}

async fn once(tenant: &dyn Tenant, clock: &dyn Clock, fact: &Fact) -> Result<Applied, PortError> {
    match &fact.what {
        What::Answer { error } => record_ack(tenant, clock, fact.message, error.as_deref()).await,
        What::Receipt(receipt) => record_receipt(tenant, clock, fact.message, *receipt).await,
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::StanzaId;

    use super::*;

    #[test]
    fn only_our_own_ids_lead_to_facts() {
        let key = StanzaKey([3; 16]);
        let ours = StanzaId::for_message(&key, MessageId(7));
        let heard = Heard::Receipt {
            stanzas: vec![StanzaId("3EB0FFFFFFFFFFFFFFFFFF".into()), ours.clone()],
            receipt: Receipt::Read,
        };
        assert_eq!(facts(heard, &key), vec![Fact { message: MessageId(7), what: What::Receipt(Receipt::Read) }]);
        let foreign = Heard::Answer { stanza: StanzaId("17.1".into()), error: None };
        assert_eq!(facts(foreign, &key), vec![]);
    }
}
