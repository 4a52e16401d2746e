//! Answers that never come: whatever is lost, money and messages agree, and a repeat under the same key does no harm.
//!
//! How often the SDK tries again by itself is not the same in each run: all clients of a process draw on one quota of
//! retries. So every rule here holds for any number of tries.

use std::collections::BTreeSet;

use hantar_domain::ids::Epoch;
use hantar_domain::message::Fact;
use hantar_platform::faults::{Calls, FaultPlan, Loss, LostAs, When};
use hantar_usecases::cancel_message::cancel_message;
use hantar_usecases::ports::{Cancelled, Clock as _};
use hantar_usecases::record_ack::record_ack;
use hantar_usecases::send_message::SendError;

use crate::home::{Home, draft, keyed};
use crate::world::World;

fn lose(world: &World, operation: Option<&str>, when: When, executed: bool, error: LostAs) {
    let calls = Calls { operation: operation.map(str::to_owned), containing: None, when };
    world.faults.change(|plan| plan.losses.push(Loss { calls, executed, error }));
}

/// Sends until it is answered.
async fn insist(home: &Home, text: &str, key: &str) -> hantar_domain::message::Message {
    for _ in 0..200 {
        match home.try_send(keyed(text, key)).await {
            Ok(message) => return message,
            Err(SendError::Port(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    panic!("never answered")
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_lost_any_number_of_times_charges_once() {
    for executed in [true, false] {
        for error in [LostAs::Io, LostAs::Timeout] {
            for count in [1, 2, 3, 4, 6, 8, 9, 10, 15] {
                let world = World::new(800 + u64::from(count)).await;
                let home = world.home(10).await;
                lose(&world, Some("TransactWriteItems"), When::Next(count), executed, error);
                let message = insist(&home, "hello", "k1").await;
                world.faults.set_plan(FaultPlan::default());
                let again = home.try_send(keyed("hello", "k1")).await.unwrap();
                assert_eq!(again.id, message.id, "executed {executed}, {count} times");
                let balance = home.audit().await;
                assert_eq!(
                    (balance.available, home.messages().await.len()),
                    (9, 1),
                    "executed {executed}, {count} times"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_happened_and_whose_answers_are_all_lost_is_answered_by_looking() {
    let world = World::new(820).await;
    let home = world.home(10).await;
    // Every answer is lost, of all tries; then the message is read before anything else is done.
    lose(&world, Some("TransactWriteItems"), When::Chance(1.0), true, LostAs::Timeout);
    let message = home.try_send(draft("no key")).await.unwrap();
    assert_eq!((home.messages().await.len(), home.message(message.id).await), (1, message));
    assert_eq!(home.audit().await.available, 9);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_refused_for_a_failure_was_not_charged_unless_it_is_there() {
    let world = World::new(821).await;
    let home = world.home(10_000).await;
    for executed in [true, false] {
        lose(&world, None, When::Chance(0.2), executed, LostAs::Io);
    }
    let (mut answered, mut failed) = (BTreeSet::new(), 0);
    while answered.len() < 10 || failed < 10 {
        match home.try_send(draft("no key")).await {
            Ok(message) => assert!(answered.insert(message.id)),
            Err(SendError::Port(_)) => failed += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    world.faults.set_plan(FaultPlan::default());
    let stored: BTreeSet<_> = home.messages().await.into_iter().map(|message| message.id).collect();
    assert!(answered.is_subset(&stored), "an accepted message is never lost");
    home.audit().await;
}

#[tokio::test(start_paused = true)]
async fn clients_that_insist_under_their_keys_get_one_message_each_through_any_losses_and_conflicts() {
    for seed in [831, 832, 833] {
        let world = World::new(seed).await;
        let home = world.home(1000).await;
        world.faults.set_plan(FaultPlan::conflicting());
        for executed in [true, false] {
            lose(&world, None, When::Chance(0.1), executed, LostAs::Timeout);
        }
        let homes = [1, 2].map(|_| home.seen_by(world.process()));
        let client = |client: usize| {
            let home = homes[client % 2].clone();
            async move {
                let mut ids = Vec::new();
                for number in 0..5 {
                    ids.push(insist(&home, "hello", &format!("{client}-{number}")).await.id);
                }
                ids
            }
        };
        let ids = futures::future::join_all((0..12).map(client)).await.concat();
        world.faults.set_plan(FaultPlan::default());
        assert_eq!(BTreeSet::from_iter(ids).len(), 60, "seed {seed}");
        let balance = home.audit().await;
        assert_eq!((balance.charged, home.messages().await.len()), (60, 60), "seed {seed}");
    }
}

#[tokio::test(start_paused = true)]
async fn endings_that_are_repeated_until_they_are_answered_refund_once() {
    for count in [1, 3, 4, 9, 10] {
        for executed in [true, false] {
            let world = World::new(840).await;
            let home = world.home(10).await;
            let (cancelled, nacked) = (home.send("cancelled").await.id, home.send("nacked").await.id);
            home.dispatch(nacked).await;
            let unknown = home.unknown_message("unknown").await.id;
            let (tenant, clock) = (home.tenant(), &world.clock);
            let transactions = || lose(&world, Some("TransactWriteItems"), When::Next(count), executed, LostAs::Io);

            transactions();
            while !matches!(
                cancel_message(tenant.as_ref(), clock, cancelled, None).await,
                Ok(Cancelled::Done(_) | Cancelled::TooLate(_))
            ) {}
            transactions();
            while record_ack(tenant.as_ref(), clock, nacked, Some("400")).await.is_err() {}
            transactions();
            while tenant.refund_unknown(unknown, clock.now()).await.is_err() {}
            world.faults.set_plan(FaultPlan::default());
            let balance = home.audit().await;
            assert_eq!((balance.available, balance.refunded), (10, 3), "executed {executed}, {count} times");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_that_is_repeated_under_its_key_says_that_it_is_done() {
    for count in [3, 9, 12] {
        let world = World::new(850).await;
        let home = world.home(10).await;
        let id = home.send("cancelled").await.id;
        lose(&world, Some("TransactWriteItems"), When::Next(count), true, LostAs::Timeout);
        let cancel = || async { cancel_message(home.tenant().as_ref(), &world.clock, id, Some("k")).await };
        let mut answer = cancel().await;
        while answer.is_err() {
            answer = cancel().await;
        }
        assert!(matches!(answer.unwrap(), Cancelled::Done(_)), "{count} answers lost");
        assert_eq!(home.audit().await.refunded, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn facts_whose_answers_are_lost_are_recorded_once() {
    let world = World::new(860).await;
    let home = world.home(10).await;
    let (tenant, clock, id) = (home.tenant(), &world.clock, home.send("hello").await.id);
    for fact in [Fact::Dispatched, Fact::Acknowledged, Fact::Delivered, Fact::Read] {
        for count in [1, 2, 5] {
            lose(&world, Some("UpdateItem"), When::Next(count), true, LostAs::Io);
            let again = || async {
                match fact {
                    Fact::Dispatched => tenant.dispatch(id, Epoch(1), clock.now()).await,
                    answer => tenant.record(id, answer, clock.now()).await,
                }
            };
            while again().await.is_err() {}
            world.faults.set_plan(FaultPlan::default());
            assert_eq!(home.message(id).await.state, fact.state());
        }
    }
    assert_eq!(home.message(id).await.history.len(), 5);
    home.process.sweep_at(clock.now()).await;
    assert!(home.line().await.is_empty(), "no entry is left behind");
    home.audit().await;
}
