//! Two isolates know nothing of each other and must still never choose the same name for two things. The generator that
//! the SDK draws from has a constant seed in WebAssembly unless it is told otherwise.

use std::collections::BTreeSet;

use hantar_testkit::json_client::JsonClient;
use serde_json::json;

use crate::ground::Ground;
use crate::recorder::{Call, Recorder};
use crate::worker::Worker;

const EACH: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn two_isolates_never_draw_the_same_names() {
    let ground = Ground::new().await;
    let shop = ground.shop(100, true).await;
    let (mut calls, mut ids): (Vec<Vec<Call>>, BTreeSet<u64>) = Default::default();
    for _ in 0..2 {
        // Each begins as a fresh isolate does, and does the same as the other.
        let recorder = Recorder::start(&ground.aws).await;
        let worker = Worker::start(&ground.bindings(&recorder.url)).await;
        let client = JsonClient::new(&worker.url).with_token(&shop.token);
        for at in 0..EACH {
            let body = json!({"phone": "0123456789", "body": format!("number {at}")});
            let answer = client.post("/api/v1/messages/send", &body).await.unwrap();
            let id = answer.body["data"]["id"].as_u64().unwrap_or_else(|| panic!("{}", answer.body));
            assert!(ids.insert(id), "message number {id} was given twice");
        }
        calls.push(recorder.calls());
    }
    for seen in &calls {
        let transactions = seen.iter().filter(|call| call.operation == "TransactWriteItems").count();
        assert!(transactions >= EACH, "the recorder has lost its object: {seen:?}");
    }
    let all = || calls.iter().flatten();
    let invocations: BTreeSet<_> = all().map(|call| &call.invocation).collect();
    assert!(invocations.iter().all(|name| name.len() >= 32), "{invocations:?}");
    assert_eq!(invocations.len(), all().count(), "a call of the SDK has the name of another one");

    let tokens: Vec<_> = all().filter_map(|call| call.transaction.as_ref()).collect();
    let different: BTreeSet<_> = tokens.iter().collect();
    assert_eq!(different.len(), tokens.len(), "two transactions have one name");
    for call in all().filter(|call| call.operation == "TransactWriteItems") {
        let token = call.transaction.as_deref().unwrap_or_default();
        // The SDK's own would have dashes.
        let ours = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(ours, "`{token}` is not a name that the store chose");
    }
}
