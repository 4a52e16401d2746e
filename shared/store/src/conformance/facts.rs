//! Facts about messages, against the rules of the domain.

use std::time::Duration;

use hantar_domain::ids::{Epoch, MessageId};
use hantar_domain::media::{Media, Source};
use hantar_domain::message::{Fact, Lane, Message, State, Step};
use hantar_usecases::ports::{Acceptance, Applied, Cancelled, PortError, Refusal};

use super::{Home, World};

/// All facts that a port takes.
const FACTS: [Fact; 10] = [
    Fact::Held,
    Fact::Dispatched,
    Fact::Silence,
    Fact::Acknowledged,
    Fact::Delivered,
    Fact::Read,
    Fact::Played,
    Fact::Nacked,
    Fact::Refused,
    Fact::Cancelled,
];

/// Tells the store a fact, by whichever method takes it; answers whether the state moved.
pub(super) async fn tell(home: &Home, id: MessageId, fact: Fact) -> bool {
    let (tenant, at) = (&home.tenant, home.now());
    let applied = match fact {
        Fact::Held | Fact::Due => tenant.hold(id, at + Duration::from_mins(1), "paced", at).await,
        Fact::Dispatched => tenant.dispatch(id, Epoch(1), at).await,
        Fact::Nacked | Fact::Refused => tenant.refuse(id, &Refusal { fact, code: "why".into() }, at).await,
        Fact::Cancelled => {
            return match tenant.cancel(id, None, at).await.unwrap() {
                Cancelled::Done(_) => true,
                Cancelled::TooLate(_) => false,
                other => panic!("{other:?}"),
            };
        }
        _ => tenant.record(id, fact, at).await,
    };
    match applied.unwrap() {
        Applied::Moved(message) => {
            assert_eq!(*message, home.message(id).await, "the answer is what is stored");
            true
        }
        Applied::Unchanged(_) => false,
        Applied::Missing => panic!("message {id} is missing"),
    }
}

/// How a message comes to a state.
const fn road(state: State) -> &'static [Fact] {
    match state {
        State::Queued => &[],
        State::Held => &[Fact::Held],
        State::Dispatched => &[Fact::Dispatched],
        State::Unknown => &[Fact::Dispatched, Fact::Silence],
        State::Sent => &[Fact::Dispatched, Fact::Acknowledged],
        State::Delivered => &[Fact::Dispatched, Fact::Delivered],
        State::Read => &[Fact::Dispatched, Fact::Read],
        State::Played => &[Fact::Dispatched, Fact::Played],
        State::Failed => &[Fact::Dispatched, Fact::Nacked],
        State::Cancelled => &[Fact::Cancelled],
    }
}

/// What must hold of a message whatever happened to it.
async fn check(home: &Home, message: &Message) {
    let history: Vec<_> = message.history.iter().map(|step| step.state).collect();
    assert_eq!(history.last(), Some(&message.state), "{history:?}");
    assert!(history.windows(2).all(|pair| pair[0] != pair[1] && pair[0].place() <= pair[1].place()), "{history:?}");
    let in_line = home.line().await.contains(&message.id);
    assert_eq!(in_line, message.state.is_open(), "{history:?}");
    let unknown = home.tenant.unknown_messages(home.device, 1_000).await.unwrap();
    assert_eq!(unknown.contains(&message.id), message.state == State::Unknown && !message.refunded, "{history:?}");
    let ended = matches!(message.state, State::Failed | State::Cancelled);
    assert_eq!(message.refunded, ended, "{history:?}");
}

/// The whole table of states and facts.
pub async fn every_fact_moves_each_state_as_the_rules_say(world: World) {
    let home = world.home(1_000).await;
    let mut refunds = 0;
    let mut charged = 0;
    for state in State::ALL {
        for fact in FACTS {
            let id = home.accepted().await.id;
            charged += 1;
            for fact in road(state) {
                assert!(tell(&home, id, *fact).await, "{fact:?} on the way to {state}");
            }
            let before = home.message(id).await;
            assert_eq!(before.state, state);
            let expected = fact.applied_to(state);
            assert_eq!(tell(&home, id, fact).await, expected.is_some(), "{fact:?} at {state}");
            let after = home.message(id).await;
            assert_eq!(after.state, expected.unwrap_or(state));
            let steps = usize::from(expected.is_some()) + usize::from(fact.implies_in(state).is_some());
            assert_eq!(after.history.len(), before.history.len() + steps, "{fact:?} at {state}");
            check(&home, &after).await;
            refunds += i64::from(after.refunded);
            home.has(1_000 - charged + refunds, charged, refunds).await;
            clear(&home, &after).await;
        }
    }
}

