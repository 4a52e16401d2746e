//! The admin API over HTTP.

use std::sync::Arc;

use serde_json::json;
use wacore::store::InMemoryBackend;

use crate::support::{admin, linked, simulator, start};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

#[tokio::test]
async fn phones_are_made_once_and_with_good_numbers() {
    let simulator = simulator().await;
    let body = json!({ "phone": ANN, "name": "Ann" }).to_string();
    let (status, phone) = admin(&simulator, "POST", "/admin/phones", &body).await;
    assert_eq!((status, &phone["phone"], &phone["name"]), (201, &json!(ANN), &json!("Ann")));
    assert_eq!(admin(&simulator, "POST", "/admin/phones", &body).await.0, 409);
    for (field, body) in [
        ("phone", json!({ "phone": "abc", "name": "x" })),
        ("phone", json!({ "phone": "12", "name": "x" })),
        ("name", json!({ "phone": BEN, "name": " " })),
    ] {
        let (status, answer) = admin(&simulator, "POST", "/admin/phones", &body.to_string()).await;
        assert_eq!((status, &answer["field"]), (422, &json!(field)), "{answer}");
    }
    let (status, answer) = admin(&simulator, "POST", "/admin/phones", "{\"name\":\"x\"}").await;
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("phone"), "{answer}");
    let (_, list) = admin(&simulator, "GET", "/admin/phones", "").await;
    assert_eq!(list["phones"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_can_be_driven_over_http_alone() {
    let simulator = simulator().await;
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben")] {
        admin(&simulator, "POST", "/admin/phones", &json!({ "phone": phone, "name": name }).to_string()).await;
    }
    let path = format!("/admin/phones/{ANN}/send");
    let (status, sent) = admin(&simulator, "POST", &path, &json!({ "to": BEN, "text": "hi" }).to_string()).await;
    assert_eq!(status, 202);
    let path = format!("/admin/phones/{BEN}/messages?wait_for=1&timeout_ms=5000");
    let (status, answer) = admin(&simulator, "GET", &path, "").await;
    let message = &answer["messages"][0];
    assert_eq!((status, &message["id"], &message["text"]), (200, &sent["id"], &json!("hi")));
    assert_eq!((&message["from"], &message["read"], &message["from_me"]), (&json!(ANN), &json!(false), &json!(false)));
    let (status, read) = admin(&simulator, "POST", &format!("/admin/phones/{BEN}/read"), "").await;
    assert_eq!((status, &read["read"]), (200, &json!(1)));
    let off = admin(&simulator, "POST", &format!("/admin/phones/{BEN}"), "{\"online\":false}").await;
    assert_eq!((off.0, &off.1["online"]), (200, &json!(false)));
}

#[tokio::test]
async fn unknown_phones_are_not_found() {
    let simulator = simulator().await;
    admin(&simulator, "POST", "/admin/phones", &json!({ "phone": ANN, "name": "Ann" }).to_string()).await;
    let text = json!({ "to": BEN, "text": "hi" }).to_string();
    for (method, path, body) in [
        ("POST", format!("/admin/phones/{ANN}/send"), text.as_str()),
        ("POST", format!("/admin/phones/{BEN}/send"), text.as_str()),
        ("GET", format!("/admin/phones/{BEN}/messages"), ""),
        ("POST", format!("/admin/phones/{BEN}/read"), ""),
        ("POST", format!("/admin/phones/{BEN}/unlink"), ""),
        ("POST", format!("/admin/phones/{ANN}/unlink"), "{\"device\":40}"),
    ] {
        let (status, answer) = admin(&simulator, method, &path, body).await;
        assert_eq!(status, 404, "{path}");
        assert!(answer["error"].is_string(), "{path} {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_qr_code_is_scanned_once_by_a_phone_that_exists() {
    use whatsapp_rust::types::events::Event;
    let simulator = simulator().await;
    // Nobody is called BEN yet, so the client's own scanner task is told a phone that exists: ANN.
    simulator.network().create_phone(ANN, "Ann").unwrap();
    let (status, answer) = admin(&simulator, "POST", "/admin/mock-phone/scan-qr", "nonsense").await;
    assert_eq!(status, 400);
    assert!(answer["error"].is_string());
    let companion = start(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    let code = companion
        .event("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await;
    companion.ready().await;
    let unknown = format!("/admin/mock-phone/scan-qr?phone={BEN}");
    assert_eq!(admin(&simulator, "POST", &unknown, &code).await.0, 404);
    assert_eq!(admin(&simulator, "POST", "/admin/mock-phone/scan-qr", &code).await.0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stanzas_and_faults_are_listed_and_cleared() {
    let simulator = simulator().await;
    let _ann = linked(&simulator, ANN).await;
    let (_, log) =
        admin(&simulator, "GET", &format!("/admin/stanzas?phone={ANN}&direction=in&tag=iq&limit=3"), "").await;
    let stanzas = log["stanzas"].as_array().unwrap();
    assert_eq!(stanzas.len(), 3);
    assert!(stanzas.iter().all(|stanza| stanza["phone"] == ANN && stanza["direction"] == "in"));
    assert_eq!(admin(&simulator, "DELETE", "/admin/stanzas", "").await.0, 204);

    let (status, added) = admin(&simulator, "POST", "/admin/faults", r#"{"kind":"nack","code":463,"count":2}"#).await;
    assert_eq!(status, 201);
    assert_eq!(admin(&simulator, "POST", "/admin/faults", r#"{"kind":"mischief"}"#).await.0, 422);
    let (_, listed) = admin(&simulator, "GET", "/admin/faults", "").await;
    assert_eq!(
        listed["faults"][0],
        json!({ "id": added["id"], "applied": 0, "kind": "nack", "code": 463, "count": 2 })
    );
    assert_eq!(admin(&simulator, "DELETE", &format!("/admin/faults/{}", added["id"]), "").await.0, 200);
    assert_eq!(admin(&simulator, "DELETE", &format!("/admin/faults/{}", added["id"]), "").await.0, 404);
    assert_eq!(admin(&simulator, "POST", "/admin/faults/release", "").await.1, json!({ "released": 0 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_companion_connects_again() {
    use whatsapp_rust::types::events::Event;
    let simulator = simulator().await;
    let ann = linked(&simulator, ANN).await;
    let body = json!({ "phone": ANN }).to_string();
    assert_eq!(admin(&simulator, "POST", "/admin/disconnect", &body).await.1, json!({ "disconnected": 1 }));
    ann.event("Disconnected", |event| matches!(event, Event::Disconnected(_)).then_some(())).await;
    ann.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_of_stanzas_can_wait_for_them() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let path = "/admin/stanzas?tag=message&direction=in&id=3EB0AWAITED&wait_for=1&timeout_ms=20000";
    let (answer, ()) = tokio::join!(admin(&simulator, "GET", path, ""), ann.send_as(BEN, "hi", "3EB0AWAITED"));
    assert_eq!(answer.1["stanzas"].as_array().unwrap().len(), 1);
    let nothing = "/admin/stanzas?id=3EB0NOTHING&wait_for=1&timeout_ms=10";
    assert_eq!(admin(&simulator, "GET", nothing, "").await.1, json!({ "stanzas": [] }));
}
