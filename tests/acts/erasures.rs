//! Forgetting a person: what goes, what stays, and the proof.

use std::time::Duration;

use hantar_domain::campaign::Fate;
use hantar_domain::ids::{CampaignId, ErasureId};
use hantar_domain::message::{Fact, State};
use hantar_usecases::ports::{MessageFilter, Work};
use hantar_usecases::receive_messages::receive_messages;
use serde_json::json;

use crate::campaign::{draft as draft_of, phone as customer};
use crate::door::Door;
use crate::home::{Home, draft, incoming};
use crate::world::World;

const ABU: &str = "+60129999999";

/// Rings for due work and does it.
async fn work(world: &World, home: &Home) -> usize {
    world.clock.advance(Duration::from_secs(1));
    home.process.sweep_work().await;
    home.process.work().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_forgotten_and_the_proof_names_nobody() {
    let world = World::new(411).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let contact = json!({"phone": "0123456789", "name": "Ali bin Abu", "attributes": {"secret": "of Ali"}});
    let id = door.post("/api/v1/contacts", &contact).await.data()["id"].clone();
    let sent = home.send("Hello Ali").await.id;
    home.dispatch(sent).await;
    home.learn(sent, Fact::Acknowledged).await;
    let queued = home.send("Ali, one more").await.id;
    let mut other = draft("Hello Abu");
    other.phone = ABU.into();
    let other = home.try_send(other).await.unwrap().id;
    let tenant = home.tenant();
    let (numbers, clock) = (&home.process.numbers, &home.process.clock);
    let says = vec![incoming("S1", "Ali says")];
    receive_messages(&*tenant, numbers, clock, home.account, home.device, says).await.unwrap();

    let asked = door.post("/api/v1/contact-erasures", &json!({ "contact_id": id })).await;
    asked.is("erasure_begun");
    assert_eq!(door.get(&format!("/api/v1/contacts/{id}")).await.code(), 404, "the contact is gone at once");
    assert!(work(&world, &home).await >= 1);
    let path = format!("/api/v1/contact-erasures/{}", asked.data()["id"]);
    door.get(&path).await.is("erasure_done");

    let messages = tenant.list_messages(&MessageFilter::default(), None, 10).await.unwrap().messages;
    for message in messages.iter().filter(|message| message.id != other) {
        assert_eq!((message.body.as_str(), &message.phone, &message.name, &message.lid), ("", &None, &None, &None));
    }
    assert_eq!(messages.len(), 4);
    assert_eq!(home.message(queued).await.state, State::Cancelled);
    assert_eq!(home.message(other).await.body, "Hello Abu");
    let balance = tenant.balance().await.unwrap();
    assert_eq!((balance.available, balance.refunded), (8, 1));
    let left: Vec<_> = world.items().await.into_iter().filter(|(_, item)| names_ali(&item.to_string())).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The number, the name, an attribute, or a word of a message. Word entries are folded.
fn names_ali(item: &str) -> bool {
    ["60123456789", "98765432106", "Ali", "\"ali"].iter().any(|trace| item.contains(trace))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_on_the_wire_is_waited_for() {
    let world = World::new(412).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let (answered, lost) = (home.send("Hello Ali").await.id, home.send("Ali again").await.id);
    home.dispatch(answered).await;
    home.dispatch(lost).await;
    let asked = door.post("/api/v1/contact-erasures", &json!({"phone": "012-3456789"})).await.data();
    let path = format!("/api/v1/contact-erasures/{}", asked["id"]);
    work(&world, &home).await;
    assert_eq!(home.message(answered).await.body, "Hello Ali", "it may have to be written again");
    home.learn(answered, Fact::Acknowledged).await;
    world.clock.advance(Duration::from_mins(6));
    work(&world, &home).await;
    assert_eq!(home.message(answered).await.body, "");
    let proof = door.get(&path).await.data();
    assert_eq!((&proof["status"], &proof["deleted"]["messages"]), (&json!("running"), &json!(1)));
    world.clock.advance(Duration::from_hours(49));
    work(&world, &home).await;
    assert_eq!(home.message(lost).await.body, "", "nobody waits for ever");
    let proof = door.get(&path).await.data();
    assert_eq!((&proof["status"], &proof["deleted"]["messages"]), (&json!("done"), &json!(2)));
}

/// All items that hold a number.
async fn items_with(world: &World, digits: &str) -> Vec<String> {
    let items = world.items().await.into_iter().map(|(place, item)| format!("{place:?} {item}"));
    items.filter(|item| item.contains(digits)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_taken_out_of_campaigns_and_is_not_written_to_by_them() {
    let world = World::new(414).await;
    let home = world.home(1_000).await;
    home.connected(1).await;
    let door = Door::of(&home).await;
    let many = home.start(draft_of(400)).await;
    home.process.work().await;
    let seen = home.campaign(many).await;
    let rows = home.tenant().campaigns().results(&seen, None, 1_000).await.unwrap().rows;
    let waiting = rows.iter().rev().find(|row| row.fate == Fate::Waiting).expect("a device's line is short");
    let (phone, digits) = (waiting.phone.clone(), waiting.phone.trim_start_matches('+').to_owned());
    // In another campaign they are twice: once taken in, and once rejected for it.
    let named = |phone: &str| json!({ "phone": phone, "name": "Ali bin Abu" });
    let twice =
        json!({ "name": "Twice", "body": "Hi {{name}}", "recipients": [named(&phone), named(&phone), named(ABU)] });
    assert_eq!(door.post("/api/v1/campaigns", &twice).await.code(), 201);
    home.process.work().await;
    assert!(items_with(&world, &digits).await.len() >= 3);

    let asked = door.post("/api/v1/contact-erasures", &json!({ "phone": phone })).await.data();
    work(&world, &home).await;
    let proof = door.get(&format!("/api/v1/contact-erasures/{}", asked["id"])).await.data();
    assert_eq!((&proof["status"], &proof["deleted"]["recipients"]), (&json!("done"), &json!(3)), "{proof}");
    let left = items_with(&world, &digits).await;
    assert!(left.is_empty(), "{left:?}");
    let shown = door.get("/api/v1/campaigns/2/recipients").await.json();
    let nameless = shown["data"].as_array().unwrap().iter().filter(|row| row["phone"] == "").count();
    assert_eq!(nameless, 2, "their rows stay, and name nobody: {shown}");

    while !home.campaign(many).await.status.is_over() || !home.campaign(CampaignId(2)).await.status.is_over() {
        home.send_rows(home.device, 1_000).await;
        home.pass(&world, Duration::from_mins(2)).await;
        home.process.sweep_work().await;
    }
    for (id, others) in [(many, 399), (CampaignId(2), 1)] {
        let rows = home.rows(id).await;
        let (sent, not): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state == State::Sent);
        assert_eq!(sent.len(), others);
        let [not] = &not[..] else { panic!("{not:?}") };
        assert_eq!((not.state, not.refunded, &not.phone, not.body.as_str()), (State::Cancelled, true, &None, ""));
    }
    assert_eq!(home.audit_campaigns().await.available, 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_that_is_being_taken_in_is_waited_for() {
    let world = World::new(415).await;
    let home = world.home(100).await;
    let door = Door::of(&home).await;
    let id = home.start(draft_of(3)).await;
    let asked = door.post("/api/v1/contact-erasures", &json!({ "phone": customer(1) })).await.data();
    let erasure = ErasureId(asked["id"].as_u64().unwrap());
    home.process.worker().work(home.account, Work::Forget(erasure)).await.unwrap();
    let path = format!("/api/v1/contact-erasures/{erasure}");
    assert_eq!(door.get(&path).await.data()["status"], "running");
    home.process.worker().work(home.account, Work::Campaign(id)).await.unwrap();
    world.clock.advance(Duration::from_secs(31));
    work(&world, &home).await;
    let proof = door.get(&path).await.data();
    assert_eq!((&proof["status"], &proof["deleted"]["recipients"]), (&json!("done"), &json!(1)), "{proof}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_said_and_proofs_are_listed() {
    let world = World::new(413).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let path = "/api/v1/contact-erasures";
    door.post(path, &json!({})).await.is("erasure_invalid");
    door.post(path, &json!({"contact_id": 1, "phone": "0123456789"})).await.is("erasure_both");
    door.post(path, &json!({"contact_id": 9_999})).await.is("erasure_no_contact");
    door.post(path, &json!({"phone": "12"})).await.is("erasure_no_number");
    door.get(&format!("{path}/7")).await.is("erasure_missing");
    for n in 0..3 {
        assert_eq!(door.post(path, &json!({"phone": format!("012345678{n}")})).await.code(), 202);
    }
    let first = door.get(&format!("{path}?per_page=2")).await;
    first.is("erasures");
    let next = first.json()["links"]["next"].as_str().unwrap().split_once("/api").unwrap().1.to_owned();
    let second = door.get(&format!("/api{next}")).await;
    assert_eq!((second.data().as_array().unwrap().len(), &second.json()["links"]["next"]), (1, &json!(null)));
    assert_eq!(door.get(&format!("{path}?page=2")).await.code(), 422);
}
