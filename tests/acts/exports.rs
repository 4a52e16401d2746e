//! Files made of an account's records, by steps that may die anywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::campaign::Order;
use hantar_domain::contact::OptIn;
use hantar_domain::ids::{ContactId, ExportId, ImportId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::token::Abilities;
use hantar_usecases::export_records::exported;
use hantar_usecases::import_contacts::uploaded;
use hantar_usecases::ports::{Clock as _, ContactDraft, Sequence, Work};
use serde_json::json;

use crate::campaign::{draft, phone, row};
use crate::door::{Door, token_with};
use crate::home::Home;
use crate::imports::work_with_deaths;
use crate::world::World;

/// So many people.
async fn people(home: &Home, count: u64) {
    let (process, account) = (&home.process, home.account);
    let first = process.fleet.reserve(Sequence::Contacts(account), count).await.unwrap();
    let draft = |number: u64| ContactDraft {
        id: ContactId(first + number),
        phone: PhoneNumber::from_e164(&format!("6012{number:07}")).unwrap(),
        name: (!number.is_multiple_of(3)).then(|| format!("=person, {number}")),
        external_id: number.is_multiple_of(2).then(|| format!("crm-{number}")),
        attributes: BTreeMap::from([(format!("field {}", number % 4), format!("\"value\"\n{number}"))]),
        groups: vec![],
        opted_in: number.is_multiple_of(5).then(|| OptIn { source: "form".into(), at: process.clock.now() }),
        at: process.clock.now(),
    };
    let drafts: Vec<_> = (0..count).map(draft).collect();
    for drafts in drafts.chunks(500) {
        home.tenant().contacts().upsert(drafts).await.unwrap();
    }
}

async fn file(home: &Home, id: u64) -> Vec<u8> {
    home.process.blobs.read(&exported(home.account, ExportId(id)), 0, usize::MAX).await.unwrap().unwrap()
}

#[tokio::test]
async fn contacts_are_asked_for_made_into_a_file_and_fetched() {
    let world = World::new(81).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    people(&home, 3).await;
    door.get("/api/v1/contacts/export").await.is("export_started");
    assert_eq!(door.get("/api/v1/contacts/export").await.data()["id"], 1, "asked again at once, it is the same");
    assert_eq!(door.get("/api/v1/contacts/export?format=xlsx").await.data()["id"], 3, "another format is another file");
    home.process.work().await;
    door.get("/api/v1/contacts/export/1").await.is("export_completed");
    let text = String::from_utf8(file(&home, 1).await).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    assert_eq!(
        header,
        "\u{feff}id,phone,name,external_id,opted_out,opted_in_source,opted_in_at,created_at,updated_at,\
         attributes.field 0,attributes.field 1,attributes.field 2"
    );
    assert!(rows.contains("+60120000001,\"'=person, 1\",,false,,,"), "{rows}");
    world.clock.advance(Duration::from_secs(61));
    assert_ne!(door.get("/api/v1/contacts/export").await.data()["id"], 1, "later it is another one");
}

#[tokio::test]
async fn requests_that_are_wrong_are_told_what_is() {
    let world = World::new(82).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    door.get("/api/v1/contacts/export?format=pdf&group=x").await.is("export_invalid");
    door.get("/api/v1/contacts/export?group=99").await.is("export_group_unknown");
    door.get("/api/v1/contacts/export/99").await.is("export_missing");
    let writer =
        door.with_token(token_with(&home, Abilities::from_names(["contacts:write".to_owned()]).unwrap()).await);
    assert_eq!(writer.get("/api/v1/contacts/export").await.code(), 403);
    let first = door.ask("GET", "/api/v1/contacts/export", None, Some("a")).await.data();
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(door.ask("GET", "/api/v1/contacts/export", None, Some("a")).await.data()["id"], first["id"]);
    assert_eq!(door.ask("GET", "/api/v1/contacts/export?format=xlsx", None, Some("a")).await.code(), 422);
}

#[tokio::test]
async fn what_is_another_accounts_does_not_exist() {
    let world = World::new(83).await;
    let (ours, theirs) = (world.home(0).await, world.home(0).await);
    let id = Door::of(&ours).await.get("/api/v1/contacts/export").await.data()["id"].as_u64().unwrap();
    let other = Door::of(&theirs).await;
    assert_eq!(other.get(&format!("/api/v1/contacts/export/{id}")).await.code(), 404);
}

#[tokio::test]
async fn what_is_taken_out_can_be_put_in_elsewhere() {
    let world = World::new(84).await;
    let ours = world.home(0).await;
    let door = Door::of(&ours).await;
    people(&ours, 50).await;
    for format in ["csv", "xlsx"] {
        let id = door.get(&format!("/api/v1/contacts/export?format={format}")).await.data()["id"].as_u64().unwrap();
        ours.process.work().await;
        let (bytes, theirs) = (file(&ours, id).await, world.home(0).await);
        let other = Door::of(&theirs).await;
        let request = json!({ "filename": format!("people.{format}"), "size": bytes.len() });
        assert_eq!(other.post("/api/v1/contacts/import", &request).await.code(), 201);
        theirs.process.blobs.put(&uploaded(theirs.account, ImportId(1)), bytes).await.unwrap();
        assert_eq!(other.post("/api/v1/contacts/import/1/start", &json!({})).await.code(), 202);
        theirs.process.work().await;
        let import = other.get("/api/v1/contacts/import/1").await.data();
        assert_eq!((&import["status"], &import["rows"]["created"]), (&json!("completed"), &json!(50)), "{import}");
        for number in 0..50 {
            let phone = PhoneNumber::from_e164(&format!("6012{number:07}")).unwrap();
            let [here, there] = [&ours, &theirs].map(Home::tenant);
            let here = here.contacts().contact_by_phone(&phone).await.unwrap().unwrap();
            let there = there.contacts().contact_by_phone(&phone).await.unwrap().unwrap();
            assert_eq!(
                (here.name, here.external_id, here.attributes),
                (there.name, there.external_id, there.attributes)
            );
        }
    }
}

#[tokio::test]
async fn an_export_that_dies_anywhere_has_every_row_once() {
    let world = World::new(85).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    people(&home, 2_500).await;
    for seed in 0..3 {
        println!("seed {seed}");
        world.clock.advance(Duration::from_secs(61));
        let id = door.get("/api/v1/contacts/export").await.data()["id"].as_u64().unwrap();
        let deaths = work_with_deaths(&world, &home, Work::Export(ExportId(id)), seed, 12).await;
        assert!(deaths > 3, "it died {deaths} times");
        let export = door.get(&format!("/api/v1/contacts/export/{id}")).await.data();
        assert_eq!((&export["status"], &export["rows"]), (&json!("completed"), &json!(2_500)));
        let text = String::from_utf8(file(&home, id).await).unwrap();
        for number in 0..2_500 {
            assert_eq!(text.matches(&format!(",+6012{number:07},")).count(), 1, "number {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaigns_results_are_a_file_with_a_row_for_everybody() {
    let world = World::new(86).await;
    let (home, other) = (world.home(1_000).await, world.home(0).await);
    home.connected(1).await;
    let door = Door::of(&home).await;
    let mut sale = draft(700);
    sale.recipients.extend([row("no number"), row(&phone(5))]);
    let id = home.start(sale).await;
    home.process.work().await;
    home.send_rows(home.device, 3).await;
    home.order(id, Order::Cancel).await;
    home.process.work().await;
    for format in ["csv", "xlsx"] {
        let path = format!("/api/v1/campaigns/{id}/export?format={format}");
        let asked = door.get(&path).await;
        asked.is(&format!("campaigns/export-{format}"));
        let export = asked.data()["id"].as_u64().unwrap();
        home.process.work().await;
        let path = format!("/api/v1/campaigns/{id}/export/{export}");
        door.get(&path).await.is(&format!("campaigns/exported-{format}"));
        for path in [
            format!("/api/v1/contacts/export/{export}"),
            format!("/api/v1/campaigns/99/export/{export}"),
            format!("/api/v1/campaigns/{id}/export/99"),
            format!("/api/v1/campaigns/{id}/export/x"),
        ] {
            assert_eq!(door.get(&path).await.code(), 404, "{path}");
        }
        assert_eq!(Door::of(&other).await.get(&path).await.code(), 404);
    }
    let text = String::from_utf8(file(&home, 1).await).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "\u{feff}phone,name,status,reason,field,message_id,device,updated_at");
    assert_eq!(lines.len(), 1 + 702);
    let with = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    assert_eq!((with(",sent,,,"), with(",cancelled,"), with(",rejected,")), (3, 697, 2), "{text}");
    assert!(lines.contains(&"no number,,rejected,invalid_phone,,,,"), "{text}");
    let writer = door.with_token(token_with(&home, Abilities::from_names(["contacts:read".to_owned()]).unwrap()).await);
    assert_eq!(writer.get(&format!("/api/v1/campaigns/{id}/export")).await.code(), 403);
    door.get("/api/v1/campaigns/99/export").await.is("campaigns/export-missing");
    door.get(&format!("/api/v1/campaigns/{id}/export?format=pdf")).await.is("campaigns/export-invalid");
}
