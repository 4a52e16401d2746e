use hantar_domain::ids::Epoch;
use hantar_domain::message::{Fact, State};
use hantar_platform::faults::{Calls, Throttle, ThrottleError, When};
use hantar_simulator::{Fault, FaultKind};

use crate::world::{ALI, SHOP, World};

/// More refusals than a test lives to see.
const MANY: u32 = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_accepted_message_reaches_the_phone_once_and_its_state_goes_to_read() {
    let (world, _host) = World::linked().await;
    let id = world.send(ALI, "your parcel is here").await;
    assert_eq!(world.shown(1).await, ["your parcel is here"]);
    world.message_until(id, State::Delivered).await;
    world.network().mark_read(ALI, None).unwrap();
    let message = world.message_until(id, State::Read).await;
    let states: Vec<_> = message.history.iter().map(|step| step.state).collect();
    assert_eq!(states.first(), Some(&State::Queued));
    assert_eq!(states[1], State::Dispatched);
    assert_eq!(states.last(), Some(&State::Read));
    assert!(states.windows(2).all(|pair| pair[0].place() < pair[1].place()), "{states:?}");
    assert_eq!(world.stanzas_of(id).await.len(), 1);
    assert!(
        world.shop.tenant.open_turns(world.shop.device, world.tables.clock.now(), 10).await.unwrap().turns.is_empty()
    );
    assert_eq!(world.shop.tenant.balance().await.unwrap().available, 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_fails_with_its_code_and_is_paid_back() {
    let (world, _host) = World::linked().await;
    world.network().add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::Nack { code: 463 }) }).unwrap();
    let refused = world.send(ALI, "hello stranger").await;
    let message = world.message_until(refused, State::Failed).await;
    assert_eq!(message.reason(), Some("whatsapp_463"));
    assert!(message.refunded);
    world.send(ALI, "and again").await;
    assert_eq!(world.shown(1).await, ["and again"]);
    assert_eq!(world.shop.tenant.balance().await.unwrap().available, 999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_on_whatsapp_is_refused_before_anything_is_written() {
    let (world, _host) = World::linked().await;
    let id = world.send("60199999999", "anybody there?").await;
    let message = world.message_until(id, State::Failed).await;
    assert_eq!(message.reason(), Some("not_on_whatsapp"));
    assert!(message.refunded);
    assert!(world.stanzas_of(id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_in_the_order_of_their_acceptance() {
    let (world, _host) = World::linked().await;
    let texts: Vec<String> = (0..40).map(|n| format!("number {n}")).collect();
    for text in &texts {
        world.accept(ALI, text, false).await;
    }
    world.ring().await;
    assert_eq!(world.shown(40).await, texts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_does_not_wait_behind_campaign_rows() {
    let (world, _host) = World::linked().await;
    for n in 0..20 {
        world.accept(ALI, &format!("row {n}"), true).await;
    }
    world.ring().await;
    world.shown(1).await;
    world.send(ALI, "single").await;
    let shown = world.shown(12).await;
    let place = shown.iter().position(|text| text == "single").unwrap();
    assert!(place < 8, "{shown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_received_text_is_stored_once_and_acknowledged_only_then() {
    let (world, _host) = World::linked().await;
    // Whatever holds these words cannot be stored for now.
    let calls = Calls { operation: None, containing: Some("is it open?".into()), when: When::Next(MANY) };
    let refused = Throttle { calls, error: ThrottleError::RequestLimitExceeded };
    world.tables.faults.change(|plan| plan.throttles.push(refused));
    let id = world.network().send_text(ALI, SHOP, "is it open?").unwrap();
    let receipts = || {
        let filter = hantar_simulator::StanzaFilter {
            id: Some(id.clone()),
            tag: Some("receipt".into()),
            direction: Some(hantar_simulator::StanzaDirection::In),
            ..Default::default()
        };
        world.network().stanzas(&filter).into_iter().filter(|stanza| stanza.phone.as_deref() == Some(SHOP)).count()
    };
    let tried = || world.tables.faults.plan().throttles.first().is_some_and(|rule| rule.calls.when != When::Next(MANY));
    world.until("somebody to try to store it", async || tried().then_some(())).await;
    assert_eq!(receipts(), 0, "it was acknowledged although nobody has it");
    world.tables.faults.change(|plan| plan.throttles.clear());
    let received = world.until("the text", async || world.received().await.pop()).await;
    assert_eq!(received.body, "is it open?");
    world.until("its receipt", async || (receipts() == 1).then_some(())).await;
    assert_eq!(world.received().await.len(), 1);
    assert_eq!(received.phone.unwrap().digits(), ALI);
    assert_eq!(received.name.as_deref(), Some("Ali"));
    assert!(received.lid.unwrap().ends_with("@lid"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_the_host_was_away_is_stored_once() {
    let (world, host) = World::linked().await;
    host.drain().await;
    for n in 0..60 {
        world.network().send_text(ALI, SHOP, &format!("question {n}")).unwrap();
    }
    let _host = world.host().await;
    let received =
        world.until("all questions", async || Some(world.received().await).filter(|all| all.len() >= 60)).await;
    assert_eq!(received.len(), 60);
    assert_eq!(received[59].body, "question 0");
    world
        .until("all to be acknowledged", async || {
            (world.network().phone(SHOP).unwrap().devices[0].queued == 0).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_stored_keys_connect_and_send() {
    let (world, host) = World::linked().await;
    world.send(ALI, "before").await;
    world.shown(1).await;
    host.drain().await;
    let left = world.shop.device().await;
    assert_eq!(left.reason.as_deref(), Some("host_stopping"));
    let waiting = world.send(ALI, "accepted while nobody was there").await;
    let _host = world.host().await;
    assert_eq!(world.shown(2).await, ["before", "accepted while nobody was there"]);
    world.message_until(waiting, State::Delivered).await;
    assert_eq!(world.network().phone(SHOP).unwrap().devices.len(), 1, "no second pairing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_between_dispatch_and_write_is_mended_under_the_same_id() {
    let (world, host) = World::linked().await;
    host.drain().await;
    let id = world.accept(ALI, "on the brink", false).await;
    // As far as a host comes that dies right before the write.
    world.shop.tenant.dispatch(id, Epoch(1), world.tables.clock.now()).await.unwrap();
    let later = world.accept(ALI, "new work", false).await;
    let _host = world.host().await;
    assert_eq!(world.shown(2).await, ["on the brink", "new work"]);
    world.message_until(id, State::Delivered).await;
    world.message_until(later, State::Delivered).await;
    assert_eq!(world.stanzas_of(id).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_between_write_and_answer_shows_one_message_and_two_stanzas() {
    let (world, host) = World::linked().await;
    world.network().add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::HoldAck) }).unwrap();
    world.network().add_fault(Fault { count: Some(1), ..Fault::new(FaultKind::NoReceipts) }).unwrap();
    let id = world.send(ALI, "once only").await;
    world.shown(1).await;
    assert_eq!(world.message(id).await.state, State::Dispatched);
    drop(host);
    let _host = world.host().await;
    world.until("the second stanza", async || (world.stanzas_of(id).await.len() == 2).then_some(())).await;
    world
        .until("its answer", async || (world.message(id).await.state.place() >= State::Sent.place()).then_some(()))
        .await;
    world.send(ALI, "after").await;
    assert_eq!(world.shown(2).await, ["once only", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_called_unknown_while_nobody_was_there_is_still_written_unless_it_was_refunded() {
    let (world, host) = World::linked().await;
    host.drain().await;
    let (tenant, clock) = (&world.shop.tenant, &world.tables.clock);
    let lost = world.accept(ALI, "called unknown", false).await;
    let refunded = world.accept(ALI, "paid back", false).await;
    for id in [lost, refunded] {
        // A host died right before the write, and nobody came for longer than an answer is awaited.
        tenant.dispatch(id, Epoch(1), clock.now()).await.unwrap();
        tenant.record(id, Fact::Silence, clock.now()).await.unwrap();
    }
    assert!(tenant.refund_unknown(refunded, clock.now()).await.unwrap());
    let later = world.accept(ALI, "new work", false).await;
    let _host = world.host().await;
    world.message_until(later, State::Delivered).await;
    world.message_until(lost, State::Delivered).await;
    assert_eq!(world.shown(2).await, ["called unknown", "new work"]);
    assert_eq!(world.message(refunded).await.state, State::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn deaths_at_any_moment_of_traffic_both_ways_lose_nothing_that_comes_in() {
    const ROUNDS: usize = 5;
    const EACH: usize = 20;
    // When the process dies, by how many came in meanwhile.
    let deaths = [1, 13, 4, 18, 9];
    let (world, host) = World::linked().await;
    let mut host = Some(host);
    for (round, death) in deaths.into_iter().enumerate().take(ROUNDS) {
        let before = world.received().await.len();
        for number in 0..EACH {
            world.network().send_text(ALI, SHOP, &format!("question {round}.{number}")).unwrap();
            // What is sent makes the library store its sessions, whatever it is reading.
            world.send(ALI, &format!("answer {round}.{number}")).await;
        }
        world.until("some questions", async || (world.received().await.len() >= before + death).then_some(())).await;
        drop(host.take());
        host = Some(world.host().await);
    }
    let mut expected: Vec<_> =
        (0..ROUNDS).flat_map(|round| (0..EACH).map(move |number| format!("question {round}.{number}"))).collect();
    let all = ROUNDS * EACH;
    let received =
        world.until("all questions", async || Some(world.received().await).filter(|texts| texts.len() >= all)).await;
    let mut received: Vec<_> = received.into_iter().map(|message| message.body).collect();
    received.sort();
    expected.sort();
    assert_eq!(received, expected);
    assert_eq!(world.shown(all).await.len(), all, "and of the answers each came once");
}
