//! Bulks: accepted in one step, stored each message once, whoever dies in between.

use std::collections::BTreeSet;
use std::time::Duration;

use hantar_domain::ids::{BulkId, MessageId};
use hantar_domain::message::{Lane, State};
use hantar_domain::phone::PhoneNumber;
use hantar_platform::faults::{Calls, FaultPlan, Loss, LostAs, When};
use hantar_usecases::ports::Clock as _;
use hantar_usecases::send_bulk::{StoreParts, store_bulk};
use serde_json::{Value, json};

use crate::door::{Answer, Door};
use crate::home::Home;
use crate::world::World;

const PATH: &str = "/api/v1/messages/bulk";
/// More losses than anybody waits for.
const MANY: u32 = 10_000;

/// A number that nobody else has.
fn phone(n: usize) -> String {
    format!("+60123{n:06}")
}

fn rows(count: usize) -> Value {
    let row = |n| json!({ "phone": phone(n), "body": format!("row {n}"), "external_id": format!("x{n}") });
    json!({ "messages": (0..count).map(row).collect::<Vec<_>>() })
}

fn ids(answer: &Answer) -> Vec<MessageId> {
    let data = answer.data();
    data["queued"].as_array().unwrap().iter().map(|row| MessageId(row["id"].as_u64().unwrap())).collect()
}

/// Whether each of these messages is stored, in its device's line, and paid for.
async fn all_there(home: &Home, ids: &[MessageId]) {
    let stored = home.tenant().messages(ids).await.unwrap();
    assert_eq!(stored.iter().map(|message| message.id).collect::<Vec<_>>(), ids);
    let now = home.process.clock.now();
    let line = home.tenant().open_turns(home.device, now, 5_000).await.unwrap().turns;
    let line: BTreeSet<_> = line.into_iter().map(|turn| turn.message).collect();
    assert!(ids.iter().all(|id| line.contains(id)), "all stand in line");
    home.audit().await;
}

#[tokio::test]
async fn valid_rows_are_queued_and_the_others_named_with_their_reasons() {
    let world = World::new(101).await;
    let home = world.home(100).await;
    let door = Door::of(&home).await;
    door.post("/api/v1/templates", &json!({ "name": "T", "body": "Hi {{name}}" })).await;
    let out = json!({ "phone": "0123000009", "status": "opted_out" });
    door.post("/api/v1/consents", &out).await;
    let body = json!({ "messages": [
        { "phone": "0123000001", "body": "plain" },
        { "phone": "999", "body": "no number" },
        { "phone": "+60 12-300 0001", "body": "the same number" },
        { "phone": "0123000002", "template_id": 1, "name": "Ali", "save_contact": false },
        { "phone": "0123000003", "body": "Your plan is {{plan}}" },
        { "phone": "0123000004", "body": "Your plan is {{plan | default: \"free\"}}", "scheduled_at": "2026-11-21T18:00:00+08:00" },
        { "phone": "0123000005", "body": "x".repeat(4097) },
        { "phone": "0123000006" },
        { "phone": "0123000007", "body": "x", "device": 99 },
        { "phone": "0123000008", "template_id": 9 },
        { "phone": "0123000009", "body": "they opted out" },
        { "phone": "0123000010", "body": "x", "scheduled_at": "2036-01-01" },
        { "body": "no phone" },
    ] });
    let answer = door.post(PATH, &body).await;
    answer.is("bulk/accepted");
    let stored = home.tenant().messages(&ids(&answer)).await.unwrap();
    let shown: Vec<_> = stored.iter().map(|message| (message.body.as_str(), message.lane, message.state)).collect();
    let campaign = Lane::Campaign;
    let expected = [
        ("plain", campaign, State::Queued),
        ("Hi Ali", campaign, State::Queued),
        ("Your plan is free", campaign, State::Held),
    ];
    assert_eq!(shown, expected);
    assert_eq!(home.line().await, ids(&answer)[..2], "the third is not due yet");
    assert_eq!(home.audit().await.charged, 3);
    assert_eq!(home.process.sweep_work().await, 0, "nothing is left to do");
}

#[tokio::test]
async fn every_mistake_is_answered_as_the_files_say() {
    let world = World::new(102).await;
    let home = world.home(2).await;
    let door = Door::of(&home).await;
    door.post(PATH, &json!({})).await.is("bulk/nothing_given");
    door.post(PATH, &json!({ "messages": [] })).await.is("bulk/no_rows");
    door.post(PATH, &json!({ "messages": "x" })).await.is("bulk/no_list");
    door.post(PATH, &rows(1001)).await.is("bulk/too_many_rows");
    let wrong = json!({ "messages": [5, { "phone": 5, "body": [], "device": "x" }] });
    door.post(PATH, &wrong).await.is("bulk/wrong_rows");
    let wrong = json!({ "messages": [{ "phone": 5, "body": [], "device": "x", "media": {}, "scheduled_at": "soon" }] });
    door.post(PATH, &wrong).await.is("bulk/wrong_types");
    door.post(PATH, &rows(3)).await.is("bulk/too_few_credits");
    assert!(home.messages().await.is_empty());
    assert_eq!(home.audit().await.available, 2);
    door.post(PATH, &json!({ "messages": [{ "phone": "999", "body": "x" }] })).await.is("bulk/all_rejected");
}

