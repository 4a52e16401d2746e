//! The campaigns' routes, answer by answer.

use hantar_domain::device::Status as DeviceStatus;
use hantar_domain::ids::CampaignId;
use hantar_domain::token::Abilities;
use serde_json::{Value, json};

use crate::campaign::phone;
use crate::door::{Door, token_with};
use crate::home::Home;
use crate::world::World;

fn sale(recipients: usize) -> Value {
    let rows: Vec<Value> = (0..recipients).map(|number| json!({ "phone": phone(number), "name": "Ali" })).collect();
    json!({ "name": "Sale", "body": "Hi {{name}}", "recipients": rows })
}

async fn shop(seed: u64) -> (World, Home, Door) {
    let world = World::new(seed).await;
    let home = world.home(100).await;
    home.connected(1).await;
    let door = Door::of(&home).await;
    (world, home, door)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_made_shown_listed_and_its_recipients_are_named() {
    let (world, home, door) = shop(541).await;
    door.get("/api/v1/campaigns").await.is("campaigns/list-empty");
    let mut asked = sale(3);
    asked["recipients"].as_array_mut().unwrap().extend([json!({"phone": "no number"}), json!({"phone": phone(1)})]);
    asked["pacing"] = json!({ "per_minute": 60 });
    let made = door.ask("POST", "/api/v1/campaigns", Some(&asked), Some("k1")).await;
    made.is("campaigns/created");
    let again = door.ask("POST", "/api/v1/campaigns", Some(&asked), Some("k1")).await;
    assert_eq!((again.code(), again.data()["id"].clone()), (201, made.data()["id"].clone()));
    home.process.work().await;
    world.relay(&home.process).await;
    door.get("/api/v1/campaigns/1").await.is("campaigns/running");
    home.send_rows(home.device, 2).await;
    world.relay(&home.process).await;
    door.get("/api/v1/campaigns").await.is("campaigns/list");
    door.get("/api/v1/campaigns/1/recipients").await.is("campaigns/recipients");
    let first = door.get("/api/v1/campaigns/1/recipients?per_page=2").await.json();
    let next = first["links"]["next"].as_str().unwrap().strip_prefix("http://localhost:8080").unwrap().to_owned();
    let second = door.get(&next).await.json();
    let third = door.get("/api/v1/campaigns/1/recipients?per_page=2&page=3").await.json();
    let phones =
        |page: &Value| page["data"].as_array().unwrap().iter().map(|row| row["phone"].clone()).collect::<Vec<_>>();
    let all = [phones(&first), phones(&second), phones(&third)].concat();
    let whole = door.get("/api/v1/campaigns/1/recipients").await.json();
    assert_eq!((all, third["links"]["next"].clone()), (phones(&whole), Value::Null), "pages join without gaps");
    assert_eq!(door.get("/api/v1/campaigns/1/recipients?page=9").await.json()["data"], json!([]));
    home.audit_campaigns().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_campaign_is_named_field_by_field() {
    let (_world, home, door) = shop(542).await;
    let wrong = json!({
        "body": "Hi", "message_template_id": 7, "contact_group_id": 9, "contact_ids": ["x"], "devices": [77],
        "recipients": [{"name": "Ali"}], "scheduled_at": "soon", "pacing": {"per_minute": 0},
    });
    door.post("/api/v1/campaigns", &wrong).await.is("campaigns/invalid");
    door.post("/api/v1/campaigns", &json!({})).await.is("campaigns/empty");
    let unknown = json!({"name": "Sale", "message_template_id": 7, "contact_group_id": 9, "device": 77});
    door.post("/api/v1/campaigns", &unknown).await.is("campaigns/unknown");
    door.post("/api/v1/campaigns", &sale(101)).await.is("campaigns/no-credits");
    door.ask("POST", "/api/v1/campaigns", Some(&sale(1)), Some("k")).await;
    door.ask("POST", "/api/v1/campaigns", Some(&sale(2)), Some("k")).await.is("campaigns/key-reused");
    for path in ["", "/pause", "/resume", "/cancel", "/recipients"] {
        let method = if path.is_empty() || path == "/recipients" { "GET" } else { "POST" };
        for id in ["99", "x", "-1", "18446744073709551616"] {
            let answer = door.ask(method, &format!("/api/v1/campaigns/{id}{path}"), None, None).await;
            assert_eq!(answer.code(), 404, "{method} {id}{path}");
        }
    }
    door.get("/api/v1/campaigns/99").await.is("campaigns/missing");
    door.get("/api/v1/campaigns?per_page=0&page=x").await.is("campaigns/list-invalid");
    door.get("/api/v1/messages?campaign_id=99").await.is("campaigns/messages-unknown");
    assert_eq!(home.tenant().balance().await.unwrap().available, 99);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_paused_resumed_and_taken_back() {
    let (world, home, door) = shop(543).await;
    door.post("/api/v1/campaigns", &sale(5)).await;
    home.process.work().await;
    world.relay(&home.process).await;
    door.ask("POST", "/api/v1/campaigns/1/pause", None, Some("p")).await.is("campaigns/paused");
    assert_eq!(door.ask("POST", "/api/v1/campaigns/1/pause", None, Some("p")).await.data()["status"], "paused");
    door.ask("POST", "/api/v1/campaigns/1/resume", None, Some("r")).await.is("campaigns/resumed");
    assert_eq!(door.ask("POST", "/api/v1/campaigns/1/resume", None, None).await.code(), 200);
    door.ask("POST", "/api/v1/campaigns/1/cancel", None, None).await.is("campaigns/cancelling");
    home.process.work().await;
    world.relay(&home.process).await;
    door.get("/api/v1/campaigns/1").await.is("campaigns/cancelled");
    door.ask("POST", "/api/v1/campaigns/1/resume", None, None).await.is("campaigns/too-late");
    assert_eq!(home.audit_campaigns().await.available, 100);
    let listed = door.get("/api/v1/messages?campaign_id=1&per_page=2").await.json();
    assert_eq!((listed["total"].clone(), listed["data"].as_array().unwrap().len()), (json!(5), 2));
    assert_eq!(listed["data"][0]["campaign_id"], 1);
    let sent = door.get("/api/v1/messages?campaign_id=1&status=sent").await.json();
    assert_eq!((sent["total"].clone(), sent["data"].clone()), (json!(0), json!([])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_a_campaign_would_come_to_and_writes_nothing() {
    let (world, home, door) = shop(544).await;
    let before = world.items().await;
    let mut asked = sale(4);
    asked["recipients"].as_array_mut().unwrap().extend([
        json!({"phone": "x"}),
        json!({"phone": phone(2)}),
        json!({"phone": phone(9)}),
    ]);
    asked.as_object_mut().unwrap().remove("name");
    door.post("/api/v1/campaigns/preview", &asked).await.is("campaigns/preview");
    door.post("/api/v1/campaigns/preview", &json!({"body": ""})).await.is("campaigns/preview-invalid");
    home.stands(home.device, DeviceStatus::LoggedOut).await;
    assert_eq!(door.post("/api/v1/campaigns/preview", &asked).await.data()["eta"], Value::Null);
    let mut after = world.items().await;
    let is_device = |(_, _, sk): &(String, String, String)| sk.starts_with("DEVICE#") || sk == "TOKEN";
    after.retain(|key, _| !is_device(key));
    let mut before = before;
    before.retain(|key, _| !is_device(key));
    assert!(before == after, "the preview wrote something");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_finds_nothing_of_it_and_a_token_needs_the_ability() {
    let (world, home, door) = shop(545).await;
    door.post("/api/v1/campaigns", &sale(2)).await;
    home.process.work().await;
    let stranger = Door::of(&world.home(100).await).await;
    for (method, path) in [
        ("GET", "campaigns/1"),
        ("GET", "campaigns/1/recipients"),
        ("POST", "campaigns/1/pause"),
        ("POST", "campaigns/1/resume"),
        ("POST", "campaigns/1/cancel"),
    ] {
        let answer = stranger.ask(method, &format!("/api/v1/{path}"), None, None).await;
        assert_eq!(answer.code(), 404, "{method} {path}");
    }
    assert_eq!(stranger.get("/api/v1/campaigns").await.data(), json!([]));
    assert_eq!(stranger.get("/api/v1/messages?campaign_id=1").await.code(), 422);
    assert_eq!(home.campaign(CampaignId(1)).await.status.word(), "running");

    let reader = Abilities::from_names(["campaigns:read".to_owned()]).unwrap();
    let reader = door.with_token(token_with(&home, reader).await);
    assert_eq!(reader.get("/api/v1/campaigns/1").await.code(), 200);
    for path in ["campaigns", "campaigns/preview", "campaigns/1/pause"] {
        assert_eq!(reader.post(&format!("/api/v1/{path}"), &sale(1)).await.code(), 403, "{path}");
    }
}
