//! Accepting one message: the one way in, whoever asks for it.

use std::time::Duration;

use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId, MessageId, StanzaId, UserId};
use hantar_domain::merge::render;
use hantar_domain::message::{Direction, Lane, MAX_BODY_CHARS, Message, State, Step};
use hantar_domain::phone::{PhoneError, PhoneNumber, Region};
use hantar_domain::time::Timestamp;

use crate::idempotency::idempotency;
use crate::link_device::find_device;
use crate::numbers::Numbers;
use crate::ports::{Acceptance, Accepted, Clock, PortError, Sequence, Tenant};

/// Whoever wrote within this time is answered in the lane of replies.
const CONVERSATION: Duration = Duration::from_hours(24);
/// The longest name and reference, in characters.
pub const MAX_LABEL_CHARS: usize = 255;
/// How far ahead a message may be scheduled.
pub(crate) const MAX_AHEAD: Duration = Duration::from_hours(8784);

/// A message as its sender asks for it, not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// To whom, in any spelling.
    pub phone: String,
    /// What; may hold merge fields.
    pub body: String,
    /// The recipient's name, for `{{name}}`.
    pub name: Option<String>,
    /// Values for further merge fields.
    pub attributes: Vec<(String, String)>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// The person who sends, who must have a verified address; `None` for what the house sends by itself.
    pub sender: Option<UserId>,
    /// The device to send by; the default one when absent.
    pub device: Option<DeviceId>,
    /// Not before.
    pub scheduled_at: Option<Timestamp>,
    /// Whether it is a row of a campaign.
    pub campaign: bool,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// What is wrong with a draft's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is missing or empty.
    Required,
    /// Longer than this many characters.
    TooLong(usize),
    /// No number of the account's regions (named by the home region's adjective).
    Phone {
        /// Such as "Malaysian".
        adjective: String,
        /// More exactly.
        error: PhoneError,
    },
    /// There is no such device, or no default one.
    NoDevice,
    /// Too far ahead.
    TooFarAhead,
}

/// A field and its problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's path in the request.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// Why a message is not accepted. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The sender's e-mail address is not verified.
    #[error("the sender's e-mail address is not verified")]
    Unverified,
    /// The draft is wrong: mend the named fields.
    #[error("the message is not valid")]
    Invalid(Vec<FieldProblem>),
    /// Too few credits: top up.
    #[error("too few credits: {required} required, {balance} left")]
    Credits {
        /// What it costs.
        required: i64,
        /// What is left.
        balance: i64,
    },
    /// The idempotency key stands for another request: take a new key.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed: see there.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Accepts a message: charged, stored and on its way when it answers. With an idempotency key a repeat answers the same
/// message; without one each run makes another.
pub async fn send_message(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    draft: Draft,
) -> Result<Message, SendError> {
    let (record, device, sender) = tenant.sending_from(draft.device, draft.sender).await?;
    let record = record.ok_or_else(|| PortError::Corrupt(format!("account {account} is missing")))?;
    if draft.sender.is_some() && sender.is_none_or(|sender| sender.verified_at.is_none()) {
        return Err(SendError::Unverified);
    }
    let now = clock.now();
    let (phone, body, device) = check(&draft, &record.regions, device, now).map_err(SendError::Invalid)?;
    let lane = if draft.campaign {
        Lane::Campaign
    } else if tenant.wrote_since(device.id, &phone, now - CONVERSATION).await? {
        Lane::Reply
    } else {
        Lane::Single
    };
    let id = MessageId(numbers.next(Sequence::Messages(account)).await?);
    let idempotency = draft.idempotency.as_ref().map(|(key, content)| idempotency("send", key, content, now));
    let price = tenant.price();
    let message = accepted_message(account, id, &device, phone, body, lane, draft, price, clock.now());
    match tenant.accept(&Acceptance { message: message.clone(), idempotency }).await? {
        Accepted::Stored => Ok(message),
        Accepted::Replayed(earlier) => Ok(*earlier),
        Accepted::KeyReused => Err(SendError::KeyReused),
        Accepted::Refused { balance } => Err(SendError::Credits { required: price, balance }),
    }
}

