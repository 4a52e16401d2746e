//! Accounts whose chats go by phone number, and their move to LIDs.

use std::sync::Arc;

use serde_json::json;
use wacore::store::traits::ProtocolStore as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::support::{admin, becomes, light, linked, pn, simulator, stanzas_in, stanzas_out, start, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_moves_learns_who_is_who_and_writes_by_lid_from_then() {
    let simulator = simulator().await;
    let network = simulator.network();
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben"), (EVE, "Eve")] {
        network.create_phone(phone, name).unwrap();
    }
    network.keep_numbers(ANN).unwrap();
    let ann = linked(&simulator, ANN).await;
    assert!(!ann.client.is_lid_migrated().await);
    let id = ann.send(BEN, "by number").await;
    assert_eq!(ann.ack(&id).await.error, None);
    assert_eq!(stanzas_in(network, &id)[0].to, Some(pn(BEN).to_string()));
    let id = network.send_text(BEN, ANN, "and back").unwrap();
    assert_eq!(ann.texts(1).await, [(id.clone(), "and back".to_owned())]);
    assert_eq!(stanzas_out(network, ANN, "message", &id)[0].from, Some(pn(BEN).to_string()));
    // The companion sees that its phone wrote to a number.
    network.send_text(ANN, EVE, "from the pocket").unwrap();
    ann.texts(1).await;

    let eve = network.phone(EVE).unwrap().lid;
    assert!(ann.backend.get_lid_mapping(&eve).await.unwrap().is_none());

    let path = format!("/admin/phones/{ANN}/lid-migration");
    assert_eq!(admin(&simulator, "GET", &path, "").await.1, json!({ "migrated": false }));
    assert_eq!(admin(&simulator, "POST", &path, r#"{"migrated":true}"#).await.0, 204);
    assert_eq!(admin(&simulator, "GET", &path, "").await.1, json!({ "migrated": true }));
    // A mapping of this source only comes with the phone's own word about the move.
    let told = async || {
        let mapping = ann.backend.get_lid_mapping(&eve).await.unwrap();
        mapping.is_some_and(|mapping| mapping.phone_number == EVE && mapping.learning_source.contains("migration"))
    };
    becomes(told).await;

    ann.client.disconnect().await;
    let back = start(&simulator, Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    becomes(async || back.client.is_lid_migrated().await).await;
    let id = back.send(BEN, "by LID").await;
    assert_eq!(back.ack(&id).await.error, None);
    let ben = network.phone(BEN).unwrap().lid;
    assert_eq!(stanzas_in(network, &id)[0].to, Some(format!("{ben}@lid")));
    let id = network.send_text(BEN, ANN, "by LID too").unwrap();
    back.texts(1).await;
    assert_eq!(stanzas_out(network, ANN, "message", &id)[0].from, Some(format!("{ben}@lid")));
    let (status, refused) = admin(&simulator, "POST", &path, r#"{"migrated":false}"#).await;
    assert_eq!((status, &refused["field"]), (422, &json!("migrated")));
}

/// A message that nobody can decrypt, for these devices.
fn message(id: &str, to: &Jid, devices: &[Jid]) -> Node {
    let copy = |jid: &Jid| {
        let sealed = NodeBuilder::new("enc").attr("v", "2").attr("type", "msg").bytes(vec![0x33; 60]).build();
        NodeBuilder::new("to").attr("jid", jid.clone()).children([sealed]).build()
    };
    let participants = NodeBuilder::new("participants").children(devices.iter().map(copy)).build();
    NodeBuilder::new("message")
        .attr("id", id)
        .attr("to", to.clone())
        .attr("type", "text")
        .children([participants])
        .build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_not_moved_may_not_write_to_a_lid() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(ANN, "Ann").unwrap();
    let ben = network.create_phone(BEN, "Ben").unwrap();
    network.keep_numbers(ANN).unwrap();
    let ann = light(&simulator, ANN).await;
    let mut open = ann.come_online(simulator.address()).await.unwrap();
    for (id, to, error) in [("A", Jid::lid(ben.lid), Some("400")), ("B", Jid::pn(BEN), None)] {
        open.send(&message(id, &to, std::slice::from_ref(&to))).await.unwrap();
        let is_it = |node: &Node| node.tag == "ack" && node.attrs.get("id").is_some_and(|found| found.as_str() == id);
        let ack = within(open.until(is_it)).await.unwrap();
        assert_eq!(ack.attrs.get("error").map(|code| code.as_str().into_owned()).as_deref(), error);
    }
}
