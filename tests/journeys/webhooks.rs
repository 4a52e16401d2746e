//! What subscribers hear.

use hantar_testkit::webhook_receiver::Reply;
use serde_json::json;

use crate::shop::{ALI, LONG, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_told_once_signed_and_under_its_own_id() {
    let shop = Shop::open().await;
    let secret = shop.subscribe().await;
    let id = shop.send("told").await;
    shop.event(id, "sent").await;
    shop.event(id, "delivered").await;
    shop.simulator.network().mark_read(ALI, None).unwrap();
    shop.event(id, "read").await;
    let requests = shop.subscriber.received();
    let mut ids: Vec<&str> = requests.iter().map(|request| request.header("webhook-id")).collect();
    for request in &requests {
        request.verify(&secret).unwrap();
        assert!(!request.header("webhook-id").contains('.'));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), requests.len(), "no event was told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_attempt_is_repeated_under_the_same_id_also_after_a_restart() {
    let mut shop = Shop::open().await;
    shop.subscriber.answer_with([Reply::Status(500), Reply::Status(500), Reply::Status(500), Reply::Status(500)]);
    let secret = shop.subscribe().await;
    let id = shop.send("again").await;
    shop.subscriber.wait_for(1, LONG).await;
    shop.kill().await;
    shop.start(None).await;
    shop.event(id, "delivered").await;
    let requests = shop.subscriber.received();
    let first = requests[0].header("webhook-id").to_owned();
    let again = shop
        .until("the first event again", async |_| {
            let same: Vec<_> = shop
                .subscriber
                .received()
                .into_iter()
                .filter(|request| request.header("webhook-id") == first)
                .collect();
            (same.len() >= 2).then_some(same)
        })
        .await;
    assert_eq!(again[0].body, again[1].body, "the same event, the same bytes");
    again[1].verify(&secret).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_public_are_refused_unless_listed() {
    let shop = Shop::unlinked().await;
    for url in [
        "http://example.com/x",
        "https://10.0.0.1/x",
        "https://[::1]:8443/x",
        "https://user:pw@example.com/",
        "nonsense",
        "http://169.254.169.254/",
    ] {
        let answer = shop.api().post("/webhooks", &json!({ "url": url, "events": ["*"] })).await.unwrap();
        assert_eq!(answer.status, 422, "{url}: {}", answer.body);
        assert!(answer.body["errors"]["url"].is_array(), "{url}: {}", answer.body);
    }
    shop.subscribe().await;
    let list = shop.api().get("/webhooks").await.unwrap();
    assert!(list.body["data"][0].get("secret").is_none(), "the secret is shown once: {}", list.body);
    let id = list.body["data"][0]["id"].as_u64().unwrap();
    assert!(matches!(shop.api().delete(&format!("/webhooks/{id}")).await.unwrap().status, 200 | 204));
    assert_eq!(shop.api().get(&format!("/webhooks/{id}")).await.unwrap().status, 404);
}
