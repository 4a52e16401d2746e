//! People who live by a script, on a clock that tests move.

use hantar_simulator::{Network, Script, Simulator, StanzaFilter, TimeChange};
use serde_json::json;
use whatsapp_rust::types::presence::ReceiptType;

use crate::support::{Companion, PATIENCE, SILENCE, admin, linked, receipt_of, simulator, simulator_keeping};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const DAY_MS: u64 = 86_400_000;

fn freeze(network: &Network) {
    network.change_time(TimeChange { frozen: Some(true), ..TimeChange::default() }).unwrap();
}

fn advance(network: &Network, ms: u64) {
    network.change_time(TimeChange { advance_ms: Some(ms), ..TimeChange::default() }).unwrap();
}

fn script(rules: &serde_json::Value) -> Script {
    serde_json::from_value(json!({ "rules": rules })).unwrap()
}

/// Ann's companion, and Ben with a script, on a clock that stands still.
async fn ann_and_ben(rules: &serde_json::Value) -> (Simulator, Companion) {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    network.set_script(BEN, script(rules)).unwrap();
    let ann = linked(&simulator, ANN).await;
    freeze(network);
    (simulator, ann)
}

fn texts(network: &Network, phone: &str) -> Vec<String> {
    network.messages(phone).unwrap().into_iter().map(|message| message.text).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_reads_types_and_answers_when_the_time_comes() {
    let (simulator, ann) = ann_and_ben(&json!([
        { "when": { "contains": "harga" }, "steps": [
            { "do": "wait", "ms": 5_000 }, { "do": "read" }, { "do": "type", "ms": 2_000 },
            { "do": "reply", "text": "RM 5" } ] },
        { "steps": [{ "do": "reply", "text": "?" }] }
    ]))
    .await;
    let network = simulator.network();
    let id = ann.send(BEN, "Berapa HARGA?").await;
    ann.receipt(&id, ReceiptType::Delivered).await;
    let read = ann.event_within(SILENCE, |event| receipt_of(event, &id, &ReceiptType::Read)).await;
    assert!(read.is_none(), "nobody reads before their time: {read:?}");

    advance(network, 5_000);
    ann.receipt(&id, ReceiptType::Read).await;
    let typing = StanzaFilter { tag: Some("chatstate".into()), phone: Some(ANN.into()), ..StanzaFilter::default() };
    let typing = network.wait_for_stanzas(&typing, 1, PATIENCE).await;
    assert!(typing[0].xml.contains("<composing/>"), "{typing:?}");
    assert_eq!(texts(network, BEN), ["Berapa HARGA?"]);

    advance(network, 2_000);
    assert_eq!(ann.texts(1).await[0].1, "RM 5");
    assert_eq!(texts(network, BEN), ["Berapa HARGA?", "RM 5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_first_rule_that_fits_is_followed_and_only_as_often_as_it_counts() {
    let (simulator, ann) = ann_and_ben(&json!([
        { "when": { "equals": "stop" }, "steps": [{ "do": "reply", "text": "STOP" }] },
        { "count": 1, "steps": [{ "do": "reply", "text": "first" }] },
        { "from": "60199999999", "steps": [{ "do": "reply", "text": "not for Ann" }] },
        { "steps": [{ "do": "reply", "text": "later" }] }
    ]))
    .await;
    for (said, answer) in [("stop", "STOP"), ("hello", "first"), ("hello", "later"), ("Stop", "STOP")] {
        ann.send(BEN, said).await;
        assert_eq!(ann.texts(1).await[0].1, answer, "{said}");
    }
    let left = simulator.network().script(BEN).unwrap();
    assert_eq!((left.rules[1].count, left.rules[0].count), (Some(0), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_blocked_gets_acks_and_nothing_else() {
    let (simulator, ann) =
        ann_and_ben(&json!([{ "when": { "contains": "spam" }, "steps": [{ "do": "read" }, { "do": "block" }] }])).await;
    let network = simulator.network();
    let spam = ann.send(BEN, "spam").await;
    ann.receipt(&spam, ReceiptType::Read).await;
    let unseen = ann.send(BEN, "are you there?").await;
    assert_eq!(ann.ack(&unseen).await.error, None);
    let delivered = ann.event_within(SILENCE, |event| receipt_of(event, &unseen, &ReceiptType::Delivered)).await;
    assert!(delivered.is_none(), "{delivered:?}");
    assert_eq!(texts(network, BEN), ["spam"]);

    let unblock = json!({ "phone": ANN, "blocked": false }).to_string();
    assert_eq!(admin(&simulator, "POST", &format!("/admin/phones/{BEN}/block"), &unblock).await.0, 204);
    ann.send(BEN, "sorry").await;
    assert_eq!(network.wait_for_messages(BEN, 2, PATIENCE).await.unwrap().last().unwrap().text, "sorry");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_goes_off_for_a_day_and_answers_when_it_is_back() {
    let (simulator, ann) = ann_and_ben(&json!([
        { "when": { "equals": "good night" }, "steps": [
            { "do": "offline", "ms": DAY_MS }, { "do": "reply", "text": "good morning" } ] }
    ]))
    .await;
    let network = simulator.network();
    let night = ann.send(BEN, "good night").await;
    ann.receipt(&night, ReceiptType::Delivered).await;
    let meanwhile = ann.send(BEN, "meanwhile").await;
    ann.ack(&meanwhile).await;
    let online = || network.phone(BEN).unwrap().online;
    advance(network, DAY_MS - 1);
    assert!(!online());
    assert_eq!(texts(network, BEN), ["good night"]);

    advance(network, 1);
    assert!(online());
    ann.receipt(&meanwhile, ReceiptType::Delivered).await;
    assert_eq!(ann.texts(1).await[0].1, "good morning");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_was_about_to_do_happens_after_a_restart_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.json");
    let simulator = simulator_keeping(Some(file.clone())).await;
    let network = simulator.network();
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben")] {
        network.create_phone(phone, name).unwrap();
    }
    freeze(network);
    let before = network.time().now_ms;
    let rules = json!([{ "steps": [{ "do": "offline", "ms": DAY_MS }, { "do": "wait", "ms": 1_000 }, { "do": "reply", "text": "back" }] }]);
    network.set_script(BEN, script(&rules)).unwrap();
    network.send_text(ANN, BEN, "hello").unwrap();
    advance(network, 0);
    assert!(!network.phone(BEN).unwrap().online);
    simulator.shutdown().await;

    let simulator = simulator_keeping(Some(file)).await;
    let network = simulator.network();
    assert_eq!((network.time().now_ms, network.time().frozen), (before, true));
    assert_eq!(network.script(BEN).unwrap(), script(&rules));
    advance(network, DAY_MS + 1_000);
    assert_eq!(texts(network, ANN), ["hello", "back"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_is_set_and_read_over_http_and_bad_ones_name_the_field() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let path = format!("/admin/phones/{BEN}/script");
    assert_eq!(admin(&simulator, "GET", &path, "").await.1, json!({ "rules": [] }));
    let script = json!({ "rules": [{ "when": { "contains": "hi" }, "steps": [{ "do": "reply", "text": "hello" }] }] });
    let (status, set) = admin(&simulator, "PUT", &path, &script.to_string()).await;
    assert_eq!((status, &set), (200, &script));
    let bad = json!({ "rules": [{ "steps": [{ "do": "reply", "text": "" }] }] }).to_string();
    let (status, answer) = admin(&simulator, "PUT", &path, &bad).await;
    assert_eq!((status, &answer["field"]), (422, &json!("text")));
    let unknown = json!({ "rules": [{ "steps": [{ "do": "dance" }] }] }).to_string();
    assert_eq!(admin(&simulator, "PUT", &path, &unknown).await.0, 422);
    assert_eq!(admin(&simulator, "GET", &path, "").await.1, script);
}

#[tokio::test]
async fn the_clock_is_frozen_moved_and_never_goes_back() {
    let simulator = simulator().await;
    let (_, running) = admin(&simulator, "GET", "/admin/time", "").await;
    assert_eq!(running["frozen"], json!(false));
    let (_, frozen) = admin(&simulator, "POST", "/admin/time", r#"{"frozen":true}"#).await;
    let at = frozen["now_ms"].as_u64().unwrap();
    assert!(at >= running["now_ms"].as_u64().unwrap());
    let (_, moved) = admin(&simulator, "POST", "/admin/time", r#"{"advance_ms":1500}"#).await;
    assert_eq!(moved, json!({ "now_ms": at + 1_500, "frozen": true }));
    let to = json!({ "now_ms": at + 2_000 }).to_string();
    assert_eq!(admin(&simulator, "POST", "/admin/time", &to).await.1["now_ms"], json!(at + 2_000));
    for (field, body) in [
        ("now_ms", json!({ "now_ms": at })),
        ("now_ms", json!({ "advance_ms": u64::MAX })),
        ("advance_ms", json!({ "now_ms": at + 9_000, "advance_ms": 1 })),
    ] {
        let (status, answer) = admin(&simulator, "POST", "/admin/time", &body.to_string()).await;
        assert_eq!((status, &answer["field"]), (422, &json!(field)), "{body}");
    }
    assert_eq!(admin(&simulator, "POST", "/admin/time", r#"{"speed":2}"#).await.0, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_scripts_that_answer_each_other_at_once_stop_nothing_else() {
    let simulator = simulator().await;
    let network = simulator.network();
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben")] {
        network.create_phone(phone, name).unwrap();
        network.set_script(phone, script(&json!([{ "steps": [{ "do": "reply", "text": "and you?" }] }]))).unwrap();
    }
    network.send_text(ANN, BEN, "how are you?").unwrap();
    assert!(network.wait_for_messages(ANN, 50, PATIENCE).await.unwrap().len() >= 50);
    assert_eq!(admin(&simulator, "GET", "/healthz", "").await.0, 200);
    network.set_script(ANN, Script::default()).unwrap();
}
