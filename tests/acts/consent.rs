//! The consent ledger: heard from messages by way of the relay, told by people of the account, and kept to.

use std::time::Duration;

use hantar_domain::consent::{Consent, Language, Said, Source};
use hantar_domain::contact::{ContactEdit, Edit};
use hantar_domain::ids::MessageId;
use hantar_domain::message::{Lane, Message};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::token::Abilities;
use hantar_jobs::relay::Record;
use hantar_platform::faults::{Calls, FaultPlan, Loss, LostAs, When};
use hantar_usecases::manage_contacts::edit_contact;
use hantar_usecases::ports::{Clock as _, Edited, Noted};
use hantar_usecases::send_message::{Draft, Problem, SendError};
use serde_json::json;

use crate::door::{Door, token_with};
use crate::home::{Home, draft};
use crate::world::{Process, World, handle};

const PATH: &str = "/api/v1/consents";
const ALI: &str = "+60123456789";
const DAY: Duration = Duration::from_hours(24);

fn ali() -> PhoneNumber {
    PhoneNumber::from_e164(ALI).unwrap()
}

/// What was sent, oldest first.
async fn sent(home: &Home) -> Vec<Message> {
    let mut messages = home.messages().await;
    messages.retain(|message| message.direction == hantar_domain::message::Direction::Outbound);
    messages.sort_by_key(|message| message.id);
    messages
}

async fn suppressed(home: &Home) -> bool {
    !home.tenant().consents().suppressed(&[ali()]).await.unwrap().is_empty()
}

/// The ledger about Ali, oldest first: what he said, and whether it changed anything.
async fn ledger(home: &Home) -> Vec<(Said, bool)> {
    let entries = home.tenant().consents().consents_of(&ali(), 100).await.unwrap();
    entries.into_iter().rev().map(|entry| (entry.said, entry.turned)).collect()
}

/// The relay's part, as if the batch had not been counted yet.
async fn hear(process: &Process, records: &[Record]) {
    handle(&process.relay(), "again", records).await.unwrap();
}

#[tokio::test]
async fn whoever_writes_stop_is_suppressed_and_answered_once() {
    let world = World::new(81).await;
    let home = world.home(10).await;
    home.hears("IN1", "do not stop").await;
    world.relay(&home.process).await;
    assert!(!suppressed(&home).await && sent(&home).await.is_empty());
    let stop = home.hears("IN2", "Berhenti!").await;
    world.relay(&home.process).await;
    assert!(suppressed(&home).await);
    let answers = sent(&home).await;
    assert_eq!(answers.len(), 1);
    let answer = &answers[0];
    assert_eq!((answer.lane, answer.phone.as_ref()), (Lane::Reply, Some(&ali())));
    assert_eq!(answer.body, Language::Malay.confirmation());
    let entry = &home.tenant().consents().consents_of(&ali(), 10).await.unwrap()[0];
    let at = home.message(stop).await.accepted_at;
    assert_eq!((entry.source, entry.at, entry.note.as_deref()), (Source::Message(stop), at, Some("Berhenti!")));
    home.hears("IN3", "STOP").await;
    world.relay(&home.process).await;
    assert_eq!(ledger(&home).await, [(Said::Out, true), (Said::Out, false)]);
    assert_eq!(sent(&home).await.len(), 1, "what is no news is not confirmed");
}

