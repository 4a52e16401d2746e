//! What a Worker's memory must bear: an isolate may have 128 MB.

use hantar_testkit::json_client::JsonClient;
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::journey::expect;
use crate::worker::Worker;

const ISOLATE: u64 = 128 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_bodies_and_pages_stay_within_an_isolates_memory() {
    let ground = Ground::new().await;
    let shop = ground.shop(1_000, true).await;
    let worker = Worker::start(&ground.bindings(&ground.aws)).await;
    let client = JsonClient::new(&worker.url).with_token(&shop.token);
    let before = worker.memory();

    // The body that grows most when it is read: as many values as there is room for.
    let zeros = Value::Array(vec![json!(0); 520_000]);
    let dense = json!({"phone": "0123456789", "body": "dense", "attributes": zeros});
    let answer = client.post("/api/v1/messages/send", &dense).await.unwrap();
    assert_eq!(answer.status, 422, "{}", answer.body);
    let after_body = worker.memory();

    let long = "\u{1F415}".repeat(4_096);
    for _ in 0..100 {
        let body = json!({"phone": "0123456789", "body": long});
        assert_eq!(client.post("/api/v1/messages/send", &body).await.unwrap().status, 202);
    }
    let page = client.get("/api/v1/messages?per_page=100").await.unwrap();
    assert_eq!(page.body["data"].as_array().map(Vec::len), Some(100), "{}", page.status);
    let after_page = worker.memory();

    let megabytes = |bytes: u64| bytes / 1_000_000;
    println!(
        "workerd: {} MB at first, {} MB after the densest body, {} MB after the largest page",
        megabytes(before),
        megabytes(after_body),
        megabytes(after_page)
    );
    for after in [after_body, after_page] {
        let grown = after.saturating_sub(before);
        assert!(grown < ISOLATE, "{} MB more", megabytes(grown));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_too_large_for_an_isolate_is_passed_on_or_refused() {
    let ground = Ground::new().await;
    let shop = ground.shop(1, true).await;
    let api = ground.api().await;
    let alone = Worker::start(&ground.bindings(&ground.aws)).await;
    let mut bindings = ground.bindings(&ground.aws);
    bindings.push(("HANTAR_AWS_API_URL", api.url.clone()));
    let worker = Worker::start(&bindings).await;
    let ask = async |url: &str, length: usize| {
        let client = JsonClient::new(url).with_token(&shop.token);
        let body = json!({"phone": "0123456789", "body": "x".repeat(length)});
        client.post("/api/v1/messages/send", &body).await.unwrap()
    };
    for length in [2_000_000, 6_000_000] {
        let (passed_on, direct) = (ask(&worker.url, length).await, ask(&api.url, length).await);
        assert_eq!((passed_on.status, passed_on.body), (direct.status, direct.body), "{length}");
    }
    expect(&ask(&alone.url, 2_000_000).await, 413, Some("body_too_large"));
    expect(&ask(&alone.url, 900_000).await, 422, Some("validation_failed"));
}