/// Takes a message out of the lines, so that looking at them stays cheap.
async fn clear(home: &Home, message: &Message) {
    for turn in home.turns(1_000).await.turns.into_iter().filter(|turn| turn.message == message.id) {
        home.tenant.forget_turn(home.device, turn).await.unwrap();
    }
}

/// Random orders, reproducible by their seed.
pub async fn facts_in_any_order_lead_to_the_state_of_the_rules(world: World) {
    let home = world.home(1_000).await;
    for seed in 0..40_u64 {
        let id = home.accepted().await.id;
        let mut expected = State::Queued;
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for _ in 0..12 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let fact = FACTS[(dice >> 33) as usize % FACTS.len()];
            let moved = tell(&home, id, fact).await;
            assert_eq!(moved, fact.applied_to(expected).is_some(), "seed {seed}: {fact:?} at {expected}");
            expected = fact.applied_to(expected).unwrap_or(expected);
        }
        let message = home.message(id).await;
        assert_eq!(message.state, expected, "seed {seed}");
        check(&home, &message).await;
        clear(&home, &message).await;
    }
    home.balance().await;
}

/// Only the latest owner may write to a socket.
pub async fn dispatch_is_fenced_by_its_epoch(world: World) {
    let home = world.home(5).await;
    let id = home.accepted().await.id;
    let dispatch = |epoch| home.tenant.dispatch(id, Epoch(epoch), home.now());
    assert!(matches!(dispatch(2).await.unwrap(), Applied::Moved(_)));
    assert!(matches!(dispatch(2).await.unwrap(), Applied::Unchanged(message) if message.state == State::Dispatched));
    assert!(matches!(dispatch(3).await.unwrap(), Applied::Unchanged(message) if message.state == State::Dispatched));
    assert!(matches!(dispatch(2).await, Err(PortError::Conflict)), "the owner of epoch 3 has it");
    assert_eq!(home.message(id).await.history.len(), 2);
    tell(&home, id, Fact::Acknowledged).await;
    assert!(matches!(dispatch(3).await.unwrap(), Applied::Unchanged(message) if message.state == State::Sent));
}

/// Waiting longer is no news.
pub async fn a_hold_is_extended_without_a_further_step(world: World) {
    let home = world.home(5).await;
    let id = home.accepted().await.id;
    let (first, second) = (home.now() + Duration::from_secs(5), home.now() + Duration::from_secs(50));
    let Applied::Moved(held) = home.tenant.hold(id, first, "paced", home.now()).await.unwrap() else { panic!() };
    assert_eq!((held.held_until, held.reason()), (Some(first), Some("paced")));
    let Applied::Unchanged(held) = home.tenant.hold(id, second, "paced", home.now()).await.unwrap() else { panic!() };
    assert_eq!((held.held_until, held.history.len()), (Some(second), 2));
    tell(&home, id, Fact::Dispatched).await;
    assert_eq!(home.message(id).await.held_until, None);
    let late = home.tenant.hold(id, second, "paced", home.now()).await.unwrap();
    assert!(matches!(late, Applied::Unchanged(message) if message.state == State::Dispatched));
}

