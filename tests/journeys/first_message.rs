//! The whole road once: link, send, delivered, read, answered.

use serde_json::json;

use crate::shop::{ALI, SHOP, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_linked_a_message_sent_and_watched_until_it_is_read() {
    let shop = Shop::open().await;
    shop.subscribe().await;
    let id = shop.send("Hello from the API!").await;
    assert_eq!(shop.texts(ALI, 1).await, ["Hello from the API!"]);
    shop.state(id, &["delivered"]).await;
    shop.simulator.network().mark_read(ALI, None).unwrap();
    let message = shop.state(id, &["read"]).await;
    let states: Vec<&str> =
        message["history"].as_array().unwrap().iter().filter_map(|step| step["status"].as_str()).collect();
    assert_eq!(states, ["queued", "dispatched", "sent", "delivered", "read"]);
    assert_eq!(shop.balance().await, 9_999);
    shop.event(id, "read").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_device_says_so_and_gives_no_further_code() {
    let shop = Shop::open().await;
    let status = shop.api().get("/connection/status").await.unwrap();
    assert_eq!(status.body["data"]["driver"], "linked");
    assert_eq!(status.body["data"]["devices"][0]["phone"], format!("+{SHOP}"));
    assert_eq!(shop.api().get("/connection/qr").await.unwrap().status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_writes_is_stored_told_to_subscribers_and_answered_in_the_lane_of_replies() {
    let shop = Shop::open().await;
    let secret = shop.subscribe().await;
    shop.simulator.network().send_text(ALI, SHOP, "Is it open today?").unwrap();
    let event = shop
        .until("the event of the received message", async |_| {
            shop.subscriber.received().into_iter().find(|request| request.json()["type"] == "message.received")
        })
        .await;
    event.verify(&secret).unwrap();
    assert_eq!(event.json()["data"]["body"], "Is it open today?");
    assert_eq!(event.json()["data"]["phone"], format!("+{ALI}"));
    let list = shop.api().get("/messages?direction=inbound").await.unwrap();
    assert_eq!(list.body["data"][0]["body"], "Is it open today?");
    let id = shop.send("Yes, until six.").await;
    assert_eq!(shop.message(id).await["lane"], "reply");
    assert_eq!(shop.texts(ALI, 1).await, ["Yes, until six."]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_idempotency_key_sends_once_and_pays_once() {
    let shop = Shop::open().await;
    let body = json!({ "phone": ALI, "body": "Once" });
    let first = shop.with_key("order-1").post("/messages/send", &body).await.unwrap();
    let second = shop.with_key("order-1").post("/messages/send", &body).await.unwrap();
    assert_eq!((first.status, second.status), (202, 202));
    assert_eq!(first.body["data"]["id"], second.body["data"]["id"]);
    let other =
        shop.with_key("order-1").post("/messages/send", &json!({ "phone": ALI, "body": "Twice" })).await.unwrap();
    assert_eq!(other.status, 422, "{}", other.body);
    assert_eq!(shop.texts(ALI, 1).await, ["Once"]);
    assert_eq!(shop.balance().await, 9_999);
}
