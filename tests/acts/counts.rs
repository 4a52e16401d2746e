//! The relay's counts against the messages themselves.

use hantar_domain::ids::MessageId;
use hantar_domain::message::Fact;
use hantar_platform::faults::{Calls, Loss, LostAs};
use hantar_usecases::cancel_message::cancel_message;
use hantar_usecases::receive_messages::receive_messages;

use crate::home::{Home, incoming};
use crate::world::{World, handle};

/// One thing that happens to an account.
async fn happen(home: &Home, dice: &mut fastrand::Rng, ids: &mut Vec<MessageId>) {
    let clock = &home.process.clock;
    let fact = [Fact::Silence, Fact::Acknowledged, Fact::Delivered, Fact::Read, Fact::Played];
    let id = (!ids.is_empty()).then(|| ids[dice.usize(..ids.len())]);
    match (dice.u8(..10), id) {
        (0..=2, _) | (_, None) => ids.push(home.send("counted").await.id),
        (3..=4, Some(id)) => drop(home.dispatch(id).await),
        (5, Some(id)) => drop(cancel_message(home.tenant().as_ref(), clock, id, None).await.unwrap()),
        (6, Some(_)) => {
            // Sometimes one that came before.
            let stanza = format!("IN{}", dice.u8(..40));
            let (tenant, numbers) = (home.tenant(), &home.process.numbers);
            let one = vec![incoming(&stanza, "hi")];
            receive_messages(tenant.as_ref(), numbers, clock, home.account, home.device, one).await.unwrap();
        }
        (_, Some(id)) => drop(home.learn(id, fact[dice.usize(..fact.len())]).await),
    }
}

/// One reading of the stream, which may be cut short anywhere: at its end by a death before it is consumed, or within.
async fn read(world: &World, home: &Home, dice: &mut fastrand::Rng) -> bool {
    let Some((records, through)) = world.stream(dice.usize(1..15)).await else { return false };
    if dice.u8(..4) == 0 {
        let calls = Calls::next("TransactWriteItems", dice.u32(1..4));
        world.faults.change(|plan| plan.losses.push(Loss { calls, executed: dice.bool(), error: LostAs::Io }));
    }
    let handled = handle(&home.process.relay(), "local", &records).await.is_ok();
    world.faults.change(|plan| plan.losses.clear());
    if handled && dice.u8(..3) > 0 {
        world.consume(through).await;
    }
    true
}

#[tokio::test(start_paused = true)]
async fn counts_equal_the_true_states_after_any_interleaving_of_changes_readings_and_deaths() {
    for seed in [1, 2, 3, 4, 5] {
        let world = World::new(seed).await;
        let mut dice = fastrand::Rng::with_seed(seed);
        let (one, two) = (world.home(1000).await, world.home(1000).await);
        let (mut ids, mut others) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            match dice.u8(..6) {
                0 => drop(read(&world, &one, &mut dice).await),
                1 | 2 => happen(&two, &mut dice, &mut others).await,
                _ => happen(&one, &mut dice, &mut ids).await,
            }
        }
        while read(&world, &one, &mut dice).await {}
        for home in [one, two] {
            let truth = home.true_counts().await;
            assert!(truth.inbound > 0 && truth.outbound.len() > 3, "seed {seed} shows too little: {truth:?}");
            assert_eq!(home.tenant().state_counts().await.unwrap(), truth, "seed {seed}");
        }
    }
}
