//! Messages with files: announced, uploaded, named by messages.

use std::time::Duration;

use hantar_domain::ids::{MessageId, UploadId};
use hantar_domain::media::{Kind, Media, Source};
use hantar_domain::token::Abilities;
use hantar_usecases::ports::Clock as _;
use hantar_usecases::upload_file::uploaded;
use serde_json::json;

use crate::door::{Door, token_with};
use crate::home::Home;
use crate::world::World;

const SEND: &str = "/api/v1/messages/send";

async fn opened(seed: u64) -> (World, Home, Door) {
    let world = World::new(seed).await;
    let home = world.home(5).await;
    let door = Door::of(&home).await;
    (world, home, door)
}

#[tokio::test]
async fn a_file_is_announced_uploaded_and_sent_by_as_many_messages_as_one_likes() {
    let (_world, home, door) = opened(171).await;
    let asked = json!({ "filename": "price list.pdf", "size": 4 });
    door.post("/api/v1/uploads", &asked).await.is("media/upload_created");
    let document = json!({ "phone": "0123456789", "body": "Our prices", "media": { "upload_id": 1 } });
    door.post(SEND, &document).await.is("media/upload_not_there");
    home.process.blobs.put(&uploaded(home.account, UploadId(1)), b"%PDF".to_vec()).await.unwrap();
    door.post(SEND, &document).await.is("media/sent_upload");
    let again =
        json!({ "phone": "0123456780", "media": { "upload_id": 1, "filename": "other.pdf", "caption": "Ours" } });
    let id = door.post(SEND, &again).await.data()["id"].as_u64().unwrap();
    let message = home.tenant().message(MessageId(id)).await.unwrap().unwrap();
    let expected = Media { source: Source::Upload(UploadId(1)), kind: None, filename: Some("other.pdf".into()) };
    assert_eq!((message.media, message.body.as_str()), (Some(expected), "Ours"));
}

#[tokio::test]
async fn a_picture_is_named_by_its_address_and_shown_with_the_message() {
    let (_world, home, door) = opened(172).await;
    let media = json!({ "url": "https://example.com/menu.png?x=1", "type": "image", "caption": "Hi {{name}}" });
    let picture = json!({ "phone": "0123456789", "name": "Ali", "body": "not this", "media": media });
    let sent = door.post(SEND, &picture).await;
    sent.is("media/sent_address");
    let id = sent.data()["id"].as_u64().unwrap();
    let shown = door.get(&format!("/api/v1/messages/{id}")).await.data();
    assert_eq!((&shown["body"], &shown["media"]["type"]), (&json!("Hi Ali"), &json!("image")));
    let message = home.tenant().message(MessageId(id)).await.unwrap().unwrap();
    assert_eq!(message.media.unwrap().kind, Some(Kind::Image));
}

#[tokio::test]
async fn rows_of_a_bulk_carry_files_and_those_with_useless_ones_are_rejected() {
    let (_world, home, door) = opened(173).await;
    let rows = json!([
        { "phone": "0123456781", "media": { "url": "https://example.com/a.pdf" } },
        { "phone": "0123456782", "media": { "url": "https://127.0.0.1/a.pdf" } },
        { "phone": "0123456783", "body": "Hi", "media": { "upload_id": 9 } },
        { "phone": "0123456784", "body": "Hi", "media": { "url": "https://example.com/a", "type": "audio" } },
        { "phone": "0123456785" },
    ]);
    let answer = door.post("/api/v1/messages/bulk", &json!({ "messages": rows })).await;
    answer.is("media/bulk");
    let id = answer.data()["queued"][0]["id"].as_u64().unwrap();
    let message = home.tenant().message(MessageId(id)).await.unwrap().unwrap();
    assert_eq!(message.media.unwrap().source, Source::Url("https://example.com/a.pdf".into()));
}

#[tokio::test]
async fn a_file_is_kept_for_a_month_and_no_message_is_promised_it_for_later() {
    let (world, home, door) = opened(174).await;
    door.post("/api/v1/uploads", &json!({ "filename": "a.pdf", "size": 4 })).await;
    let file = uploaded(home.account, UploadId(1));
    home.process.blobs.put(&file, b"%PDF".to_vec()).await.unwrap();
    let at = |when: &str| json!({ "phone": "0123456789", "media": { "upload_id": 1 }, "scheduled_at": when });
    door.post(SEND, &at("2027-06-01T00:00:00Z")).await.is("media/upload_kept_too_short");
    world.clock.advance(Duration::from_hours(30 * 24));
    door.post(SEND, &json!({ "phone": "0123456789", "media": { "upload_id": 1 } })).await.is("media/upload_over");
    home.process.sweep_work().await;
    home.process.work().await;
    assert_eq!(home.process.blobs.size(&file).await.unwrap(), None);
    assert!(home.process.fleet.due_work(world.clock.now(), 10).await.unwrap().is_empty(), "the work is over");
}

#[tokio::test]
async fn announcing_needs_a_name_a_length_within_bounds_and_the_ability_to_send() {
    let (_world, home, door) = opened(175).await;
    door.post("/api/v1/uploads", &json!({})).await.is("media/upload_invalid");
    for size in [json!(0), json!(64 * 1024 * 1024 + 1), json!("many")] {
        let answer = door.post("/api/v1/uploads", &json!({ "filename": "a.pdf", "size": size })).await;
        assert_eq!(answer.code(), 422, "{size}");
    }
    let reader = door.with_token(token_with(&home, Abilities::from_names(["contacts:read".to_owned()]).unwrap()).await);
    assert_eq!(reader.post("/api/v1/uploads", &json!({ "filename": "a.pdf", "size": 4 })).await.code(), 403);
}
