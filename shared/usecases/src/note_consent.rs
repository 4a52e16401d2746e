//! Who agreed to be written to and who did not becomes known: from a message that says so, or from a person of the account.

use std::time::Duration;

use hantar_domain::consent::{ANSWERED, Consent, Heard, Said, Settings, Source, may_be_word};
use hantar_domain::ids::AccountId;
use hantar_domain::message::{Direction, Message};
use hantar_domain::phone::PhoneNumber;

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{Clock, Noted, PortError, Tenant};
use crate::send_message::{Draft, SendError, send_message};

/// What somebody of the account says about a number.
#[derive(Clone, Debug)]
pub struct Statement {
    /// About whom.
    pub phone: PhoneNumber,
    /// What they said.
    pub said: Said,
    /// Where and how they said it.
    pub note: Option<String>,
    /// How it is known.
    pub source: Source,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// Enters a statement into the ledger; from then on it counts. With an idempotency key a repeat enters nothing more. `None`
/// when the key stands for another request.
pub async fn note_consent(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    statement: Statement,
) -> Result<Option<Consent>, PortError> {
    let Statement { phone, said, note, source, idempotency: key } = statement;
    let at = clock.now();
    let idempotency = key.map(|(key, content)| idempotency("consent", &key, &content, at));
    let entry = Consent { phone, said, source, note, at, turned: false };
    match tenant.consents().note_consent(&entry, &source.name(), idempotency.as_ref()).await? {
        Noted::Done(entry) => {
            tenant.contacts().mark_opted_out(&entry.phone, said == Said::Out, entry.at).await?;
            Ok(Some(*entry))
        }
        Noted::KeyReused => Ok(None),
    }
}

/// Whether a received message may say something about being written to: only then its account's words are looked up.
pub fn may_say_so(message: &Message) -> bool {
    message.direction == Direction::Inbound && message.phone.is_some() && may_be_word(&message.body)
}

/// Hears whether a received message says "stop" or "start"; enters it into the ledger, and answers once whoever opted out.
/// Repeatable for as long as the stream is read again.
pub async fn hear_consent(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    settings: &Settings,
    message: &Message,
) -> Result<(), PortError> {
    let Some(heard) = settings.hear(&message.body) else { return Ok(()) };
    let Some(phone) = message.phone.clone() else { return Ok(()) };
    let entry = Consent {
        phone,
        said: heard.said,
        source: Source::Message(message.id),
        note: Some(message.body.clone()),
        at: message.accepted_at,
        turned: false,
    };
    let Noted::Done(entry) = tenant.consents().note_consent(&entry, &entry.source.name(), None).await? else {
        return Ok(());
    };
    if !entry.turned {
        return Ok(());
    }
    tenant.contacts().mark_opted_out(&entry.phone, entry.said == Said::Out, entry.at).await?;
    if entry.said == Said::Out && clock.now().since(entry.at) < FRESH {
        confirm(tenant, numbers, clock, account, settings, heard, message).await?;
    }
    Ok(())
}

/// The confirmation's key counts for as long from its first acceptance, so that a repeat after it would be a second one.
const FRESH: Duration = ANSWERED;

async fn confirm(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    settings: &Settings,
    heard: Heard,
    message: &Message,
) -> Result<(), PortError> {
    let (Some(body), Some(phone)) = (settings.confirmation(heard), &message.phone) else { return Ok(()) };
    let draft = Draft {
        phone: phone.to_string(),
        body,
        name: message.name.clone(),
        save_contact: Some(false),
        device: Some(message.device),
        exempt: true,
        // Its text is no part of what the key stands for: the account may change it between two runs.
        idempotency: Some((format!("opted out {}", message.id), message.id.0.to_be_bytes().to_vec())),
        ..Draft::default()
    };
    match send_message(tenant, numbers, clock, account, draft).await {
        Ok(_) => Ok(()),
        Err(SendError::Port(error)) => Err(error),
        // They are not written to any more; that they are not told so is the lesser evil.
        Err(error) => {
            tracing::info!(account.id = %account, message.id = %message.id, %error, "an opt-out is not confirmed");
            Ok(())
        }
    }
}