/// Its entry among the scheduled ones stands by a time that no longer counts.
pub async fn a_hold_for_another_reason_is_a_step_and_a_scheduled_message_is_found_when_it_is_due(world: World) {
    let home = world.home(5).await;
    let (due, at) = (home.now() + Duration::from_secs(5), home.now());
    let history = vec![Step { state: State::Held, at, code: Some("scheduled".into()) }];
    let message = Message { state: State::Held, held_until: Some(due), history, ..home.draft(Lane::Single) };
    let id = message.id;
    home.tenant.accept(&Acceptance { message, idempotency: None }).await.unwrap();
    let later = due + Duration::from_mins(1);
    let Applied::Moved(held) = home.tenant.hold(id, later, "media_unreachable", due).await.unwrap() else { panic!() };
    assert_eq!((held.held_until, held.reason(), held.history.len()), (Some(later), Some("media_unreachable"), 2));
    let Applied::Unchanged(held) = home.tenant.hold(id, later, "media_unreachable", due).await.unwrap() else {
        panic!()
    };
    assert_eq!(held.history.len(), 2);
    let line = home.tenant.open_turns(home.device, later, 10).await.unwrap();
    assert_eq!(line.turns.iter().map(|turn| turn.message).collect::<Vec<_>>(), [id]);
}

/// And is read back with the message.
pub async fn what_a_message_carries_is_kept_until_it_is_on_the_wire_and_not_after(world: World) {
    let home = world.home(5).await;
    let media = Media { source: Source::Url("https://example.com/a.png".into()), kind: None, filename: None };
    let message = Message { media: Some(media), ..home.draft(Lane::Single) };
    let id = message.id;
    home.tenant.accept(&Acceptance { message: message.clone(), idempotency: None }).await.unwrap();
    assert_eq!(home.message(id).await.media, message.media);
    assert!(home.tenant.attach(id, b"once").await.unwrap());
    assert!(home.tenant.attach(id, b"twice").await.unwrap());
    tell(&home, id, Fact::Dispatched).await;
    assert!(!home.tenant.attach(id, b"late").await.unwrap());
    assert_eq!(home.message(id).await.attached.as_deref(), Some(&b"twice"[..]));
    assert!(!home.tenant.attach(MessageId(999), b"nothing").await.unwrap());
}

/// And makes none.
pub async fn a_fact_about_no_message_is_missing(world: World) {
    let home = world.home(5).await;
    let (id, at) = (MessageId(999), home.now());
    let refusal = Refusal { fact: Fact::Nacked, code: "x".into() };
    for applied in [
        home.tenant.dispatch(id, Epoch(1), at).await,
        home.tenant.hold(id, at, "paced", at).await,
        home.tenant.record(id, Fact::Read, at).await,
        home.tenant.record(id, Fact::Silence, at).await,
        home.tenant.refuse(id, &refusal, at).await,
    ] {
        assert_eq!(applied.unwrap(), Applied::Missing);
    }
    assert_eq!(home.tenant.cancel(id, None, at).await.unwrap(), Cancelled::Missing);
    assert!(!home.tenant.refund_unknown(id, at).await.unwrap());
    assert_eq!(home.tenant.message(id).await.unwrap(), None);
}

/// Whoever subscribes hears of each step.
pub async fn a_receipt_says_that_the_server_took_the_message_too(world: World) {
    use State::{Delivered, Dispatched, Queued, Read, Sent, Unknown};
    let home = world.home(20).await;
    for (facts, expected) in [
        (vec![Fact::Delivered], vec![Queued, Dispatched, Sent, Delivered]),
        (vec![Fact::Read], vec![Queued, Dispatched, Sent, Read]),
        (vec![Fact::Silence, Fact::Delivered], vec![Queued, Dispatched, Unknown, Sent, Delivered]),
        (vec![Fact::Delivered, Fact::Acknowledged, Fact::Read], vec![Queued, Dispatched, Sent, Delivered, Read]),
        (vec![Fact::Acknowledged, Fact::Delivered], vec![Queued, Dispatched, Sent, Delivered]),
    ] {
        let id = home.accepted().await.id;
        tell(&home, id, Fact::Dispatched).await;
        for fact in facts {
            tell(&home, id, fact).await;
        }
        let message = home.message(id).await;
        assert_eq!(message.history.iter().map(|step| step.state).collect::<Vec<_>>(), expected);
        assert!(home.line().await.is_empty(), "{expected:?}");
        assert!(home.tenant.unknown_messages(home.device, 9).await.unwrap().is_empty(), "{expected:?}");
    }
}
