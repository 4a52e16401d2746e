//! Templates through the router, and messages made of them.

use hantar_domain::token::Abilities;
use serde_json::{Value, json};

use crate::door::{Door, token_with};
use crate::home::Home;
use crate::world::World;

const PATH: &str = "/api/v1/templates";

async fn door(seed: u64) -> (World, Home, Door) {
    let world = World::new(seed).await;
    let home = world.home(100).await;
    let door = Door::of(&home).await;
    (world, home, door)
}

fn welcome() -> Value {
    json!({ "name": "Welcome message", "body": "Hi {{name | default: \"there\"}}, your plan is {{plan}}." })
}

#[tokio::test]
async fn every_route_answers_as_the_files_say() {
    let (_world, _home, door) = door(61).await;
    door.post(PATH, &welcome()).await.is("templates/created");
    let whole = json!({
        "name": "Shipped", "slug": "order-shipped", "body": "On its way", "is_active": false, "meta_template": "order_update"
    });
    door.post(PATH, &whole).await.is("templates/created_whole");
    door.get(&format!("{PATH}/1")).await.is("templates/shown");
    door.get(PATH).await.is("templates/listed");
    door.get(&format!("{PATH}?active_only=1")).await.is("templates/listed_active");
    door.get(&format!("{PATH}?per_page=1&page=2")).await.is("templates/listed_second_page");
    door.put(&format!("{PATH}/2"), &json!({ "is_active": true, "meta_template": null })).await.is("templates/changed");
    let ali = json!({ "name": "Ali", "attributes": { "plan": "gold" } });
    door.post(&format!("{PATH}/1/preview"), &ali).await.is("templates/previewed");
    door.post(&format!("{PATH}/1/preview"), &json!({})).await.is("templates/previewed_for_nobody");
    door.delete(&format!("{PATH}/2")).await.is("templates/deleted");
}

#[tokio::test]
async fn every_mistake_is_answered_as_the_files_say() {
    let (world, home, door) = door(62).await;
    door.post(PATH, &json!({})).await.is("templates/nothing_given");
    let wrong = json!({ "name": 5, "slug": "Not A Slug", "body": "x".repeat(4097), "is_active": "perhaps" });
    door.post(PATH, &wrong).await.is("templates/all_wrong");
    door.post(PATH, &json!({ "name": "A", "slug": "taken", "body": "a" })).await;
    door.post(PATH, &json!({ "name": "B", "slug": "taken", "body": "b" })).await.is("templates/slug_taken");
    door.post(PATH, &json!({ "name": "C", "body": "c" })).await;
    for (path, what) in [("3", "slug_taken_by_change"), ("99", "missing"), ("x", "no_number")] {
        let answer = door.put(&format!("{PATH}/{path}"), &json!({ "slug": "taken" })).await;
        answer.is(&format!("templates/{what}"));
    }
    door.put(&format!("{PATH}/3"), &json!({ "name": "", "body": null })).await.is("templates/emptied");
    door.get(&format!("{PATH}?active_only=perhaps&per_page=0")).await.is("templates/list_wrong");
    let reader = token_with(&home, Abilities::from_names(["templates:read".to_owned()]).unwrap()).await;
    door.with_token(reader).post(PATH, &welcome()).await.is("templates/not_allowed");
    let other = Door::of(&world.home(0).await).await;
    for (method, path) in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/preview")] {
        let answer = other.ask(method, &format!("{PATH}/1{path}"), Some(&json!({ "name": "x" })), None).await;
        assert_eq!(answer.code(), 404, "{method}");
    }
    assert_eq!(other.get(PATH).await.data(), json!([]));
}

#[tokio::test]
async fn a_repeat_under_a_key_answers_the_same_and_changes_nothing_more() {
    let (_world, _home, door) = door(63).await;
    let create = |body: Value, key: &'static str| {
        let door = &door;
        async move { door.ask("POST", PATH, Some(&body), Some(key)).await }
    };
    let (first, again) = (create(welcome(), "k1").await, create(welcome(), "k1").await);
    assert_eq!((first.code(), again.code(), first.data()), (201, 201, again.data()));
    create(json!({ "name": "Another", "body": "x" }), "k1").await.is("templates/key_reused");
    assert_eq!(door.get(PATH).await.data().as_array().unwrap().len(), 1);

    let path = format!("{PATH}/1");
    let change = |name: &'static str, key: &'static str| {
        let (door, path) = (&door, &path);
        async move { door.ask("PUT", path, Some(&json!({ "name": name })), Some(key)).await }
    };
    assert_eq!(change("New", "k2").await.data()["name"], "New");
    assert_eq!(change("Newer", "k3").await.data()["name"], "Newer");
    assert_eq!(change("New", "k2").await.data()["name"], "Newer", "the repeat of an older change");
    assert_eq!(change("Newest", "k2").await.code(), 422);

    let delete = |key: Option<&'static str>| {
        let (door, path) = (&door, &path);
        async move { door.ask("DELETE", path, None, key).await.code() }
    };
    assert_eq!([delete(Some("k4")).await, delete(Some("k4")).await, delete(None).await], [204, 204, 404]);
    assert_eq!(create(welcome(), "k1").await.code(), 422, "what it stood for is gone");
    assert_eq!(create(welcome(), "k5").await.data()["slug"], "welcome-message", "its slug is free again");
}

#[tokio::test]
async fn a_slug_made_of_a_name_gives_way_to_those_that_are_taken() {
    let (_world, _home, door) = door(64).await;
    let mut slugs = Vec::new();
    for name in ["Welcome", "welcome!", "Welcome", "欢迎", "欢迎"] {
        let made = door.post(PATH, &json!({ "name": name, "body": "x" })).await.data();
        slugs.push(made["slug"].as_str().unwrap().to_owned());
    }
    assert_eq!(slugs, ["welcome", "welcome-2", "welcome-3", "template", "template-2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_one_slug_at_once_one_gets_it() {
    let (world, home, door) = door(65).await;
    world.faults.set_plan(hantar_platform::faults::FaultPlan::conflicting());
    let mut doors = vec![door];
    for _ in 0..3 {
        doors.push(Door::of(&home.seen_by(world.process())).await);
    }
    let body = json!({ "name": "A", "slug": "one", "body": "x" });
    let asked = (0..16).map(|n| doors[n % 4].post(PATH, &body));
    let codes: Vec<_> = futures::future::join_all(asked).await.iter().map(crate::door::Answer::code).collect();
    world.faults.set_plan(hantar_platform::faults::FaultPlan::default());
    assert_eq!(codes.iter().filter(|code| **code == 201).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| matches!(code, 201 | 422 | 503)), "{codes:?}");
    assert_eq!(doors[0].get(PATH).await.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_message_is_made_of_a_template() {
    let (_world, _home, door) = door(66).await;
    door.post(PATH, &welcome()).await;
    door.post(PATH, &json!({ "name": "Off", "body": "x", "is_active": false })).await;
    let send = |body: Value| {
        let door = &door;
        async move { door.post("/api/v1/messages/send", &body).await }
    };
    let sent = send(json!({ "phone": "0123456789", "template_id": 1, "attributes": { "plan": "gold" } })).await;
    assert_eq!((sent.code(), sent.data()["body"].as_str()), (202, Some("Hi there, your plan is gold.")));
    send(json!({ "phone": "0123456789", "template_id": 2 })).await.is("templates/send_inactive");
    send(json!({ "phone": "0123456789", "template_id": 9, "body": "x" })).await.is("templates/send_both");
    send(json!({ "phone": "0123456789", "template_id": "x" })).await.is("templates/send_no_number");
}
