//! Keys that run out and that change, as clients see it.

use std::sync::Arc;

use hantar_simulator::{StanzaDirection, StanzaFilter};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use whatsapp_rust::types::events::Event;

use crate::light::request;
use crate::support::{PATIENCE, becomes, light, linked, pn, simulator, stanzas_out, start, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_that_runs_low_on_keys_is_told_and_brings_more() {
    let simulator = simulator().await;
    let network = simulator.network();
    let ann = linked(&simulator, ANN).await;
    let companion = ann.client.lid().unwrap();
    let mut stranger = light(&simulator, BEN).await.come_online(simulator.address()).await.unwrap();
    let uploads = || {
        let (phone, tag) = (Some(ANN.to_owned()), Some("iq".to_owned()));
        let filter = StanzaFilter { phone, tag, direction: Some(StanzaDirection::In), ..StanzaFilter::default() };
        network
            .stanzas(&filter)
            .iter()
            .filter(|iq| iq.xml.contains("xmlns=\"encrypt\"") && iq.xml.contains("<list>"))
            .count()
    };
    let before = uploads();
    // Ten keys were uploaded, and each who wants to write takes one.
    for n in 0..6 {
        let user = NodeBuilder::new("user").attr("jid", companion.clone()).build();
        let id = format!("key-{n}");
        let key = NodeBuilder::new("key").children([user]).build();
        stranger.send(&request("encrypt", "get", &id, Some(key))).await.unwrap();
        let is_it = |node: &Node| node.attrs.get("id").is_some_and(|found| found.as_str() == id);
        let answer = within(stranger.until(is_it)).await.unwrap();
        let keys = answer.get_optional_child_by_tag(&["list", "user"]).unwrap();
        assert!(keys.get_optional_child("key").is_some(), "{n}: {keys:?}");
    }
    becomes(async || uploads() > before).await;
    let told = stanzas_out(network, ANN, "notification", "<count value=\"4\"");
    assert_eq!(told.len(), 1, "it is told once, as the number falls");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_phone_of_a_contact_has_another_identity_and_the_conversation_goes_on() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ann.send(BEN, "hi").await;
    ben.texts(1).await;
    network.replace_phone(BEN).unwrap();
    ben.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    let changed = |event: &Event| match event {
        Event::IdentityChange(change) => Some(change.user.user.to_string()),
        _ => None,
    };
    assert_eq!(ann.event("identity", changed).await, network.phone(BEN).unwrap().lid);
    let id = network.send_text(BEN, ANN, "from the new phone").unwrap();
    assert_eq!(ann.texts(1).await, [(id, "from the new phone".to_owned())]);
    let id = ann.send(BEN, "to the new phone").await;
    assert_eq!(ann.ack(&id).await.error, None);
    becomes(async || network.messages(BEN).unwrap().iter().any(|message| message.id == id)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_its_number_is_known_by_the_new_one_and_links_its_companions_anew() {
    const NEW: &str = "60120000009";
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ann.send(BEN, "hi").await;
    ben.texts(1).await;
    network.change_number(BEN, NEW).unwrap();
    ben.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    let changed = |event: &Event| match event {
        Event::ContactNumberChanged(change) => Some((change.old_jid.to_string(), change.new_jid.to_string())),
        _ => None,
    };
    assert_eq!(ann.event("number", changed).await, (pn(BEN).to_string(), pn(NEW).to_string()));
    let id = ann.send(NEW, "at the new number").await;
    assert_eq!(ann.ack(&id).await.error, None);
    network.wait_for_messages(NEW, 2, PATIENCE).await.unwrap();
    let later = start(&simulator, Arc::clone(&ben.backend), BEN).await;
    later.event("LoggedOut", |event| matches!(event, Event::LoggedOut(_)).then_some(())).await;
    let again = linked(&simulator, NEW).await;
    assert_eq!(again.client.pn().unwrap().user.as_str(), NEW);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_says_of_a_companions_keys_fits_what_the_companion_has() {
    let simulator = simulator().await;
    let network = simulator.network();
    let ann = linked(&simulator, ANN).await;
    ann.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    becomes(async || !stanzas_out(network, ANN, "iq", "<digest>").is_empty()).await;
    ann.client.fetch_privacy_settings().await.unwrap();
    let phone = Some(ANN.to_owned());
    let filter = StanzaFilter { phone, direction: Some(StanzaDirection::In), ..StanzaFilter::default() };
    let uploads = network.stanzas(&filter).into_iter().filter(|stanza| stanza.xml.contains("<skey>"));
    assert_eq!(uploads.count(), 1, "nothing had to be uploaded again");
}
