//! What each route answers when all is well, and when the thing asked for is not there or past it.

use std::time::Duration;

use hantar_domain::device::{PairingCode, Status};
use hantar_domain::ids::{AccountId, DeviceId, MessageId};
use hantar_domain::message::State;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::MAX_ENDPOINTS;
use serde_json::{Value, json};

use crate::door::{Door, good};
use crate::world::NOON;

#[test]
fn a_message_is_accepted_shown_and_cancelled() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let full = json!({
        "phone": "012-345 6789", "body": "Hi {{first_name}}, your plan is {{plan}}", "name": "Ali bin Abu", "external_id": "order-7",
        "save_contact": true, "attributes": {"plan": "gold", "age": 5}, "device": 1,
    });
    door.send(&token, &full).is("send_accepted");
    door.get(&token, "/api/v1/messages/1").is("message_shown");
    door.get(&token, "/api/v1/balance").is("balance");
    door.delete(&token, "/api/v1/messages/1").is("message_cancelled");
    door.delete(&token, "/api/v1/messages/1").is("message_too_late");
    assert_eq!(door.get(&token, "/api/v1/balance").json()["data"]["balance"], 10, "the credit was given back");
}

#[test]
fn a_scheduled_message_is_held_until_its_time() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let mut body = good();
    body["scheduled_at"] = json!("2026-11-21T18:00:00+08:00");
    door.send(&token, &body).is("send_scheduled");
}

#[test]
fn a_form_is_read_like_json() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let body = "phone=%2B60123456789&body=Hi+%7B%7Bplan%7D%7D&attributes[plan]=gold&save_contact=1";
    let answer = door.raw("POST", "/api/v1/messages/send", &headers, body);
    assert_eq!((answer.code(), &answer.json()["data"]["body"]), (202, &json!("Hi gold")));
}

#[test]
fn without_credits_nothing_is_queued() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    for _ in 0..10 {
        assert_eq!(door.send(&token, &good()).code(), 202);
    }
    door.send(&token, &good()).is("send_without_credits");
    assert_eq!(door.world.state().books[&AccountId(1)].messages.len(), 10);
}

#[test]
fn an_idempotency_key_makes_one_message_of_repeats_in_any_spelling() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let send =
        |body: &str, key: &str| door.post_text(&token, "/api/v1/messages/send", body, &[("idempotency-key", key)]);
    let first = send(r#"{"phone":"0123456789","body":"Hi"}"#, "k1");
    let again = send("{ \"body\": \"\\u0048i\",\n \"phone\": \"0123456789\", \"name\": null }", "k1");
    assert_eq!((first.code(), again.code()), (202, 202));
    assert_eq!(first.json()["data"]["id"], again.json()["data"]["id"]);
    assert_eq!(door.get(&token, "/api/v1/balance").json()["data"]["charged"], 1);
    send(r#"{"phone":"0123456789","body":"Ho"}"#, "k1").is("send_key_reused");
    assert_eq!(send(r#"{"phone":"0123456789","body":"Ho"}"#, "k2").code(), 202);
    assert_eq!(door.world.state().books[&AccountId(1)].messages.len(), 2);
}

#[test]
fn cancelling_again_under_the_same_key_answers_the_same() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    door.send(&token, &good());
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "c")];
    let cancel = || door.raw("DELETE", "/api/v1/messages/1", &headers, "");
    let (first, again) = (cancel(), cancel());
    assert_eq!((first.code(), first.bytes), (again.code(), again.bytes));
}

