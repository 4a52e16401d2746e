//! What subscribers are told: `{"type", "timestamp", "data"}`, as Standard Webhooks has it.
//!
//! A body is made of what is stored and of nothing else, so that every attempt, retry and replay of an event carries the
//! same bytes.

use hantar_domain::device::Device;
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::reason::explain;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::EventKind;
use serde::Serialize;

use crate::v1::time;

#[derive(Serialize)]
struct Event<T> {
    r#type: &'static str,
    timestamp: String,
    data: T,
}

#[derive(Serialize)]
struct MessageStatus<'a> {
    id: u64,
    device: u64,
    direction: &'static str,
    phone: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    stanza_id: &'a str,
    at: String,
    step: usize,
}

#[derive(Serialize)]
struct MessageReceived<'a> {
    id: u64,
    device: u64,
    phone: Option<&'a str>,
    lid: Option<&'a str>,
    chat: Option<String>,
    name: Option<&'a str>,
    body: &'a str,
    received_at: String,
    stanza_id: &'a str,
}

#[derive(Serialize)]
struct DeviceStatus<'a> {
    id: u64,
    name: &'a str,
    phone: Option<&'a str>,
    status: &'static str,
    code: Option<&'a str>,
    reason: Option<String>,
    at: String,
}

#[derive(Serialize)]
struct CreditsLow {
    balance: i64,
    threshold: i64,
    at: String,
}

/// `message.status`: step number `step` of an outbound message. A step that the history does not have is told as the
/// message's present state.
pub fn message_status(message: &Message, step: usize) -> String {
    let told = message.history.get(step);
    let before = step.checked_sub(1).and_then(|index| message.history.get(index));
    let at = time::text(told.map_or(message.updated_at, |step| step.at));
    let code = told.and_then(|step| step.code.as_deref());
    let data = MessageStatus {
        id: message.id.0,
        device: message.device.0,
        direction: message.direction.word(),
        phone: message.phone.as_ref().map(PhoneNumber::as_str),
        status: told.map_or(message.state, |step| step.state).word(),
        previous_status: before.map(|step| step.state.word()),
        code,
        reason: code.map(explain),
        external_id: message.external_id.as_deref(),
        name: message.name.as_deref(),
        stanza_id: &message.stanza.0,
        at: at.clone(),
        step,
    };
    body(EventKind::MessageStatus, at, data)
}

/// `message.received`: an inbound message. Its chat is named by the number where WhatsApp tells it, otherwise by the
/// hidden id.
pub fn message_received(message: &Message) -> String {
    let at = time::text(message.accepted_at);
    let chat = message.phone.as_ref().map(|phone| format!("{}@s.whatsapp.net", phone.digits()));
    let data = MessageReceived {
        id: message.id.0,
        device: message.device.0,
        phone: message.phone.as_ref().map(PhoneNumber::as_str),
        lid: message.lid.as_deref(),
        chat: chat.or_else(|| message.lid.clone()),
        name: message.name.as_deref(),
        body: &message.body,
        received_at: at.clone(),
        stanza_id: &message.stanza.0,
    };
    body(EventKind::MessageReceived, at, data)
}

/// `device.status`: a device as it became `at` that moment.
pub fn device_status(device: &Device, at: Timestamp) -> String {
    let at = time::text(at);
    let code = device.reason.as_deref();
    let data = DeviceStatus {
        id: device.id.0,
        name: &device.name,
        phone: device.phone.as_ref().map(PhoneNumber::as_str),
        status: device.status.word(),
        code,
        reason: code.map(explain),
        at: at.clone(),
    };
    body(EventKind::DeviceStatus, at, data)
}

/// `credits.low`: the balance is `available`, below `threshold`, as was seen `at` that moment.
pub fn credits_low(available: i64, threshold: i64, at: Timestamp) -> String {
    let at = time::text(at);
    body(EventKind::CreditsLow, at.clone(), CreditsLow { balance: available, threshold, at })
}

fn body<T: Serialize>(kind: EventKind, timestamp: String, data: T) -> String {
    // Only maps with keys that are no text fail to serialise, and there are none here.
    serde_json::to_string(&Event { r#type: kind.word(), timestamp, data }).unwrap_or_default()
}
