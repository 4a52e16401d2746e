//! Calls, as signals: from a companion, to several, taken and declined.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use whatsapp_rust::types::events::Event;

use crate::light::Light;
use crate::support::{becomes, light, linked, simulator, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

fn signal(tag: &'static str, id: &str, creator: &Jid, to: &Jid) -> Node {
    let action = NodeBuilder::new(tag).attr("call-id", id).attr("call-creator", creator.clone()).build();
    NodeBuilder::new("call").attr("id", format!("{tag}-{id}")).attr("to", to.clone()).children([action]).build()
}

/// The next signal of this kind, and the ack of what was sent before it.
async fn signalled(light: &mut Light, tag: &str) -> Node {
    within(light.until(|node| node.tag == "call" && node.get_optional_child(tag).is_some())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_rings_and_the_phone_declines_or_the_caller_hangs_up() {
    let simulator = simulator().await;
    let network = simulator.network();
    let ben = Jid::lid(network.create_phone(BEN, "Ben").unwrap().lid);
    let ann = light(&simulator, ANN).await;
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    let creator = ann.jid();
    line.send(&signal("offer", "CALL1", &creator, &ben)).await.unwrap();
    let ack = within(line.until(|node| node.tag == "ack")).await.unwrap();
    assert_eq!(ack.attrs.get("class").unwrap().as_str(), "call");
    assert_eq!(ack.attrs.get("type").unwrap().as_str(), "offer");
    let state = |at: usize| network.calls(BEN).unwrap()[at].state.clone();
    assert_eq!(state(0), "ringing");
    network.hang_up(BEN, "CALL1").unwrap();
    signalled(&mut line, "reject").await;
    assert_eq!(state(0), "rejected");

    line.send(&signal("offer", "CALL2", &creator, &ben)).await.unwrap();
    line.send(&signal("terminate", "CALL2", &creator, &ben)).await.unwrap();
    becomes(async || network.calls(BEN).unwrap().len() == 2 && state(1) == "ended").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_one_companion_declines_the_others_stop_ringing() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let first = linked(&simulator, ANN).await;
    let mut second = light(&simulator, ANN).await.come_online(simulator.address()).await.unwrap();
    let id = network.ring(BEN, ANN, true).unwrap();
    let incoming = |event: &Event| match event {
        Event::IncomingCall(call) => Some(call.clone()),
        _ => None,
    };
    let ringing = first.event("call", incoming).await;
    signalled(&mut second, "offer").await;
    first.client.voip().reject(&ringing).await.unwrap();
    let over = signalled(&mut second, "terminate").await;
    let over = over.get_optional_child("terminate").unwrap();
    assert_eq!(over.attrs.get("call-id").unwrap().as_str(), id);
    assert_eq!(over.attrs.get("reason").unwrap().as_str(), "rejected_elsewhere");
    assert_eq!(network.calls(BEN).unwrap()[0].state, "rejected");
}
