//! What a person would do with a linked device, done by Baileys.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use hantar_simulator::{Fault, FaultKind, SettingChange, Simulator, SimulatorConfig};
use serde_json::{Value, json};

use crate::companion::Companion;

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";
const SEED: u64 = 11;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// A network with people on it.
async fn network_of(phones: &[&str]) -> Simulator {
    println!("seed {SEED}");
    let listen = "127.0.0.1:0".parse().unwrap();
    let simulator = Simulator::start(SimulatorConfig { listen, seed: SEED, state_file: None }).await.unwrap();
    for phone in phones {
        simulator.network().create_phone(phone, &format!("Name of {phone}")).unwrap();
    }
    simulator
}

fn jid(phone: &str) -> String {
    format!("{phone}@s.whatsapp.net")
}

fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap().to_owned()
}

async fn message(companion: &Companion, text: &str) -> Value {
    companion.event("message", |event| event["text"] == text).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baileys_pairs_and_converses_with_a_person() {
    let simulator = network_of(&[ANN, BEN]).await;
    let network = simulator.network();
    let ann = Companion::linked(&simulator, ANN).await;
    assert_eq!(network.phone(ANN).unwrap().devices.len(), 1);

    let sent = id(&ann.call("text", json!({ "to": jid(BEN), "text": "selamat pagi" })).await);
    ann.event("ack", |event| event["id"] == sent.as_str() && event["class"] == "message" && event["error"].is_null())
        .await;
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!((shown[0].id.as_str(), shown[0].text.as_str()), (sent.as_str(), "selamat pagi"));
    // Delivered is 3, read is 4.
    ann.event("update", |event| event["id"] == sent.as_str() && event["status"] == 3).await;
    network.mark_read(BEN, None).unwrap();
    ann.event("update", |event| event["id"] == sent.as_str() && event["status"] == 4).await;

    let answered = network.send_text(BEN, ANN, "pagi!").unwrap();
    let got = message(&ann, "pagi!").await;
    assert_eq!(
        (id(&got), &got["from_me"], &got["name"]),
        (answered.clone(), &false.into(), &format!("Name of {BEN}").into())
    );
    ann.call("read", json!({ "id": answered })).await;
    let own = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!(own.len(), 2);

    ann.call("react", json!({ "to": jid(BEN), "id": answered, "text": "👍" })).await;
    ann.call("edit", json!({ "to": jid(BEN), "id": sent, "text": "selamat siang" })).await;
    network.wait_for_messages(BEN, 3, PATIENCE).await.unwrap();
    let shown = network.messages(BEN).unwrap();
    let find = |id: &str| shown.iter().find(|message| message.id == id).unwrap();
    assert_eq!(find(&answered).reactions.get(ANN).map(String::as_str), Some("👍"));
    assert_eq!((find(&sent).text.as_str(), find(&sent).edited), ("selamat siang", true));
    network.react(BEN, &sent, "❤️").unwrap();
    ann.event("reaction", |event| event["text"] == "❤️").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_baileys_and_a_phone_talk_in_a_group() {
    let simulator = network_of(&[ANN, BEN, EVE]).await;
    let network = simulator.network();
    let (ann, ben) = (Companion::linked(&simulator, ANN).await, Companion::linked(&simulator, BEN).await);
    let made = ann.call("create_group", json!({ "subject": "Lunch", "members": [jid(BEN), jid(EVE)] })).await;
    let group = made["jid"].as_str().unwrap().to_owned();
    assert_eq!(made["count"], 3);

    let sent = id(&ann.call("text", json!({ "to": group, "text": "nasi lemak?" })).await);
    let got = message(&ben, "nasi lemak?").await;
    assert_eq!((id(&got), &got["chat"]), (sent.clone(), &group.as_str().into()));
    ann.event("receipt", |event| event["id"] == sent.as_str() && event["delivered"] == true).await;
    let answered = ben.call("text", json!({ "to": group, "text": "with an egg" })).await;
    assert_eq!(id(&message(&ann, "with an egg").await), id(&answered));
    let shown = network.wait_for_messages(EVE, 2, PATIENCE).await.unwrap();
    let texts: Vec<&str> = shown.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["nasi lemak?", "with an egg"]);
    for words in ["make it three", "at noon"] {
        let from_phone = network.send_text(EVE, &group, words).unwrap();
        assert_eq!(id(&message(&ann, words).await), from_phone);
        assert_eq!(id(&message(&ben, words).await), from_phone);
    }

    ann.call("set_subject", json!({ "jid": group, "subject": "Dinner" })).await;
    assert_eq!(ben.call("group", json!({ "jid": group })).await["subject"], "Dinner");
    ann.call("change_members", json!({ "jid": group, "members": [jid(BEN)], "action": "remove" })).await;
    ben.event("members", |event| event["action"] == "remove").await;
    ann.call("text", json!({ "to": group, "text": "without Ben" })).await;
    let shown = network.wait_for_messages(EVE, 3, PATIENCE).await.unwrap();
    assert_eq!(shown.last().unwrap().text, "without Ben");
    let missed = ben.left().into_iter().find(|event| event["text"] == "without Ben");
    assert_eq!(missed, None);
    let code = ann.call("invite_code", json!({ "jid": group })).await;
    assert_eq!(ben.call("join", json!({ "code": code["code"] })).await["jid"], group.as_str());
    assert_eq!(ann.call("groups", json!({})).await["jids"], json!([group]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baileys_sends_and_opens_files() {
    let simulator = network_of(&[ANN, BEN]).await;
    let network = simulator.network();
    let ann = Companion::linked(&simulator, ANN).await;
    let content: Vec<u8> = (0..20_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let base64 = BASE64_STANDARD.encode(&content);
    ann.call("image", json!({ "to": jid(BEN), "base64": base64, "caption": "the menu" })).await;
    ann.call("document", json!({ "to": jid(BEN), "base64": base64, "name": "menu.pdf" })).await;
    let shown = network.wait_for_messages(BEN, 2, PATIENCE).await.unwrap();
    assert_eq!((shown[0].kind.as_str(), shown[0].text.as_str()), ("image", "the menu"));
    for message in &shown {
        let media = message.media.as_ref().unwrap();
        assert_eq!((media.size, &media.problem), (content.len(), &None), "{message:?}");
    }
    assert_eq!(shown[1].media.as_ref().unwrap().file_name.as_deref(), Some("menu.pdf"));

    network.phone_send_image(BEN, ANN, content, "look").unwrap();
    let got = message(&ann, "look").await;
    assert_eq!(got["kind"], "imageMessage");
    assert_eq!(ann.call("download", json!({ "id": got["id"] })).await["base64"], base64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baileys_comes_back_after_the_line_broke_and_misses_nothing() {
    let simulator = network_of(&[ANN, BEN]).await;
    let network = simulator.network();
    let ann = Companion::linked(&simulator, ANN).await;
    network.send_text(BEN, ANN, "before").unwrap();
    message(&ann, "before").await;
    assert_eq!(network.disconnect(ANN, None).unwrap(), 1);
    ann.event("open", |_| true).await;
    network.send_text(BEN, ANN, "after the cut").unwrap();
    message(&ann, "after the cut").await;

    ann.call("disconnect", json!({})).await;
    let missed: Vec<String> = (0..5).map(|n| network.send_text(BEN, ANN, &format!("missed {n}")).unwrap()).collect();
    ann.call("connect", json!({})).await;
    for (n, missed) in missed.iter().enumerate() {
        assert_eq!(id(&message(&ann, &format!("missed {n}")).await), *missed);
    }
    let sent = id(&ann.call("text", json!({ "to": jid(BEN), "text": "all here" })).await);
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!(shown.last().map(|message| message.id.as_str()), Some(sent.as_str()));

    network.unlink(ANN, None).unwrap();
    ann.event("close", |event| event["code"] == 401).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baileys_pairs_by_a_code_and_asks_about_people() {
    let simulator = network_of(&[ANN, BEN]).await;
    let network = simulator.network();
    let ann = Companion::start(&simulator);
    ann.event("qr", |_| true).await;
    let code = ann.call("pair_code", json!({ "phone": ANN })).await;
    // The code is shown before the server knows of it.
    ann.event("code_offered", |_| true).await;
    network.enter_pair_code(ANN, code["code"].as_str().unwrap()).unwrap();
    ann.event("open", |_| true).await;
    let found = ann.call("on_whatsapp", json!({ "phone": BEN })).await;
    assert_eq!(found["found"][0]["exists"], true);
    ann.call("about", json!({ "text": "at the beach" })).await;
    ann.call("subscribe", json!({ "to": jid(BEN) })).await;
    network.set_available(BEN, true).unwrap();
    ann.event("presence", |event| event["states"] == json!(["available"])).await;
    assert_eq!(network.unknown_iqs(), std::collections::BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baileys_shares_settings_with_its_phone_and_asks_it_for_what_it_could_not_read() {
    let simulator = network_of(&[ANN, BEN, EVE]).await;
    let network = simulator.network();
    let ann = Companion::linked(&simulator, ANN).await;
    network.send_text(BEN, ANN, "hello").unwrap();
    message(&ann, "hello").await;
    ann.call("pin", json!({ "to": jid(BEN) })).await;
    let settings = network.shared_settings(ANN).unwrap();
    assert!(settings.iter().any(|setting| setting.index[0] == "pin_v1"), "{settings:?}");
    network.change_setting(ANN, &SettingChange::Contact { phone: EVE.into(), name: "Eve Lim".into() }).unwrap();
    ann.event("contact", |event| event["name"] == "Eve Lim").await;

    let rule = Fault { to: Some(ANN.into()), count: Some(1), ..Fault::new(FaultKind::Placeholder) };
    network.add_fault(rule).unwrap();
    let id = network.send_text(BEN, ANN, "only on the phone").unwrap();
    assert_eq!(message(&ann, "only on the phone").await["id"], id.as_str());

    let asked = ann.call("poll", json!({ "to": jid(BEN), "question": "Lunch?", "options": ["rice", "noodles"] })).await;
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    let poll = shown.iter().find(|message| message.kind == "poll").unwrap();
    assert_eq!((asked["id"].as_str(), poll.options.len()), (Some(poll.id.as_str()), 2));
}
