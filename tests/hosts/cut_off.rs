//! A host that reaches WhatsApp, and the table no more.

use std::time::Duration;

use hantar_domain::lease::Terms;
use hantar_simulator::Network;
use hantar_testkit::aws_server::Cut;

use crate::host::{share, two_hosts};
use crate::sending::{Accepted, milliseconds, sends_again};
use crate::world::{ALI, World};

/// How many messages Ali reads one after the other: the library answers each receipt by itself, with no word to the
/// table, which shows that the host could still write to its socket.
const READ: usize = 80;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_cut_off_from_the_table_stops_sending_before_its_lease_can_pass() {
    let world = World::new().await;
    let (mut first, second) = two_hosts(&world).await;
    let tills = world.tills_of(&first.name).await;
    let till = &tills[0];
    let mut accepted = Accepted::default();
    accepted.send(&world, till, "to be read", READ).await;
    accepted.all_arrived_once_in_order(&world).await;
    let connections: Vec<u64> = tills.iter().map(|till| world.connection(till)).collect();

    let cut_at = milliseconds();
    world.aws.block_client(&first.key, Cut::Silence);
    for till in &world.tills {
        accepted.send(&world, till, "meanwhile", 3).await;
    }
    let reading = tokio::spawn(read_slowly(world.network().clone()));
    world.owns(&second.name, 4).await;
    let taken_at = milliseconds();
    for (till, connection) in tills.iter().zip(&connections) {
        sends_again(&world, till, *connection).await;
    }
    reading.abort();

    let by_the_first = tills
        .iter()
        .flat_map(|till| world.stanzas(till, None))
        .filter(|stanza| connections.contains(&stanza.connection));
    let written: Vec<u64> = by_the_first.map(|stanza| stanza.at_ms).collect();
    let last = written.iter().copied().max().unwrap();
    println!("cut off at 0 ms, wrote last at {} ms, lost its shards by {} ms", last - cut_at, taken_at - cut_at);
    assert!(written.iter().any(|at| *at > cut_at), "it lived on for a while, or nothing is shown here");
    assert!(last < taken_at, "it wrote when it could be another's");
    let term = u64::try_from(Terms::default().term.as_millis()).unwrap();
    assert!(last < cut_at + term, "it wrote past its term");
    accepted.all_arrived_once_in_order(&world).await;

    let known = world.alive().await;
    world.aws.unblock_client(&first.key);
    first.renamed(&world, &known).await;
    share(&world, &first, &second).await;
    for till in &world.tills {
        accepted.send(&world, till, "together again", 3).await;
    }
    accepted.all_arrived_once_in_order(&world).await;
}

/// Reads one message after the other.
async fn read_slowly(network: Network) {
    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    for message in network.messages(ALI).unwrap() {
        ticks.tick().await;
        network.mark_read(ALI, Some(&[message.id])).unwrap();
    }
}