/// Everything that is wrong with a draft, with nothing written: for a caller that found mistakes of its own before, so
/// that it can name all of them at once.
pub async fn problems(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    account: AccountId,
    draft: &Draft,
) -> Result<Vec<FieldProblem>, PortError> {
    let record = tenant.account().await?.ok_or_else(|| PortError::Corrupt(format!("account {account} is missing")))?;
    let device = find_device(tenant, draft.device).await?;
    Ok(check(draft, &record.regions, device, clock.now()).err().unwrap_or_default())
}

#[expect(clippy::too_many_arguments, reason = "one call, from one place, of what was just checked")]
fn accepted_message(
    account: AccountId,
    id: MessageId,
    device: &Device,
    phone: PhoneNumber,
    body: String,
    lane: Lane,
    draft: Draft,
    credits: i64,
    at: Timestamp,
) -> Message {
    let held_until = draft.scheduled_at.filter(|due| *due > at);
    let (state, code) =
        if held_until.is_some() { (State::Held, Some("scheduled".to_owned())) } else { (State::Queued, None) };
    Message {
        account,
        id,
        device: device.id,
        direction: Direction::Outbound,
        phone: Some(phone),
        lid: None,
        name: draft.name,
        body,
        external_id: draft.external_id,
        campaign: None,
        lane,
        stanza: StanzaId::for_message(&device.stanza_key, id),
        state,
        held_until,
        accepted_at: at,
        updated_at: at,
        credits,
        refunded: false,
        history: vec![Step { state, at, code }],
    }
}

/// All problems at once, in the order of the fields.
fn check(
    draft: &Draft,
    regions: &[Region],
    device: Option<Device>,
    now: Timestamp,
) -> Result<(PhoneNumber, String, Device), Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut found = |field, problem| problems.push(FieldProblem { field, problem });
    let phone = if draft.phone.trim().is_empty() {
        found("phone", Problem::Required);
        None
    } else {
        let adjective = regions.first().copied().unwrap_or(Region::MALAYSIA).adjective();
        PhoneNumber::parse(&draft.phone, regions)
            .map_err(|error| found("phone", Problem::Phone { adjective, error }))
            .ok()
    };
    let body = text(draft, phone.as_ref());
    if draft.body.trim().is_empty() {
        found("body", Problem::Required);
    } else if body.chars().count() > MAX_BODY_CHARS || draft.body.chars().count() > MAX_BODY_CHARS {
        found("body", Problem::TooLong(MAX_BODY_CHARS));
    } else if body.trim().is_empty() {
        found("body", Problem::Required);
    }
    for (field, label) in [("name", &draft.name), ("external_id", &draft.external_id)] {
        if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARS) {
            found(field, Problem::TooLong(MAX_LABEL_CHARS));
        }
    }
    if device.is_none() {
        found("device", Problem::NoDevice);
    }
    if draft.scheduled_at.is_some_and(|due| due > now + MAX_AHEAD) {
        found("scheduled_at", Problem::TooFarAhead);
    }
    match (phone, device) {
        (Some(phone), Some(device)) if problems.is_empty() => Ok((phone, body, device)),
        _ => Err(problems),
    }
}

fn text(draft: &Draft, phone: Option<&PhoneNumber>) -> String {
    let value = |field: &str| match field {
        "name" => draft.name.clone(),
        "first_name" => draft.name.as_ref().and_then(|name| name.split_whitespace().next()).map(str::to_owned),
        "phone" => phone.map(ToString::to_string),
        other => draft.attributes.iter().find(|(key, _)| key == other).map(|(_, value)| value.clone()),
    };
    render(&draft.body, value).text
}
