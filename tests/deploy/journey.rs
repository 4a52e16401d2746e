//! The journey of messages through everything that is deployed.

use std::time::{Duration, Instant};

use hantar_simulator::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::deployment::{Deployment, NAME};
use crate::shop::{ALI, LONG, Shop, phone_of};
use crate::state;

/// Nobody answers for this one.
const SILENT: &str = "60190000000";
/// A lost doorbell is found by a sweep after a minute at the earliest: what is faster was rung for by the relay.
const BY_DOORBELL: Duration = Duration::from_secs(30);
/// Silence is a minute, the schedule wakes the sweep each minute, and the machine is busy.
const BY_SWEEP: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
async fn what_terraform_deploys_carries_messages_and_is_taken_down_again() {
    let deployment = Deployment::up().await;
    assert_eq!(deployment.drift(), None, "a second run would change something");
    let resources = deployment.resources();
    println!("deploy: {} resources", resources.len());
    assert_eq!(state::faults(&resources), Vec::<String>::new());

    let mut shop = Shop::open(&deployment).await;
    let secret = shop.subscribe(&deployment).await;
    // Waits for its sweep while all the rest happens.
    let silent = send_into_silence(&shop, &deployment).await;

    every_shard_sends(&shop, &deployment).await;
    a_number_is_looked_up(&shop, &deployment).await;
    a_reply_is_heard(&shop, &deployment).await;
    a_poison_row_is_put_aside(&shop, &deployment).await;
    counts_are_kept(&shop, &deployment).await;
    shop.state(&deployment, silent, &["unknown"], BY_SWEEP).await;
    shop.event(&deployment, "the silent message", |event| is_status(event, silent, "unknown")).await;
    for request in shop.subscriber.received() {
        request.verify(&secret).unwrap();
    }

    let begun = Instant::now();
    let status = shop.host.terminate(Duration::from_secs(25)).await;
    println!("deploy: the host left in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(status.success(), "the host left with {status}: {:#?}", shop.host.lines());
    deployment.down().await;
}

async fn send_into_silence(shop: &Shop, deployment: &Deployment) -> u64 {
    shop.network().create_phone(SILENT, "Nobody").unwrap();
    let silence = Fault { to: Some(SILENT.into()), ..Fault::new(FaultKind::Silence) };
    shop.network().add_fault(silence).unwrap();
    shop.send(deployment, 1, SILENT, "Is anybody there?").await
}

/// API → table → stream → relay → each shard's queue → host → phone, and back to the subscriber.
async fn every_shard_sends(shop: &Shop, deployment: &Deployment) {
    for device in 1..=4 {
        let begun = Instant::now();
        let id = shop.send(deployment, device, ALI, &format!("from till {device}")).await;
        let accepted = begun.elapsed();
        shop.network().wait_for_messages(ALI, usize::try_from(device).unwrap(), BY_DOORBELL).await.unwrap();
        let arrived = begun.elapsed();
        let texts = shop.network().messages(ALI).unwrap().into_iter().map(|message| message.text);
        assert!(texts.into_iter().any(|text| text == format!("from till {device}")), "no doorbell rang for {device}");
        shop.event(deployment, &format!("message {id} delivered"), |event| is_status(event, id, "delivered")).await;
        println!(
            "deploy: till {device}: accepted after {:.2} s, on the phone after {:.2} s, its subscriber told after {:.2} s",
            accepted.as_secs_f64(),
            arrived.as_secs_f64(),
            begun.elapsed().as_secs_f64()
        );
    }
    shop.network().mark_read(ALI, None).unwrap();
    for id in ids_of(shop) {
        shop.state(deployment, id, &["read"], LONG).await;
    }
}

/// A command: API → table and queue → host → WhatsApp, and the answer back through the table while the caller waits.
async fn a_number_is_looked_up(shop: &Shop, deployment: &Deployment) {
    for (phone, exists) in [(ALI, true), ("60198765432", false)] {
        let begun = Instant::now();
        let answer = shop.api(deployment).get(&format!("/devices/3/numbers/{phone}")).await.unwrap();
        println!("deploy: a number looked up in {:.2} s", begun.elapsed().as_secs_f64());
        assert_eq!((answer.status, &answer.body["data"]["exists"]), (200, &json!(exists)), "{}", answer.body);
    }
}

/// The messages that the subscriber was told of as delivered.
fn ids_of(shop: &Shop) -> Vec<u64> {
    let events = shop.subscriber.received().into_iter().map(|request| request.json());
    let delivered = events.into_iter().filter(|event| event["data"]["status"] == "delivered");
    delivered.filter_map(|event| event["data"]["id"].as_u64()).collect()
}

async fn a_reply_is_heard(shop: &Shop, deployment: &Deployment) {
    shop.network().send_text(ALI, &phone_of(2), "Terima kasih").unwrap();
    let heard = |event: &Value| event["type"] == "message.received" && event["data"]["body"] == "Terima kasih";
    shop.event(deployment, "a received message", heard).await;
}

/// A row that cannot be read is parked, and those after it go on.
async fn a_poison_row_is_put_aside(shop: &Shop, deployment: &Deployment) {
    let key = json!({ "pk": { "S": format!("A#{}#M", shop.account) }, "sk": { "S": "0000000000009999" } });
    let put = json!({ "TableName": format!("{NAME}-business"), "Item": key });
    deployment.emulator.call("dynamodb", "DynamoDB_20120810.PutItem", &put).await;
    let url = json!({ "QueueName": format!("{NAME}-parked") });
    let url = deployment.emulator.call("sqs", "AmazonSQS.GetQueueUrl", &url).await["QueueUrl"].clone();
    shop.until(deployment, "the parked row", async || {
        let receive = json!({ "QueueUrl": url, "WaitTimeSeconds": 1 });
        let answer = deployment.emulator.call("sqs", "AmazonSQS.ReceiveMessage", &receive).await;
        let body = answer["Messages"][0]["Body"].as_str()?;
        assert!(body.contains("poison_row"), "{body}");
        Some(())
    })
    .await;
    let id = shop.send(deployment, 3, ALI, "after the poison").await;
    shop.state(deployment, id, &["delivered"], BY_DOORBELL).await;
}

/// Only the relay counts.
async fn counts_are_kept(shop: &Shop, deployment: &Deployment) {
    let key = json!({ "pk": { "S": format!("A#{}", shop.account) }, "sk": { "S": "COUNTS" } });
    let get = json!({ "TableName": format!("{NAME}-engine"), "Key": key, "ConsistentRead": true });
    shop.until(deployment, "four messages counted as read", async || {
        let answer = deployment.emulator.call("dynamodb", "DynamoDB_20120810.GetItem", &get).await;
        (answer["Item"]["out_read"]["N"] == "4" && answer["Item"]["inbound"]["N"] == "1").then_some(())
    })
    .await;
}

fn is_status(event: &Value, id: u64, status: &str) -> bool {
    event["type"] == "message.status" && event["data"]["id"] == id && event["data"]["status"] == status
}