#[test]
fn webhooks_are_made_listed_and_deleted_and_their_secret_is_shown_once() {
    let door = Door::new();
    let token = door.world.token(1, &["webhooks:*"]);
    let body = r#"{"url":"https://example.com/hook","events":["message.status","message.received"]}"#;
    let create = || door.post_text(&token, "/api/v1/webhooks", body, &[("idempotency-key", "w")]);
    create().is("webhook_created");
    assert_eq!(create().json(), create().json(), "a repeat of the same request shows the same secret");
    door.get(&token, "/api/v1/webhooks").is("webhook_list");
    door.get(&token, "/api/v1/webhooks/1").is("webhook_shown");
    let bearer = format!("Bearer {token}");
    let put = |body: &'static str| {
        let headers = [("authorization", &*bearer), ("content-type", "application/json")];
        door.raw("PUT", "/api/v1/webhooks/1", &headers, body)
    };
    put(r#"{"events":["message.status"],"is_active":false}"#).is("webhook_changed");
    put(r#"{"is_active":true,"rotate_secret":true}"#).is("webhook_rotated");
    put(r#"{"url":"http://127.0.0.1:9000/x","events":["nothing"]}"#).is("webhook_change_invalid");
    door.delete(&token, "/api/v1/webhooks/1").is("webhook_deleted");
    door.delete(&token, "/api/v1/webhooks/1").is("webhook_gone");
    let again = create();
    assert_eq!(again.code(), 422, "one that was deleted since cannot be given again");
    let local = door.post(&token, "/api/v1/webhooks", &json!({"url": "http://127.0.0.1:9000/x"}));
    assert_eq!((local.code(), &local.json()["data"]["events"]), (201, &json!(["*"])), "a listed address, all events");
}

#[test]
fn deleting_a_webhook_again_under_the_same_key_answers_the_same() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    for _ in 0..3 {
        assert_eq!(door.post(&token, "/api/v1/webhooks", &json!({"url": "https://example.com/"})).code(), 201);
    }
    let bearer = format!("Bearer {token}");
    let delete = |id: u64, key: &str| {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        door.raw("DELETE", &format!("/api/v1/webhooks/{id}"), &headers, "")
    };
    let (first, again) = (delete(1, "d"), delete(1, "d"));
    assert_eq!((first.code(), again.code(), again.bytes), (204, 204, vec![]));
    let other = delete(2, "d");
    assert_eq!((other.code(), other.json()["errors"]["idempotency_key"].is_array()), (422, true));
    assert_eq!(delete(1, "e").code(), 404, "another key asks anew");
    assert_eq!(delete(2, "e").code(), 204, "and what was not there used no key up");
    assert_eq!(delete(3, "").code(), 422, "a key that is none");
    assert_eq!(door.get(&token, "/api/v1/webhooks").json()["data"][0]["id"], 3);
}

#[test]
fn an_account_with_all_its_webhooks_still_hears_of_an_earlier_one_under_its_key() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    let create = |key: &str| {
        let body = r#"{"url":"https://example.com/"}"#;
        door.post_text(&token, "/api/v1/webhooks", body, &[("idempotency-key", key)])
    };
    let first = create("0");
    for number in 1..MAX_ENDPOINTS {
        assert_eq!(create(&number.to_string()).code(), 201);
    }
    let refused = create("more");
    assert_eq!(
        (refused.code(), &refused.json()["errors"]["url"][0]),
        (422, &json!("The account has as many webhooks as it may have."))
    );
    let again = create("0");
    assert_eq!((again.code(), again.json()), (201, first.json()));
}

#[test]
fn the_connection_is_shown_by_evidence() {
    let door = Door::new();
    let token = door.world.token(1, &["connection:read"]);
    door.get(&token, "/api/v1/connection/status").is("connection_unlinked");
    {
        let mut state = door.world.state();
        let device = state.books.get_mut(&AccountId(1)).unwrap().devices.get_mut(&DeviceId(1)).unwrap();
        device.status = Status::Connected;
        device.phone = PhoneNumber::from_e164("+60123456789");
        device.connected_at = Some(Timestamp::from_seconds(NOON));
        device.last_seen_at = Some(Timestamp::from_seconds(NOON));
    }
    let health =
        || door.get(&token, "/api/v1/connection/status").json()["data"]["devices"][0]["health"]["state"].clone();
    assert_eq!(health(), "ok");
    door.world.pass(Duration::from_secs(181));
    assert_eq!(health(), "stale");
}

