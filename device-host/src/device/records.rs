//! Telling the table what WhatsApp said about messages. Done beside the writing, so that the one does not wait for the
//! other, and with several tries: what is lost here is asked for again only by writing the message once more.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::{MessageId, StanzaKey};
use hantar_usecases::ports::{Applied, Clock, PortError, Tenant};
use hantar_usecases::record_ack::record_ack;
use hantar_usecases::record_receipt::{Receipt, record_receipt};

use crate::whatsapp::events::Heard;

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

/// What became of recording a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recorded {
    pub(super) message: MessageId,
    pub(super) stored: bool,
}

/// Records a fact.
pub(super) async fn record(tenant: Arc<dyn Tenant>, clock: Arc<dyn Clock>, fact: Fact) -> Recorded {
    let mut pauses = PAUSES_MS.iter();
    loop {
        let Err(error) = once(tenant.as_ref(), clock.as_ref(), &fact).await else {
            return Recorded { message: fact.message, stored: true };
        };
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
