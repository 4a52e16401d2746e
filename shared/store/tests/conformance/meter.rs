//! What things cost: write units as AWS bills them, read off the engine's answers.

use std::future::Future;

use hantar_domain::ids::{CommandId, EndpointId, Epoch};
use hantar_domain::message::{Fact, Lane, Message};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::webhook::{EventId, EventKind};
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::faults::{FaultPlan, FaultyClient};
use hantar_usecases::ports::{Acceptance, Answer, Ask, Attempt, Command, Delivery, DeliveryState, Person, Refusal};

use super::support::{in_process, world};

/// Runs a piece of work and answers the write units it took.
async fn units<T>(faulty: &FaultyClient, what: &str, work: impl Future<Output = T>) -> f64 {
    faulty.reset();
    work.await;
    let units: f64 = faulty.write_units().values().sum();
    println!("{units:>5} write units: {what}");
    units
}

#[tokio::test]
async fn the_way_of_a_message_takes_few_write_units() {
    let faulty = FaultyClient::new(DynamoEngine::in_memory().unwrap().http_client(), FaultPlan::default(), 1);
    let world = world(in_process(faulty.http_client())).await;
    let home = world.home(100).await;
    let (tenant, keys) = (&home.tenant, &world.keys);
    let draft = || Message { body: "x".repeat(300), ..home.draft(Lane::Single) };
    let message = draft();
    let id = message.id;
    let accept = Acceptance { message, idempotency: None };
    let accept = units(&faulty, "accept", tenant.accept(&accept)).await;
    let keyed = Acceptance { message: draft(), idempotency: Some(home.key(1, 1)) };
    let with_key = units(&faulty, "accept under a key", tenant.accept(&keyed)).await;
    let dispatch = units(&faulty, "dispatch", tenant.dispatch(id, Epoch(1), home.now())).await;
    let ack = units(&faulty, "acknowledged", tenant.record(id, Fact::Acknowledged, home.now())).await;
    let delivered = units(&faulty, "delivered", tenant.record(id, Fact::Delivered, home.now())).await;
    let read = units(&faulty, "read", tenant.record(id, Fact::Read, home.now())).await;
    let session =
        [("session:1".to_owned(), vec![0; 900]), ("sender".to_owned(), vec![0; 100]), ("id".to_owned(), vec![0; 40])];
    let device = home.device;
    let engine = units(&faulty, "three keys of the session", keys.put_all(device, Epoch(1), &session)).await;
    assert!(accept <= 6.0 && with_key <= 8.0);
    let whole = accept + dispatch + ack + delivered + read + engine;
    println!("{whole:>5} write units from accept to read");
    assert!(whole <= 16.0, "{whole}");

    let other = keyed.message.id;
    units(&faulty, "hold", tenant.hold(other, home.now(), "paced", home.now())).await;
    units(&faulty, "cancel", tenant.cancel(other, None, home.now())).await;
    let third = home.accepted().await.id;
    tenant.dispatch(third, Epoch(1), home.now()).await.unwrap();
    units(&faulty, "silence", tenant.record(third, Fact::Silence, home.now())).await;
    units(&faulty, "refund of an unknown one", tenant.refund_unknown(third, home.now())).await;
    let fourth = home.accepted().await.id;
    tenant.dispatch(fourth, Epoch(1), home.now()).await.unwrap();
    let nack = Refusal { fact: Fact::Nacked, code: "whatsapp_463".into() };
    units(&faulty, "nack", tenant.refuse(fourth, &nack, home.now())).await;
    let acceptances: Vec<_> = (0..25).map(|_| Acceptance { message: draft(), idempotency: None }).collect();
    let group = futures::future::join_all(acceptances.iter().map(|one| tenant.accept(one)));
    let group = units(&faulty, "25 accepted at once", group).await;
    assert!(group <= 25.0 * 6.0);
    let delivery = Delivery {
        endpoint: EndpointId(1),
        event: EventId("msg_1_1_0".into()),
        kind: EventKind::MessageStatus,
        body: "x".repeat(600),
        state: DeliveryState::Pending,
        due_at: home.now(),
        attempts: vec![],
    };
    units(&faulty, "delivery added", tenant.add_delivery(&delivery)).await;
    let later = home.now();
    units(&faulty, "delivery claimed", tenant.claim_delivery(&delivery, later)).await;
    let attempt =
        Attempt { at: later, took: std::time::Duration::ZERO, status: Some(200), failure: None, excerpt: "ok".into() };
    let made = tenant.record_attempt(&delivery, 0, &attempt, DeliveryState::Delivered, later);
    units(&faulty, "delivery made", made).await;
    let ask = Ask::Number(PhoneNumber::from_e164("60123456789").unwrap());
    let id = CommandId([1; 16]);
    let command = Command { id, device, ask, expires_at: home.now() + std::time::Duration::from_secs(10) };
    let person = Person { jid: "60123456789@s.whatsapp.net".into(), lid: Some("100000000000001".into()) };
    let answer = Ok(Answer::Number(Some(person)));
    let asked = units(&faulty, "command put", tenant.put_command(&command)).await;
    let taken = units(&faulty, "command taken", tenant.take_command(device, id, Epoch(1))).await;
    let answered = units(&faulty, "command answered", tenant.answer_command(id, Epoch(1), &answer)).await;
    assert!(asked + taken + answered <= 3.0);
}