#[test]
fn a_qr_code_is_shown_while_there_is_one() {
    let door = Door::new();
    let token = door.world.token(1, &["connection:write"]);
    door.get(&token, "/api/v1/connection/qr").is("qr_not_yet");
    assert!(
        door.world.state().books[&AccountId(1)].devices[&DeviceId(1)].pairing_wanted_until.is_some(),
        "pairing began"
    );
    let set = |status, code| {
        let mut state = door.world.state();
        let device = state.books.get_mut(&AccountId(1)).unwrap().devices.get_mut(&DeviceId(1)).unwrap();
        (device.status, device.pairing_code) = (status, code);
    };
    let code = PairingCode { text: "2@abc,def,ghi,jkl".into(), expires_at: Timestamp::from_seconds(NOON + 60) };
    set(Status::Pairing, Some(code));
    door.get(&token, "/api/v1/connection/qr?device=1").is("qr_shown");
    set(Status::Connected, None);
    door.get(&token, "/api/v1/connection/qr").is("qr_already_linked");
    door.get(&token, "/api/v1/connection/qr?device=9").is("qr_unknown_device");
    assert_eq!(door.get(&token, "/api/v1/connection/qr?device=x").code(), 422);
}

#[test]
fn what_belongs_to_another_account_does_not_exist() {
    let door = Door::new();
    door.world.found(2, true);
    let ours = door.world.token(1, &["*"]);
    let theirs = door.world.token(2, &["*"]);
    assert_eq!(door.send(&ours, &good()).code(), 202);
    assert_eq!(door.post(&ours, "/api/v1/webhooks", &json!({"url": "https://example.com/"})).code(), 201);
    let before = door.get(&ours, "/api/v1/messages").bytes;
    for (method, path) in [
        ("GET", "/api/v1/messages/1"),
        ("DELETE", "/api/v1/messages/1"),
        ("GET", "/api/v1/webhooks/1"),
        ("DELETE", "/api/v1/webhooks/1"),
        ("GET", "/api/v1/connection/qr?device=1"),
        ("GET", "/api/v1/devices/1/numbers/0123456789"),
    ] {
        let bearer = format!("Bearer {theirs}");
        let answer = door.raw(method, path, &[("authorization", &bearer)], "");
        assert_eq!(answer.code(), 404, "{method} {path}");
    }
    let mut body = good();
    body["device"] = json!(1);
    let answer = door.send(&theirs, &body);
    assert_eq!((answer.code(), &answer.json()["errors"]["device"]), (422, &json!(["The selected device is invalid."])));
    for path in ["/api/v1/messages", "/api/v1/webhooks"] {
        assert_eq!(door.get(&theirs, path).json()["data"], json!([]), "{path}");
    }
    let status = door.get(&theirs, "/api/v1/connection/status").json();
    assert_eq!(status["data"]["devices"][0]["id"], 2);
    assert_eq!(door.get(&theirs, "/api/v1/balance").json()["data"]["charged"], 0);
    assert_eq!(door.get(&ours, "/api/v1/messages").bytes, before, "nothing of ours was touched");
}

#[test]
fn a_message_that_failed_says_why() {
    let door = Door::new();
    let token = door.world.token(1, &["*"]);
    door.send(&token, &good());
    {
        let mut state = door.world.state();
        let message = state.books.get_mut(&AccountId(1)).unwrap().messages.get_mut(&MessageId(1)).unwrap();
        message.state = State::Failed;
        let at = message.updated_at;
        message.history.push(hantar_domain::message::Step {
            state: State::Failed,
            at,
            code: Some("whatsapp_463".into()),
        });
    }
    let shown = door.get(&token, "/api/v1/messages/1").json();
    assert_eq!(shown["data"]["status_reason"]["code"], "whatsapp_463");
    let text = shown["data"]["status_reason"]["message"].as_str().unwrap();
    assert!(text.starts_with("WhatsApp refuses messages from this number to people who have not written to it before"));
}

