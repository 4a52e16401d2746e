//! The balance under crowds and under anything that can happen to messages.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::MessageId;
use hantar_domain::message::Fact;
use hantar_platform::faults::{Calls, FaultPlan, Loss, LostAs};
use hantar_usecases::cancel_message::cancel_message;
use hantar_usecases::ports::{Clock as _, PortError, Refusal};
use hantar_usecases::record_ack::record_ack;
use hantar_usecases::send_message::{Draft, SendError};
use tokio::sync::Barrier;

use crate::home::{Home, draft, keyed};
use crate::world::World;

/// 64 clients on one account, in this many processes; accepted and failed sends.
async fn crowd(world: &World, home: &Home, processes: usize) -> (i64, i64) {
    const CLIENTS: usize = 64;
    const EACH: usize = 10;
    let homes: Vec<_> = (0..processes).map(|_| home.seen_by(world.process())).collect();
    let start = Arc::new(Barrier::new(CLIENTS));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (home, start) = (homes[client % processes].clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                let (mut accepted, mut failed) = (0, 0);
                for number in 0..EACH {
                    match home.try_send(keyed("hello", &format!("{client}-{number}"))).await {
                        Ok(_) => accepted += 1,
                        Err(SendError::Port(PortError::Conflict | PortError::Throttled { .. })) => failed += 1,
                        Err(other) => panic!("{other:?}"),
                    }
                }
                (accepted, failed)
            })
        })
        .collect();
    let (mut accepted, mut failed) = (0, 0);
    for client in clients {
        let (more, less) = client.await.unwrap();
        accepted += more;
        failed += less;
    }
    (accepted, failed)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_the_conflicts_of_aws_64_clients_are_charged_exactly_and_nearly_all_are_served() {
    let world = World::new(901).await;
    for processes in [1, 4] {
        let home = world.home(10_000).await;
        world.faults.set_plan(FaultPlan::conflicting());
        let (accepted, failed) = crowd(&world, &home, processes).await;
        world.faults.set_plan(FaultPlan::default());
        assert_eq!(accepted + failed, 640);
        assert!(failed * 100 < 640, "{failed} of 640 failed with {processes} processes");
        let balance = home.audit().await;
        assert_eq!((balance.charged, balance.available), (accepted, 10_000 - accepted));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_under_one_name_counts_once() {
    let world = World::new(902).await;
    let home = world.home(5).await;
    for _ in 0..3 {
        let balance = home.seen_by(world.process()).tenant().grant(20, "invoice-1", world.clock.now()).await.unwrap();
        assert_eq!((balance.available, balance.granted), (25, 25));
    }
    assert_eq!(home.tenant().grant(20, "invoice-2", world.clock.now()).await.unwrap().granted, 45);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_the_server_fails_the_message_with_its_code_and_pays_it_back() {
    let world = World::new(903).await;
    let home = world.home(10).await;
    for code in ["463", "479", "400"] {
        let id = home.send("refused").await.id;
        home.dispatch(id).await;
        for _ in 0..2 {
            record_ack(home.tenant().as_ref(), &world.clock, id, Some(code)).await.unwrap();
        }
        assert_eq!(home.message(id).await.reason(), Some(&*format!("whatsapp_{code}")));
        assert_eq!(home.audit().await.available, 10);
    }
}

/// Anything that can happen to an account; an error says that it may or may not have happened.
async fn happen(
    world: &World,
    home: &Home,
    dice: &mut fastrand::Rng,
    ids: &mut Vec<MessageId>,
) -> Result<(), PortError> {
    let (tenant, clock) = (home.tenant(), &world.clock);
    let id = ids.get(dice.usize(..ids.len().max(1))).copied();
    let answers = [Fact::Acknowledged, Fact::Delivered, Fact::Read, Fact::Played];
    match (dice.u8(..20), id) {
        (0..=4, _) | (_, None) => {
            let scheduled_at = (dice.u8(..5) == 0).then(|| (clock.now() + Duration::from_hours(2)).into());
            match home.try_send(Draft { scheduled_at, ..draft("walk") }).await {
                Ok(message) => ids.push(message.id),
                Err(SendError::Credits { .. }) => drop(tenant.grant(3, &dice.u64(..).to_string(), clock.now()).await?),
                Err(SendError::Port(error)) => return Err(error),
                Err(other) => panic!("{other:?}"),
            }
        }
        (5..=9, Some(id)) => drop(tenant.dispatch(id, hantar_domain::ids::Epoch(1), clock.now()).await?),
        (10..=11, Some(id)) => drop(tenant.record(id, answers[dice.usize(..4)], clock.now()).await?),
        (12, Some(id)) => drop(record_ack(tenant.as_ref(), clock, id, Some("463")).await?),
        (13, Some(id)) => {
            let refusal = Refusal { fact: Fact::Refused, code: "suppressed".into() };
            tenant.refuse(id, &refusal, clock.now()).await?;
        }
        (14, Some(id)) => drop(tenant.hold(id, clock.now() + Duration::from_mins(1), "paced", clock.now()).await?),
        (15, Some(id)) => drop(tenant.record(id, Fact::Silence, clock.now()).await?),
        (16, Some(id)) => drop(cancel_message(tenant.as_ref(), clock, id, None).await?),
        (17, Some(_)) => drop(home.process.try_sweep_at(clock.now()).await?),
        (18, Some(id)) => drop(tenant.refund_unknown(id, clock.now()).await?),
        (_, Some(_)) => clock.advance(Duration::from_secs(dice.u64(..30_000))),
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_books_agree_at_every_step_of_a_random_walk() {
    for seed in [911, 912, 913] {
        let world = World::new(seed).await;
        let mut dice = fastrand::Rng::with_seed(seed);
        let (home, mut ids) = (world.home(20).await, Vec::new());
        for _ in 0..250 {
            happen(&world, &home, &mut dice, &mut ids).await.unwrap();
            let balance = home.tenant().balance().await.unwrap();
            assert!(balance.is_sound(), "seed {seed}: {balance:?}");
            if dice.u8(..10) == 0 {
                home.audit().await;
            }
        }
        let balance = home.audit().await;
        assert!(balance.charged > 20 && balance.refunded > 5, "seed {seed} shows too little: {balance:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_books_agree_after_a_random_walk_in_which_calls_are_lost() {
    for seed in [921, 922, 923] {
        let world = World::new(seed).await;
        let mut dice = fastrand::Rng::with_seed(seed);
        let (home, mut ids) = (world.home(20).await, Vec::new());
        let mut failures = 0;
        for round in 0..250 {
            for executed in [true, false] {
                let (calls, error) = (Calls::any(0.3), LostAs::Io);
                world.faults.change(|plan| plan.losses.push(Loss { calls, executed, error }));
            }
            failures += usize::from(happen(&world, &home, &mut dice, &mut ids).await.is_err());
            world.faults.set_plan(FaultPlan::default());
            if round % 10 == 0 {
                home.audit().await;
            }
        }
        assert!(failures > 0, "seed {seed} loses too little");
        home.audit().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_books_agree_after_many_walk_at_once() {
    let world = Arc::new(World::new(931).await);
    let home = world.home(60).await;
    let shared: Vec<_> = {
        let mut ids = Vec::new();
        for _ in 0..12 {
            ids.push(home.send("contested").await.id);
        }
        ids
    };
    world.faults.set_plan(FaultPlan::conflicting());
    let walkers: Vec<_> = (0..6)
        .map(|walker| {
            let (world, home, mut ids) = (world.clone(), home.seen_by(world.process()), shared.clone());
            tokio::spawn(async move {
                let mut dice = fastrand::Rng::with_seed(walker);
                for _ in 0..60 {
                    match happen(&world, &home, &mut dice, &mut ids).await {
                        Ok(()) | Err(PortError::Conflict) => {}
                        Err(other) => panic!("{other:?}"),
                    }
                    let balance = home.tenant().balance().await.unwrap();
                    assert!(balance.is_sound(), "{balance:?}");
                }
            })
        })
        .collect();
    for walker in walkers {
        walker.await.unwrap();
    }
    world.faults.set_plan(FaultPlan::default());
    home.audit().await;
}