#[tokio::test]
async fn a_repeat_under_a_key_answers_the_same_and_sends_nothing_more() {
    let world = World::new(103).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let mut body = rows(4);
    body["messages"][2]["phone"] = json!("nonsense");
    let first = door.ask("POST", PATH, Some(&body), Some("k1")).await;
    // What would be refused by now was accepted then.
    door.post("/api/v1/consents", &json!({ "phone": phone(0), "status": "opted_out" })).await;
    let again = door.ask("POST", PATH, Some(&body), Some("k1")).await;
    assert_eq!((first.code(), again.code()), (202, 202));
    assert_eq!(first.data(), again.data());
    assert_eq!(home.messages().await.len(), 3);
    door.ask("POST", PATH, Some(&rows(4)), Some("k1")).await.is("bulk/key_reused");
    assert_eq!(home.audit().await.charged, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_used_many_times_at_once_makes_one_bulk() {
    let world = World::new(104).await;
    let home = world.home(1_000).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let mut doors = Vec::new();
    for _ in 0..4 {
        doors.push(Door::of(&home.seen_by(world.process())).await);
    }
    let body = rows(20);
    let asked = (0..12).map(|n| doors[n % 4].ask("POST", PATH, Some(&body), Some("k1")));
    let answers = futures::future::join_all(asked).await;
    world.faults.set_plan(FaultPlan::default());
    let told: BTreeSet<_> = answers.iter().filter(|answer| answer.code() == 202).map(ids).collect();
    assert_eq!(told.len(), 1, "all are told of the same messages");
    assert!(answers.iter().all(|answer| matches!(answer.code(), 202 | 503)));
    assert_eq!(home.audit().await.charged, 20);
}

#[tokio::test(start_paused = true)]
async fn whoever_dies_after_the_charge_is_followed_by_somebody_who_stores_the_rest() {
    for (seed, put) in [(105, 0), (106, 50), (107, 100)] {
        let world = World::new(seed).await;
        let home = world.home(1_000).await;
        let door = Door::of(&home).await;
        // As far as a process comes that dies after so many messages: nothing that holds a later row is carried out.
        for row in put..120 {
            let containing = Some(format!("\"row {row}\""));
            let calls = Calls { operation: Some("TransactWriteItems".into()), containing, when: When::Next(MANY) };
            world.faults.change(|plan| plan.losses.push(Loss { calls, executed: false, error: LostAs::Io }));
        }
        let answer = door.post(PATH, &rows(120)).await;
        world.faults.set_plan(FaultPlan::default());
        assert_eq!(answer.code(), 202, "it is charged, and so it is accepted");
        assert_eq!(home.messages().await.len(), put);
        // What is stored already may have gone on its way.
        if put > 0 {
            home.dispatch(ids(&answer)[0]).await;
        }
        assert_eq!(home.process.sweep_work().await, 0, "it is left alone for a minute");
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(home.process.sweep_work().await, 1);
        assert_eq!(home.process.work().await, 1);
        all_there(&home, &ids(&answer)).await;
        assert_eq!(home.messages().await.len(), 120);
        if put > 0 {
            assert_eq!(home.message(ids(&answer)[0]).await.state, State::Dispatched);
        }
        world.clock.advance(Duration::from_secs(61));
        assert_eq!(home.process.sweep_work().await, 0, "the work is over");
        let blob = hantar_usecases::ports::BlobKey::new(home.account, "bulks", &BulkId(1).to_string());
        assert_eq!(home.process.blobs.size(&blob).await.unwrap(), None, "nothing is left lying about");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bulk_that_is_finished_by_several_at_once_stores_each_message_once() {
    let world = World::new(108).await;
    let home = world.home(1_000).await;
    let door = Door::of(&home).await;
    let calls = Calls {
        operation: Some("TransactWriteItems".into()),
        containing: Some("\"row 7\"".into()),
        when: When::Next(MANY),
    };
    world.faults.change(|plan| plan.losses.push(Loss { calls, executed: false, error: LostAs::Io }));
    let answer = door.post(PATH, &rows(60)).await;
    world.faults.set_plan(FaultPlan::conflicting());
    world.clock.advance(Duration::from_secs(61));
    let workers: Vec<_> = (0..3).map(|_| world.process()).collect();
    let steps = workers.iter().map(|process| async {
        let tenant = process.tenants.for_account(home.account);
        let (numbers, blobs) = (&process.numbers, process.blobs.as_ref());
        let with = StoreParts { tenant: tenant.as_ref(), numbers, blobs, read: hantar_wire::bulk::read };
        store_bulk(&with, home.account, BulkId(1)).await
    });
    for stored in futures::future::join_all(steps).await {
        stored.unwrap();
    }
    world.faults.set_plan(FaultPlan::default());
    all_there(&home, &ids(&answer)).await;
    assert_eq!(home.messages().await.len(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_transaction_that_is_lost_any_number_of_times_charges_once() {
    for executed in [true, false] {
        for count in [1, 3, 8, 9, 15] {
            let world = World::new(900 + u64::from(count)).await;
            let home = world.home(100).await;
            let door = Door::of(&home).await;
            let calls = Calls::next("TransactWriteItems", count);
            world.faults.change(|plan| plan.losses.push(Loss { calls, executed, error: LostAs::Timeout }));
            let mut tries = 0;
            let answer = loop {
                let answer = door.ask("POST", PATH, Some(&rows(10)), Some("k1")).await;
                if answer.code() == 202 {
                    break answer;
                }
                assert_eq!(answer.code(), 503);
                tries += 1;
                assert!(tries < 20, "never answered");
            };
            world.faults.set_plan(FaultPlan::default());
            world.clock.advance(Duration::from_secs(61));
            home.process.sweep_work().await;
            home.process.work().await;
            all_there(&home, &ids(&answer)).await;
            assert_eq!(home.audit().await.charged, 10, "executed {executed}, {count} times");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bulks_and_singles_that_spend_one_balance_at_once_never_overdraw_it() {
    let world = World::new(109).await;
    let home = world.home(200).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let mut doors = Vec::new();
    for _ in 0..4 {
        doors.push(Door::of(&home.seen_by(world.process())).await);
    }
    let clients = (0..64_usize).map(|n| {
        let door = &doors[n % 4];
        async move {
            if n % 4 == 0 {
                let row = |m: usize| json!({ "phone": phone(n * 100 + m), "body": "bulk" });
                let body = json!({ "messages": (0..20).map(row).collect::<Vec<_>>() });
                let answer = door.post(PATH, &body).await;
                if answer.code() == 202 { 20 } else { 0 }
            } else {
                let body = json!({ "phone": phone(n), "body": "single" });
                i64::from(door.post("/api/v1/messages/send", &body).await.code() == 202)
            }
        }
    });
    let accepted: i64 = futures::future::join_all(clients).await.into_iter().sum();
    world.faults.set_plan(FaultPlan::default());
    world.clock.advance(Duration::from_secs(61));
    home.process.sweep_work().await;
    home.process.work().await;
    let balance = home.audit().await;
    assert_eq!((balance.charged, balance.available), (accepted, 200 - accepted));
    assert!(accepted > 100, "{accepted} accepted");
}

#[tokio::test]
async fn a_scheduled_row_takes_its_turn_when_it_is_due() {
    let world = World::new(110).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    door.put("/api/v1/account", &json!({ "time_zone": "Asia/Kuala_Lumpur" })).await;
    let body = json!({ "messages": [{ "phone": phone(1), "body": "later", "scheduled_at": "2026-11-20T12:00" }] });
    let answer = door.post(PATH, &body).await;
    assert!(home.line().await.is_empty());
    world.clock.advance(Duration::from_hours(2) + Duration::from_secs(1));
    assert_eq!(home.line().await, ids(&answer));
    let filed = home.tenant().message(ids(&answer)[0]).await.unwrap().unwrap();
    assert_eq!(filed.phone, PhoneNumber::from_e164(&phone(1)));
}

#[tokio::test]
async fn a_thousand_rows_are_one_charge() {
    let world = World::new(111).await;
    let home = world.home(1_000).await;
    let answer = Door::of(&home).await.post(PATH, &rows(1_000)).await;
    assert_eq!(answer.data()["credits_charged"], 1_000);
    assert_eq!(answer.data()["balance"], 0);
    all_there(&home, &ids(&answer)).await;
}

#[tokio::test]
async fn recipients_are_kept_as_contacts_and_known_ones_fill_in_fields() {
    let world = World::new(112).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let known = json!({ "phone": phone(1), "body": "Hi", "name": "Siti", "attributes": { "plan": "gold" } });
    door.post("/api/v1/messages/send", &known).await;
    let body = json!({ "messages": [
        { "phone": phone(1), "body": "Hi {{name}}, your plan is {{plan}}" },
        { "phone": phone(2), "body": "Hi {{name}}", "name": "Ali bin Abu", "external_id": "crm-2", "save_contact": true },
        { "phone": phone(3), "body": "Hi", "name": "Not kept", "save_contact": false },
    ] });
    let answer = door.post(PATH, &body).await;
    let texts: Vec<_> = home.tenant().messages(&ids(&answer)).await.unwrap().into_iter().map(|one| one.body).collect();
    assert_eq!(texts, ["Hi Siti, your plan is gold", "Hi Ali bin Abu", "Hi"]);
    assert_eq!(home.process.work().await, 1, "contacts are kept by the work");
    let contact = |n| {
        let (tenant, number) = (home.tenant(), PhoneNumber::from_e164(&phone(n)).unwrap());
        async move { tenant.contacts().contact_by_phone(&number).await.unwrap() }
    };
    let ali = contact(2).await.unwrap();
    assert_eq!((ali.name.as_deref(), ali.external_id.as_deref()), (Some("Ali bin Abu"), Some("crm-2")));
    assert_eq!(contact(1).await.unwrap().attributes["plan"], "gold");
    assert_eq!(contact(3).await, None);
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(home.process.sweep_work().await, 0, "the work is over");
}
