//! Taking one message to the wire.
//!
//! The table knows first: `queued → dispatched`, then the socket. Dying between the two leaves a dispatched message, which
//! the next owner writes again under the same id; never a written one that nobody knows of.

use hantar_domain::campaign::Standing;
use hantar_domain::consent::ANSWERED;
use hantar_domain::ids::MessageId;
use hantar_domain::media::ask_again;
use hantar_domain::message::{Fact, Lane, OpenMessage, State, Step};
use hantar_usecases::ports::{Applied, PortError, Refusal};

use super::desk::Desk;
use super::files::{Fetched, fetch};
use super::machine::Input;
use crate::whatsapp::client::Line;

/// Nobody at this number uses WhatsApp.
const NOT_ON_WHATSAPP: &str = "not_on_whatsapp";

/// Whoever is written to asked not to be.
const OPTED_OUT: &str = "opted_out";

/// Takes `message` to the wire by `line`; answers what became of it.
#[tracing::instrument(
    name = "send",
    level = "debug",
    skip_all,
    fields(account.id = %desk.account, device.id = %desk.device, message.id = %message.turn.message)
)]
pub(super) async fn write(desk: &Desk, line: &Line, message: &OpenMessage) -> Input {
    let id = message.turn.message;
    match try_to_write(desk, line, message).await {
        Ok(input) => input,
        Err(error) => {
            desk.shared.metrics.store_failed("dispatch");
            tracing::debug!(message.id = %id, %error, "a message could not be taken to the wire now");
            Input::NotWritten(id)
        }
    }
}

async fn try_to_write(desk: &Desk, line: &Line, message: &OpenMessage) -> Result<Input, PortError> {
    let id = message.turn.message;
    let mut attached = message.attached.clone();
    // Asked before the message counts as on the wire: one that may have been written is never refused by us.
    if !message.state.is_unanswered() {
        match line.is_on_whatsapp(&message.phone).await {
            Ok(true) => {}
            Ok(false) => return refuse(desk, id, NOT_ON_WHATSAPP).await,
            Err(error) => {
                tracing::debug!(message.id = %id, %error, "WhatsApp did not say whether the number is known");
                return Ok(Input::NotWritten(id));
            }
        }
        if let Some(media) = message.media.as_ref().filter(|_| attached.is_none()) {
            let fetched = match fetch(desk, line, media, !message.body.trim().is_empty()).await {
                Fetched::Attached(fetched) => fetched,
                Fetched::Refused(code) => return refuse(desk, id, code).await,
                Fetched::Later(code) => return hold(desk, id, code).await,
                Fetched::Lost => return Ok(Input::NotWritten(id)),
            };
            if !desk.is_ours() {
                return Ok(Input::NotWritten(id));
            }
            // Its entry stays: it may be dispatched by now, by a host that took the device over meanwhile.
            if !desk.tenant.attach(id, &fetched).await? {
                return Ok(Input::Gone(id));
            }
            attached = Some(fetched);
        }
        if let Some(input) = last_look(desk, message).await? {
            return Ok(input);
        }
    }
    if !desk.is_ours() {
        return Ok(Input::NotWritten(id));
    }
    match desk.tenant.dispatch(id, desk.epoch, desk.clock.now()).await? {
        Applied::Moved(now) | Applied::Unchanged(now) if now.state == State::Dispatched => {}
        // Called `unknown` since, or before we came: it may never have been written, and the phone drops a repeat. Not
        // once its credit was given back: then its sender was told not to count on it.
        Applied::Unchanged(now) if message.state.is_unanswered() && now.state == State::Unknown && !now.refunded => {}
        Applied::Moved(_) | Applied::Unchanged(_) | Applied::Missing => {
            desk.tenant.forget_turn(desk.device, message.turn).await?;
            return Ok(Input::Gone(id));
        }
    }
    #[cfg(feature = "simulator")]
    crate::brink::message_ahead();
    match line.send(&message.phone, &message.body, attached.as_deref(), &message.stanza).await {
        Ok(()) => {
            desk.shared.metrics.sent(desk.clock.now().since(message.turn.accepted_at));
            Ok(Input::Written(id))
        }
        Err(error) => {
            tracing::debug!(message.id = %id, %error, "a message stays dispatched: it could not be written");
            Ok(Input::NotWritten(id))
        }
    }
}

/// What has become of a message's recipient and campaign since it was accepted; `None` when it may go.
async fn last_look(desk: &Desk, message: &OpenMessage) -> Result<Option<Input>, PortError> {
    let id = message.turn.message;
    let is_answer = message.turn.lane == Lane::Reply && desk.clock.now().since(message.turn.accepted_at) <= ANSWERED;
    let phones = [message.phone.clone()];
    let campaigns: Vec<_> = message.campaign.into_iter().collect();
    let (suppressed, standing) = tokio::try_join!(
        async { Ok::<_, PortError>(!is_answer && !desk.tenant.consents().suppressed(&phones).await?.is_empty()) },
        async {
            let [campaign] = campaigns[..] else { return Ok::<_, PortError>(Standing::Running) };
            // One that is not there is over.
            Ok(desk.tenant.campaigns().standings(&campaigns).await?.remove(&campaign).unwrap_or(Standing::Over))
        },
    )?;
    Ok(match (standing, message.campaign) {
        (Standing::Over, _) => {
            desk.tenant.cancel(id, None, desk.clock.now()).await?;
            Some(Input::Gone(id))
        }
        (Standing::Paused, Some(campaign)) => Some(Input::Paused { message: id, campaign }),
        _ if suppressed => Some(refuse(desk, id, OPTED_OUT).await?),
        _ => None,
    })
}

/// Puts a message off whose file cannot be had now; refuses it when that has gone on for long.
async fn hold(desk: &Desk, id: MessageId, code: &'static str) -> Result<Input, PortError> {
    let now = desk.clock.now();
    let Some(known) = desk.tenant.message(id).await? else { return Ok(Input::Gone(id)) };
    let is_first = |step: &&Step| step.state == State::Held && step.code.as_deref() == Some(code);
    let since = known.history.iter().find(is_first).map_or(now, |step| step.at);
    match ask_again(since, now) {
        Some(until) => {
            desk.tenant.hold(id, until, code, now).await?;
            Ok(Input::Held(id))
        }
        None => refuse(desk, id, code).await,
    }
}

async fn refuse(desk: &Desk, id: MessageId, code: &str) -> Result<Input, PortError> {
    let refusal = Refusal { fact: Fact::Refused, code: code.into() };
    desk.tenant.refuse(id, &refusal, desk.clock.now()).await?;
    Ok(Input::Gone(id))
}
