//! Messages that leave devices out: the sender is told to ask anew, and who was left out gets a placeholder.

use std::sync::Arc;

use hantar_simulator::{Fault, FaultKind};
use wacore::messages::MessageUtils;
use wacore::store::traits::ProtocolStore as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use whatsapp_rust::types::events::Event;

use crate::light::Light;
use crate::support::{becomes, light, linked, simulator, stanzas_out, start, texts_of, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

fn sealed() -> Node {
    NodeBuilder::new("enc").attr("v", "2").attr("type", "msg").bytes(vec![0x33; 60]).build()
}

fn message(id: &str, to: &Jid, devices: &[&Jid]) -> Node {
    let copy = |jid: &&Jid| NodeBuilder::new("to").attr("jid", Jid::clone(jid)).children([sealed()]).build();
    let participants = NodeBuilder::new("participants").children(devices.iter().map(copy)).build();
    NodeBuilder::new("message")
        .attr("id", id)
        .attr("to", to.clone())
        .attr("type", "text")
        .children([participants])
        .build()
}

/// The hash in the ack of this message, if there is one.
async fn hash_in_ack(light: &mut Light, id: &str) -> Option<String> {
    let is_it = |node: &Node| node.tag == "ack" && node.attrs.get("id").is_some_and(|found| found.as_str() == id);
    let ack = within(light.until(is_it)).await.unwrap();
    ack.attrs.get("phash").map(|hash| hash.as_str().into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_carries_the_hash_of_the_right_devices_when_the_senders_were_others() {
    let simulator = simulator().await;
    let (ann, ben) = (light(&simulator, ANN).await, light(&simulator, BEN).await);
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    let mut bens = ben.come_online(simulator.address()).await.unwrap();
    let (ann_phone, ben_phone) = (ann.jid().to_non_ad(), ben.jid().to_non_ad());
    let all = [&ben_phone, &ben.jid(), &ann_phone].map(Jid::clone);
    let right = MessageUtils::participant_list_hash(&all).unwrap();

    line.send(&message("all", &ben_phone, &all.each_ref())).await.unwrap();
    assert_eq!(hash_in_ack(&mut line, "all").await, None);
    line.send(&message("few", &ben_phone, &[&ben_phone])).await.unwrap();
    assert_eq!(hash_in_ack(&mut line, "few").await, Some(right));
    let few = |node: &Node| node.tag == "message" && node.attrs.get("id").is_some_and(|id| id.as_str() == "few");
    let placeholder = within(bens.until(few)).await.unwrap();
    assert!(placeholder.get_optional_child("unavailable").is_some(), "{placeholder:?}");
    // Nobody can read it: the phone asks for it again, with keys for a new session.
    let retry = |node: &Node| node.tag == "receipt" && node.get_optional_child("retry").is_some();
    let retry = within(line.until(retry)).await.unwrap();
    assert!(retry.get_optional_child_by_tag(&["keys", "identity"]).is_some(), "{retry:?}");
    // To leave devices out on purpose, as who sends again for one of them does, is no mistake.
    let mut again = message("one", &ben_phone, &[&ben_phone]);
    again.attrs.insert("device_fanout", "false");
    line.send(&again).await.unwrap();
    assert_eq!(hash_in_ack(&mut line, "one").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_message_with_another_hash_is_acked_with_the_right_one() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (light(&simulator, ANN).await, light(&simulator, BEN).await);
    let group = network.create_group(ANN, "Lunch", &[BEN.to_owned()]).unwrap();
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    let all = [ann.jid(), ann.jid().to_non_ad(), ben.jid(), ben.jid().to_non_ad()];
    let right = MessageUtils::participant_list_hash(&all).unwrap();
    for (id, said, told) in
        [("A", Some("2:AAAAAAAA"), Some(right.clone())), ("B", Some(right.as_str()), None), ("C", None, None)]
    {
        let skmsg = NodeBuilder::new("enc").attr("v", "2").attr("type", "skmsg").bytes(vec![0x33; 60]).build();
        let mut message =
            NodeBuilder::new("message").attr("id", id).attr("to", group.jid.as_str()).attr("type", "text");
        if let Some(said) = said {
            message = message.attr("phash", said.to_owned());
        }
        line.send(&message.children([skmsg]).build()).await.unwrap();
        assert_eq!(hash_in_ack(&mut line, id).await, told, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_was_left_out_gets_the_message_from_its_phone_and_the_next_one_directly() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ann.send(BEN, "to both").await;
    ben.texts(1).await;
    ann.client.disconnect().await;
    // Ann forgets that Ben has a companion.
    let key = network.phone(BEN).unwrap().lid;
    let mut known = ann.backend.get_devices(&key).await.unwrap().expect("Ben's devices are known by his LID");
    known.devices.retain(|device| device.device_id == 0);
    known.timestamp += 1;
    ann.backend.update_device_list(known).await.unwrap();

    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    let id = back.send(BEN, "to the phone alone").await;
    back.ack(&id).await;
    assert_eq!(stanzas_out(network, ANN, "ack", "phash=\"2:").len(), 1);
    let placeholder = |event: &Event| match event {
        Event::UndecryptableMessage(message) => Some((message.info.id.clone(), message.is_unavailable)),
        _ => None,
    };
    assert_eq!(ben.event("placeholder", placeholder).await, (id.clone(), true));
    let told = ben.event("the message from the phone", |event| texts_of(event).pop()).await;
    assert_eq!(told, (id, "to the phone alone".to_owned()));

    // The hash made the client forget what it took for Ben's devices.
    becomes(async || back.backend.get_devices(&key).await.unwrap().is_none()).await;
    let id = back.send(BEN, "to both again").await;
    assert_eq!(ben.texts(1).await, [(id.clone(), "to both again".to_owned())]);
    assert!(stanzas_out(network, BEN, "message", &id)[0].xml.contains("<enc "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_a_rule_companions_get_placeholders_and_ask_their_phone() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    network.create_phone(EVE, "Eve").unwrap();
    let rule = Fault { to: Some(BEN.into()), count: Some(2), ..Fault::new(FaultKind::Placeholder) };
    network.add_fault(rule).unwrap();
    let by_companion = ann.send(BEN, "from a companion").await;
    let by_phone = network.send_text(EVE, BEN, "from a phone").unwrap();
    // One event may tell of both, in either order.
    let (mut told, mut sent) = (ben.texts(2).await, vec![]);
    told.sort();
    for (id, words) in [(by_companion, "from a companion"), (by_phone, "from a phone")] {
        let stanzas = stanzas_out(network, BEN, "message", &id);
        assert!(stanzas[0].xml.contains("<unavailable/>"), "{stanzas:?}");
        sent.push((id, words.to_owned()));
    }
    sent.sort();
    assert_eq!(told, sent);
    assert!(network.faults().is_empty());
    let id = ann.send(BEN, "and directly").await;
    assert_eq!(ben.texts(1).await, [(id, "and directly".to_owned())]);
}