#[tokio::test]
async fn a_batch_that_is_read_again_enters_and_answers_nothing_twice() {
    let world = World::new(82).await;
    let home = world.home(10).await;
    world.skip_stream().await;
    home.hears("IN1", "stop").await;
    let (records, _) = world.stream(100).await.unwrap();
    for process in [home.process.clone(), world.process(), home.process.clone()] {
        hear(&process, &records).await;
    }
    world.clock.advance(DAY);
    hear(&home.process, &records).await;
    assert_eq!(ledger(&home).await, [(Said::Out, true)]);
    assert_eq!(sent(&home).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn whatever_call_is_lost_a_stop_is_entered_and_answered_once() {
    for (operation, count) in [
        ("TransactWriteItems", 1),
        ("TransactWriteItems", 4),
        ("TransactWriteItems", 12),
        ("GetItem", 3),
        ("BatchGetItem", 5),
    ] {
        for executed in [true, false] {
            let world = World::new(83).await;
            let home = world.home(10).await;
            world.skip_stream().await;
            home.hears("IN1", "stop").await;
            let (records, _) = world.stream(100).await.unwrap();
            let calls = Calls { operation: Some(operation.into()), containing: None, when: When::Next(count) };
            world.faults.change(|plan| plan.losses.push(Loss { calls, executed, error: LostAs::Io }));
            let mut tries = 0;
            while handle(&home.process.relay(), "local", &records).await.is_err() {
                tries += 1;
                assert!(tries < 50, "{operation} {count}");
            }
            world.faults.set_plan(FaultPlan::default());
            hear(&home.process, &records).await;
            assert_eq!(ledger(&home).await, [(Said::Out, true)], "{operation} {count} {executed}");
            assert_eq!(sent(&home).await.len(), 1, "{operation} {count} {executed}");
            home.audit().await;
        }
    }
}

#[tokio::test]
async fn whoever_writes_start_is_written_to_again() {
    let world = World::new(84).await;
    let home = world.home(10).await;
    for (stanza, text) in [("IN1", "stop"), ("IN2", "START"), ("IN3", "stop"), ("IN4", "unstop")] {
        home.hears(stanza, text).await;
        world.relay(&home.process).await;
    }
    assert!(!suppressed(&home).await);
    let turned = [(Said::Out, true), (Said::In, true), (Said::Out, true), (Said::In, true)];
    assert_eq!(ledger(&home).await, turned);
    assert_eq!(sent(&home).await.len(), 2, "one confirmation for each opt-out");
}

#[tokio::test]
async fn a_contact_shows_what_its_number_said() {
    let world = World::new(92).await;
    let home = world.home(10).await;
    home.try_send(Draft { name: Some("Ali".into()), ..draft("hello") }).await.unwrap();
    let shows = || {
        let tenant = home.tenant();
        async move { tenant.contacts().contact_by_phone(&ali()).await.unwrap().unwrap().opted_out }
    };
    assert!(!shows().await);
    home.hears("IN1", "stop").await;
    world.relay(&home.process).await;
    assert!(shows().await);
    home.hears("IN2", "start").await;
    world.relay(&home.process).await;
    assert!(!shows().await);
}

#[tokio::test]
async fn a_contact_that_is_changed_to_opted_out_is_not_written_to() {
    let world = World::new(93).await;
    let home = world.home(10).await;
    home.try_send(Draft { name: Some("Ali".into()), ..draft("hello") }).await.unwrap();
    let id = home.tenant().contacts().contact_by_phone(&ali()).await.unwrap().unwrap().id;
    let change = |out: bool, key: Option<&'static str>| {
        let (tenant, clock) = (home.tenant(), home.process.clock.clone());
        async move {
            let edit = ContactEdit { opted_out: Edit::To(out), ..ContactEdit::default() };
            let key = key.map(|key| (key.to_owned(), vec![u8::from(out)]));
            edit_contact(tenant.as_ref(), &clock, id, &edit, key).await.unwrap()
        }
    };
    assert!(matches!(change(true, Some("k1")).await, Edited::Done(_)));
    assert!(refused(&home, draft("an offer")).await);
    change(false, None).await;
    change(true, Some("k1")).await;
    assert!(!refused(&home, draft("an offer")).await, "the repeat of an older change");
    assert_eq!(ledger(&home).await, [(Said::Out, true), (Said::In, true)]);
}

#[tokio::test]
async fn what_was_said_last_counts_in_whatever_order_it_becomes_known() {
    let world = World::new(85).await;
    let home = world.home(10).await;
    let (tenant, now) = (home.tenant(), home.process.clock.now());
    let entry = |said, seconds: u64, number| Consent {
        phone: ali(),
        said,
        source: Source::Message(MessageId(number)),
        note: None,
        at: now + Duration::from_secs(seconds),
        turned: false,
    };
    for (entry, name) in
        [(entry(Said::In, 20, 2), "m2"), (entry(Said::Out, 10, 1), "m1"), (entry(Said::In, 20, 2), "m2")]
    {
        assert!(matches!(tenant.consents().note_consent(&entry, name, None).await.unwrap(), Noted::Done(_)));
    }
    assert!(!suppressed(&home).await);
    assert_eq!(ledger(&home).await, [(Said::Out, false), (Said::In, false)]);
}

#[tokio::test]
async fn at_once_all_that_is_said_is_entered_and_the_last_counts() {
    let world = World::new(86).await;
    let home = world.home(10).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let start = home.process.clock.now();
    let said = |n: u64| Consent {
        phone: ali(),
        said: if n.is_multiple_of(2) { Said::Out } else { Said::In },
        source: Source::Message(MessageId(n)),
        note: None,
        at: start + Duration::from_secs(n),
        turned: false,
    };
    let noted = (0..12).map(|n| {
        let home = home.clone();
        async move {
            let name = format!("m{n}");
            // Whoever meets too many others tries again, as the relay does.
            while home.tenant().consents().note_consent(&said(n), &name, None).await.is_err() {}
        }
    });
    futures::future::join_all(noted).await;
    world.faults.set_plan(FaultPlan::default());
    assert_eq!(ledger(&home).await.len(), 12);
    assert!(!suppressed(&home).await, "number 11 said start");
}

async fn refused(home: &Home, draft: Draft) -> bool {
    match home.try_send(draft).await {
        Ok(_) => false,
        Err(SendError::Invalid(problems)) => {
            assert!(
                problems.iter().all(|one| (one.field, &one.problem) == ("phone", &Problem::OptedOut)),
                "{problems:?}"
            );
            true
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_single_to_somebody_who_opted_out_is_refused_unless_it_answers_them() {
    let world = World::new(87).await;
    let home = world.home(10).await;
    let keyed = Draft { idempotency: Some(("k1".into(), vec![1])), ..draft("before") };
    let before = home.try_send(keyed.clone()).await.unwrap();
    home.hears("IN1", "stop").await;
    world.relay(&home.process).await;
    assert!(refused(&home, draft("an offer")).await, "a stop asks for no answer");
    assert_eq!(home.try_send(keyed).await.unwrap().id, before.id, "what was accepted before is answered again");
    world.clock.advance(Duration::from_hours(1));
    home.hears("IN2", "and when do you close?").await;
    assert!(!refused(&home, draft("at nine")).await);
    assert!(refused(&home, Draft { campaign: true, ..draft("a row") }).await, "a row answers nobody");
    world.clock.advance(DAY + Duration::from_secs(1));
    assert!(refused(&home, draft("another offer")).await);
    home.audit().await;
}

#[tokio::test]
async fn every_route_answers_as_the_files_say() {
    let world = World::new(88).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let out = json!({ "phone": "0123456789", "status": "opted_out", "note": "told the till, \"no more\"" });
    door.post(PATH, &out).await.is("consents/opted_out");
    home.hears("IN1", "=start").await;
    world.relay(&home.process).await;
    home.hears("IN2", "start").await;
    world.relay(&home.process).await;
    let proof = format!("{PATH}/proof?phone=012-345%206789");
    door.get(&proof).await.is("consents/proof");
    door.get(&format!("{proof}&format=csv")).await.is("consents/proof_csv");
    door.get(&format!("{PATH}/proof?phone=0198887777")).await.is("consents/proof_of_nothing");
    door.get(PATH).await.is("consents/listed");
    door.get(&format!("{PATH}/settings")).await.is("consents/settings");
    let settings = json!({ "stop_words": ["Taknak"], "start_words": ["nak lagi"], "confirmation": "Bye {{name}}" });
    door.put(&format!("{PATH}/settings"), &settings).await.is("consents/settings_changed");
    door.put(&format!("{PATH}/settings"), &json!({ "confirm": false })).await.is("consents/settings_silent");
    let other = json!({ "phone": "+14155552671", "status": "opted_out" });
    assert_eq!(door.post(PATH, &other).await.code(), 201, "people of other countries opt out, too");
    door.post("/api/v1/messages/send", &json!({ "phone": "0123456789", "body": "hi" })).await;
}

#[tokio::test]
async fn every_mistake_is_answered_as_the_files_say() {
    let world = World::new(89).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    door.post(PATH, &json!({})).await.is("consents/nothing_given");
    let wrong = json!({ "phone": "999", "status": "maybe", "note": "x".repeat(501) });
    door.post(PATH, &wrong).await.is("consents/all_wrong");
    door.get(&format!("{PATH}/proof")).await.is("consents/proof_of_nobody");
    door.get(&format!("{PATH}/proof?phone=x&format=pdf")).await.is("consents/proof_wrong");
    door.get(&format!("{PATH}?per_page=0&page=2")).await.is("consents/list_wrong");
    let wrong = json!({
        "stop_words": ["start", "...", "x".repeat(65)], "start_words": ["stop"], "confirmation": "x".repeat(4097), "confirm": "perhaps"
    });
    door.put(&format!("{PATH}/settings"), &wrong).await.is("consents/settings_wrong");
    let both = json!({ "stop_words": ["genug"], "start_words": ["Genug!"] });
    door.put(&format!("{PATH}/settings"), &both).await.is("consents/settings_overlap");
    let out = json!({ "phone": "0123456789", "status": "opted_out" });
    let key = Some("k1");
    let (first, again) = (door.ask("POST", PATH, Some(&out), key).await, door.ask("POST", PATH, Some(&out), key).await);
    assert_eq!((first.code(), again.code(), first.data()), (201, 201, again.data()));
    assert_eq!(ledger(&home).await.len(), 1);
    let back = json!({ "phone": "0123456789", "status": "opted_in" });
    door.ask("POST", PATH, Some(&back), key).await.is("consents/key_reused");
    let body = json!({ "phone": "0123456789", "body": "hello" });
    door.post("/api/v1/messages/send", &body).await.is("consents/send_refused");
    let reader = token_with(&home, Abilities::from_names(["contacts:read".to_owned()]).unwrap()).await;
    assert_eq!(door.with_token(reader).post(PATH, &out).await.code(), 403);
    let other = Door::of(&world.home(10).await).await;
    assert_eq!(other.get(&format!("{PATH}/proof?phone={}", "0123456789")).await.data()["entries"], json!([]));
    assert_eq!(other.post("/api/v1/messages/send", &body).await.code(), 202, "another account's ledger");
}

#[tokio::test]
async fn an_accounts_own_words_and_text_count() {
    let world = World::new(90).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let settings = json!({ "stop_words": ["Taknak"], "confirmation": "Bye {{name}}" });
    door.put(&format!("{PATH}/settings"), &settings).await;
    home.hears("IN1", "taknak.").await;
    world.relay(&home.process).await;
    let answers: Vec<_> = sent(&home).await.into_iter().map(|message| message.body).collect();
    assert_eq!(answers, ["Bye Ali"]);
    door.put(&format!("{PATH}/settings"), &json!({ "confirm": false })).await;
    home.hears("IN2", "start").await;
    home.hears("IN3", "stop").await;
    world.relay(&home.process).await;
    assert!(suppressed(&home).await);
    assert_eq!(sent(&home).await.len(), 1, "nobody is answered any more");
}

#[tokio::test]
async fn pages_of_the_ledger_join_without_gaps_also_within_one_moment() {
    let world = World::new(91).await;
    let home = world.home(10).await;
    let (tenant, now) = (home.tenant(), home.process.clock.now());
    for n in 0..30_u64 {
        let phone = PhoneNumber::from_e164(&format!("6012000{n:04}")).unwrap();
        let at: Timestamp = now + Duration::from_secs(if (10..25).contains(&n) { 10 } else { n });
        let entry = Consent { phone, said: Said::Out, source: Source::Import, note: None, at, turned: false };
        tenant.consents().note_consent(&entry, "i1", None).await.unwrap();
    }
    for size in [1, 4, 7, 12, 30, 100] {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = tenant.consents().consents(before, size).await.unwrap();
            all.extend(page.entries);
            before = page.before;
            if before.is_none() {
                break;
            }
        }
        assert!(all.windows(2).all(|pair| pair[0].at >= pair[1].at), "newest first");
        all.sort_by(|a, b| a.phone.cmp(&b.phone));
        all.dedup();
        assert_eq!(all.len(), 30, "pages of {size}");
    }
}
