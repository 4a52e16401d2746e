//! Hosts that leave in order, as in a rolling release.

use std::time::Instant;

use hantar_domain::lease::Terms;

use crate::host::{Build, Host, share, two_hosts};
use crate::sending::{Sending, sends_again};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_stop_loses_nothing() {
    let world = World::new().await;
    let (first, second) = two_hosts(&world).await;
    let sending = Sending::begin(&world);
    world.shown(40).await;
    leave(&world, first, &second).await;
    let third = Host::start(&world, "third", Build::Simulator).await;
    share(&world, &second, &third).await;
    leave(&world, second, &third).await;
    let accepted = sending.end().await;
    accepted.all_arrived_once_in_order(&world).await;
    for till in &world.tills {
        assert!(world.repeated(till).is_empty(), "nothing was left unanswered: {:?} of {till:?}", world.repeated(till));
    }
    let leases = world.leases().await;
    assert!(leases.iter().all(|lease| lease.owner.as_ref() == Some(&third.name)), "{leases:?}");
}

/// One of two leaves; the other one takes its shards at once, and sends for them.
async fn leave(world: &World, mut leaving: Host, staying: &Host) {
    let tills = world.tills_of(&leaving.name).await;
    let connections: Vec<u64> = tills.iter().map(|till| world.connection(till)).collect();
    let started = Instant::now();
    let took = leaving.leave().await;
    assert!(!world.alive().await.contains(&leaving.name), "its heartbeat is ended");
    world.owns(&staying.name, 4).await;
    let handed_over = started.elapsed();
    for (till, connection) in tills.iter().zip(connections) {
        sends_again(world, till, connection).await;
    }
    println!(
        "it left in {took:?}; all was taken over after {handed_over:?}, and sent again after {:?}",
        started.elapsed()
    );
    assert!(handed_over < took + Terms::default().term, "nobody waits for the term of a host that said goodbye");
}
