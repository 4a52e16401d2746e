//! Messages that nobody answered: called `unknown` after a minute, paid back after a day, repaired by a late answer.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::credits::UNKNOWN_PATIENCE;
use hantar_domain::message::{ACK_PATIENCE, Fact, State};
use hantar_platform::faults::FaultPlan;
use hantar_usecases::ports::{Applied, Clock as _};
use hantar_usecases::record_ack::record_ack;
use hantar_usecases::record_receipt::{Receipt, record_receipt};

use crate::home::{Home, moved, unchanged};
use crate::world::World;

const TICK: Duration = Duration::from_micros(1);

async fn ack(home: &Home, id: hantar_domain::ids::MessageId, error: Option<&str>) -> Applied {
    record_ack(home.tenant().as_ref(), &home.process.clock, id, error).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispatched_message_is_called_unknown_after_its_patience_and_not_before() {
    let world = World::new(601).await;
    let home = world.home(10).await;
    let id = home.send("silent").await.id;
    let dispatched = moved(home.dispatch(id).await).updated_at;
    assert_eq!(home.process.sweep_at(dispatched + ACK_PATIENCE - TICK).await.silent, 0);
    assert_eq!(home.message(id).await.state, State::Dispatched);
    assert_eq!(home.process.sweep_at(dispatched + ACK_PATIENCE).await.silent, 1);
    assert_eq!(home.message(id).await.state, State::Unknown);
    assert!(home.line().await.is_empty(), "its turn is over");
    assert_eq!(home.process.sweep_at(dispatched + ACK_PATIENCE).await.silent, 0);
    assert_eq!(home.audit().await.refunded, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_message_is_refunded_after_exactly_a_day_and_once() {
    let world = World::new(602).await;
    let home = world.home(10).await;
    let unknown = home.unknown_message("silent").await;
    let due = unknown.updated_at + UNKNOWN_PATIENCE;
    assert_eq!(home.process.sweep_at(due - TICK).await.refunded, 0);
    assert_eq!(home.audit().await.refunded, 0);
    assert_eq!(home.process.sweep_at(due).await.refunded, 1);
    assert_eq!(home.process.sweep_at(due + UNKNOWN_PATIENCE).await.refunded, 0);
    let balance = home.audit().await;
    assert_eq!((balance.available, balance.charged, balance.refunded), (10, 1, 1));
    assert_eq!(home.message(unknown.id).await.state, State::Unknown);
    assert!(home.tenant().unknown_messages(home.device, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sweepers_at_once_call_a_message_unknown_once_and_refund_it_once() {
    let world = World::new(603).await;
    let home = world.home(100).await;
    world.faults.set_plan(FaultPlan::conflicting());
    for round in 1..=8 {
        let id = home.send("silent").await.id;
        let dispatched = moved(home.dispatch(id).await).updated_at;
        let sweep_at = |moment| {
            let processes = [world.process(), world.process()];
            async move { join_all(processes.iter().map(|process| process.try_sweep_at(moment))).await }
        };
        let swept = sweep_at(dispatched + ACK_PATIENCE).await;
        // One that was outrun in every try says so; a later sweep would look again.
        assert_eq!(swept.iter().flatten().map(|swept| swept.silent).sum::<usize>(), 1, "{swept:?}");
        let unknown = home.message(id).await;
        assert_eq!((unknown.state, unknown.history.len()), (State::Unknown, 3));
        let swept = sweep_at(unknown.updated_at + UNKNOWN_PATIENCE).await;
        assert_eq!(swept.iter().flatten().map(|swept| swept.refunded).sum::<usize>(), 1, "{swept:?}");
        assert_eq!(home.audit().await.refunded, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_acknowledgement_repairs_the_state_and_charges_nothing() {
    let world = World::new(604).await;
    let home = world.home(10).await;
    let unknown = home.unknown_message("late").await;
    let before = home.audit().await;
    let sent = moved(ack(&home, unknown.id, None).await);
    assert_eq!((sent.state, sent.refunded), (State::Sent, false));
    assert_eq!(home.audit().await, before);
    assert_eq!(
        home.process.sweep_at(unknown.updated_at + 2 * UNKNOWN_PATIENCE).await.refunded,
        0,
        "what was sent is paid"
    );
    assert_eq!(home.audit().await, before);
    assert_eq!(unchanged(ack(&home, unknown.id, None).await).state, State::Sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_after_the_refund_repairs_the_state_and_leaves_the_credit_where_it_is() {
    let world = World::new(605).await;
    let home = world.home(10).await;
    let unknown = home.unknown_message("very late").await;
    home.process.sweep_at(unknown.updated_at + UNKNOWN_PATIENCE).await;
    let before = home.audit().await;
    assert_eq!(before.refunded, 1);
    let sent = moved(ack(&home, unknown.id, None).await);
    assert_eq!((sent.state, sent.refunded), (State::Sent, true));
    let tenant = home.tenant();
    let read = moved(record_receipt(tenant.as_ref(), &world.clock, unknown.id, Receipt::Read).await.unwrap());
    assert_eq!((read.state, read.refunded), (State::Read, true));
    assert_eq!(home.audit().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_nack_fails_the_message_and_refunds_it_once() {
    let world = World::new(606).await;
    let home = world.home(10).await;
    let (fresh, refunded) = (home.unknown_message("fresh").await, home.unknown_message("refunded").await);
    assert!(home.tenant().refund_unknown(refunded.id, world.clock.now()).await.unwrap());
    assert_eq!(home.audit().await.refunded, 1);
    for (message, expected) in [(&refunded, 1), (&fresh, 2)] {
        let failed = moved(ack(&home, message.id, Some("463")).await);
        assert_eq!((failed.state, failed.reason(), failed.refunded), (State::Failed, Some("whatsapp_463"), true));
        assert_eq!(home.audit().await.refunded, expected);
        unchanged(ack(&home, message.id, Some("463")).await);
        unchanged(ack(&home, message.id, None).await);
    }
    assert_eq!(home.process.sweep_at(fresh.updated_at + 3 * UNKNOWN_PATIENCE).await.refunded, 0);
    let balance = home.audit().await;
    assert_eq!((balance.available, balance.refunded), (10, 2));
    assert!(home.tenant().unknown_messages(home.device, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_implies_the_acknowledgement_that_was_lost() {
    let world = World::new(607).await;
    let home = world.home(10).await;
    for receipt in [Receipt::Delivered, Receipt::Read, Receipt::Played] {
        let id = home.unknown_message("heard of late").await.id;
        let tenant = home.tenant();
        moved(record_receipt(tenant.as_ref(), &world.clock, id, receipt).await.unwrap());
        unchanged(record_receipt(tenant.as_ref(), &world.clock, id, Receipt::Delivered).await.unwrap());
        unchanged(ack(&home, id, None).await);
    }
    assert_eq!(home.audit().await.refunded, 0);
    assert!(home.tenant().unknown_messages(home.device, 10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nack_and_the_refund_of_silence_racing_pay_back_once() {
    let world = World::new(608).await;
    let home = world.home(100).await;
    world.faults.set_plan(FaultPlan::conflicting());
    for round in 1..=10 {
        let unknown = home.unknown_message("both").await;
        let (other, sweeper) = (home.seen_by(world.process()), world.process());
        let nacked = tokio::spawn(async move { ack(&other, unknown.id, Some("479")).await });
        let swept = tokio::spawn(async move { sweeper.try_sweep_at(unknown.updated_at + UNKNOWN_PATIENCE).await });
        assert_eq!(moved(nacked.await.unwrap()).state, State::Failed);
        swept.await.unwrap().unwrap();
        let failed = home.message(unknown.id).await;
        assert_eq!((failed.state, failed.refunded), (State::Failed, true));
        assert_eq!(home.audit().await.refunded, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_never_called_silent() {
    let world = World::new(609).await;
    let home = world.home(10).await;
    let id = home.send("answered").await.id;
    home.dispatch(id).await;
    moved(ack(&home, id, None).await);
    assert_eq!(unchanged(home.learn(id, Fact::Silence).await).state, State::Sent);
}
