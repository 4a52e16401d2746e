//! Bodies as they leave: held against files, so that no change of a shape goes unseen. `UPDATE_GOLDEN=1` rewrites them.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::path::Path;

use hantar_domain::credits::Balance;
use hantar_domain::device::{Device, PairingCode, Status};
use hantar_domain::ids::{AccountId, DeviceId, EndpointId, MessageId, StanzaId, StanzaKey};
use hantar_domain::message::{Direction, Lane, Message, State, Step};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::{Endpoint, SigningSecret, Subscription};
use hantar_wire::v1::credits::BalanceBody;
use hantar_wire::v1::device::{ConnectionBody, QrBody};
use hantar_wire::v1::error::{ErrorBody, FieldErrors};
use hantar_wire::v1::message::MessageBody;
use hantar_wire::v1::page::Place;
use hantar_wire::v1::webhook::WebhookBody;
use hantar_wire::webhook;
use serde::Serialize;

const NOON: i64 = 1_795_169_053;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(NOON + seconds)
}

fn step(state: State, seconds: i64, code: Option<&str>) -> Step {
    Step { state, at: at(seconds), code: code.map(str::to_owned) }
}

fn outbound(history: Vec<Step>) -> Message {
    let last = history.last().unwrap().clone();
    Message {
        account: AccountId(1),
        id: MessageId(42),
        device: DeviceId(3),
        direction: Direction::Outbound,
        phone: PhoneNumber::from_e164("+60123456789"),
        lid: None,
        name: Some("Ali".into()),
        body: "Hi Ali, \"quoted\" <b>&</b> 你好 🙂".into(),
        media: None,
        attached: None,
        external_id: Some("order-7".into()),
        campaign: None,
        lane: Lane::Single,
        stanza: StanzaId("3EB0AABBCCDDEEFF001122".into()),
        state: last.state,
        held_until: None,
        accepted_at: history[0].at,
        updated_at: last.at,
        credits: 1,
        refunded: false,
        history,
    }
}

fn read() -> Message {
    // The delivery receipt was lost: "read" says that it was delivered, too.
    outbound(vec![
        step(State::Queued, 0, None),
        step(State::Dispatched, 1, None),
        step(State::Sent, 2, None),
        step(State::Read, 9, None),
    ])
}

fn failed() -> Message {
    let steps = vec![
        step(State::Queued, 0, None),
        step(State::Dispatched, 1, None),
        step(State::Failed, 2, Some("whatsapp_463")),
    ];
    Message { refunded: true, ..outbound(steps) }
}

fn scheduled() -> Message {
    Message { held_until: Some(at(3600)), ..outbound(vec![step(State::Held, 0, Some("scheduled"))]) }
}

fn inbound() -> Message {
    let message = outbound(vec![step(State::Delivered, 0, None)]);
    let (phone, lid) = (None, Some("98765432101234@lid".to_owned()));
    Message { direction: Direction::Inbound, phone, lid, external_id: None, credits: 0, ..message }
}

fn device() -> Device {
    Device {
        account: AccountId(1),
        id: DeviceId(3),
        name: "Shop".into(),
        is_default: true,
        status: Status::Connected,
        reason: None,
        phone: PhoneNumber::from_e164("+60123456789"),
        lid: None,
        stanza_key: StanzaKey([1; 16]),
        pairing_wanted_until: None,
        pairing_code: None,
        connected_at: Some(at(-600)),
        last_seen_at: Some(at(-7)),
        status_seq: 4,
        status_at: at(-600),
        created_at: at(-9000),
    }
}

fn logged_out() -> Device {
    Device { status: Status::LoggedOut, reason: Some("logged_out".into()), phone: None, ..device() }
}

fn endpoint() -> Endpoint {
    Endpoint {
        account: AccountId(1),
        id: EndpointId(5),
        url: "https://example.com/hook".into(),
        subscription: Subscription::All,
        sealed_secret: vec![],
        disabled: Some("gone".into()),
        created_at: at(0),
    }
}

fn check(name: &str, body: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(value.is_object(), "{name} is no object");
    let text = format!("{body}\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 accepts the new shape", path.display());
}

fn pretty(name: &str, body: &impl Serialize) {
    check(name, &serde_json::to_string_pretty(body).unwrap());
}

#[test]
fn bodies_of_webhooks_are_as_agreed() {
    check("webhook_message_status_queued.json", &webhook::message_status(&read(), 0));
    check("webhook_message_status_read.json", &webhook::message_status(&read(), 3));
    check("webhook_message_status_failed.json", &webhook::message_status(&failed(), 2));
    check("webhook_message_received.json", &webhook::message_received(&inbound()));
    check("webhook_device_status.json", &webhook::device_status(&device(), at(0)));
    check("webhook_credits_low.json", &webhook::credits_low(99, 100, at(0)));
    check("webhook_device_status_logged_out.json", &webhook::device_status(&logged_out(), at(0)));
}

#[test]
fn a_step_that_the_history_does_not_have_is_told_as_the_present_state() {
    let body: serde_json::Value = serde_json::from_str(&webhook::message_status(&read(), 99)).unwrap();
    assert_eq!((body["data"]["status"].as_str(), body["data"]["step"].as_u64()), (Some("read"), Some(99)));
}

#[test]
fn answers_of_v1_are_as_agreed() {
    pretty("v1_message_read.json", &MessageBody::with_history(&read()));
    pretty("v1_message_failed.json", &MessageBody::with_history(&failed()));
    pretty("v1_message_scheduled.json", &MessageBody::new(&scheduled()));
    pretty("v1_message_inbound.json", &MessageBody::new(&inbound()));
    pretty("v1_connection.json", &ConnectionBody::new(&[device(), logged_out()], at(0)));
    let code = PairingCode { text: "2@abc".into(), expires_at: at(20) };
    pretty("v1_qr.json", &QrBody::new(&device(), code, "data:image/png;base64,AA==".into()));
    let balance = Balance::default().grant(10).charge(3).unwrap().refund(1);
    pretty("v1_balance.json", &BalanceBody::new(balance, true));
    pretty("v1_balance_free.json", &BalanceBody::new(Balance::default(), false));
    pretty("v1_webhook.json", &WebhookBody::with_secret(&endpoint(), &SigningSecret::from_bytes([7; 32])));
    let place = |total, next| Place {
        path: "http://127.0.0.1:8080/api/v1/messages".into(),
        filters: String::new(),
        page: 1,
        per_page: 1,
        total,
        next,
    };
    pretty("v1_page_with_total.json", &place(Some(2), Some(42)).page(vec![42]));
    pretty("v1_page_without_total.json", &place(None, None).page(vec![42]));
    let mut errors = FieldErrors::default();
    errors.add("phone", "The phone field is required.");
    errors.add("body", "The body field is required.");
    pretty("v1_error_invalid.json", &ErrorBody::invalid(errors));
}
