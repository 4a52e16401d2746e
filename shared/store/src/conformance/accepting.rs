//! Accepting messages, and the money for it.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::message::State;
use hantar_usecases::ports::{Acceptance, Accepted, PortError};

use super::World;

/// All of an acceptance is there after it.
pub async fn an_accepted_message_is_stored_charged_and_in_line(world: World) {
    let home = world.home(3).await;
    let message = home.accepted().await;
    assert_eq!(home.message(message.id).await, message);
    assert_eq!(home.line().await, [message.id]);
    home.has(2, 1, 0).await;
}

/// Nothing is half written.
pub async fn too_few_credits_write_nothing(world: World) {
    let home = world.home(1).await;
    home.accepted().await;
    let acceptance = home.keyed(1, 1);
    assert_eq!(home.tenant.accept(&acceptance).await.unwrap(), Accepted::Refused { balance: 0 });
    assert_eq!(home.tenant.message(acceptance.message.id).await.unwrap(), None);
    assert_eq!(home.line().await.len(), 1);
    home.tenant.grant(1, "more", home.now()).await.unwrap();
    assert_eq!(home.tenant.accept(&acceptance).await.unwrap(), Accepted::Stored, "the key was not used up");
    home.has(0, 2, 0).await;
}

/// Also long after the first, when no token is remembered: the message itself is the witness.
pub async fn a_repeat_of_an_acceptance_charges_once(world: World) {
    let home = world.home(5).await;
    for acceptance in [home.acceptance(), home.keyed(1, 1)] {
        for _ in 0..3 {
            assert_eq!(home.tenant.accept(&acceptance).await.unwrap(), Accepted::Stored);
        }
        // Another group: no transaction was ever sent under this token.
        let other = home.acceptance();
        let (one, two) = futures::join!(home.tenant.accept(&other), home.tenant.accept(&acceptance));
        assert_eq!((one.unwrap(), two.unwrap()), (Accepted::Stored, Accepted::Stored));
    }
    home.has(1, 4, 0).await;
}

/// The caller learns the first message, as it is by now.
pub async fn a_key_answers_with_the_message_that_it_stood_for_first(world: World) {
    let home = world.home(5).await;
    let first = home.keyed(1, 1);
    assert_eq!(home.tenant.accept(&first).await.unwrap(), Accepted::Stored);
    home.tenant.cancel(first.message.id, None, home.now()).await.unwrap();
    let again = home.keyed(1, 1);
    let Accepted::Replayed(replayed) = home.tenant.accept(&again).await.unwrap() else { panic!("not replayed") };
    assert_eq!((replayed.id, replayed.state), (first.message.id, State::Cancelled));
    assert_eq!(home.tenant.message(again.message.id).await.unwrap(), None);
    home.has(5, 1, 1).await;
}

/// A key means one request.
pub async fn a_key_of_another_request_is_refused(world: World) {
    let home = world.home(5).await;
    home.tenant.accept(&home.keyed(1, 1)).await.unwrap();
    assert_eq!(home.tenant.accept(&home.keyed(1, 2)).await.unwrap(), Accepted::KeyReused);
    assert_eq!(home.tenant.accept(&home.keyed(2, 2)).await.unwrap(), Accepted::Stored);
    home.has(3, 2, 0).await;
}

/// By its own expiry, whether or not the table has deleted it.
pub async fn a_key_counts_until_it_expires(world: World) {
    let home = world.home(5).await;
    home.tenant.accept(&home.keyed(1, 1)).await.unwrap();
    world.clock.pass(Duration::from_mins(1439));
    assert!(matches!(home.tenant.accept(&home.keyed(1, 1)).await.unwrap(), Accepted::Replayed(_)));
    world.clock.pass(Duration::from_mins(2));
    assert_eq!(home.tenant.accept(&home.keyed(1, 2)).await.unwrap(), Accepted::Stored);
    home.has(3, 2, 0).await;
}

/// A client that retries in a hurry.
pub async fn one_key_used_many_times_at_once_makes_one_message(world: World) {
    let home = world.home(20).await;
    let acceptances: Vec<_> = (0..10).map(|_| home.keyed(1, 1)).collect();
    let answers = join_all(acceptances.iter().map(|one| home.tenant.accept(one))).await;
    let mut stored = 0;
    let mut names = Vec::new();
    for (answer, acceptance) in answers.into_iter().zip(&acceptances) {
        match answer.unwrap() {
            Accepted::Stored => {
                stored += 1;
                names.push(acceptance.message.id);
            }
            Accepted::Replayed(message) => names.push(message.id),
            other => panic!("{other:?}"),
        }
    }
    names.dedup();
    assert_eq!((stored, names.len()), (1, 1));
    home.has(19, 1, 0).await;
}

/// Tries again what the store says may be tried again.
async fn insist(home: &super::Home, acceptance: &Acceptance) -> Accepted {
    loop {
        match home.tenant.accept(acceptance).await {
            Ok(accepted) => return accepted,
            Err(PortError::Conflict | PortError::Throttled { .. } | PortError::Unavailable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// The balance is what it must be, to the credit.
pub async fn many_at_once_are_charged_exactly(world: World) {
    let home = world.home(500).await;
    let acceptances: Vec<_> = (0..200).map(|n| if n % 3 == 0 { home.keyed(n, n) } else { home.acceptance() }).collect();
    let answers = join_all(acceptances.iter().map(|one| insist(&home, one))).await;
    assert!(answers.iter().all(|answer| *answer == Accepted::Stored), "{answers:?}");
    home.has(300, 200, 0).await;
    let mut line = home.line().await;
    line.sort();
    assert_eq!(line, acceptances.iter().map(|one| one.message.id).collect::<Vec<_>>());
}

/// Neither more nor fewer than there is credit for.
pub async fn many_at_once_with_credit_for_some_serve_exactly_these(world: World) {
    let home = world.home(37).await;
    let acceptances: Vec<_> = (0..80).map(|_| home.acceptance()).collect();
    let answers = join_all(acceptances.iter().map(|one| insist(&home, one))).await;
    let stored = answers.iter().filter(|answer| **answer == Accepted::Stored).count();
    let refused = answers.iter().filter(|answer| **answer == Accepted::Refused { balance: 0 }).count();
    assert_eq!((stored, refused), (37, 43));
    home.has(0, 37, 0).await;
    assert_eq!(home.line().await.len(), 37);
}

/// A top-up that is repeated.
pub async fn a_grant_counts_once_by_its_name(world: World) {
    let home = world.home(1).await;
    let at = home.now();
    for _ in 0..3 {
        assert_eq!(home.tenant.grant(10, "invoice-1", at).await.unwrap().available, 11);
    }
    assert_eq!(home.tenant.grant(10, "invoice-1", home.now()).await.unwrap().available, 11);
    assert_eq!(home.tenant.grant(5, "invoice-2", at).await.unwrap().granted, 16);
    home.has(16, 0, 0).await;
}
