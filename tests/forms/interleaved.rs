//! Two API processes and a Worker serve one account at the same time.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use hantar_testkit::json_client::{JsonAnswer, JsonClient};
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::worker::Worker;

const CREDITS: i64 = 70;
/// Messages that each form is asked for, of its own.
const OWN: usize = 10;
/// Messages that all forms are asked for, under one key each.
const SHARED: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_and_a_worker_at_once_keep_one_accounts_books() {
    let ground = Ground::new().await;
    let shop = ground.shop(CREDITS, true).await;
    let (one, two) = (ground.api().await, ground.api().await);
    let worker = Worker::start(&ground.bindings(&ground.aws)).await;
    let forms: Vec<JsonClient> =
        [&one.url, &two.url, &worker.url].map(|url| JsonClient::new(url).with_token(&shop.token)).into();

    let own = (0..OWN)
        .flat_map(|at| forms.iter().enumerate().map(move |(form, client)| (format!("own {form} {at}"), None, client)));
    let shared = (0..SHARED).flat_map(|at| forms.iter().map(move |client| (format!("shared {at}"), Some(at), client)));
    let asked =
        join_all(own.chain(shared).map(|(text, key, client)| async move { (key, send(client, &text, key).await) }));

    let (mut ids, mut by_key): (BTreeSet<u64>, BTreeMap<usize, BTreeSet<u64>>) = Default::default();
    for (key, id) in asked.await {
        let new = ids.insert(id);
        if let Some(key) = key {
            by_key.entry(key).or_default().insert(id);
        } else {
            assert!(new, "message number {id} was given twice");
        }
    }
    assert!(by_key.values().all(|ids| ids.len() == 1), "a key stands for one message, whoever is asked: {by_key:?}");
    let accepted = OWN * forms.len() + SHARED;
    assert_eq!(ids.len(), accepted);
    let charged = i64::try_from(accepted).unwrap();
    for client in &forms {
        let balance = client.get("/api/v1/balance").await.unwrap().body["data"].clone();
        assert_eq!(
            (&balance["balance"], &balance["charged"]),
            (&json!(CREDITS - charged), &json!(charged)),
            "{balance}"
        );
        assert_eq!(listed(client).await, ids, "each form lists all messages once");
    }
    last_credits(&forms, CREDITS - charged).await;
}

/// Of more messages than there is credit for, exactly as many are accepted, whoever is asked.
async fn last_credits(forms: &[JsonClient], left: i64) {
    let wanted = usize::try_from(left).unwrap() + 9;
    let asked = (0..wanted).map(|at| {
        let text = format!("last {at}");
        async move { ask(&forms[at % forms.len()], &text, &text).await.status }
    });
    let statuses = join_all(asked).await;
    let accepted = statuses.iter().filter(|status| **status == 202).count();
    let refused = statuses.iter().filter(|status| **status == 402).count();
    assert_eq!((accepted, refused), (usize::try_from(left).unwrap(), 9), "{statuses:?}");
    for client in forms {
        assert_eq!(client.get("/api/v1/balance").await.unwrap().body["data"]["balance"], 0);
    }
}

/// Sends a message that is accepted. One of its own has a key of its own: what is asked for again must not be charged twice.
async fn send(client: &JsonClient, text: &str, key: Option<usize>) -> u64 {
    let key = key.map_or_else(|| text.to_owned(), |key| format!("key {key}"));
    let answer = ask(client, text, &key).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.body["data"]["id"].as_u64().unwrap()
}

/// Asks as a client is to: when too many met at once (503), the same again under the same key.
async fn ask(client: &JsonClient, text: &str, key: &str) -> JsonAnswer {
    const PATIENCE: usize = 50;
    let client = client.clone().with_header("idempotency-key", key);
    let body = json!({"phone": "0123456789", "body": text});
    for _ in 0..PATIENCE {
        let answer = client.post("/api/v1/messages/send", &body).await.unwrap();
        if answer.status != 503 {
            return answer;
        }
    }
    panic!("busy {PATIENCE} times");
}

async fn listed(client: &JsonClient) -> BTreeSet<u64> {
    let list = client.get("/api/v1/messages?per_page=100").await.unwrap().body;
    let data = list["data"].as_array().unwrap_or_else(|| panic!("{list}"));
    let ids: BTreeSet<u64> = data.iter().filter_map(|message: &Value| message["id"].as_u64()).collect();
    assert_eq!(ids.len(), data.len());
    ids
}
