//! Heartbeats and shard owners.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::ids::{Epoch, Shard};
use hantar_usecases::ports::{Clock as _, Heartbeat, HostId, ShardLease};

use super::World;

/// A host, and a shard, that no other case has: the tables may be shared.
fn host(world: &World, name: &str) -> HostId {
    HostId(format!("{name}-{}", world.clock.now().0))
}

fn shard(world: &World) -> Shard {
    Shard((world.clock.now().0.unsigned_abs() % 60_000) as u16)
}

async fn heartbeat(world: &World, host: &HostId) -> Option<Heartbeat> {
    world.leases.heartbeats().await.unwrap().into_iter().find(|heartbeat| heartbeat.host == *host)
}

async fn lease(world: &World, shard: Shard) -> Option<ShardLease> {
    world.leases.shards().await.unwrap().into_iter().find(|lease| lease.shard == shard)
}

/// A renewal that landed may be repeated; one that is out of turn is refused.
pub async fn a_heartbeat_rises_by_ones_and_repeats_are_harmless(world: World) {
    let host = host(&world, "a");
    assert!(!world.leases.renew(&host, 2).await.unwrap(), "it has not begun");
    for counter in [1, 1, 2, 2, 3] {
        assert!(world.leases.renew(&host, counter).await.unwrap());
    }
    assert!(!world.leases.renew(&host, 5).await.unwrap());
    assert!(!world.leases.renew(&host, 2).await.unwrap());
    assert!(!world.leases.renew(&host, 1).await.unwrap());
    let expected = Heartbeat { host: host.clone(), counter: 3, leaving: false, ended: false };
    assert_eq!(heartbeat(&world, &host).await, Some(expected));
}

/// And is forgotten after a day.
pub async fn an_ended_heartbeat_never_lives_again(world: World) {
    let host = host(&world, "b");
    world.leases.renew(&host, 1).await.unwrap();
    assert!(!world.leases.end(&host, 2).await.unwrap());
    for _ in 0..2 {
        assert!(world.leases.end(&host, 1).await.unwrap());
    }
    for counter in [1, 2] {
        assert!(!world.leases.renew(&host, counter).await.unwrap());
    }
    assert!(heartbeat(&world, &host).await.unwrap().ended);
    world.clock.pass(Duration::from_hours(25));
    assert_eq!(heartbeat(&world, &host).await, None);
}

/// However wrong the reader's clock is: only the host's own silence, seen by its counter, may cost it its shards.
pub async fn a_host_that_has_not_ended_is_seen_by_whatever_clock(world: World) {
    let host = host(&world, "g");
    world.leases.renew(&host, 1).await.unwrap();
    world.clock.pass(Duration::from_hours(48));
    assert_eq!(
        heartbeat(&world, &host).await,
        Some(Heartbeat { host: host.clone(), counter: 1, leaving: false, ended: false })
    );
    assert!(world.leases.renew(&host, 2).await.unwrap());
}

/// Never both.
pub async fn of_a_renewal_and_an_ending_one_wins(world: World) {
    for round in 0..10 {
        let host = host(&world, &format!("c{round}"));
        world.leases.renew(&host, 1).await.unwrap();
        let (renewed, ended) = futures::join!(world.leases.renew(&host, 2), world.leases.end(&host, 1));
        assert!(renewed.unwrap() != ended.unwrap());
    }
}

/// First takes, and take-overs.
pub async fn of_many_takers_one_gets_the_shard(world: World) {
    let shard = shard(&world);
    let hosts: Vec<_> = (0..8).map(|n| host(&world, &format!("d{n}"))).collect();
    let mut seen = None;
    for round in 1..=3 {
        let takes = join_all(hosts.iter().map(|host| world.leases.take(shard, seen.as_ref(), host))).await;
        let won: Vec<_> =
            takes.into_iter().zip(&hosts).filter_map(|(epoch, host)| Some((epoch.unwrap()?, host))).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(won[0].0, Epoch(round));
        let lease = lease(&world, shard).await;
        assert_eq!(lease, Some(ShardLease { shard, owner: Some(won[0].1.clone()), epoch: Epoch(round) }));
        let repeat = world.leases.take(shard, seen.as_ref(), won[0].1).await.unwrap();
        assert_eq!(repeat, Some(Epoch(round)), "a repeat of the take that landed");
        seen = lease;
    }
}

/// Also of a shard that was given back.
pub async fn each_take_over_raises_the_epoch(world: World) {
    let shard = shard(&world);
    let (one, two) = (host(&world, "e"), host(&world, "f"));
    assert_eq!(world.leases.take(shard, None, &one).await.unwrap(), Some(Epoch(1)));
    world.leases.give_back(shard, &two, Epoch(1)).await.unwrap();
    world.leases.give_back(shard, &one, Epoch(7)).await.unwrap();
    let held = lease(&world, shard).await.unwrap();
    assert_eq!(held.owner, Some(one.clone()), "it is not theirs to give");
    world.leases.give_back(shard, &one, Epoch(1)).await.unwrap();
    world.leases.give_back(shard, &one, Epoch(1)).await.unwrap();
    let free = lease(&world, shard).await.unwrap();
    assert_eq!((free.owner.clone(), free.epoch), (None, Epoch(1)));
    assert_eq!(world.leases.take(shard, Some(&held), &two).await.unwrap(), None, "what was seen is over");
    assert_eq!(world.leases.take(shard, Some(&free), &two).await.unwrap(), Some(Epoch(2)));
}
