//! A host that dies without a word.

use std::time::Duration;

use hantar_domain::lease::Terms;

use crate::host::two_hosts;
use crate::sending::{Sending, milliseconds, sends_again};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_the_shards_and_when_one_is_killed_the_other_sends() {
    let world = World::new().await;
    let (mut first, second) = two_hosts(&world).await;
    let sending = Sending::begin(&world);
    world.shown(40).await;
    let orphans = world.tills_of(&first.name).await;
    assert_eq!(orphans.len(), 2, "each host holds some of the devices");
    assert_eq!(world.tills_of(&second.name).await.len(), 2);
    let connections: Vec<u64> = orphans.iter().map(|till| world.connection(till)).collect();

    let killed_at = milliseconds();
    first.process.kill().await;
    for (till, connection) in orphans.iter().zip(connections) {
        let silent = Duration::from_millis(sends_again(&world, till, connection).await - killed_at);
        println!("{} was silent for {silent:?}", till.phone);
        // Its last sign of life is seen up to a look after the kill, and its end up to a look after the term.
        let terms = Terms::default();
        assert!(silent < terms.term + 2 * terms.renew_every + Duration::from_secs(5), "{silent:?}");
    }
    world.owns(&second.name, 4).await;
    // Those of the other host were not touched.
    let accepted = sending.end().await;
    accepted.all_arrived_once_in_order(&world).await;
    for till in &world.tills {
        let repeated = world.repeated(till);
        let is_orphan = orphans.iter().any(|orphan| orphan.device == till.device);
        assert!(repeated.is_empty() || is_orphan, "only what the kill cut off is repeated: {repeated:?} of {till:?}");
        assert!(repeated.values().all(|count| *count == 2), "once: {repeated:?}");
    }
}
