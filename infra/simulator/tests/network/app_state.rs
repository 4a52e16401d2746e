//! The settings an account's devices share: what a device gets that is far behind, and two that change one at once.

use hantar_simulator::{Fault, FaultKind, LoggedStanza, SettingChange, StanzaDirection, StanzaFilter};
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use waproto::whatsapp::SyncdPatch;
use whatsapp_rust::types::events::Event;

use crate::light::request;
use crate::support::{PATIENCE, becomes, light, linked, pn, simulator, stanzas_out, within};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_far_behind_gets_a_snapshot_and_goes_on_from_there() {
    let simulator = simulator().await;
    let network = simulator.network();
    for (phone, name) in [(ANN, "Ann"), (BEN, "Ben"), (EVE, "Eve")] {
        network.create_phone(phone, name).unwrap();
    }
    // More patches than are sent one by one, whose sum is one pinned chat.
    for n in 0..210 {
        network.change_setting(ANN, &SettingChange::Pin { phone: BEN.into(), on: n % 2 == 1 }).unwrap();
    }
    let ann = linked(&simulator, ANN).await;
    ann.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    let pin = |event: &Event| match event {
        Event::PinUpdate(pin) => Some(pin.action.pinned),
        _ => None,
    };
    assert_eq!(ann.event("pin", pin).await, Some(true));
    assert_eq!(stanzas_out(network, ANN, "iq", "<snapshot>").len(), 1);
    assert!(stanzas_out(network, ANN, "iq", "name=\"regular_low\"").iter().all(|iq| !iq.xml.contains("<patch>")));

    // Its checks fit what comes after the snapshot, both ways. The client goes first: it passes over what it is told
    // while it is still busy with the collection.
    ann.client.chat_actions().unpin_chat(&pn(BEN)).await.unwrap();
    network.change_setting(ANN, &SettingChange::Archive { phone: EVE.into(), on: true }).unwrap();
    ann.event("archive", |event| matches!(event, Event::ArchiveUpdate(_)).then_some(())).await;
    let second = linked(&simulator, ANN).await;
    second.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    assert_eq!(second.event("pin", pin).await, Some(false));
}

/// A patch without a change, for a version.
fn patch(id: &str, version: u64) -> Node {
    let bytes = buffa::Message::encode_to_vec(&SyncdPatch::default());
    let patch = NodeBuilder::new("patch").bytes(bytes).build();
    let collection =
        NodeBuilder::new("collection").attr("name", "regular_low").attr("version", version).children([patch]).build();
    request("w:sync:app:state", "set", id, Some(NodeBuilder::new("sync").children([collection]).build()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_patch_on_another_version_than_the_newest_is_a_conflict() {
    let simulator = simulator().await;
    let mut ann = light(&simulator, ANN).await.come_online(simulator.address()).await.unwrap();
    for (id, base, code) in [("1", 0, None), ("2", 0, Some("409")), ("3", 2, Some("409")), ("4", 1, None)] {
        ann.send(&patch(id, base)).await.unwrap();
        let is_it = |node: &Node| node.tag == "iq" && node.attrs.get("id").is_some_and(|found| found.as_str() == id);
        let answer = within(ann.until(is_it)).await.unwrap();
        let error = answer.get_optional_child_by_tag(&["sync", "collection", "error"]);
        let error = error.map(|error| error.attrs.get("code").unwrap().as_str().into_owned());
        assert_eq!(error.as_deref(), code, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_companions_that_change_settings_at_once_the_later_one_tries_again_on_the_new_version() {
    let simulator = simulator().await;
    let network = simulator.network();
    for (phone, name) in [(BEN, "Ben"), (EVE, "Eve")] {
        network.create_phone(phone, name).unwrap();
    }
    let (first, second) = (linked(&simulator, ANN).await, linked(&simulator, ANN).await);
    for companion in [&first, &second] {
        companion.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    }
    let device = second.client.pn().unwrap().device;
    // The second one's patch is two seconds on its way, and the first one's arrives before it.
    let late = Fault {
        from: Some(ANN.into()),
        device: Some(device),
        ..Fault::new(FaultKind::Latency { ms: 2_000, jitter_ms: 0 })
    };
    let rule = network.add_fault(late).unwrap();
    let slow = tokio::spawn(async move { second.client.chat_actions().archive_chat(&pn(EVE), None).await });
    let sent = StanzaFilter {
        phone: Some(ANN.into()),
        tag: Some("iq".into()),
        direction: Some(StanzaDirection::In),
        ..StanzaFilter::default()
    };
    let is_patch = |iq: &LoggedStanza| iq.device == Some(device) && iq.xml.contains("<patch>");
    becomes(async || network.stanzas(&sent).iter().any(is_patch)).await;
    first.client.chat_actions().pin_chat(&pn(BEN)).await.unwrap();
    network.remove_fault(rule);
    within(slow).await.unwrap().unwrap();
    assert_eq!(stanzas_out(network, ANN, "iq", "code=\"409\"").len(), 1);
    let settings = network.shared_settings(ANN).unwrap();
    let names: Vec<&str> = settings.iter().map(|setting| setting.index[0].as_str()).collect();
    assert!(names.contains(&"pin_v1") && names.contains(&"archive"), "{names:?}");
}
