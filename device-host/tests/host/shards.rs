use hantar_domain::device::Status;
use hantar_domain::message::State;
use hantar_platform::faults::{Calls, Loss, LostAs};

use crate::world::{ALI, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_lost_its_lease_is_followed_by_another_that_sends() {
    let world = World::new().await;
    let cut_off = world.tables.elsewhere();
    let first = world.host_on(&cut_off).await;
    world.link().await;
    world.send(ALI, "from the first").await;
    world.shown(1).await;
    // The first host reaches no table any more.
    cut_off.faults.change(|plan| plan.losses.push(Loss { calls: Calls::any(1.0), executed: false, error: LostAs::Io }));
    let second = world.host().await;
    world.until("the second host to take over", async || (second.facts().shards == 4).then_some(())).await;
    let id = world.send(ALI, "from the second").await;
    assert_eq!(world.shown(2).await, ["from the first", "from the second"]);
    world.message_until(id, State::Delivered).await;
    world
        .until("the first host to give everything up", async || {
            (first.facts().shards == 0 && first.facts().connected == 0).then_some(())
        })
        .await;
    // It comes back, finds others at work, and is given its share.
    cut_off.faults.change(|plan| plan.losses.clear());
    world
        .until("an even share", async || (first.facts().shards == 2 && second.facts().shards == 2).then_some(()))
        .await;
    let id = world.send(ALI, "from whoever it is").await;
    world.message_until(id, State::Delivered).await;
    assert_eq!(world.shown(3).await.len(), 3);
    assert_eq!(world.stanzas_of(id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_are_shared_when_a_host_comes_and_go_back_when_it_leaves() {
    let (world, first) = World::linked().await;
    let second = world.host_on(&world.tables.elsewhere()).await;
    world
        .until("an even share", async || (first.facts().shards == 2 && second.facts().shards == 2).then_some(()))
        .await;
    world.device_until("connected", |device| device.status == Status::Connected).await;
    let id = world.send(ALI, "in between").await;
    world.message_until(id, State::Delivered).await;
    first.drain().await;
    world.until("the second host to have all", async || (second.facts().shards == 4).then_some(())).await;
    let id = world.send(ALI, "at last").await;
    world.message_until(id, State::Delivered).await;
    assert_eq!(world.shown(2).await, ["in between", "at last"]);
    second.drain().await;
    let heartbeats = world.tables.leases.heartbeats().await.unwrap();
    assert!(heartbeats.iter().all(|beat| beat.ended), "{heartbeats:?}");
    let leases = world.tables.leases.shards().await.unwrap();
    assert!(leases.iter().all(|lease| lease.owner.is_none()), "{leases:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_died_without_a_word_is_followed_after_its_term() {
    let (world, first) = World::linked().await;
    drop(first);
    let id = world.send(ALI, "to whoever comes").await;
    let _second = world.host().await;
    assert_eq!(world.shown(1).await, ["to whoever comes"]);
    world.message_until(id, State::Delivered).await;
}
