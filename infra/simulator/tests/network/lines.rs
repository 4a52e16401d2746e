//! Bad lines: what is delayed, lost, overtaken or slow, by rule.

use hantar_simulator::{Fault, FaultKind, Simulator, TimeChange};
use whatsapp_rust::types::events::Event;

use crate::light::{Light, request};
use crate::support::{PATIENCE, SILENCE, light, linked, simulator, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

fn of_ann(kind: FaultKind) -> Fault {
    Fault { from: Some(ANN.into()), ..Fault::new(kind) }
}

fn freeze(simulator: &Simulator) {
    simulator.network().change_time(TimeChange { frozen: Some(true), ..TimeChange::default() }).unwrap();
}

fn advance(simulator: &Simulator, ms: u64) {
    simulator.network().change_time(TimeChange { advance_ms: Some(ms), ..TimeChange::default() }).unwrap();
}

async fn ann(simulator: &Simulator) -> Light {
    light(simulator, ANN).await.come_online(simulator.address()).await.unwrap()
}

async fn ask(light: &mut Light, ids: &[&str]) {
    for id in ids {
        light.send(&request("w:p", "get", id, None)).await.unwrap();
    }
}

async fn answered(light: &mut Light, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let answer = within(light.receive()).await.unwrap();
        ids.push(answer.attrs.get("id").unwrap().as_str().into_owned());
    }
    ids
}

async fn nothing_comes(light: &mut Light) {
    let came = tokio::time::timeout(SILENCE, light.receive()).await;
    assert!(came.is_err(), "{came:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_delays_both_ways_on_the_networks_clock_and_keeps_the_order() {
    let simulator = simulator().await;
    let mut ann = ann(&simulator).await;
    freeze(&simulator);
    simulator.network().add_fault(of_ann(FaultKind::Latency { ms: 500, jitter_ms: 300 })).unwrap();
    ask(&mut ann, &["1", "2", "3"]).await;
    nothing_comes(&mut ann).await;
    // The way there …
    advance(&simulator, 800);
    nothing_comes(&mut ann).await;
    // … and the way back.
    advance(&simulator, 800);
    assert_eq!(answered(&mut ann, 3).await, ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stanza_that_is_overtaken_comes_a_second_later() {
    let simulator = simulator().await;
    let mut ann = ann(&simulator).await;
    freeze(&simulator);
    simulator.network().add_fault(Fault { count: Some(1), ..of_ann(FaultKind::Reorder) }).unwrap();
    ask(&mut ann, &["1", "2"]).await;
    assert_eq!(answered(&mut ann, 1).await, ["2"]);
    advance(&simulator, 1_000);
    assert_eq!(answered(&mut ann, 1).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_stanza_costs_the_connection_of_the_account_it_is_for_and_no_other() {
    let simulator = simulator().await;
    let mut ann = ann(&simulator).await;
    let mut ben = light(&simulator, BEN).await.come_online(simulator.address()).await.unwrap();
    simulator.network().add_fault(Fault { count: Some(1), ..of_ann(FaultKind::Loss) }).unwrap();
    ask(&mut ben, &["1"]).await;
    assert_eq!(answered(&mut ben, 1).await, ["1"]);
    ask(&mut ann, &["1"]).await;
    assert!(within(ann.receive()).await.is_err());
    assert_eq!(simulator.network().counts()["stanzas_lost"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_takes_a_clients_stanzas_at_its_rate() {
    let simulator = simulator().await;
    let mut ann = ann(&simulator).await;
    freeze(&simulator);
    simulator.network().add_fault(of_ann(FaultKind::SlowReader { bytes_per_second: 10 })).unwrap();
    ask(&mut ann, &["1", "2"]).await;
    assert_eq!(answered(&mut ann, 1).await, ["1"]);
    nothing_comes(&mut ann).await;
    advance(&simulator, 60_000);
    assert_eq!(answered(&mut ann, 1).await, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_writer_sends_at_its_rate() {
    let simulator = simulator().await;
    let mut ann = ann(&simulator).await;
    freeze(&simulator);
    simulator.network().add_fault(of_ann(FaultKind::SlowWriter { bytes_per_second: 10 })).unwrap();
    ask(&mut ann, &["1", "2"]).await;
    assert_eq!(answered(&mut ann, 1).await, ["1"]);
    nothing_comes(&mut ann).await;
    advance(&simulator, 60_000);
    assert_eq!(answered(&mut ann, 1).await, ["2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_to_a_phone_can_be_long_and_keeps_the_order() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    network.create_phone(ANN, "Ann").unwrap();
    freeze(&simulator);
    let late = Fault {
        from: Some(BEN.into()),
        device: Some(0),
        ..Fault::new(FaultKind::Latency { ms: 60_000, jitter_ms: 0 })
    };
    let rule = network.add_fault(late).unwrap();
    network.send_text(ANN, BEN, "first").unwrap();
    network.remove_fault(rule);
    network.send_text(ANN, BEN, "second").unwrap();
    assert!(network.messages(BEN).unwrap().is_empty());
    advance(&simulator, 60_000);
    let shown: Vec<String> = network.messages(BEN).unwrap().into_iter().map(|message| message.text).collect();
    assert_eq!(shown, ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_on_the_way_to_a_phone_is_acknowledged_and_never_delivered() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let lossy = Fault { from: Some(BEN.into()), device: Some(0), count: Some(1), ..Fault::new(FaultKind::Loss) };
    network.add_fault(lossy).unwrap();
    let lost = ann.send(BEN, "lost").await;
    assert_eq!(ann.ack(&lost).await.error, None);
    let found = ann.send(BEN, "found").await;
    let shown = network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    assert_eq!(shown.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), [found]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_error_instead_of_an_ack_leaves_the_message_delivered() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let connected = |event: &Event| matches!(event, Event::Connected(_)).then_some(());
    ann.event("Connected", connected).await;
    network.add_fault(Fault { count: Some(1), ..of_ann(FaultKind::StreamError { code: 515 }) }).unwrap();
    let id = ann.send(BEN, "and then it went away").await;
    assert_eq!(network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap()[0].id, id);
    // It is told to connect again, and does.
    ann.event("Connected", connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn some_messages_are_refused_by_dice_that_a_seed_repeats() {
    let mut refused = Vec::new();
    for _ in 0..2 {
        let simulator = simulator().await;
        simulator.network().create_phone(BEN, "Ben").unwrap();
        let ann = linked(&simulator, ANN).await;
        let rule = Fault { probability: Some(0.5), seed: Some(42), ..of_ann(FaultKind::Nack { code: 479 }) };
        simulator.network().add_fault(rule).unwrap();
        let mut pattern = Vec::new();
        for n in 0..12 {
            let id = ann.send(BEN, &format!("{n}")).await;
            pattern.push(ann.ack(&id).await.error.is_some());
        }
        refused.push(pattern);
    }
    assert_eq!(refused[0], refused[1]);
    assert!(refused[0].contains(&true) && refused[0].contains(&false), "{refused:?}");
}
