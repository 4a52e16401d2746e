//! Faults on demand, as the sending companion feels them.

use hantar_simulator::{Fault, FaultKind, Simulator};
use whatsapp_rust::types::presence::ReceiptType;

use crate::support::{Companion, PATIENCE, SILENCE, linked, receipt_of, simulator, stanzas_in};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

async fn ann_and_ben() -> (Simulator, Companion) {
    let simulator = simulator().await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    (simulator, ann)
}

fn to_ben(kind: FaultKind) -> Fault {
    Fault { to: Some(BEN.into()), ..Fault::new(kind) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_message_carries_the_code_in_its_ack_and_reaches_nobody() {
    let (simulator, ann) = ann_and_ben().await;
    for code in [463, 479, 400] {
        let rule = simulator.network().add_fault(to_ben(FaultKind::Nack { code })).unwrap();
        let id = ann.send(BEN, "refused").await;
        assert_eq!(ann.ack(&id).await.error, Some(code.to_string()));
        assert!(simulator.network().remove_fault(rule));
    }
    let id = ann.send(BEN, "taken").await;
    assert_eq!(ann.ack(&id).await.error, None);
    let shown = simulator.network().wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!(shown.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["taken"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_for_one_recipient_spares_the_others() {
    let (simulator, ann) = ann_and_ben().await;
    simulator.network().create_phone(EVE, "Eve").unwrap();
    simulator.network().add_fault(to_ben(FaultKind::Nack { code: 463 })).unwrap();
    let id = ann.send(EVE, "hello").await;
    assert_eq!(ann.ack(&id).await.error, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swallowed_message_is_neither_acked_nor_delivered() {
    let (simulator, ann) = ann_and_ben().await;
    simulator.network().add_fault(Fault { count: Some(1), ..to_ben(FaultKind::Silence) }).unwrap();
    let id = ann.send(BEN, "into the void").await;
    ann.no_ack(&id).await;
    assert_eq!(stanzas_in(simulator.network(), &id).len(), 1);
    assert!(simulator.network().messages(BEN).unwrap().is_empty());
    // The same stanza again, as a host that got no answer would send it.
    ann.send_as(BEN, "into the void", &id).await;
    assert_eq!(ann.ack(&id).await.error, None);
    assert_eq!(simulator.network().wait_for_messages(BEN, 1, PATIENCE).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_ack_comes_when_it_is_released_though_the_message_was_delivered() {
    let (simulator, ann) = ann_and_ben().await;
    simulator.network().add_fault(to_ben(FaultKind::HoldAck)).unwrap();
    let id = ann.send(BEN, "held").await;
    assert_eq!(simulator.network().wait_for_messages(BEN, 1, PATIENCE).await.unwrap().len(), 1);
    ann.no_ack(&id).await;
    assert_eq!(simulator.network().release_acks(), 1);
    assert_eq!(ann.ack(&id).await.error, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_ack_comes_after_its_delay() {
    let (simulator, ann) = ann_and_ben().await;
    simulator.network().add_fault(to_ben(FaultKind::DelayAck { ms: 300 })).unwrap();
    let id = ann.send(BEN, "slowly").await;
    ann.ack(&id).await;
    let log = simulator.network().stanzas(&hantar_simulator::StanzaFilter { id: Some(id), ..Default::default() });
    let at = |what: &str| log.iter().find(|entry| entry.xml.starts_with(what)).map(|entry| entry.at_ms).unwrap();
    assert!(at("<ack class=\"message\"") - at("<message") >= 300, "{log:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_receipts_a_message_is_acked_and_shown_but_never_reported_delivered_or_read() {
    let (simulator, ann) = ann_and_ben().await;
    simulator.network().add_fault(to_ben(FaultKind::NoReceipts)).unwrap();
    let id = ann.send(BEN, "no answer").await;
    ann.ack(&id).await;
    simulator.network().wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    simulator.network().mark_read(BEN, None).unwrap();
    let any = ann
        .event_within(SILENCE, |event| {
            receipt_of(event, &id, &ReceiptType::Delivered).or_else(|| receipt_of(event, &id, &ReceiptType::Read))
        })
        .await;
    assert!(any.is_none(), "{any:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_cut_instead_of_an_ack_leaves_the_message_delivered() {
    let (simulator, ann) = ann_and_ben().await;
    simulator.network().add_fault(Fault { count: Some(1), ..to_ben(FaultKind::CloseAfterMessage) }).unwrap();
    let id = ann.send(BEN, "last words").await;
    assert_eq!(simulator.network().wait_for_messages(BEN, 1, PATIENCE).await.unwrap()[0].id, id);
    let disconnected = |event: &whatsapp_rust::types::events::Event| {
        matches!(event, whatsapp_rust::types::events::Event::Disconnected(_)).then_some(())
    };
    ann.event("Disconnected", disconnected).await;
    ann.ready().await;
    let acks = simulator.network().stanzas(&hantar_simulator::StanzaFilter {
        id: Some(id),
        tag: Some("ack".into()),
        ..Default::default()
    });
    assert!(acks.iter().all(|ack| !ack.xml.contains("class=\"message\"")), "{acks:?}");
}
