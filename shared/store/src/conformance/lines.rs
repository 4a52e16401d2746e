//! The line of a device's open messages.

use std::time::Duration;

use hantar_domain::ids::Epoch;
use hantar_domain::message::{Fact, Lane, Message, State, Step, Turn};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Acceptance, OpenTurns};

use super::facts::tell;
use super::{Home, World};

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
    assert_eq!(home.turns(100).await, OpenTurns { turns: expected.clone(), next_due: None });
    assert_eq!(home.turns(3).await.turns, expected[..3]);
}

/// Accepts a message of this lane for later.
async fn scheduled(home: &Home, lane: Lane, due: Timestamp) -> Message {
    let message = home.draft(lane);
    let history = vec![Step { state: State::Held, at: message.accepted_at, code: Some("scheduled".into()) }];
    let message = Message { state: State::Held, held_until: Some(due), history, ..message };
    home.tenant.accept(&Acceptance { message: message.clone(), idempotency: None }).await.unwrap();
    message
}

fn turn(message: &Message) -> Turn {
    Turn { lane: message.lane, accepted_at: message.accepted_at, message: message.id }
}

/// They keep the order of their acceptance then.
pub async fn scheduled_messages_take_their_turns_when_they_are_due_and_hide_nobody_until_then(world: World) {
    let home = world.home(50).await;
    let start = home.now();
    let minute = |n: u64| start + Duration::from_mins(n);
    let mut later = Vec::new();
    for n in 0..12 {
        later.push(turn(&scheduled(&home, Lane::Single, minute(20 - n)).await));
    }
    let campaign = turn(&home.accepted_in(Lane::Campaign).await);
    let single = turn(&home.accepted().await);
    let look = |now, limit| {
        let (tenant, device) = (home.tenant.clone(), home.device);
        async move { tenant.open_turns(device, now, limit).await.unwrap() }
    };
    for limit in [2, 3, 100] {
        let found = look(minute(8), limit).await;
        assert_eq!(found.turns, [single, campaign], "a look at {limit}");
        assert_eq!(found.next_due, Some(minute(9)), "a look at {limit}");
    }
    // Due are the last four that were accepted; the order of turns is not that of due times.
    let due = [later[8], later[9], later[10], later[11]];
    assert_eq!(look(minute(12), 2).await.turns, due[..2], "as many as asked for");
    for _ in 0..2 {
        let found = look(minute(12), 100).await;
        assert_eq!(found.turns, [&due[..], &[single, campaign]].concat());
        assert_eq!(found.next_due, Some(minute(13)));
    }
    let everything = look(minute(20), 100).await;
    assert_eq!(everything, OpenTurns { turns: [&later[..], &[single, campaign]].concat(), next_due: None });
    assert_eq!(home.line().await.len(), 14, "who has his turn does not lose it by another's clock");
}

/// The look goes on to the scheduled ones although it is full before.
pub async fn who_is_due_comes_before_a_backlog_of_less_urgent_ones(world: World) {
    let home = world.home(20).await;
    let due = home.now() + Duration::from_mins(1);
    let urgent = turn(&scheduled(&home, Lane::Reply, due).await);
    let mut backlog = Vec::new();
    for _ in 0..5 {
        backlog.push(turn(&home.accepted_in(Lane::Campaign).await));
    }
    let before = home.turns(3).await;
    assert_eq!((before.turns, before.next_due), (backlog[..3].to_vec(), Some(due)));
    world.clock.pass(Duration::from_mins(1));
    assert_eq!(home.turns(3).await.turns, [&[urgent], &backlog[..2]].concat());
}

/// Nothing of it stays behind.
pub async fn a_scheduled_message_leaves_the_line_by_whatever_way_and_at_whatever_time(world: World) {
    let home = world.home(20).await;
    // Its host sees it, and takes it to the wire, when it is due and not before.
    let (early, due) = (Duration::from_secs(1), Duration::from_secs(61));
    let ways: [(&[Duration], &[&[Fact]]); 3] = [
        (&[], &[&[Fact::Cancelled], &[Fact::Refused]]),
        (&[early], &[&[Fact::Cancelled], &[Fact::Refused]]),
        (
            &[early, due],
            &[
                &[Fact::Cancelled],
                &[Fact::Refused],
                &[Fact::Dispatched, Fact::Acknowledged],
                &[Fact::Dispatched, Fact::Silence],
            ],
        ),
    ];
    for (looks, ends) in ways {
        for facts in ends {
            let message = scheduled(&home, Lane::Single, home.now() + Duration::from_mins(1)).await;
            for look in looks {
                home.tenant.open_turns(home.device, message.accepted_at + *look, 10).await.unwrap();
            }
            for fact in *facts {
                assert!(tell(&home, message.id, *fact).await);
            }
            world.clock.pass(Duration::from_mins(5));
            assert_eq!(home.turns(10).await, OpenTurns::default(), "{facts:?} after looks at {looks:?}");
        }
    }
}

/// Wherever its entry stood.
pub async fn a_scheduled_message_is_held_longer_or_shorter_by_its_host(world: World) {
    let home = world.home(20).await;
    for (due, until) in [(1, 10), (10, 1)] {
        for is_seen_first in [false, true] {
            let start = home.now();
            let minute = |n: u64| start + Duration::from_mins(n);
            let message = scheduled(&home, Lane::Single, minute(due)).await;
            if is_seen_first {
                home.tenant.open_turns(home.device, minute(due), 10).await.unwrap();
            }
            home.tenant.hold(message.id, minute(until), "paced", home.now()).await.unwrap();
            let found = home.tenant.open_turns(home.device, minute(until), 10).await.unwrap();
            assert_eq!(found, OpenTurns { turns: vec![turn(&message)], next_due: None });
            tell(&home, message.id, Fact::Cancelled).await;
            world.clock.pass(Duration::from_mins(20));
            assert_eq!(home.turns(10).await, OpenTurns::default());
        }
    }
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
    let turn = home.turns(1).await.turns[0];
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
