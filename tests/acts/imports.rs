//! Contacts from files: announced, uploaded, started, read by steps that may die anywhere.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use hantar_domain::contact::Contact;
use hantar_domain::ids::ImportId;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::token::Abilities;
use hantar_usecases::import_contacts::{rejected, uploaded};
use hantar_usecases::ports::{Clock as _, Work};
use serde_json::{Value, json};

use crate::door::{Door, token_with};
use crate::home::Home;
use crate::world::World;

const PEOPLE: &str = "Phone,Name,Plan\n012-345 6789,Ali,gold\n0123456780,,\n12,Nobody,\n,Nobody either,\n\
                      ,,\n0123456789,Ali bin Abu,\n";

/// An announced import whose file is there.
async fn announced(home: &Home, door: &Door, filename: &str, bytes: &[u8]) -> u64 {
    let answer = door.post("/api/v1/contacts/import", &json!({ "filename": filename, "size": bytes.len() })).await;
    assert_eq!(answer.code(), 201, "{}", answer.json());
    let id = answer.data()["id"].as_u64().unwrap();
    home.process.blobs.put(&uploaded(home.account, ImportId(id)), bytes.to_vec()).await.unwrap();
    id
}

/// An import that was started and read to its end.
async fn imported(home: &Home, door: &Door, filename: &str, bytes: &[u8], plan: Value) -> Value {
    let id = announced(home, door, filename, bytes).await;
    let started = door.post(&format!("/api/v1/contacts/import/{id}/start"), &plan).await;
    assert_eq!(started.code(), 202, "{}", started.json());
    home.process.work().await;
    door.get(&format!("/api/v1/contacts/import/{id}")).await.data()
}

async fn contact(home: &Home, phone: &str) -> Option<Contact> {
    home.tenant().contacts().contact_by_phone(&PhoneNumber::from_e164(phone).unwrap()).await.unwrap()
}

