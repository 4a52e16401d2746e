//! Messages between companions and phones, receipts, queues.

use std::sync::Arc;

use hantar_simulator::StanzaFilter;
use whatsapp_rust::types::presence::ReceiptType;

use crate::support::{PATIENCE, becomes, linked, pn, settled, simulator, stanzas_in, start, text, texts_of};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_reaches_a_phone_once_and_comes_back_as_acked_delivered_and_read() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;

    let id = ann.send(BEN, "selamat pagi").await;
    assert_eq!(ann.ack(&id).await.error, None);
    ann.receipt(&id, ReceiptType::Delivered).await;
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!(shown.len(), 1);
    assert_eq!((shown[0].id.as_str(), shown[0].text.as_str()), (id.as_str(), "selamat pagi"));
    assert_eq!((shown[0].from.as_str(), shown[0].to.as_str()), (ANN, BEN));
    assert!(!shown[0].from_me && !shown[0].read);

    assert_eq!(network.mark_read(BEN, None).unwrap(), 1);
    ann.receipt(&id, ReceiptType::Read).await;
    assert!(network.messages(BEN).unwrap()[0].read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_own_phone_shows_what_a_companion_sent() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let id = ann.send(BEN, "from the desk").await;
    ann.receipt(&id, ReceiptType::Delivered).await;
    // The copy for the own phone stands in the same stanza; the next exchange proves it was handled.
    ann.send(BEN, "and again").await;
    simulator.network().wait_for_messages(BEN, 2, PATIENCE).await.unwrap();
    let own = simulator.network().messages(ANN).unwrap();
    let first = own.iter().find(|message| message.id == id).expect("the copy is shown");
    assert!(first.from_me);
    assert_eq!((first.to.as_str(), first.text.as_str()), (BEN, "from the desk"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_writes_to_a_companion_and_the_conversation_goes_on() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    for round in 0..3 {
        let id = network.send_text(BEN, ANN, &format!("question {round}")).unwrap();
        assert_eq!(ann.texts(1).await, [(id, format!("question {round}"))]);
        ann.send(BEN, &format!("answer {round}")).await;
        let shown = network.wait_for_messages(BEN, round + 1, PATIENCE).await.unwrap();
        assert_eq!(shown.last().unwrap().text, format!("answer {round}"));
    }
    let on_anns_phone = network.messages(ANN).unwrap();
    assert_eq!(on_anns_phone.iter().filter(|message| !message.from_me).count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_learns_what_its_phone_sent() {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    simulator.network().send_text(ANN, BEN, "from the pocket").unwrap();
    let from_me = ann
        .event("own message", |event| {
            let inbound = event.messages().find(|m| m.message.conversation.as_deref() == Some("from the pocket"))?;
            Some((inbound.info.source.is_from_me, inbound.info.source.chat.user.to_string()))
        })
        .await;
    assert_eq!(from_me, (true, BEN.to_owned()));
    assert_eq!(simulator.network().messages(BEN).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn companions_write_to_each_other_and_to_each_others_phones() {
    let simulator = simulator().await;
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let id = ann.send(BEN, "hello").await;
    assert_eq!(ben.texts(1).await, [(id.clone(), "hello".to_owned())]);
    ann.receipt(&id, ReceiptType::Delivered).await;
    let reply = ben.send(ANN, "hi").await;
    assert_eq!(ann.texts(1).await, [(reply, "hi".to_owned())]);
    assert_eq!(simulator.network().wait_for_messages(BEN, 1, PATIENCE).await.unwrap()[0].text, "hello");
    let on_anns_phone = simulator.network().wait_for_messages(ANN, 1, PATIENCE).await.unwrap();
    let shown: Vec<_> = on_anns_phone.iter().map(|message| (message.from_me, message.text.as_str())).collect();
    assert_eq!(shown, [(true, "hello"), (false, "hi")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_an_offline_companion_comes_in_order_when_it_returns() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.send_text(EVE, ANN, "before").unwrap();
    ann.texts(1).await;
    ann.client.disconnect().await;
    let sent: Vec<String> = (0..20).map(|n| network.send_text(EVE, ANN, &format!("missed {n}")).unwrap()).collect();
    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    let got = back.texts(20).await;
    assert_eq!(got.into_iter().map(|(id, _)| id).collect::<Vec<_>>(), sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_does_not_come_again() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let ann = linked(&simulator, ANN).await;
    let once = network.send_text(EVE, ANN, "once").unwrap();
    ann.texts(1).await;
    settled(network, &once).await;
    ann.client.disconnect().await;
    let id = network.send_text(EVE, ANN, "twice").unwrap();
    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    assert_eq!(back.texts(1).await, [(id, "twice".to_owned())]);
    let once = StanzaFilter { id: Some(once), tag: Some("message".into()), ..StanzaFilter::default() };
    assert_eq!(network.stanzas(&once).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stanza_id_sent_twice_shows_once_and_is_logged_twice() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    for _ in 0..2 {
        ann.send_as(BEN, "only once", "3EB0TWICE").await;
        ann.ack("3EB0TWICE").await;
    }
    ann.send(BEN, "afterwards").await;
    let shown = network.wait_for_messages(BEN, 2, PATIENCE).await.unwrap();
    let texts: Vec<&str> = shown.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["only once", "afterwards"]);
    assert_eq!(stanzas_in(network, "3EB0TWICE").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_that_is_off_confirms_when_it_is_on_again() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    network.set_online(BEN, false).unwrap();
    let ann = linked(&simulator, ANN).await;
    let id = ann.send(BEN, "wake up").await;
    assert_eq!(ann.ack(&id).await.error, None);
    assert!(network.messages(BEN).unwrap().is_empty());
    network.set_online(BEN, true).unwrap();
    ann.receipt(&id, ReceiptType::Delivered).await;
    assert_eq!(network.messages(BEN).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_lost_its_session_gets_the_message_again() {
    use wacore::store::traits::SignalStore as _;
    let simulator = simulator().await;
    let network = simulator.network();
    let ben = network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    // Two exchanges, so that the phone stops attaching its pre-key message.
    for words in ["one", "two"] {
        network.send_text(BEN, ANN, words).unwrap();
        ann.texts(1).await;
        let id = ann.send(BEN, "ok").await;
        ann.receipt(&id, ReceiptType::Delivered).await;
    }
    ann.client.disconnect().await;
    ann.backend.delete_session(&format!("{}@lid.0", ben.lid)).await.unwrap();
    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    let id = network.send_text(BEN, ANN, "three").unwrap();
    assert_eq!(back.texts(1).await, [(id, "three".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_lost_its_session_gets_a_companions_message_again_and_no_other_device_does() {
    use wacore::store::traits::SignalStore as _;
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    for words in ["one", "two"] {
        ann.send(BEN, words).await;
        ben.texts(1).await;
        ben.send(ANN, "ok").await;
        ann.texts(1).await;
    }
    let own = ann.client.lid().unwrap();
    ben.client.disconnect().await;
    let address = format!("{}:{}@lid.0", own.user, own.device);
    assert!(ben.backend.get_session(&address).await.unwrap().is_some(), "{address}");
    ben.backend.delete_session(&address).await.unwrap();
    let back = start(&simulator, Arc::clone(&ben.backend), BEN).await;
    back.ready().await;
    let id = ann.send(BEN, "three").await;
    assert_eq!(back.texts(1).await, [(id.clone(), "three".to_owned())]);
    // The client asks its phone as well, which may have been faster than the other companion; and the other companion
    // again, with keys, when it wrote in the session that was lost.
    becomes(async || stanzas_in(network, &id).len() >= 2).await;
    let shown = network.messages(BEN).unwrap();
    assert_eq!(shown.iter().filter(|message| message.id == id).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_in_a_burst_are_all_acked_and_shown_in_order() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    for number in 0..1_000 {
        ann.client.send_message(pn(BEN), text(&number.to_string())).await.unwrap();
    }
    let shown = network.wait_for_messages(BEN, 1_000, PATIENCE).await.unwrap();
    let numbers: Vec<String> = shown.into_iter().map(|message| message.text).collect();
    assert_eq!(numbers, (0..1_000).map(|number| number.to_string()).collect::<Vec<_>>());
    let unread = ann.event_within(std::time::Duration::ZERO, |event| texts_of(event).pop()).await;
    assert_eq!(unread, None);
}
