//! Who is told that somebody read or played something.

use std::sync::Arc;

use hantar_simulator::Attachment;
use wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use waproto::whatsapp::Message;
use waproto::whatsapp::message::AudioMessage;
use whatsapp_rust::types::presence::ReceiptType;

use crate::support::{
    Companion, PATIENCE, SILENCE, admin, becomes, group_jid, linked, pn, receipt_of, simulator, start, text,
};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

fn voice() -> Message {
    let audio = AudioMessage { ptt: Some(true), ..Default::default() };
    Message { audio_message: buffa::MessageField::some(audio), ..Default::default() }
}

async fn hears_nothing(companion: &Companion, id: &str, kind: &ReceiptType) {
    let heard = companion.event_within(SILENCE, |event| receipt_of(event, id, kind)).await;
    assert!(heard.is_none(), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_a_group_each_who_reads_is_told_of_by_name_whether_phone_or_companion() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let group = network.create_group(EVE, "Office", &[ANN.to_owned(), BEN.to_owned()]).unwrap().jid;
    let id = ann.client.send_message(group_jid(&group), text("read this")).await.unwrap().message_id;
    ben.texts(1).await;
    network.wait_for_messages(EVE, 1, PATIENCE).await.unwrap();
    network.mark_read(EVE, None).unwrap();
    let by_eve = ann.receipt(&id, ReceiptType::Read).await;
    let sender = ann.client.lid().unwrap();
    ben.client.mark_as_read(&group_jid(&group), Some(&sender), &[&id]).await.unwrap();
    let by_ben = ann.receipt(&id, ReceiptType::Read).await;
    for (receipt, phone) in [(by_eve, EVE), (by_ben, BEN)] {
        let lid = network.phone(phone).unwrap().lid;
        assert_eq!(
            (receipt.source.chat.to_string(), receipt.source.sender.user.as_str()),
            (group.clone(), lid.as_str())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_plays_is_told_once_and_only_of_what_can_be_played() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let words = ann.send(BEN, "listen").await;
    let id = ann.client.send_message(pn(BEN), voice()).await.unwrap().message_id;
    network.wait_for_messages(BEN, 2, PATIENCE).await.unwrap();
    let body = serde_json::json!({ "ids": [words, id] }).to_string();
    let path = format!("/admin/phones/{BEN}/played");
    assert_eq!(admin(&simulator, "POST", &path, &body).await.1, serde_json::json!({ "played": 1 }));
    ann.receipt(&id, ReceiptType::Played).await;
    assert_eq!(admin(&simulator, "POST", &path, &body).await.1, serde_json::json!({ "played": 0 }));
    let shown = network.messages(BEN).unwrap();
    assert_eq!(shown.iter().map(|message| message.played).collect::<Vec<_>>(), [false, true]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_companion_reads_and_plays_shows_on_both_phones() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let voice = Attachment {
        kind: "voice".into(),
        bytes: vec![7; 60],
        mime: "audio/ogg; codecs=opus".into(),
        caption: String::new(),
        file_name: None,
        view_once: false,
    };
    let (words, sound) = (network.send_text(BEN, ANN, "listen").unwrap(), network.send_file(BEN, ANN, &voice).unwrap());
    ann.texts(1).await;
    ann.client.mark_as_read(&pn(BEN), None, &[&words]).await.unwrap();
    ann.client.mark_as_played(&pn(BEN), None, &[&sound]).await.unwrap();
    for phone in [ANN, BEN] {
        let seen = async || {
            let shown = network.messages(phone).unwrap();
            let marks: Vec<_> = shown.iter().map(|message| (message.read, message.played)).collect();
            marks == [(true, false), (true, true)]
        };
        becomes(seen).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_its_reading_to_itself_tells_nobody_but_in_groups() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ben.client.set_privacy_setting(PrivacyCategory::ReadReceipts, PrivacyValue::None).await.unwrap();
    // The client reads its settings when it connects.
    ben.client.disconnect().await;
    let ben = start(&simulator, Arc::clone(&ben.backend), BEN).await;
    ben.ready().await;
    becomes(async || ben.client.persistence_manager().get_device_snapshot().read_receipts_disabled).await;
    let id = ann.send(BEN, "secret?").await;
    ben.texts(1).await;
    network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    ben.client.mark_as_read(&pn(ANN), None, &[&id]).await.unwrap();
    becomes(async || network.messages(BEN).unwrap()[0].read).await;
    hears_nothing(&ann, &id, &ReceiptType::Read).await;
    let id = ann.send(BEN, "and now?").await;
    network.wait_for_messages(BEN, 2, PATIENCE).await.unwrap();
    assert_eq!(network.mark_read(BEN, None).unwrap(), 1);
    hears_nothing(&ann, &id, &ReceiptType::Read).await;
    hears_nothing(&ann, &id, &ReceiptType::ReadSelf).await;

    let group = network.create_group(ANN, "Office", &[BEN.to_owned()]).unwrap().jid;
    let id = ann.client.send_message(group_jid(&group), text("to all")).await.unwrap().message_id;
    network.wait_for_messages(BEN, 3, PATIENCE).await.unwrap();
    network.mark_read(BEN, None).unwrap();
    ann.receipt(&id, ReceiptType::Read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_wait_for_a_sender_that_is_away() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    network.set_online(BEN, false).unwrap();
    let ann = linked(&simulator, ANN).await;
    let id = ann.send(BEN, "read it when you can").await;
    ann.ack(&id).await;
    ann.client.disconnect().await;
    network.set_online(BEN, true).unwrap();
    assert_eq!(network.mark_read(BEN, None).unwrap(), 1);
    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    for kind in [ReceiptType::Delivered, ReceiptType::Read] {
        assert!(back.receipt(&id, kind).await.offline);
    }
}