/// The file of rejected rows.
async fn rejects(home: &Home, id: u64) -> String {
    let bytes = home.process.blobs.read(&rejected(home.account, ImportId(id)), 0, usize::MAX).await.unwrap();
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[tokio::test]
async fn a_file_is_announced_uploaded_started_and_read() {
    let world = World::new(71).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let request = json!({ "filename": "people.csv", "size": PEOPLE.len() });
    door.post("/api/v1/contacts/import", &request).await.is("import_created");
    door.post("/api/v1/contacts/import/1/start", &json!({})).await.is("import_not_uploaded");
    let file = uploaded(home.account, ImportId(1));
    home.process.blobs.put(&file, b"short".to_vec()).await.unwrap();
    door.post("/api/v1/contacts/import/1/start", &json!({})).await.is("import_other_size");
    home.process.blobs.put(&file, PEOPLE.into()).await.unwrap();
    let plan = json!({ "opt_in_source": "web form" });
    door.post("/api/v1/contacts/import/1/start", &plan).await.is("import_started");
    door.post("/api/v1/contacts/import/1/start", &plan).await.is("import_started_before");
    home.process.work().await;
    door.get("/api/v1/contacts/import/1").await.is("import_completed");

    let ali = contact(&home, "+60123456789").await.unwrap();
    assert_eq!((ali.name.as_deref(), ali.attributes["Plan"].as_str()), (Some("Ali bin Abu"), "gold"));
    assert_eq!(ali.opted_in.unwrap().source, "web form");
    assert_eq!(contact(&home, "+60123456780").await.unwrap().name, None);
    let expected = "rejected_row,rejected_reason,rejected_message,Phone,Name,Plan\n\
                    4,invalid_phone,not a valid phone number; write it like 0123456789 or +60123456789,12,Nobody,\n\
                    5,missing_phone,The phone is missing.,,Nobody either,\n";
    assert_eq!(rejects(&home, 1).await, expected);
    assert_eq!(home.process.blobs.size(&file).await.unwrap(), None, "what was read is deleted");
}

#[tokio::test]
async fn requests_that_are_wrong_are_told_what_is() {
    let world = World::new(72).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    door.post("/api/v1/contacts/import", &json!({})).await.is("import_invalid");
    door.post("/api/v1/contacts/import", &json!({ "filename": "a.pdf", "size": 0, "format": "pdf" }))
        .await
        .is("import_format_invalid");
    let id = announced(&home, &door, "a.csv", b"x").await;
    let plan = json!({
        "mapping": { "A": "name", "B": "nothing" }, "separator": "|", "encoding": "ebcdic", "has_header": "perhaps",
        "contact_group_id": 999, "opt_in_source": "x".repeat(256),
    });
    door.post(&format!("/api/v1/contacts/import/{id}/start"), &plan).await.is("import_plan_invalid");
    let plan = json!({ "contact_group_id": 999 });
    door.post(&format!("/api/v1/contacts/import/{id}/start"), &plan).await.is("import_group_unknown");
    let reader = door.with_token(token_with(&home, Abilities::from_names(["contacts:read".to_owned()]).unwrap()).await);
    reader.post("/api/v1/contacts/import", &json!({})).await.is("import_without_ability");
}

#[tokio::test]
async fn what_is_another_accounts_does_not_exist() {
    let world = World::new(73).await;
    let (ours, theirs) = (world.home(0).await, world.home(0).await);
    let (door, other) = (Door::of(&ours).await, Door::of(&theirs).await);
    let id = announced(&ours, &door, "people.csv", PEOPLE.as_bytes()).await;
    other.get(&format!("/api/v1/contacts/import/{id}")).await.is("import_missing");
    other.post(&format!("/api/v1/contacts/import/{id}/start"), &json!({})).await.is("import_missing");
    assert_eq!(other.get("/api/v1/contacts/import/x").await.code(), 404);
    assert_eq!(door.get(&format!("/api/v1/contacts/import/{id}")).await.data()["status"], "waiting");
}

#[tokio::test]
async fn a_repeat_under_a_key_makes_and_starts_nothing_more() {
    let world = World::new(74).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let request = json!({ "filename": "people.csv", "size": PEOPLE.len() });
    let create = async |body: &Value, key| door.ask("POST", "/api/v1/contacts/import", Some(body), Some(key)).await;
    let first = create(&request, "a").await;
    let id = first.data()["id"].as_u64().unwrap();
    let (repeat, first) = (create(&request, "a").await.data(), first.data());
    assert_eq!((&repeat["id"], &repeat["created_at"]), (&first["id"], &first["created_at"]));
    let other = create(&json!({ "filename": "people.csv", "size": 1 }), "a").await;
    other.is("import_key_reused");
    home.process.blobs.put(&uploaded(home.account, ImportId(id)), PEOPLE.into()).await.unwrap();

    let path = format!("/api/v1/contacts/import/{id}/start");
    let start = async |plan: &Value, key| door.ask("POST", &path, Some(plan), Some(key)).await;
    assert_eq!(start(&json!({}), "b").await.code(), 202);
    home.process.work().await;
    let again = start(&json!({}), "b").await;
    assert_eq!((again.code(), &again.data()["status"]), (202, &json!("completed")));
    assert_eq!(start(&json!({ "dry_run": true }), "b").await.code(), 422);
    assert_eq!(start(&json!({}), "c").await.code(), 409);
    assert_eq!(again.data()["rows"]["created"], 2, "it was read once");
}

#[tokio::test]
async fn rows_that_are_only_checked_make_no_contact_and_may_be_read_then() {
    let world = World::new(75).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let checked = imported(&home, &door, "people.csv", PEOPLE.as_bytes(), json!({ "dry_run": true })).await;
    let counts = json!({ "read": 5, "created": 0, "updated": 0, "checked": 3, "rejected": 2 });
    assert_eq!((&checked["status"], &checked["rows"]), (&json!("completed"), &counts));
    assert_eq!(home.tenant().contacts().contact_counts().await.unwrap().all, 0);
    let path = format!("/api/v1/contacts/import/{}", checked["id"]);
    assert_eq!(door.post(&format!("{path}/start"), &json!({})).await.code(), 202);
    home.process.work().await;
    let counts = json!({ "read": 5, "created": 2, "updated": 1, "checked": 0, "rejected": 2 });
    assert_eq!(door.get(&path).await.data()["rows"], counts);
}

#[tokio::test]
async fn who_opted_out_by_a_file_is_not_written_to_and_the_ledger_says_why() {
    let world = World::new(79).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let file = "phone,opted_out\n0123456789,no\n0123456780,yes\n0123456781,perhaps\n";
    for counts in [
        json!({ "read": 3, "created": 2, "updated": 0, "checked": 0, "rejected": 1 }),
        json!({ "read": 3, "created": 0, "updated": 2, "checked": 0, "rejected": 1 }),
    ] {
        assert_eq!(imported(&home, &door, "people.csv", file.as_bytes(), json!({})).await["rows"], counts);
    }
    assert!(!contact(&home, "+60123456789").await.unwrap().opted_out);
    assert!(contact(&home, "+60123456780").await.unwrap().opted_out);
    let ledger = door.get("/api/v1/consents").await.data();
    let told: Vec<_> = ledger.as_array().unwrap().iter().map(|said| (&said["phone"], &said["source"])).collect();
    assert_eq!(told, [(&json!("+60123456780"), &json!("import"))], "once, although it was read twice: {ledger}");
    let campaign = json!({ "name": "News", "body": "Salam", "recipients": [{ "phone": "0123456780" }] });
    let preview = door.post("/api/v1/campaigns/preview", &campaign).await.data();
    assert_eq!(preview["rejected"]["opted_out"], 1, "{preview}");
}

#[tokio::test]
async fn files_are_read_however_they_are_written() {
    let world = World::new(76).await;
    let utf_16 = |text: &str, big: bool| -> Vec<u8> {
        let units = text.encode_utf16();
        units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    };
    let text = "phone;name\r\n0123456789;\"José; \"\"Pepe\"\"\"\r\n";
    let files: [(&str, Vec<u8>); 7] = [
        ("plain", text.into()),
        ("marked", [b"\xef\xbb\xbf", text.as_bytes()].concat()),
        ("of the West", text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()),
        ("wide", [b"\xff\xfe".to_vec(), utf_16(text, false)].concat()),
        ("wide, big end first", [b"\xfe\xff".to_vec(), utf_16(text, true)].concat()),
        ("wide, without a mark", utf_16(text, false)),
        ("with tabs", text.replace("José; ", "José, ").replace(';', "\t").replace("José, ", "José; ").into()),
    ];
    for (how, bytes) in files {
        let home = world.home(0).await;
        let door = Door::of(&home).await;
        let import = imported(&home, &door, "people.txt", &bytes, json!({})).await;
        assert_eq!(import["status"], "completed", "{how}: {import}");
        let name = contact(&home, "+60123456789").await.expect(how).name;
        assert_eq!(name.as_deref(), Some("José; \"Pepe\""), "{how}");
    }
}

#[tokio::test]
async fn a_file_that_is_of_no_use_says_why() {
    let world = World::new(77).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let unended = format!("phone\n0123456789\n\"0123\n{}", "x\n".repeat(40_000));
    for (name, bytes, plan, code, row) in [
        ("a.csv", "a,b\n1,2\n", json!({}), "no_phone_column", Value::Null),
        ("a.csv", "a,b\n1,2\n", json!({ "mapping": { "c": "phone" } }), "unknown_column", Value::Null),
        ("a.csv", "\n\n", json!({}), "empty", Value::Null),
        ("a.csv", unended.as_str(), json!({}), "row_too_long", json!(3)),
        ("a.xlsx", "no workbook", json!({}), "no_workbook", Value::Null),
    ] {
        let import = imported(&home, &door, name, bytes.as_bytes(), plan).await;
        assert_eq!(import["status"], "failed", "{import}");
        assert_eq!((&import["status_reason"]["code"], &import["failed_row"]), (&json!(code), &row));
    }
    assert!(contact(&home, "+60123456789").await.is_some(), "rows before the one that is too long count");
    door.get("/api/v1/contacts/import/4").await.is("import_failed");
}

#[tokio::test]
async fn files_are_kept_for_some_days_and_then_deleted() {
    let world = World::new(78).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let waiting = announced(&home, &door, "people.csv", PEOPLE.as_bytes()).await;
    let done = imported(&home, &door, "people.csv", PEOPLE.as_bytes(), json!({})).await["id"].as_u64().unwrap();
    world.clock.advance(Duration::from_hours(73));
    assert_eq!(home.process.sweep_work().await, 2);
    home.process.work().await;
    let blobs = &home.process.blobs;
    assert_eq!(blobs.size(&uploaded(home.account, ImportId(waiting))).await.unwrap(), None);
    assert_eq!(blobs.size(&rejected(home.account, ImportId(done))).await.unwrap(), None);
    let [waiting, done] = [waiting, done].map(|id| format!("/api/v1/contacts/import/{id}"));
    assert_eq!(door.get(&waiting).await.data()["status_reason"]["code"], "never_started");
    assert_eq!(door.get(&done).await.data()["rejected_rows"], Value::Null);
    world.clock.advance(Duration::from_hours(1));
    assert_eq!(home.process.sweep_work().await, 0, "nothing is left to do");
}

/// A future that dies after so many looks at it.
struct Mortal<F> {
    future: F,
    looks: usize,
}

impl<F: Future + Unpin> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.looks == 0 {
            return Poll::Ready(None);
        }
        self.looks -= 1;
        Pin::new(&mut self.future).poll(context).map(Some)
    }
}

