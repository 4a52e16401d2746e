//! The line of a device's open messages.

use hantar_domain::ids::Epoch;
use hantar_domain::message::{Fact, Lane, Turn};
use hantar_usecases::ports::Acceptance;

use super::World;
use super::facts::tell;

/// Replies before singles before campaign rows; within a lane as accepted.
pub async fn turns_come_by_lane_then_by_acceptance(world: World) {
    let home = world.home(20).await;
    let mut expected = Vec::new();
    for lane in [Lane::Campaign, Lane::Single, Lane::Reply, Lane::Campaign, Lane::Reply, Lane::Single] {
        let message = home.accepted_in(lane).await;
        expected.push(Turn { lane, accepted_at: message.accepted_at, message: message.id });
    }
    // Numbers do not decide, the moment of acceptance does.
    let early = home.draft(Lane::Single);
    let late = home.accepted_in(Lane::Single).await;
    home.tenant.accept(&Acceptance { message: early.clone(), idempotency: None }).await.unwrap();
    for message in [early, late] {
        expected.push(Turn { lane: message.lane, accepted_at: message.accepted_at, message: message.id });
    }
    expected.sort();
    assert_eq!(home.tenant.open_turns(home.device, 100).await.unwrap(), expected);
    assert_eq!(home.tenant.open_turns(home.device, 3).await.unwrap(), expected[..3]);
}

/// By whatever way.
pub async fn a_message_leaves_the_line_when_it_is_answered_or_ended(world: World) {
    let home = world.home(20).await;
    for last in [Fact::Acknowledged, Fact::Delivered, Fact::Read, Fact::Silence, Fact::Nacked] {
        let id = home.accepted().await.id;
        tell(&home, id, Fact::Held).await;
        tell(&home, id, Fact::Dispatched).await;
        assert_eq!(home.line().await, [id]);
        tell(&home, id, last).await;
        assert!(home.line().await.is_empty(), "{last:?}");
    }
    for last in [Fact::Cancelled, Fact::Refused] {
        let id = home.accepted().await.id;
        tell(&home, id, last).await;
        assert!(home.line().await.is_empty(), "{last:?}");
    }
}

/// And forgetting is repeatable.
pub async fn a_stale_turn_can_be_forgotten(world: World) {
    let home = world.home(20).await;
    home.accepted().await;
    let turn = home.tenant.open_turns(home.device, 1).await.unwrap()[0];
    for _ in 0..2 {
        home.tenant.forget_turn(home.device, turn).await.unwrap();
        assert!(home.line().await.is_empty());
    }
}

/// Oldest first.
pub async fn unknown_messages_stand_in_a_line_of_their_own(world: World) {
    let home = world.home(20).await;
    let ids = [home.accepted().await.id, home.accepted().await.id, home.accepted().await.id];
    for id in [ids[2], ids[0], ids[1]] {
        home.tenant.dispatch(id, Epoch(1), home.now()).await.unwrap();
        tell(&home, id, Fact::Silence).await;
    }
    assert_eq!(home.tenant.unknown_messages(home.device, 10).await.unwrap(), [ids[2], ids[0], ids[1]]);
    tell(&home, ids[0], Fact::Read).await;
    tell(&home, ids[1], Fact::Nacked).await;
    assert_eq!(home.tenant.unknown_messages(home.device, 10).await.unwrap(), [ids[2]]);
    assert_eq!(home.tenant.unknown_messages(home.device, 0).await.unwrap(), []);
}
