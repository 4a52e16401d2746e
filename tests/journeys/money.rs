//! What is paid, and what is given back.

use hantar_simulator::{Fault, FaultKind};
use serde_json::json;

use crate::shop::{ALI, SHOP, Shop};

fn fault(kind: FaultKind, count: Option<u32>) -> Fault {
    Fault { from: Some(SHOP.into()), count, ..Fault::new(kind) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_message_is_failed_with_its_code_and_its_credit_given_back() {
    let shop = Shop::open().await;
    for code in [463_u16, 479, 400] {
        shop.simulator.network().add_fault(fault(FaultKind::Nack { code }, Some(1))).unwrap();
        let id = shop.send(&format!("refused {code}")).await;
        let message = shop.state(id, &["failed"]).await;
        assert_eq!(message["status_reason"]["code"], format!("whatsapp_{code}"));
        assert_eq!(message["refunded"], true);
        assert_eq!(shop.balance().await, 10_000);
    }
    assert!(shop.simulator.network().messages(ALI).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_acknowledgement_is_still_told_and_charges_nothing() {
    let shop = Shop::open().await;
    shop.simulator.network().add_fault(fault(FaultKind::NoReceipts, None)).unwrap();
    shop.simulator.network().add_fault(fault(FaultKind::HoldAck, Some(1))).unwrap();
    let id = shop.send("late").await;
    shop.texts(ALI, 1).await;
    assert_eq!(shop.message(id).await["status"], "dispatched", "nothing is called sent before the server said so");
    assert_eq!(shop.simulator.network().release_acks(), 1);
    shop.state(id, &["sent"]).await;
    assert_eq!(shop.balance().await, 9_999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_message_never_reaches_the_phone_and_costs_nothing() {
    let shop = Shop::open().await;
    let later = json!({ "phone": ALI, "body": "later", "scheduled_at": "2027-01-01T00:00:00Z" });
    let answer = shop.api().post("/messages/send", &later).await.unwrap();
    assert_eq!((answer.status, &answer.body["data"]["status"]), (202, &json!("held")), "{}", answer.body);
    let id = answer.body["data"]["id"].as_u64().unwrap();
    assert_eq!(shop.balance().await, 9_999);
    let cancelled = shop.api().delete(&format!("/messages/{id}")).await.unwrap();
    assert_eq!((cancelled.status, &cancelled.body["data"]["status"]), (200, &json!("cancelled")), "{}", cancelled.body);
    assert_eq!(shop.balance().await, 10_000);
    assert_eq!(shop.api().delete(&format!("/messages/{id}")).await.unwrap().status, 409);
    let sent = shop.send("now").await;
    shop.state(sent, &["delivered"]).await;
    assert_eq!(shop.api().delete(&format!("/messages/{sent}")).await.unwrap().status, 409);
    assert_eq!(shop.texts(ALI, 1).await, ["now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_cancel_and_dispatch_racing_one_wins_and_the_money_is_right() {
    let shop = Shop::open().await;
    let mut cancelled = 0;
    for number in 0..20 {
        let id = shop.send(&format!("race {number}")).await;
        let answer = shop.api().delete(&format!("/messages/{id}")).await.unwrap();
        assert!(matches!(answer.status, 200 | 409), "{}", answer.body);
        let end = shop.state(id, &["cancelled", "delivered"]).await;
        assert_eq!(end["status"] == "cancelled", answer.status == 200);
        cancelled += usize::from(answer.status == 200);
    }
    assert_eq!(shop.texts(ALI, 20 - cancelled).await.len(), 20 - cancelled);
    assert_eq!(shop.balance().await, 10_000 - (20 - i64::try_from(cancelled).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credits_nothing_is_queued() {
    let shop = Shop::unlinked().await;
    let made =
        shop.command_json(&["user", "create", "--email", "poor@example.com", "--verified", "--credits", "1", "--json"]);
    let api = shop.api().with_token(made["token"].as_str().unwrap());
    let body = json!({ "phone": ALI, "body": "x" });
    assert_eq!(api.clone().post("/messages/send", &body).await.unwrap().status, 202);
    let refused = api.clone().post("/messages/send", &body).await.unwrap();
    assert_eq!(refused.status, 402);
    assert_eq!((&refused.body["required"], &refused.body["balance"]), (&json!(1), &json!(0)));
    assert_eq!(api.get("/messages").await.unwrap().body["data"].as_array().unwrap().len(), 1);
}