/// Does steps of some work that die, the first of them soon and later ones later, until none is due. Answers how many died.
pub(crate) async fn work_with_deaths(world: &World, home: &Home, work: Work, seed: u64, most: usize) -> usize {
    let (mut dice, mut deaths) = (fastrand::Rng::with_seed(seed), 0);
    loop {
        // Whoever died had the work to itself for a minute.
        world.clock.advance(Duration::from_secs(61));
        let due = home.process.fleet.due_work(world.clock.now(), 10).await.unwrap();
        if !due.iter().any(|one| one.account == home.account && one.work == work) {
            return deaths;
        }
        let worker = home.process.worker();
        let step = pin!(worker.work(home.account, work));
        let looks = dice.usize(1..most.min(4 << deaths.min(20)));
        match (Mortal { future: step, looks }).await {
            Some(done) => drop(done.unwrap()),
            None => deaths += 1,
        }
    }
}

#[tokio::test]
async fn an_import_that_dies_anywhere_loses_no_row_and_counts_none_twice() {
    let world = World::new(79).await;
    for seed in 0..3 {
        println!("seed {seed}");
        let home = world.home(0).await;
        let door = Door::of(&home).await;
        let mut text = "phone,name\n".to_owned();
        for row in 0..6_000 {
            match row % 10 {
                3 => writeln!(text, "{row},wrong").unwrap(),
                7 => writeln!(text, "+6012{:07},again {row}", row - 1).unwrap(),
                _ => writeln!(text, "+6012{row:07},person {row}").unwrap(),
            }
        }
        let id = announced(&home, &door, "people.csv", text.as_bytes()).await;
        let path = format!("/api/v1/contacts/import/{id}");
        assert_eq!(door.post(&format!("{path}/start"), &json!({})).await.code(), 202);
        let deaths = work_with_deaths(&world, &home, Work::Import(ImportId(id)), seed, 4_000).await;
        assert!(deaths > 3, "it died {deaths} times");
        let import = door.get(&path).await.data();
        let counts = json!({ "read": 6_000, "created": 4_800, "updated": 600, "checked": 0, "rejected": 600 });
        assert_eq!((&import["status"], &import["rows"]), (&json!("completed"), &counts), "after {deaths} deaths");
        assert_eq!(home.tenant().contacts().contact_counts().await.unwrap().all, 4_800);
        let rejects = rejects(&home, id).await;
        let rows: Vec<_> = rejects.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        let expected: Vec<_> = (0..6_000).filter(|row| row % 10 == 3).map(|row| (row + 2).to_string()).collect();
        assert_eq!(rows, expected);
        assert_eq!(contact(&home, "+60120000006").await.unwrap().name.as_deref(), Some("again 7"));
    }
}
