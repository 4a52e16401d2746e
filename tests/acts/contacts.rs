//! Contacts and groups through the routes: what each answers, and what each leaves behind.

use std::time::Duration;

use hantar_domain::consent::{Consent, Said, Source};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::token::Abilities;
use hantar_usecases::ports::{Clock as _, Work};
use serde_json::{Value, json};

use crate::door::{Door, token_with};
use crate::world::World;

/// Saves a contact and answers its number.
async fn saved(door: &Door, body: &Value) -> u64 {
    let answer = door.post("/api/v1/contacts", body).await;
    assert!(answer.status.is_success(), "{}", answer.json());
    answer.data()["id"].as_u64().unwrap()
}

async fn group(door: &Door, name: &str) -> u64 {
    let answer = door.post("/api/v1/contact-groups", &json!({ "name": name })).await;
    assert_eq!(answer.code(), 201, "{}", answer.json());
    answer.data()["id"].as_u64().unwrap()
}

async fn found(door: &Door, query: &str) -> Vec<String> {
    let answer = door.get(&format!("/api/v1/contacts?{query}")).await;
    assert_eq!(answer.code(), 200, "{query}: {}", answer.json());
    let data = answer.data();
    data.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_saved_shown_changed_and_deleted() {
    let world = World::new(401).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let vip = group(&door, "VIP").await;
    let body = json!({
        "phone": "012-345 6789", "name": "Ali bin Abu", "external_id": "crm-1", "attributes": {"plan": "gold", "n": 5},
        "group_ids": [vip], "opt_in_source": "web form", "opted_in_at": "2026-01-02T03:04:05Z"
    });
    let made = door.post("/api/v1/contacts", &body).await;
    made.is("contact_created");
    let id = made.data()["id"].as_u64().unwrap();
    let path = format!("/api/v1/contacts/{id}");
    door.post("/api/v1/contacts", &json!({"phone": "+60123456789", "attributes": {"city": "Ipoh"}}))
        .await
        .is("contact_updated");
    door.get(&path).await.is("contact_shown");
    let change = json!({"name": "", "attributes": {"plan": "silver"}, "opted_out": true});
    door.put(&path, &change).await.is("contact_changed");
    door.put(&path, &json!({"phone": "0129999999", "opted_out": "perhaps"})).await.is("contact_change_invalid");
    assert_eq!(door.put(&path, &json!({"phone": "012-3456789"})).await.code(), 200, "its own number changes nothing");
    door.delete(&path).await.is("contact_deleted");
    door.delete(&path).await.is("contact_missing");
    for answer in [door.get(&path).await, door.put(&path, &change).await, door.get("/api/v1/contacts/x").await] {
        assert_eq!(answer.code(), 404);
    }
}

/// Before there was a contact, and beside one whose own copy was not reached, as if the process had died in between.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_opted_out_is_shown_so_whenever_the_contact_was_made() {
    let world = World::new(409).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let shown = async |id: u64| {
        let listed = door.get("/api/v1/contacts").await.data();
        let listed = listed.as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()["opted_out"].clone();
        (listed, door.get(&format!("/api/v1/contacts/{id}")).await.data()["opted_out"].clone())
    };
    let out = json!({ "phone": "0123456701", "status": "opted_out" });
    assert_eq!(door.post("/api/v1/consents", &out).await.code(), 201);
    let before = saved(&door, &json!({ "phone": "0123456701", "name": "Ali" })).await;
    assert_eq!(shown(before).await, (json!(true), json!(true)));

    let beside = saved(&door, &json!({ "phone": "0123456702", "name": "Siti" })).await;
    let phone = PhoneNumber::from_e164("60123456702").unwrap();
    let at = home.process.clock.now();
    let said = Consent { phone, said: Said::Out, source: Source::Contact, note: None, at, turned: false };
    home.tenant().consents().note_consent(&said, "c", None).await.unwrap();
    assert_eq!(shown(beside).await, (json!(true), json!(true)));
    let renamed = door.put(&format!("/api/v1/contacts/{beside}"), &json!({ "name": "Siti binti Ali" })).await;
    assert_eq!(renamed.data()["opted_out"], true);
    assert_eq!(saved(&door, &json!({ "phone": "0123456702" })).await, beside);
    assert_eq!(found(&door, "opted_out=true").await, ["Siti binti Ali", "Ali"], "the copy is set right by a save");

    let back = json!({ "phone": "0123456702", "status": "opted_in" });
    assert_eq!(door.post("/api/v1/consents", &back).await.code(), 201);
    assert_eq!(shown(beside).await, (json!(false), json!(false)));
    assert_eq!(found(&door, "opted_out=true").await, ["Ali"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_field_of_a_contact_is_named_at_once() {
    let world = World::new(402).await;
    let door = Door::of(&world.home(0).await).await;
    let body = json!({"phone": "12", "name": 5, "attributes": {"a": {}}, "group_ids": [1, "x"], "opted_in_at": "soon"});
    door.post("/api/v1/contacts", &body).await.is("contact_invalid");
    let body = json!({"phone": "+6591234567", "group_ids": [77]});
    door.post("/api/v1/contacts", &body).await.is("contact_invalid_values");
    let attributes: serde_json::Map<_, _> = (0..100).map(|n| (format!("f{n}"), json!("x"))).collect();
    saved(&door, &json!({"phone": "0123456789", "attributes": attributes})).await;
    let more = json!({"phone": "0123456789", "attributes": {"one": "more"}});
    door.post("/api/v1/contacts", &more).await.is("contact_too_much");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_each_repeat_of_a_write_harmless() {
    let world = World::new(403).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let body = json!({"phone": "0123456789", "name": "Ali"});
    let ask = async |method: &str, path: &str, body: Option<&Value>, key: &str| {
        let one = door.ask(method, path, body, Some(key)).await;
        let two = door.ask(method, path, body, Some(key)).await;
        assert_eq!((one.status, one.json()), (two.status, two.json()), "{method} {path}");
        one
    };
    let made = ask("POST", "/api/v1/contacts", Some(&body), "a").await;
    assert_eq!(made.code(), 201);
    let id = made.data()["id"].as_u64().unwrap();
    let path = format!("/api/v1/contacts/{id}");
    assert_eq!(ask("POST", "/api/v1/contacts", Some(&body), "b").await.code(), 200);
    let other = json!({"phone": "0123456789", "name": "Abu"});
    door.ask("POST", "/api/v1/contacts", Some(&other), Some("a")).await.is("contact_key_reused");
    assert_eq!(ask("PUT", &path, Some(&json!({"name": "Abu"})), "c").await.code(), 200);
    assert_eq!(door.ask("PUT", &path, Some(&json!({"name": "Ali"})), Some("c")).await.code(), 422);
    let groups = "/api/v1/contact-groups";
    let vip = ask("POST", groups, Some(&json!({"name": "VIP"})), "d").await;
    assert_eq!(vip.code(), 201);
    let vip = format!("{groups}/{}", vip.data()["id"]);
    assert_eq!(ask("PUT", &vip, Some(&json!({"name": "Gold"})), "e").await.code(), 200);
    let members = format!("{vip}/contacts");
    assert_eq!(ask("POST", &members, Some(&json!({"contact_ids": [id]})), "f").await.code(), 200);
    assert_eq!(ask("DELETE", &members, Some(&json!({"contact_ids": [id]})), "g").await.code(), 200);
    let reused = door.ask("POST", &members, Some(&json!({"contact_ids": [id, 5]})), Some("f")).await;
    assert_eq!(reused.code(), 422);
    let merge = format!("{path}/merge");
    let second = saved(&door, &json!({"phone": "0129999999"})).await;
    assert_eq!(ask("POST", &merge, Some(&json!({"contact_ids": [second]})), "h").await.code(), 200);
    assert_eq!(ask("DELETE", &vip, None, "i").await.code(), 204);
    assert_eq!(ask("DELETE", &path, None, "j").await.code(), 204);
    let erasure = ask("POST", "/api/v1/contact-erasures", Some(&json!({"phone": "0123456789"})), "k").await;
    assert_eq!(erasure.code(), 202);
    for (method, path) in [("POST", "/api/v1/contacts"), ("PUT", path.as_str()), ("DELETE", path.as_str())] {
        saved(&door, &json!({"phone": "0123456789"})).await;
        let answer = door.ask(method, path, Some(&body), Some(&"x".repeat(256))).await;
        assert!(matches!(answer.code(), 404 | 422), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_listed_by_pages_and_found_by_filters() {
    let world = World::new(404).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    door.get("/api/v1/contacts").await.is("contacts_empty");
    let vip = group(&door, "VIP").await;
    for n in 0..7 {
        let groups = if n % 2 == 0 { vec![vip] } else { vec![] };
        let name = format!("{} {}", if n < 3 { "Ali" } else { "Siti" }, ["Tan", "Lim"][n % 2]);
        let body = json!({"phone": format!("01234567{n}0"), "name": name, "external_id": format!("crm-{n}"), "group_ids": groups});
        saved(&door, &body).await;
    }
    door.get("/api/v1/contacts?per_page=2&page=2").await.is("contacts_page");
    let first = door.get("/api/v1/contacts?search=ali&per_page=2").await;
    first.is("contacts_searched");
    let next = first.json()["links"]["next"].as_str().unwrap().split_once("/api").unwrap().1.to_owned();
    let second = door.get(&format!("/api{next}")).await.json();
    assert_eq!(second["data"].as_array().unwrap().len(), 1, "{second}");
    assert_eq!(second["links"]["next"], Value::Null);
    assert_eq!(found(&door, "search=ali%20t").await, ["Ali Tan", "Ali Tan"]);
    assert_eq!(found(&door, "search=012-345%206750").await, ["Siti Lim"]);
    assert_eq!(found(&door, "search=0123456730").await, ["Siti Lim"]);
    assert_eq!(found(&door, "search=730").await, ["Siti Lim"]);
    assert_eq!(found(&door, "external_id=crm-4").await, ["Siti Tan"]);
    assert_eq!(found(&door, &format!("group={vip}&search=siti")).await, ["Siti Tan", "Siti Tan"]);
    assert_eq!(found(&door, &format!("group={vip}&opted_out=1")).await, [""; 0]);
    assert_eq!(found(&door, "page=3&per_page=3").await.len(), 1);
    assert_eq!(found(&door, "page=9&per_page=3").await.len(), 0);
    let total = |query: &str| format!("/api/v1/contacts?{query}&per_page=1");
    for (query, expected) in [("", 7), (&*format!("group={vip}"), 4), ("opted_out=0", 7), ("opted_out=1", 0)] {
        assert_eq!(door.get(&total(query)).await.json()["total"], expected, "{query}");
    }
    door.get("/api/v1/contacts?per_page=0&page=x&group=99&opted_out=2").await.is("contacts_invalid");
    assert_eq!(door.get("/api/v1/contacts?page=5000").await.code(), 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_made_filled_renamed_and_deleted() {
    let world = World::new(405).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let made = door.post("/api/v1/contact-groups", &json!({"name": " VIP "})).await;
    made.is("contact_group_created");
    let path = format!("/api/v1/contact-groups/{}", made.data()["id"]);
    door.post("/api/v1/contact-groups", &json!({"name": "VIP"})).await.is("contact_group_taken");
    door.post("/api/v1/contact-groups", &json!({"name": "  "})).await.is("contact_group_invalid");
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(saved(&door, &json!({"phone": format!("01234567{n}0"), "name": "Ali"})).await);
    }
    let members = format!("{path}/contacts");
    let all = json!({"contact_ids": [ids[0], ids[1], ids[2], 9_999]});
    door.ask("POST", &members, Some(&all), None).await.is("contact_group_filled");
    let one = json!({"contact_ids": [ids[0]]});
    door.ask("DELETE", &members, Some(&one), None).await.is("contact_group_emptied");
    door.ask("POST", &members, Some(&json!({"contact_ids": []})), None).await.is("contact_group_members_invalid");
    door.put(&path, &json!({"name": "Gold"})).await.is("contact_group_renamed");
    door.get(&path).await.is("contact_group_shown");
    door.get("/api/v1/contact-groups").await.is("contact_groups");
    door.delete(&path).await.is("contact_group_deleted");
    door.get(&path).await.is("contact_group_missing");
    assert_eq!(door.get(&format!("/api/v1/contacts/{}", ids[1])).await.data()["group_ids"], json!([]));
    assert_eq!(home.process.sweep_work().await, 1);
    assert!(home.process.work().await >= 1);
    let due = home.process.clock.now() + Duration::from_hours(1);
    assert!(home.process.fleet.due_work(due, 10).await.unwrap().is_empty(), "the work is over");
    assert!(world.items().await.keys().all(|(_, pk, _)| !pk.contains("#KG#")), "nobody is in it");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_contacts_become_one() {
    let world = World::new(406).await;
    let door = Door::of(&world.home(0).await).await;
    let one = saved(&door, &json!({"phone": "0123456780", "attributes": {"plan": "gold"}})).await;
    let body = json!({"phone": "0123456781", "name": "Ali", "attributes": {"plan": "none", "city": "Ipoh"}});
    let two = saved(&door, &body).await;
    let path = format!("/api/v1/contacts/{one}/merge");
    door.post(&path, &json!({"contact_ids": [two, 9_999]})).await.is("contact_merged");
    assert_eq!(door.get(&format!("/api/v1/contacts/{two}")).await.code(), 404);
    door.post(&path, &json!({"contact_ids": "all"})).await.is("contact_merge_invalid");
    assert_eq!(door.post(&format!("/api/v1/contacts/{two}/merge"), &json!({"contact_ids": [one]})).await.code(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_accounts_contacts_and_groups_do_not_exist() {
    let world = World::new(407).await;
    let (mine, theirs) = (Door::of(&world.home(0).await).await, Door::of(&world.home(0).await).await);
    let vip = group(&mine, "VIP").await;
    let id = saved(&mine, &json!({"phone": "0123456789", "name": "Ali", "group_ids": [vip]})).await;
    let erasure = mine.post("/api/v1/contact-erasures", &json!({"phone": "0129999999"})).await.data()["id"].clone();
    let ids = json!({"contact_ids": [id], "name": "x", "phone": "0123456789"});
    for (method, path) in [
        ("GET", format!("contacts/{id}")),
        ("PUT", format!("contacts/{id}")),
        ("DELETE", format!("contacts/{id}")),
        ("POST", format!("contacts/{id}/merge")),
        ("GET", format!("contact-groups/{vip}")),
        ("PUT", format!("contact-groups/{vip}")),
        ("DELETE", format!("contact-groups/{vip}")),
        ("POST", format!("contact-groups/{vip}/contacts")),
        ("DELETE", format!("contact-groups/{vip}/contacts")),
        ("GET", format!("contact-erasures/{erasure}")),
    ] {
        let answer = theirs.ask(method, &format!("/api/v1/{path}"), (method != "GET").then_some(&ids), None).await;
        assert_eq!(answer.code(), 404, "{method} {path}: {}", answer.json());
    }
    assert_eq!(theirs.get(&format!("/api/v1/contacts?group={vip}")).await.code(), 422);
    assert_eq!(theirs.post("/api/v1/contact-erasures", &json!({"contact_id": id})).await.code(), 422);
    let body = json!({"phone": "0128888888", "group_ids": [vip]});
    assert_eq!(theirs.post("/api/v1/contacts", &body).await.code(), 422);
    assert!(found(&theirs, "search=ali").await.is_empty());
    assert_eq!(found(&mine, "search=ali").await, ["Ali"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_and_writing_contacts_ask_for_an_ability_each() {
    let world = World::new(408).await;
    let home = world.home(0).await;
    let door = Door::of(&home).await;
    let id = saved(&door, &json!({"phone": "0123456789"})).await;
    let abilities = |name: &str| Abilities::from_names([name.to_owned()]).unwrap();
    let reader = door.with_token(token_with(&home, abilities("contacts:read")).await);
    let writer = door.with_token(token_with(&home, abilities("contacts:write")).await);
    let (one, ids) = (format!("contacts/{id}"), json!({"contact_ids": [id], "phone": "0123456789", "name": "A"}));
    for path in ["contacts", &one, "contact-groups", "contact-erasures"] {
        let path = format!("/api/v1/{path}");
        assert_eq!((reader.get(&path).await.code(), writer.get(&path).await.code()), (200, 403), "{path}");
    }
    for (method, path) in
        [("POST", "contacts"), ("PUT", &one), ("POST", "contact-groups"), ("POST", "contact-erasures")]
    {
        let path = format!("/api/v1/{path}");
        assert_eq!(reader.ask(method, &path, Some(&ids), None).await.code(), 403, "{method} {path}");
        assert!(writer.ask(method, &path, Some(&ids), None).await.status.is_success(), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_on_a_group_that_was_never_there_ends_at_once() {
    let world = World::new(409).await;
    let home = world.home(0).await;
    let work = Work::Ungroup(hantar_domain::ids::GroupId(5));
    home.process.fleet.arm_work(home.account, work, home.process.clock.now()).await.unwrap();
    assert_eq!(home.process.sweep_work().await, 1);
    assert_eq!(home.process.work().await, 1);
}
