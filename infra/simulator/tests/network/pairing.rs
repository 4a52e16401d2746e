//! Pairing, log-in and the ways a connection ends.

use std::sync::Arc;

use hantar_simulator::{Fault, FaultKind, LoggedStanza, Pattern, StanzaDirection, StanzaFilter};
use wacore::store::InMemoryBackend;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;

use crate::support::{PATIENCE, becomes, linked, simulator, simulator_keeping, stanzas_out, start};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_pairs_by_qr_and_logs_in_as_a_device_of_the_phone() {
    let simulator = simulator().await;
    let ann = linked(&simulator, ANN).await;
    let phone = simulator.network().phone(ANN).unwrap();
    assert_eq!(phone.devices.len(), 1);
    assert!(phone.devices[0].connected && phone.devices[0].id == 33, "{phone:?}");
    let (pn, lid) = (ann.client.pn().unwrap(), ann.client.lid().unwrap());
    assert_eq!((pn.user.as_str(), pn.device), (ANN, 33));
    assert_eq!((lid.user.as_str(), lid.device), (phone.lid.as_str(), 33));
    assert_eq!(simulator.network().unknown_iqs(), std::collections::BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paired_companion_connects_again_from_its_store_by_the_shorter_handshake() {
    let simulator = simulator().await;
    let ann = linked(&simulator, ANN).await;
    let handshake = || simulator.network().phone(ANN).unwrap().devices[0].handshake;
    // To pair and to log in for the first time.
    assert_eq!(simulator.network().counts()["handshakes_xx"], 2);
    ann.client.disconnect().await;
    let again = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    again.ready().await;
    assert_eq!(handshake(), Some(Pattern::Ik));
    assert_eq!(simulator.network().phone(ANN).unwrap().devices.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knows_the_key_of_another_network_is_told_that_it_is_unknown_here() {
    let (home, elsewhere) = (simulator().await, simulator().await);
    let ann = linked(&home, ANN).await;
    ann.client.disconnect().await;
    let lost = start(&elsewhere, Arc::clone(&ann.backend), ANN).await;
    lost.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_simulator_with_a_state_file_knows_its_companions_and_their_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("network.json");
    let simulator = simulator_keeping(Some(file.clone())).await;
    simulator.network().create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let id = ann.send(BEN, "before").await;
    ann.receipt(&id, ReceiptType::Delivered).await;
    ann.client.disconnect().await;
    let waiting = simulator.network().send_text(BEN, ANN, "while you were away").unwrap();
    simulator.shutdown().await;

    let simulator = simulator_keeping(Some(file)).await;
    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    assert_eq!(back.texts(1).await, [(waiting, "while you were away".to_owned())]);
    let id = back.send(BEN, "after").await;
    back.receipt(&id, ReceiptType::Delivered).await;
    let texts: Vec<_> = simulator.network().messages(BEN).unwrap().into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["before", "while you were away", "after"]);
    assert_eq!(simulator.network().phone(ANN).unwrap().devices.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_companions_of_one_phone_get_different_device_numbers() {
    let simulator = simulator().await;
    let (_first, second) = (linked(&simulator, ANN).await, linked(&simulator, ANN).await);
    assert_eq!(second.client.pn().unwrap().device, 34);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_connection_of_a_device_ends_the_first_with_a_conflict() {
    let simulator = simulator().await;
    let first = linked(&simulator, ANN).await;
    let second = start(&simulator, Arc::clone(&first.backend), ANN).await;
    first.event("StreamReplaced", |event| matches!(event, Event::StreamReplaced(_)).then_some(())).await;
    second.ready().await;
    assert!(simulator.network().phone(ANN).unwrap().devices[0].connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unlinked_companion_is_logged_out_now_and_refused_later() {
    let simulator = simulator().await;
    let ann = linked(&simulator, ANN).await;
    assert_eq!(simulator.network().unlink(ANN, Some(33)).unwrap(), 1);
    ann.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    assert!(simulator.network().phone(ANN).unwrap().devices.is_empty());

    let ben = linked(&simulator, BEN).await;
    ben.client.disconnect().await;
    simulator.network().unlink(BEN, None).unwrap();
    let later = start(&simulator, Arc::clone(&ben.backend), BEN).await;
    later.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_in_can_be_made_to_fail_with_a_reason() {
    let simulator = simulator().await;
    let ann = linked(&simulator, ANN).await;
    ann.client.disconnect().await;
    let fault = Fault { from: Some(ANN.into()), ..Fault::new(FaultKind::LoginFailure { reason: 405 }) };
    simulator.network().add_fault(fault).unwrap();
    let outdated = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    outdated.event("ClientOutdated", |event| matches!(event, Event::ClientOutdated(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_connections_are_tried_again_until_they_are_not_refused() {
    let simulator = simulator().await;
    simulator.network().create_phone(ANN, "Ann").unwrap();
    simulator.network().add_fault(Fault { count: Some(2), ..Fault::new(FaultKind::RefuseConnections) }).unwrap();
    let ann = start(&simulator, Arc::new(InMemoryBackend::new()), ANN).await;
    ann.client.wait_for_connected(PATIENCE).await.unwrap();
    assert!(simulator.network().faults().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_restart_order_comes_after_the_companions_signature() {
    let simulator = simulator().await;
    let _ann = linked(&simulator, ANN).await;
    let log = simulator.network().stanzas(&StanzaFilter::default());
    let signed = log.iter().find(|entry| entry.xml.contains("<pair-device-sign>")).unwrap();
    let restart = log.iter().find(|entry| entry.tag == "stream:error").unwrap();
    assert_eq!((signed.direction, restart.direction), (StanzaDirection::In, StanzaDirection::Out));
    assert!(restart.seq > signed.seq && restart.at_ms - signed.at_ms >= 80, "{signed:?} {restart:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_logs_itself_out_is_a_device_of_the_phone_no_more() {
    let simulator = simulator().await;
    let (first, _second) = (linked(&simulator, ANN).await, linked(&simulator, ANN).await);
    first.client.logout().await;
    let network = simulator.network();
    let left = || network.phone(ANN).unwrap().devices.iter().map(|device| device.id).collect::<Vec<_>>();
    becomes(async || left() == [34]).await;
    let told = |told: &LoggedStanza| told.device == Some(34) && !told.xml.contains(&format!("{ANN}:33@"));
    becomes(async || stanzas_out(network, ANN, "notification", "<devices ").iter().any(told)).await;
    let later = start(&simulator, Arc::clone(&first.backend), ANN).await;
    later.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
}
