//! Accepting messages, and taking them back.

use std::time::Duration;

use hantar_domain::ids::{DeviceId, MessageId};
use hantar_domain::message::{Lane, MAX_BODY_CHARS, State};
use hantar_domain::phone::PhoneError;
use hantar_platform::faults::FaultPlan;
use hantar_usecases::cancel_message::cancel_message;
use hantar_usecases::ports::{Applied, Cancelled, Clock as _};
use hantar_usecases::receive_messages::receive_messages;
use hantar_usecases::send_message::{Draft, FieldProblem, MAX_LABEL_CHARS, Problem, SendError, problems};

use crate::home::{Home, draft, incoming, keyed};
use crate::world::World;

const DAY: Duration = Duration::from_hours(24);

fn invalid(error: SendError) -> Vec<(&'static str, Problem)> {
    match error {
        SendError::Invalid(found) => {
            found.into_iter().map(|FieldProblem { field, problem }| (field, problem)).collect()
        }
        other => panic!("{other:?}"),
    }
}

async fn cancel(home: &Home, id: MessageId, key: Option<&str>) -> Cancelled {
    cancel_message(home.tenant().as_ref(), &home.process.clock, id, key).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_of_a_draft_are_named_at_once_and_nothing_is_written() {
    let world = World::new(701).await;
    let home = world.home(10).await;
    home.send("draws a block of numbers").await;
    let before = world.items().await;
    let long = "x".repeat(MAX_LABEL_CHARS + 1);
    let wrong = Draft {
        phone: "not a number".into(),
        body: " \n".into(),
        name: Some(long.clone()),
        external_id: Some(long),
        device: Some(DeviceId(999)),
        scheduled_at: Some((world.clock.now() + 400 * DAY).into()),
        idempotency: Some(("key".into(), b"request".to_vec())),
        ..Draft::default()
    };
    let expected = [
        ("phone", Problem::Phone { adjective: "Malaysian".into(), error: PhoneError::Invalid }),
        ("body", Problem::Required),
        ("name", Problem::TooLong(MAX_LABEL_CHARS)),
        ("external_id", Problem::TooLong(MAX_LABEL_CHARS)),
        ("device", Problem::NoDevice),
        ("scheduled_at", Problem::TooFarAhead),
    ];
    let named = problems(home.tenant().as_ref(), &world.clock, home.account, &wrong).await.unwrap();
    assert_eq!(named.into_iter().map(|one| (one.field, one.problem)).collect::<Vec<_>>(), expected);
    assert_eq!(invalid(home.try_send(wrong).await.unwrap_err()), expected);
    assert!(world.items().await == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_is_judged_by_its_own_rule() {
    let world = World::new(702).await;
    let home = world.home(10).await;
    let foreign = Problem::Phone { adjective: "Malaysian".into(), error: PhoneError::OtherRegion };
    let cases = [
        (Draft { phone: String::new(), ..draft("a") }, "phone", Problem::Required),
        (Draft { phone: "+14155552671".into(), ..draft("a") }, "phone", foreign),
        (draft(""), "body", Problem::Required),
        (draft(&"é".repeat(MAX_BODY_CHARS + 1)), "body", Problem::TooLong(MAX_BODY_CHARS)),
        (
            Draft { name: Some("n".repeat(255)), ..draft(&"{{name}}".repeat(17)) },
            "body",
            Problem::TooLong(MAX_BODY_CHARS),
        ),
        (Draft { name: Some(" ".into()), ..draft("{{name}}") }, "body", Problem::Required),
    ];
    for (wrong, field, problem) in cases {
        assert_eq!(invalid(home.try_send(wrong).await.unwrap_err()), [(field, problem)]);
    }
    let longest =
        Draft {
            name: Some("n".repeat(255)), external_id: Some("e".repeat(255)), ..draft(&"é".repeat(MAX_BODY_CHARS))
        };
    home.try_send(longest).await.unwrap();
    assert_eq!(home.audit().await.charged, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_message_is_stored_charged_and_in_its_devices_line_when_it_is_answered() {
    let world = World::new(703).await;
    let home = world.home(10).await;
    let sent = Draft {
        phone: "012-345 6789".into(),
        name: Some("Siti Aminah".into()),
        ..draft("Hi {{first_name}}, {{shop}}")
    };
    let sent = Draft { attributes: vec![("shop".into(), "Kedai".into())], external_id: Some("order-7".into()), ..sent };
    let message = home.try_send(sent).await.unwrap();
    assert_eq!(message, home.message(message.id).await);
    assert_eq!((message.phone.as_ref().unwrap().as_str(), &*message.body), ("+60123456789", "Hi Siti, Kedai"));
    assert_eq!((message.state, message.lane, message.device), (State::Queued, Lane::Single, home.device));
    let device = home.tenant().device(home.device).await.unwrap().unwrap();
    assert_eq!(message.stanza.message(&device.stanza_key), Some(message.id));
    assert_eq!(home.line().await, [message.id]);
    assert_eq!(home.audit().await.available, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lane_follows_from_who_wrote_last_and_lines_keep_the_order_of_acceptance() {
    let world = World::new(704).await;
    let home = world.home(10).await;
    let campaign = home.try_send(Draft { campaign: true, ..draft("row") }).await.unwrap();
    let single = home.send("first").await;
    let (tenant, process) = (home.tenant(), &home.process);
    let hello = vec![incoming("IN1", "hello")];
    receive_messages(tenant.as_ref(), &process.numbers, &process.clock, home.account, home.device, hello)
        .await
        .unwrap();
    let replies = [home.send("answer").await, home.send("and another").await];
    assert_eq!((campaign.lane, single.lane, replies[0].lane), (Lane::Campaign, Lane::Single, Lane::Reply));
    world.clock.advance(DAY + Duration::from_secs(1));
    let later = home.send("a day later").await;
    assert_eq!(later.lane, Lane::Single);
    assert_eq!(home.line().await, [replies[0].id, replies[1].id, single.id, later.id, campaign.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_later_is_held_until_then_and_one_for_the_past_is_queued() {
    let world = World::new(705).await;
    let home = world.home(10).await;
    let due = world.clock.now() + DAY;
    let held = home.try_send(Draft { scheduled_at: Some(due.into()), ..draft("later") }).await.unwrap();
    assert_eq!((held.state, held.held_until, held.reason()), (State::Held, Some(due), Some("scheduled")));
    let past = Draft { scheduled_at: Some(world.clock.now().into()), ..draft("now") };
    let queued = home.try_send(past).await.unwrap();
    assert_eq!((queued.state, queued.held_until), (State::Queued, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_under_the_same_key_answers_the_first_message_and_charges_nothing() {
    let world = World::new(706).await;
    let home = world.home(2).await;
    let first = home.try_send(keyed("hello", "k1")).await.unwrap();
    home.dispatch(first.id).await;
    for _ in 0..3 {
        let again = home.seen_by(world.process()).try_send(keyed("hello", "k1")).await.unwrap();
        assert_eq!((again.id, again.state), (first.id, State::Dispatched), "as it is now");
    }
    home.send("the last credit").await;
    assert_eq!(home.try_send(keyed("hello", "k1")).await.unwrap().id, first.id, "also with no credit left");
    assert_eq!(home.audit().await.charged, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_for_a_day() {
    let world = World::new(707).await;
    let home = world.home(10).await;
    let first = home.try_send(keyed("hello", "k1")).await.unwrap();
    world.clock.advance_to(first.accepted_at + DAY - Duration::from_secs(2));
    assert_eq!(home.try_send(keyed("hello", "k1")).await.unwrap().id, first.id);
    world.clock.advance_to(first.accepted_at + DAY + Duration::from_secs(2));
    assert_ne!(home.try_send(keyed("hello", "k1")).await.unwrap().id, first.id);
    assert_eq!(home.audit().await.charged, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stands_for_another_request_is_refused_and_nothing_is_written() {
    let world = World::new(708).await;
    let home = world.home(10).await;
    home.try_send(keyed("hello", "k1")).await.unwrap();
    let before = world.items().await;
    let error = home.try_send(keyed("something else", "k1")).await.unwrap_err();
    assert!(matches!(error, SendError::KeyReused), "{error:?}");
    assert!(world.items().await == before);
    let other = world.home(10).await;
    other.try_send(keyed("something else", "k1")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_under_one_key_make_one_message() {
    let world = World::new(709).await;
    let home = world.home(100).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let homes = [1, 2, 3].map(|_| home.seen_by(world.process()));
    let clients: Vec<_> = (0..24)
        .map(|client| {
            let home = homes[client % 3].clone();
            tokio::spawn(async move { home.try_send(keyed("hello", "k1")).await })
        })
        .collect();
    let mut ids = std::collections::BTreeSet::new();
    for client in clients {
        ids.insert(client.await.unwrap().unwrap().id);
    }
    assert_eq!((ids.len(), home.audit().await.charged), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credits_nothing_is_written_and_with_some_the_same_request_goes_through() {
    let world = World::new(710).await;
    let home = world.home(1).await;
    home.send("the only credit").await;
    let before = world.items().await;
    for wanted in [draft("refused"), keyed("refused", "k1")] {
        let error = home.try_send(wanted).await.unwrap_err();
        assert!(matches!(error, SendError::Credits { required: 1, balance: 0 }), "{error:?}");
    }
    let after = world.items().await;
    assert_eq!(after.len(), before.len());
    assert!(after == before);
    home.tenant().grant(1, "top-up", world.clock.now()).await.unwrap();
    home.try_send(keyed("refused", "k1")).await.unwrap();
    assert_eq!(home.audit().await.available, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_crowd_as_many_are_served_as_there_are_credits() {
    let world = World::new(711).await;
    let home = world.home(37).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let homes = [1, 2].map(|_| home.seen_by(world.process()));
    let clients: Vec<_> = (0..60)
        .map(|client| {
            let home = homes[client % 2].clone();
            tokio::spawn(async move { home.try_send(draft("hello")).await })
        })
        .collect();
    let (mut served, mut refused) = (0, 0);
    for client in clients {
        match client.await.unwrap() {
            Ok(_) => served += 1,
            Err(SendError::Credits { balance: 0, .. }) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((served, refused, home.audit().await.available), (37, 23, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_cancelled_and_refunded_until_it_is_dispatched() {
    let world = World::new(712).await;
    let home = world.home(10).await;
    let queued = home.send("queued").await.id;
    let held = home
        .try_send(Draft { scheduled_at: Some((world.clock.now() + DAY).into()), ..draft("held") })
        .await
        .unwrap()
        .id;
    for id in [queued, held] {
        let Cancelled::Done(message) = cancel(&home, id, None).await else { panic!() };
        assert_eq!((message.state, message.refunded), (State::Cancelled, true));
        assert!(matches!(cancel(&home, id, None).await, Cancelled::TooLate(_)));
    }
    assert!(home.line().await.is_empty());
    let on_the_wire = home.send("on the wire").await.id;
    home.dispatch(on_the_wire).await;
    assert!(matches!(cancel(&home, on_the_wire, None).await, Cancelled::TooLate(_)));
    assert_eq!(cancel(&home, MessageId(999), None).await, Cancelled::Missing);
    let other = world.home(1).await;
    assert_eq!(cancel(&other, on_the_wire, None).await, Cancelled::Missing, "another account's");
    let balance = home.audit().await;
    assert_eq!((balance.available, balance.refunded), (9, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_cancellation_under_one_key_answers_the_same_and_refunds_once() {
    let world = World::new(713).await;
    let home = world.home(10).await;
    let (one, two) = (home.send("one").await.id, home.send("two").await.id);
    for _ in 0..3 {
        assert!(matches!(cancel(&home, one, Some("k")).await, Cancelled::Done(_)));
    }
    assert_eq!(cancel(&home, two, Some("k")).await, Cancelled::KeyReused);
    assert_eq!(home.audit().await.refunded, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_cancel_and_dispatch_one_wins_and_the_money_follows_the_winner() {
    let world = World::new(714).await;
    let home = world.home(1000).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let (api, host) = (home.seen_by(world.process()), home.seen_by(world.process()));
    let mut refunded = 0;
    for round in 0..60 {
        let id = home.send("contested").await.id;
        let cancelling = api.clone();
        let cancelling = async move { cancel(&cancelling, id, None).await };
        let dispatching = host.clone();
        let dispatching = async move { dispatching.dispatch(id).await };
        // Each of the two comes first in some rounds; in the others the machine decides.
        let (cancelled, dispatched) = match round % 6 {
            0 => (cancelling.await, dispatching.await),
            1 => {
                let dispatched = dispatching.await;
                (cancelling.await, dispatched)
            }
            _ => {
                let (cancelling, dispatching) = (tokio::spawn(cancelling), tokio::spawn(dispatching));
                (cancelling.await.unwrap(), dispatching.await.unwrap())
            }
        };
        let state = home.message(id).await.state;
        match (cancelled, dispatched) {
            (Cancelled::Done(_), Applied::Unchanged(_)) => {
                assert_eq!(state, State::Cancelled);
                refunded += 1;
            }
            (Cancelled::TooLate(_), Applied::Moved(_)) => assert_eq!(state, State::Dispatched),
            both => panic!("round {round}: {both:?}, {state}"),
        }
    }
    assert!((10..=50).contains(&refunded));
    assert_eq!(home.audit().await.refunded, refunded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_received_message_is_stored_once_costs_nothing_and_is_not_another_chats_message() {
    let world = World::new(715).await;
    let home = world.home(10).await;
    for batch in [vec!["A", "B", "A"], vec!["B", "C"], vec!["C"]] {
        let (tenant, process) = (home.tenant(), world.process());
        let batch = batch.into_iter().map(|stanza| incoming(stanza, "hi")).collect();
        receive_messages(tenant.as_ref(), &process.numbers, &process.clock, home.account, home.device, batch)
            .await
            .unwrap();
    }
    let mut elsewhere = incoming("A", "the same id in a group");
    elsewhere.chat = "123@g.us".into();
    let (tenant, process) = (home.tenant(), &home.process);
    receive_messages(tenant.as_ref(), &process.numbers, &process.clock, home.account, home.device, vec![elsewhere])
        .await
        .unwrap();
    assert_eq!(home.messages().await.len(), 4);
    assert_eq!(home.audit().await.charged, 0);
}
