//! The process is killed at each hop of a message's way, started again, and nothing is lost or doubled.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::shop::{ALI, LONG, SHOP, Shop};

/// One place to die, as `HANTAR_DIE_AT` names it; `{text}` stands for the message's text.
struct Hop {
    name: &'static str,
    point: &'static str,
    /// Whether the stanza was written and its answer not recorded: only then it may be written twice.
    may_repeat: bool,
}

const fn hop(name: &'static str, point: &'static str) -> Hop {
    Hop { name, point, may_repeat: false }
}

const HOPS: [Hop; 17] = [
    hop("before it is accepted", "before|TransactWriteItems|{text}"),
    hop("accepted, the answer not given", "after|TransactWriteItems|{text}"),
    hop("before the doorbell", "before|SendMessageBatch|hantar-shard"),
    hop("after the doorbell", "after|SendMessageBatch|hantar-shard"),
    hop("relayed, not consumed", "before|consume|"),
    hop("consumed", "after|consume|"),
    hop("the doorbell heard, not deleted", "before|DeleteMessageBatch|hantar-shard"),
    hop("the doorbell deleted", "after|DeleteMessageBatch|hantar-shard"),
    hop("before it is taken to the wire", "before|UpdateItem|\":s\":{\"S\":\"dispatched\"}"),
    hop("taken to the wire, not written", "after|UpdateItem|\":s\":{\"S\":\"dispatched\"}"),
    Hop {
        name: "written, the answer not recorded",
        point: "before|UpdateItem|\":s\":{\"S\":\"sent\"}",
        may_repeat: true,
    },
    hop("the answer recorded", "after|UpdateItem|\":s\":{\"S\":\"sent\"}"),
    // The server's answer came before, and was recorded before.
    hop("a receipt not recorded", "before|UpdateItem|\":s\":{\"S\":\"delivered\"}"),
    hop("a receipt recorded", "after|UpdateItem|\":s\":{\"S\":\"delivered\"}"),
    hop("before a webhook's doorbell", "before|SendMessageBatch|hantar-webhooks"),
    hop("before a webhook's job is deleted", "before|DeleteMessageBatch|hantar-webhooks"),
    hop("after a webhook's job is deleted", "after|DeleteMessageBatch|hantar-webhooks"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_message_survives_a_kill_at_every_hop_and_reaches_the_phone_once() {
    let mut shop = Shop::open().await;
    shop.subscribe().await;
    let mut ids = Vec::new();
    for (number, hop) in HOPS.iter().enumerate() {
        let text = format!("hop {number}: {}", hop.name);
        let before = shop.stanzas();
        shop.stop().await;
        shop.start(Some(&hop.point.replace("{text}", &text))).await;
        let key = format!("key {number}");
        let body = json!({ "phone": ALI, "body": text });
        // The answer may die with the process.
        let _ = shop.with_key(&key).post("/messages/send", &body).await;
        let status = shop.hantar.as_mut().unwrap().wait(LONG).await;
        assert!(!status.success(), "{}: it did not die of it", hop.name);
        shop.start(None).await;
        let answer = shop.with_key(&key).post("/messages/send", &body).await.unwrap();
        assert_eq!(answer.status, 202, "{}: {}", hop.name, answer.body);
        let id = answer.body["data"]["id"].as_u64().unwrap();
        shop.state(id, &["sent", "delivered"]).await;
        ids.push(id);
        let texts = shop.texts(ALI, number + 1).await;
        assert_eq!(texts.len(), number + 1, "{}: each arrived once: {texts:?}", hop.name);
        assert_eq!(texts.last(), Some(&text));
        let repeated: Vec<_> =
            shop.stanzas().into_iter().filter(|(id, count)| !before.contains_key(id) && *count > 1).collect();
        assert!(hop.may_repeat || repeated.is_empty(), "{}: written more than once: {repeated:?}", hop.name);
    }
    all_are_read_paid_and_told(&shop, &ids).await;
}

/// Receipts that were lost with a process are implied by the later one; money and events are right.
async fn all_are_read_paid_and_told(shop: &Shop, ids: &[u64]) {
    shop.simulator.network().mark_read(ALI, None).unwrap();
    for id in ids {
        let message = shop.state(*id, &["read"]).await;
        let steps: Vec<_> = message["history"].as_array().unwrap().iter().map(|step| &step["status"]).collect();
        assert!(steps.contains(&&json!("sent")), "{id}: what was read was sent: {steps:?}");
        for step in ["sent", "read"] {
            shop.event(*id, step).await;
        }
    }
    assert_eq!(shop.balance().await, 10_000 - i64::try_from(ids.len()).unwrap());
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for request in shop.subscriber.received() {
        told.entry(request.header("webhook-id").to_owned()).or_default().push(request.json());
    }
    for (id, bodies) in told {
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{id} was told with different bodies");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_writes_is_stored_once_although_the_process_dies_over_it() {
    let mut shop = Shop::open().await;
    let points = ["before|PutItem|IN#", "after|PutItem|IN#", "before|PutItem|{text}", "after|PutItem|{text}"];
    for (number, point) in points.into_iter().enumerate() {
        let text = format!("inbound {number}");
        shop.stop().await;
        shop.start(Some(&point.replace("{text}", &text))).await;
        shop.simulator.network().send_text(ALI, SHOP, &text).unwrap();
        shop.hantar.as_mut().unwrap().wait(LONG).await;
        shop.start(None).await;
        let list = shop
            .until("the inbound message", async |api| {
                let list = api.get("/messages?direction=inbound").await.ok()?;
                (list.body["data"][0]["body"] == text.as_str()).then_some(list.body)
            })
            .await;
        assert_eq!(list["data"].as_array().unwrap().len(), number + 1, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_steady_sending_kills_at_any_moment_lose_nothing_double_nothing_and_keep_the_order() {
    let mut shop = Shop::open().await;
    let mut sent = Vec::new();
    let mut ids = Vec::new();
    for round in 0..4 {
        for number in 0..15 {
            let text = format!("round {round} number {number}");
            ids.push(shop.send(&text).await);
            sent.push(text);
            if number == 4 + 3 * round {
                shop.kill().await;
                shop.start(None).await;
            }
        }
    }
    assert_eq!(shop.texts(ALI, sent.len()).await, sent);
    for id in &ids {
        shop.state(*id, &["sent", "delivered", "read"]).await;
    }
    assert_eq!(shop.balance().await, 10_000 - i64::try_from(ids.len()).unwrap());
}