#[test]
fn health_is_that_of_the_process_and_readiness_that_of_its_parts() {
    let door = Door::new();
    door.raw("GET", "/healthz", &[], "").is("healthz");
    door.raw("GET", "/readyz", &[], "").is("readyz");
    door.world.state().busy = true;
    door.raw("GET", "/readyz", &[], "").is("readyz_not");
    assert_eq!(door.raw("GET", "/healthz", &[], "").code(), 200);
}

#[test]
fn the_description_names_every_route_of_the_dialect() {
    let door = Door::new();
    let document = door.raw("GET", "/api/v1/openapi.json", &[], "").json();
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(
        paths,
        [
            "/api/v1/account",
            "/api/v1/account/restore",
            "/api/v1/audit-log",
            "/api/v1/auth/accept-invitation",
            "/api/v1/auth/change-password",
            "/api/v1/auth/forgot-password",
            "/api/v1/auth/me",
            "/api/v1/auth/resend-verification",
            "/api/v1/auth/reset-password",
            "/api/v1/auth/sign-in",
            "/api/v1/auth/sign-out",
            "/api/v1/auth/sign-up",
            "/api/v1/auth/two-factor",
            "/api/v1/auth/two-factor-challenge",
            "/api/v1/auth/two-factor/confirm",
            "/api/v1/auth/two-factor/recovery-codes",
            "/api/v1/auth/verify-email",
            "/api/v1/balance",
            "/api/v1/billing/stripe",
            "/api/v1/campaigns",
            "/api/v1/campaigns/preview",
            "/api/v1/campaigns/{id}",
            "/api/v1/campaigns/{id}/cancel",
            "/api/v1/campaigns/{id}/export",
            "/api/v1/campaigns/{id}/export/{export}",
            "/api/v1/campaigns/{id}/pause",
            "/api/v1/campaigns/{id}/recipients",
            "/api/v1/campaigns/{id}/resume",
            "/api/v1/connection/qr",
            "/api/v1/connection/status",
            "/api/v1/consents",
            "/api/v1/consents/proof",
            "/api/v1/consents/settings",
            "/api/v1/contact-erasures",
            "/api/v1/contact-erasures/{id}",
            "/api/v1/contact-groups",
            "/api/v1/contact-groups/{id}",
            "/api/v1/contact-groups/{id}/contacts",
            "/api/v1/contacts",
            "/api/v1/contacts/export",
            "/api/v1/contacts/export/{id}",
            "/api/v1/contacts/import",
            "/api/v1/contacts/import/{id}",
            "/api/v1/contacts/import/{id}/start",
            "/api/v1/contacts/{id}",
            "/api/v1/contacts/{id}/merge",
            "/api/v1/credits/checkout",
            "/api/v1/credits/invoices",
            "/api/v1/credits/ledger",
            "/api/v1/credits/prices",
            "/api/v1/credits/settings",
            "/api/v1/devices/{id}/numbers/{phone}",
            "/api/v1/invitations",
            "/api/v1/invitations/{id}",
            "/api/v1/invitations/{id}/resend",
            "/api/v1/messages",
            "/api/v1/messages/bulk",
            "/api/v1/messages/send",
            "/api/v1/messages/{id}",
            "/api/v1/templates",
            "/api/v1/templates/{id}",
            "/api/v1/templates/{id}/preview",
            "/api/v1/tokens",
            "/api/v1/tokens/{id}",
            "/api/v1/uploads",
            "/api/v1/users",
            "/api/v1/users/{id}",
            "/api/v1/users/{id}/make-owner",
            "/api/v1/webhooks",
            "/api/v1/webhooks/{id}",
        ]
    );
    assert_ne!(document["components"]["schemas"]["SendRequest"], Value::Null);
}
