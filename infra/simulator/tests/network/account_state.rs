//! What an account's devices share and learn from the phone: settings, history, data on request, codes instead of QR.

use std::sync::Arc;

use hantar_simulator::{SettingChange, StanzaDirection, StanzaFilter};
use wacore::store::InMemoryBackend;
use waproto::whatsapp::message::extended_text_message::FontType;
use whatsapp_rust::StatusSendOptions;
use whatsapp_rust::pair_code::PairCodeOptions;
use whatsapp_rust::types::events::Event;

use crate::support::{PATIENCE, linked, pn, simulator, stanzas_out, start_unscanned, texts_of};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_learns_the_name_its_phone_has() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(ANN, "Ann of the sea").unwrap();
    let ann = linked(&simulator, ANN).await;
    ann.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    network.change_setting(ANN, &SettingChange::Name { name: "Ann of the hills".into() }).unwrap();
    let name = |event: &Event| match event {
        Event::SelfPushNameUpdated(update) => Some(update.new_name.clone()).filter(|name| name == "Ann of the hills"),
        _ => None,
    };
    ann.event("new name", name).await;
    assert_eq!(network.phone(ANN).unwrap().name, "Ann of the hills");
    let settings = network.shared_settings(ANN).unwrap();
    assert_eq!(settings.iter().map(|setting| setting.index[0].as_str()).collect::<Vec<_>>(), ["setting_pushName"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_of_one_companion_reaches_its_sibling_and_the_phone_and_the_other_way_round() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let (first, second) = (linked(&simulator, ANN).await, linked(&simulator, ANN).await);
    for companion in [&first, &second] {
        companion.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    }
    first.client.chat_actions().pin_chat(&pn(BEN)).await.unwrap();
    let pin = |event: &Event| matches!(event, Event::PinUpdate(_)).then_some(());
    second.event("pin", pin).await;
    let pinned = |setting: &hantar_simulator::SharedSetting| setting.index.first().is_some_and(|name| name == "pin_v1");
    assert!(network.shared_settings(ANN).unwrap().iter().any(pinned));

    // In a collection of its own: a client may be busy with the one before.
    network.change_setting(ANN, &SettingChange::Contact { phone: BEN.into(), name: "Ben Tan".into() }).unwrap();
    let saved = |event: &Event| matches!(event, Event::ContactUpdate(_)).then_some(());
    first.event("contact", saved).await;
    second.event("contact", saved).await;
    second.client.chat_actions().mute_chat(&pn(BEN)).await.unwrap();
    first.event("mute", |event| matches!(event, Event::MuteUpdate(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_companion_gets_the_history_inside_the_message_or_as_a_file() {
    for (count, is_file) in [(2, false), (200, true)] {
        let simulator = simulator().await;
        let network = simulator.network();
        network.create_phone(ANN, "Ann").unwrap();
        network.create_phone(BEN, "Ben").unwrap();
        for number in 0..count {
            network.send_text(BEN, ANN, &format!("before the companion {number}")).unwrap();
        }
        let ann = linked(&simulator, ANN).await;
        let history = |event: &Event| match event {
            Event::HistorySync(history) => Some(history.get().map(|history| history.conversations.clone())),
            _ => None,
        };
        let conversations = ann.event("history", history).await.unwrap();
        assert_eq!(conversations.iter().map(|chat| chat.messages.len()).sum::<usize>(), count, "{is_file}");
        assert_eq!(network.expire_media(None) > 0, is_file);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_asks_its_phone_for_older_messages() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let ids: Vec<String> = (0..5).map(|n| network.send_text(BEN, ANN, &format!("{n}")).unwrap()).collect();
    ann.texts(5).await;
    ann.event("first history", |event| matches!(event, Event::HistorySync(_)).then_some(())).await;
    ann.client.fetch_message_history(&pn(BEN), &ids[3], false, 0, 2).await.unwrap();
    let history = |event: &Event| match event {
        Event::HistorySync(history) => history.get().map(|history| history.conversations.clone()),
        _ => None,
    };
    let chats = ann.event("history on demand", history).await;
    let mut older: Vec<String> = chats
        .iter()
        .flat_map(|chat| &chat.messages)
        .filter_map(|entry| entry.message.as_option()?.key.as_option()?.id.clone())
        .collect();
    older.sort();
    let mut expected = ids[1..3].to_vec();
    expected.sort();
    assert_eq!(older, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_got_no_keys_asks_for_them_and_a_phone_that_was_off_answers() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(ANN, "Ann").unwrap();
    network.create_phone(BEN, "Ben").unwrap();
    // Something to read that takes the keys.
    network.change_setting(ANN, &SettingChange::Contact { phone: BEN.into(), name: "Ben Tan".into() }).unwrap();
    let ann = start_unscanned(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    let code = |event: &Event| match event {
        Event::PairingQrCode(qr) => Some(qr.code.clone()),
        _ => None,
    };
    network.scan_qr(&ann.event("QR code", code).await, Some(ANN)).unwrap();
    network.set_online(ANN, false).unwrap();
    let asked =
        StanzaFilter { tag: Some("message".into()), direction: Some(StanzaDirection::In), ..StanzaFilter::default() };
    let asked = network.wait_for_stanzas(&asked, 1, PATIENCE).await;
    assert!(asked[0].xml.contains("category=\"peer\""), "{asked:?}");
    assert!(stanzas_out(network, ANN, "message", "").is_empty());
    network.set_online(ANN, true).unwrap();
    ann.event("contact", |event| matches!(event, Event::ContactUpdate(_)).then_some(())).await;
    ann.ready().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sibling_answers_who_asks_for_keys_while_the_phone_is_off_and_nobody_else_hears_of_it() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let first = linked(&simulator, ANN).await;
    network.change_setting(ANN, &SettingChange::Contact { phone: BEN.into(), name: "Ben Tan".into() }).unwrap();
    let contact = |event: &Event| matches!(event, Event::ContactUpdate(_)).then_some(());
    first.event("contact", contact).await;
    let second = start_unscanned(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    let code = |event: &Event| match event {
        Event::PairingQrCode(qr) => Some(qr.code.clone()),
        _ => None,
    };
    let code = second.event("QR code", code).await;
    network.clear_stanzas();
    network.scan_qr(&code, Some(ANN)).unwrap();
    network.set_online(ANN, false).unwrap();
    second.event("contact", contact).await;
    let told = stanzas_out(network, ANN, "message", "category=\"peer\"");
    let (to_first, to_second): (Vec<_>, Vec<_>) = told.iter().partition(|message| message.device == Some(33));
    assert_eq!((to_first.len(), to_second.len()), (1, 1), "a question and an answer: {told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_pairs_by_a_code_that_is_typed_on_the_phone() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(ANN, "Ann").unwrap();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = start_unscanned(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    ann.event("QR code", |event| matches!(event, Event::PairingQrCode(_)).then_some(())).await;
    let options = PairCodeOptions { phone_number: ANN.to_owned(), ..PairCodeOptions::default() };
    let code = ann.client.pair_with_code(options).await.unwrap();
    assert!(network.enter_pair_code(BEN, &code).is_err());
    network.enter_pair_code(ANN, &code).unwrap();
    ann.ready().await;
    let id = network.send_text(BEN, ANN, "welcome").unwrap();
    assert_eq!(ann.texts(1).await, [(id, "welcome".to_owned())]);
    assert_eq!(network.phone(ANN).unwrap().devices.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contacts_learn_of_a_new_companion_a_new_phone_and_a_new_number() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    ann.send(BEN, "hi").await;
    network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    let ben = linked(&simulator, BEN).await;
    ann.event("devices", |event| matches!(event, Event::DeviceListUpdate(_)).then_some(())).await;
    let id = ann.send(BEN, "to both").await;
    assert_eq!(ben.texts(1).await, [(id, "to both".to_owned())]);

    network.replace_phone(BEN).unwrap();
    ann.event("identity", |event| matches!(event, Event::IdentityChange(_)).then_some(())).await;
    ann.send(BEN, "to the new phone").await;
    let shown = network.wait_for_messages(BEN, 3, PATIENCE).await.unwrap();
    assert_eq!(shown.last().unwrap().text, "to the new phone");
    network.change_number(BEN, "60120000009").unwrap();
    ann.event("number", |event| matches!(event, Event::ContactNumberChanged(_)).then_some(())).await;
    assert!(network.phone(BEN).is_err() && network.phone("60120000009").is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newsletter_is_followed_read_and_reacted_to() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let made = ann.client.newsletter().create("Tides", Some("high and low")).await.unwrap();
    let code = made.invite_code.clone().unwrap();
    let found = ben.client.newsletter().get_metadata_by_invite(&code).await.unwrap();
    assert_eq!((found.jid.clone(), found.name.as_str()), (made.jid.clone(), "Tides"));
    ben.client.newsletter().join(&made.jid).await.unwrap();
    assert_eq!(ben.client.newsletter().list_subscribed().await.unwrap().len(), 1);
    let id = ann.client.send_message(made.jid.clone(), crate::support::text("high at noon")).await.unwrap().message_id;
    assert_eq!(ann.ack(&id).await.error, None);
    ben.event("post", |event| texts_of(event).into_iter().find(|(_, words)| words == "high at noon")).await;
    assert_eq!(network.messages(BEN).unwrap()[0].text, "high at noon");
    let posts = ben.client.newsletter().get_messages(made.jid.clone(), 10, None).await.unwrap();
    assert_eq!(posts.len(), 1);
    ben.client.newsletter().send_reaction(&made.jid, posts[0].server_id, "🌊").await.unwrap();
    let live = |event: &Event| match event {
        Event::NewsletterLiveUpdate(update) => update.messages.first().map(|message| message.reactions.len()),
        _ => None,
    };
    assert_eq!(ann.event("live update", live).await, 1);
    let refused = ben.client.send_message(made.jid.clone(), crate::support::text("me too")).await.unwrap().message_id;
    assert_eq!(ben.ack(&refused).await.error.as_deref(), Some("403"));
    ann.client.newsletter().update(&made.jid, Some("Tides and winds"), None).await.unwrap();
    assert_eq!(ben.client.newsletter().get_metadata(&made.jid).await.unwrap().name, "Tides and winds");
    ben.client.newsletter().leave(&made.jid).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_rings_and_is_declined() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let call = network.ring(BEN, ANN, false).unwrap();
    let incoming = ann
        .event("call", |event| match event {
            Event::IncomingCall(call) => Some(call.clone()),
            _ => None,
        })
        .await;
    ann.client.voip().reject(&incoming).await.unwrap();
    let id = ann.send(BEN, "cannot talk now").await;
    ann.ack(&id).await;
    let calls = network.calls(BEN).unwrap();
    assert_eq!((calls[0].id.as_str(), calls[0].state.as_str()), (call.as_str(), "rejected"));
    let missed = network.ring(BEN, ANN, true).unwrap();
    network.hang_up(BEN, &missed).unwrap();
    assert_eq!(network.calls(ANN).unwrap()[1].state, "ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_reaches_the_people_it_names() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let ben = whatsapp_rust::Jid::lid(network.phone(BEN).unwrap().lid);
    ann.client.status().send_text("sunset", 0, FontType::SYSTEM, &[ben], StatusSendOptions::default()).await.unwrap();
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!((shown[0].text.as_str(), shown[0].chat.as_deref()), ("sunset", Some("status@broadcast")));
}
