//! A host that is stopped between asking its lease and writing to its socket: the one moment that no clock excludes.

use hantar_domain::message::State;
use hantar_simulator::{Fault, FaultKind};
use hantar_testkit::aws_server::Cut;

use crate::host::{Build, Host};
use crate::sending::Accepted;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_stanza_written_after_the_shard_was_another_hosts_is_hidden_by_its_id() {
    let world = World::new().await;
    let stop = world.folder().join("stop");
    let first = Host::start_that_stops(&world, "first", &stop).await;
    world.link().await;
    world.owns(&first.name, 4).await;
    let till = &world.tills[0];
    let mut accepted = Accepted::default();
    accepted.send(&world, till, "before", 3).await;
    accepted.all_arrived_once_in_order(&world).await;
    let connection = world.connection(till);

    // It has asked its lease, and is stopped right before it writes.
    std::fs::write(&stop, b"").unwrap();
    accepted.send(&world, till, "late", 1).await;
    let id = *accepted.ids.last().unwrap();
    let held = stop.with_added_extension("held");
    world.until("the host to stop", async || held.exists().then_some(())).await;
    assert_eq!(world.message(id).await.state, State::Dispatched);
    assert_eq!(world.arrived().len(), 3, "it is not written yet");

    // Another one takes its shards, and is kept from logging in, which would close the first one's socket.
    world.network().add_fault(Fault::new(FaultKind::RefuseConnections)).unwrap();
    // Neither answer nor receipt: each would tell the second host that there is nothing more to do.
    for kind in [FaultKind::HoldAck, FaultKind::NoReceipts] {
        world.network().add_fault(Fault { count: Some(1), ..Fault::new(kind) }).unwrap();
    }
    let second = Host::start(&world, "second", Build::Simulator).await;
    world.owns(&second.name, 4).await;

    // The first one wakes. What it may still do to the table is no part of this.
    world.aws.block_client(&first.key, Cut::Silence);
    std::fs::remove_file(&held).unwrap();
    first.process.thaw();
    let stanza = world.message(id).await.stanza.0;
    let written = || {
        let stanzas = world.stanzas(till, Some("message"));
        stanzas.into_iter().filter(|one| one.id.as_deref() == Some(stanza.as_str())).collect::<Vec<_>>()
    };
    world.until("the late stanza", async || (!written().is_empty()).then_some(())).await;
    assert_eq!(written()[0].connection, connection, "by the first host's socket");
    assert_eq!(world.lease_of(till).await.owner.as_ref(), Some(&second.name), "when the shard was the second one's");

    // The second one logs in, finds a message on the wire, and writes it again.
    world.network().clear_faults();
    world.until("the second stanza", async || (written().len() >= 2).then_some(())).await;
    accepted.send(&world, till, "after", 3).await;
    accepted.all_arrived_once_in_order(&world).await;
    let written = written();
    println!("{} stanzas with one id, and the phone shows one message", written.len());
    assert_eq!(written.len(), 2);
    assert!(written[1].connection > connection, "by the second host's socket");
}
