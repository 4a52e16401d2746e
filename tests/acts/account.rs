//! The account itself through the router, and what its time zone and regions do.

use hantar_domain::user::{Email, Role, User};
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::ports::{Clock as _, Sequence};
use serde_json::json;

use crate::door::Door;
use crate::world::World;

const PATH: &str = "/api/v1/account";

#[tokio::test]
async fn every_route_answers_as_the_files_say() {
    let world = World::new(71).await;
    let door = Door::of(&world.home(10).await).await;
    door.get(PATH).await.is("account/shown");
    let change = json!({ "name": "Kedai Baru", "regions": ["my", "SG", "MY"], "time_zone": "asia/singapore" });
    door.put(PATH, &change).await.is("account/changed");
    door.put(PATH, &json!({})).await.is("account/unchanged");
    let wrong = json!({ "name": "", "regions": ["XX", "MY", 5], "time_zone": "Mars/Olympus" });
    door.put(PATH, &wrong).await.is("account/wrong_types");
    let wrong = json!({ "name": "x".repeat(256), "regions": ["XX", "MY"], "time_zone": "Mars/Olympus" });
    door.put(PATH, &wrong).await.is("account/wrong_values");
    door.put(PATH, &json!({ "regions": [] })).await.is("account/no_regions");
}

#[tokio::test]
async fn a_repeat_of_an_older_change_under_its_key_does_not_undo_a_newer_one() {
    let world = World::new(72).await;
    let door = Door::of(&world.home(10).await).await;
    let rename = |name: &'static str, key: &'static str| {
        let door = &door;
        async move { door.ask("PUT", PATH, Some(&json!({ "name": name })), Some(key)).await }
    };
    assert_eq!(rename("One", "k1").await.data()["name"], "One");
    assert_eq!(rename("Two", "k2").await.data()["name"], "Two");
    assert_eq!(rename("One", "k1").await.data()["name"], "Two");
    assert_eq!(rename("Three", "k1").await.code(), 422);
}

#[tokio::test]
async fn only_an_owner_or_an_administrator_changes_the_account() {
    let world = World::new(73).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let process = &home.process;
    for (role, code) in [(Role::Admin, 200), (Role::Agent, 403), (Role::Viewer, 403)] {
        let id = hantar_domain::ids::UserId(process.numbers.next(Sequence::Users).await.unwrap());
        let email = Email::parse(&format!("{}@example.com", role.word())).unwrap();
        let user = User {
            id,
            account: home.account,
            email,
            verified_at: Some(process.clock.now()),
            role,
            signed_out_at: None,
        };
        assert!(process.fleet.add_user(&user).await.unwrap());
        let new = NewToken {
            account: home.account,
            user: id,
            name: "test".into(),
            abilities: hantar_domain::token::Abilities::all(),
            expires_at: None,
        };
        let token = create_token(process.fleet.as_ref(), &process.numbers, &process.entropy, &process.clock, new)
            .await
            .unwrap()
            .1;
        let answer = door.with_token(token).put(PATH, &json!({ "name": "Mine" })).await;
        assert_eq!(answer.code(), code, "{}", role.word());
        if role == Role::Viewer {
            answer.is("account/not_allowed");
        }
    }
}

#[tokio::test]
async fn a_time_without_an_offset_is_one_on_the_accounts_clocks() {
    let world = World::new(74).await;
    let home = world.home(10).await;
    let door = Door::of(&home).await;
    let now = jiff::Timestamp::from_microsecond(home.process.clock.now().0).unwrap();
    let tomorrow = now.to_zoned(jiff::tz::TimeZone::UTC).date().tomorrow().unwrap().tomorrow().unwrap();
    for (zone, utc) in [("Asia/Kuala_Lumpur", "10:30"), ("UTC", "18:30")] {
        door.put(PATH, &json!({ "time_zone": zone })).await;
        let body = json!({ "phone": "0123456789", "body": "later", "scheduled_at": format!("{tomorrow} 18:30") });
        let sent = door.post("/api/v1/messages/send", &body).await.data();
        assert_eq!(sent["scheduled_at"], format!("{tomorrow}T{utc}:00.000000Z"), "{zone}");
        let exact = format!("{tomorrow}T18:30:00+02:00");
        let body = json!({ "phone": "0123456789", "body": "later", "scheduled_at": exact });
        let sent = door.post("/api/v1/messages/send", &body).await.data();
        assert_eq!(sent["scheduled_at"], format!("{tomorrow}T16:30:00.000000Z"), "{zone}");
    }
}

#[tokio::test]
async fn numbers_of_the_accounts_regions_are_sent_to_and_no_others() {
    let world = World::new(75).await;
    let door = Door::of(&world.home(10).await).await;
    let body = json!({ "phone": "+6591234567", "body": "hello" });
    assert_eq!(door.post("/api/v1/messages/send", &body).await.code(), 422);
    door.put(PATH, &json!({ "regions": ["MY", "SG"] })).await;
    assert_eq!(door.post("/api/v1/messages/send", &body).await.code(), 202);
}
