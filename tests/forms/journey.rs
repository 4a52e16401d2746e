//! One journey through the API, the same for each form that serves it.

use hantar_domain::token::Abilities;
use hantar_testkit::json_client::{JsonAnswer, JsonClient};
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::worker::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_passes_the_api_journey() {
    let ground = Ground::new().await;
    let api = ground.api().await;
    let mut bindings = ground.bindings(&ground.aws);
    bindings.push(("HANTAR_AWS_API_URL", api.url.clone()));
    let worker = Worker::start(&bindings).await;
    println!("from the start of workerd to the first answer: {:?}", worker.first_answer);
    travel(&ground, &worker.url).await;
    for line in worker.lines().iter().filter(|line| !line.contains(r#""event":"listen""#)) {
        println!("workerd: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_process_passes_the_same_journey() {
    let ground = Ground::new().await;
    let api = ground.api().await;
    travel(&ground, &api.url).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_knows_no_api_on_aws_says_so_and_keeps_no_key() {
    let ground = Ground::new().await;
    let worker = Worker::start(&ground.bindings(&ground.aws)).await;
    let shop = ground.shop(1, true).await;
    let client = JsonClient::new(&worker.url).with_token(&shop.token);
    let answer = client.post("/api/v1/webhooks", &hook()).await.unwrap();
    expect(&answer, 501, Some("served_on_aws"));
    assert_eq!(client.get("/api/v1/webhooks").await.unwrap().body["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_ask_itself_does_not_go_round_in_a_circle() {
    let ground = Ground::new().await;
    let shop = ground.shop(1, true).await;
    let worker = Worker::start(&ground.bindings(&ground.aws)).await;
    let mut bindings = ground.bindings(&ground.aws);
    bindings.push(("HANTAR_AWS_API_URL", worker.url.clone()));
    let other = Worker::start(&bindings).await;
    let client = JsonClient::new(&other.url).with_token(&shop.token);
    // The first one knows nobody; one that knows somebody refuses what was passed on before.
    expect(&client.post("/api/v1/webhooks", &hook()).await.unwrap(), 501, Some("served_on_aws"));
    let passed = client.with_header("x-hantar-passed-on", "1");
    expect(&passed.post("/api/v1/webhooks", &hook()).await.unwrap(), 508, Some("misconfigured"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_a_wrong_binding_answers_with_its_name_and_what_was_expected() {
    let ground = Ground::new().await;
    for (name, value) in [("HANTAR_AWS_REGION", ""), ("HANTAR_SHARDS", "none"), ("HANTAR_AWS_ACCESS_KEY_ID", "")] {
        let mut bindings = ground.bindings(&ground.aws);
        bindings.retain(|(known, _)| *known != name);
        bindings.push((name, value.to_owned()));
        let worker = Worker::start(&bindings).await;
        let answer = JsonClient::new(&worker.url).get("/api/v1/balance").await.unwrap();
        expect(&answer, 500, Some("misconfigured"));
        let text = answer.body["message"].as_str().unwrap();
        assert!(text.starts_with(&format!("{name}: expected ")), "{text}");
    }
}

fn hook() -> Value {
    json!({"url": "http://127.0.0.1:9/hook", "events": ["message.status"]})
}

fn message(text: &str) -> Value {
    json!({"phone": "0123456789", "body": text, "name": "Ali bin Abu", "external_id": "order-7"})
}

pub(crate) fn expect(answer: &JsonAnswer, status: u16, code: Option<&str>) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.body["code"].as_str(), code, "{}", answer.body);
}

async fn travel(ground: &Ground, url: &str) {
    let shop = ground.shop(3, true).await;
    let anybody = JsonClient::new(url);
    let client = anybody.clone().with_token(&shop.token);
    expect(&anybody.get("/healthz").await.unwrap(), 200, None);
    expect(&anybody.get("/readyz").await.unwrap(), 200, None);
    strangers(ground, &anybody).await;

    let balance = || async { client.get("/api/v1/balance").await.unwrap().body["data"]["balance"].clone() };
    assert_eq!(balance().await, 3);
    let status = client.get("/api/v1/connection/status").await.unwrap();
    assert_eq!(status.body["data"]["devices"][0]["status"], "unlinked", "{}", status.body);
    let number = format!("/api/v1/devices/{}/numbers/0123456789", status.body["data"]["devices"][0]["id"]);
    expect(&client.get(&number).await.unwrap(), 409, Some("not_linked"));

    let wrong = client.post("/api/v1/messages/send", &json!({"phone": "12", "name": 5})).await.unwrap();
    expect(&wrong, 422, Some("validation_failed"));
    for field in ["phone", "body", "name"] {
        assert!(wrong.body["errors"][field].is_array(), "{}", wrong.body);
    }
    let sent = client.post("/api/v1/messages/send", &message("one")).await.unwrap();
    expect(&sent, 202, None);
    let id = sent.body["data"]["id"].as_u64().unwrap();
    repeats(&client, id).await;
    assert_eq!(balance().await, 1);

    let list = client.get("/api/v1/messages?per_page=1&external_id=order-7").await.unwrap();
    assert_eq!(list.body["data"][0]["body"], "two", "newest first: {}", list.body);
    assert!(list.body["links"]["next"].as_str().unwrap().starts_with(url), "{}", list.body["links"]);
    let path = format!("/api/v1/messages/{id}");
    assert_eq!(client.get(&path).await.unwrap().body["data"]["status"], "queued");
    assert_eq!(client.delete(&path).await.unwrap().body["data"]["status"], "cancelled");
    expect(&client.delete(&path).await.unwrap(), 409, Some("too_late"));
    expect(&client.get("/api/v1/messages/999999").await.unwrap(), 404, Some("not_found"));
    assert_eq!(balance().await, 2, "what was taken back is given back");

    for text in ["three", "four"] {
        expect(&client.post("/api/v1/messages/send", &message(text)).await.unwrap(), 202, None);
    }
    let broke = client.post("/api/v1/messages/send", &message("five")).await.unwrap();
    expect(&broke, 402, Some("insufficient_credits"));
    assert_eq!((&broke.body["required"], &broke.body["balance"]), (&json!(1), &json!(0)));
    webhooks(&client).await;
}

/// Who may not.
async fn strangers(ground: &Ground, anybody: &JsonClient) {
    expect(&anybody.get("/api/v1/balance").await.unwrap(), 401, Some("unauthenticated"));
    for token in ["nonsense".to_owned(), "0".repeat(60)] {
        let answer = anybody.clone().with_token(&token).get("/api/v1/balance").await.unwrap();
        expect(&answer, 401, Some("unauthenticated"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let unverified = ground.shop(1, false).await;
    let answer = anybody.clone().with_token(&unverified.token).post("/api/v1/messages/send", &message("no")).await;
    expect(&answer.unwrap(), 403, Some("email_not_verified"));
    let reader = Abilities::from_names(["messages:read".to_owned()]).unwrap();
    let reader = anybody.clone().with_token(&ground.token(&unverified, reader).await);
    expect(&reader.post("/api/v1/messages/send", &message("no")).await.unwrap(), 403, Some("missing_ability"));
    expect(&anybody.post("/api/v1/nowhere", &json!({})).await.unwrap(), 404, Some("route_not_found"));
}

/// A key makes a repeat harmless.
async fn repeats(client: &JsonClient, before: u64) {
    let keyed = client.clone().with_header("idempotency-key", "k1");
    let first = keyed.post("/api/v1/messages/send", &message("two")).await.unwrap();
    expect(&first, 202, None);
    assert!(first.body["data"]["id"].as_u64().unwrap() > before);
    let again = keyed.post("/api/v1/messages/send", &message("two")).await.unwrap();
    assert_eq!((again.status, &again.body["data"]["id"]), (202, &first.body["data"]["id"]));
    expect(&keyed.post("/api/v1/messages/send", &message("other")).await.unwrap(), 422, Some("validation_failed"));
    // JavaScript hands over a header's bytes as characters: what is no ASCII is refused, and does not break.
    let odd = client.clone().with_header("idempotency-key", "caf\u{e9}");
    expect(&odd.post("/api/v1/messages/send", &message("two")).await.unwrap(), 422, Some("validation_failed"));
}

/// Made with a secret that is shown once, listed without it, deleted.
async fn webhooks(client: &JsonClient) {
    let keyed = client.clone().with_header("idempotency-key", "w1");
    let made = keyed.post("/api/v1/webhooks", &hook()).await.unwrap();
    expect(&made, 201, None);
    assert!(made.body["data"]["secret"].as_str().unwrap().starts_with("whsec_"));
    let again = keyed.post("/api/v1/webhooks", &hook()).await.unwrap();
    assert_eq!(again.body["data"], made.body["data"], "a repeat shows the same secret");
    let wrong = client.post("/api/v1/webhooks", &json!({"url": "nowhere", "events": []})).await.unwrap();
    expect(&wrong, 422, Some("validation_failed"));
    let list = client.get("/api/v1/webhooks").await.unwrap().body;
    assert_eq!(list["data"].as_array().unwrap().len(), 1);
    assert_eq!((&list["data"][0]["id"], &list["data"][0]["secret"]), (&made.body["data"]["id"], &Value::Null));
    let path = format!("/api/v1/webhooks/{}", made.body["data"]["id"]);
    expect(&client.get(&path).await.unwrap(), 200, None);
    assert_eq!(client.delete(&path).await.unwrap().status, 204);
    expect(&client.get(&path).await.unwrap(), 404, Some("not_found"));
}
