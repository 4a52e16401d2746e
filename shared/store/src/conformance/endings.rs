//! Endings, and the money that comes back.

use hantar_domain::ids::Epoch;
use hantar_domain::message::{Fact, State};
use hantar_usecases::ports::{Applied, Cancelled, PortError, Refusal};

use super::World;
use super::facts::tell;

/// Whoever is first; the other changes nothing.
pub async fn cancel_and_dispatch_leave_one_winner_and_right_money(world: World) {
    let home = world.home(30).await;
    let mut cancelled = 0;
    for _ in 0..30 {
        let id = home.accepted().await.id;
        let (dispatched, cancel) =
            futures::join!(home.tenant.dispatch(id, Epoch(1), home.now()), home.tenant.cancel(id, None, home.now()));
        let to_the_wire = matches!(dispatched, Ok(Applied::Moved(_)));
        let taken_back = matches!(cancel, Ok(Cancelled::Done(_)));
        assert!(to_the_wire != taken_back, "{dispatched:?} {cancel:?}");
        let expected = if taken_back { State::Cancelled } else { State::Dispatched };
        assert_eq!(home.message(id).await.state, expected);
        cancelled += i64::from(taken_back);
    }
    home.has(cancelled, 30, cancelled).await;
}

/// Once, however often it is asked for.
pub async fn cancel_gives_the_credit_back_once_and_its_key_answers_again(world: World) {
    let home = world.home(5).await;
    let (id, other) = (home.accepted().await.id, home.accepted().await.id);
    let key = home.key(9, 1);
    for _ in 0..2 {
        let answer = home.tenant.cancel(id, Some(&key), home.now()).await.unwrap();
        assert!(matches!(answer, Cancelled::Done(message) if message.state == State::Cancelled && message.refunded));
    }
    assert!(matches!(home.tenant.cancel(id, None, home.now()).await.unwrap(), Cancelled::TooLate(_)));
    let reused = home.tenant.cancel(other, Some(&home.key(9, 2)), home.now()).await.unwrap();
    assert_eq!(reused, Cancelled::KeyReused);
    home.has(4, 2, 1).await;
    assert_eq!(home.line().await, [other]);
}

/// Once, however often it is heard.
pub async fn a_nack_gives_the_credit_back_once(world: World) {
    let home = world.home(5).await;
    let id = home.accepted().await.id;
    tell(&home, id, Fact::Dispatched).await;
    let refusal = Refusal { fact: Fact::Nacked, code: "whatsapp_463".into() };
    let first = home.tenant.refuse(id, &refusal, home.now()).await.unwrap();
    assert!(matches!(first, Applied::Moved(message) if message.reason() == Some("whatsapp_463") && message.refunded));
    let again = home.tenant.refuse(id, &refusal, home.now()).await.unwrap();
    assert!(matches!(again, Applied::Unchanged(message) if message.state == State::Failed));
    home.has(5, 1, 1).await;
    assert!(home.line().await.is_empty());
}

/// A late answer repairs the state and never charges again.
pub async fn silence_is_refunded_once_and_a_late_answer_repairs_the_state_alone(world: World) {
    let home = world.home(5).await;
    let id = home.accepted().await.id;
    tell(&home, id, Fact::Dispatched).await;
    assert!(tell(&home, id, Fact::Silence).await);
    assert_eq!(home.tenant.unknown_messages(home.device, 10).await.unwrap(), [id]);
    assert!(home.tenant.refund_unknown(id, home.now()).await.unwrap());
    assert!(!home.tenant.refund_unknown(id, home.now()).await.unwrap());
    assert!(home.tenant.unknown_messages(home.device, 10).await.unwrap().is_empty());
    home.has(5, 1, 1).await;
    assert!(tell(&home, id, Fact::Acknowledged).await);
    let message = home.message(id).await;
    assert_eq!((message.state, message.refunded), (State::Sent, true));
    home.has(5, 1, 1).await;
}

/// The state says so, the money came back before.
pub async fn a_nack_after_the_refund_moves_no_money(world: World) {
    let home = world.home(5).await;
    let id = home.accepted().await.id;
    tell(&home, id, Fact::Dispatched).await;
    tell(&home, id, Fact::Silence).await;
    assert!(home.tenant.refund_unknown(id, home.now()).await.unwrap());
    assert!(tell(&home, id, Fact::Nacked).await);
    assert_eq!(home.message(id).await.state, State::Failed);
    home.has(5, 1, 1).await;
}

/// Whoever is first: the books agree, and the line of unknown ones is empty.
pub async fn an_answer_and_the_refund_racing_leave_sound_books(world: World) {
    let home = world.home(100).await;
    let mut refunded = 0;
    for round in 0..20 {
        let id = home.accepted().await.id;
        tell(&home, id, Fact::Dispatched).await;
        tell(&home, id, Fact::Silence).await;
        let answer = async {
            if round % 2 == 0 {
                home.tenant.record(id, Fact::Acknowledged, home.now()).await.map(drop)
            } else {
                let refusal = Refusal { fact: Fact::Nacked, code: "x".into() };
                home.tenant.refuse(id, &refusal, home.now()).await.map(drop)
            }
        };
        let (answer, refund) = futures::join!(answer, home.tenant.refund_unknown(id, home.now()));
        assert!(matches!(answer, Ok(()) | Err(PortError::Conflict)), "{answer:?}");
        assert!(matches!(refund, Ok(_) | Err(PortError::Conflict)), "{refund:?}");
        // What is left behind by a race is cleared by the next sweep.
        home.tenant.refund_unknown(id, home.now()).await.unwrap();
        refunded += i64::from(home.message(id).await.refunded);
        home.has(100 - round - 1 + refunded, round + 1, refunded).await;
    }
    assert!(home.tenant.unknown_messages(home.device, 10).await.unwrap().is_empty());
}
