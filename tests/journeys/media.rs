//! Messages that carry files: pictures at addresses, documents that were uploaded, and what may go wrong with them.

use std::collections::BTreeMap;

use bytes::Bytes;
use hantar_simulator::PhoneMessage;
use hantar_testkit::file_server::{FileServer, Served};
use serde_json::{Value, json};

use crate::shop::{ALI, LONG, Shop};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and so on";
const PDF: &[u8] = b"%PDF-1.7 and so on";

async fn files() -> FileServer {
    let page = Bytes::from_static(b"<!doctype html><title>Sign in</title>");
    FileServer::start(BTreeMap::from([
        ("/menu.png", Served::File("application/octet-stream", Bytes::from_static(PNG))),
        ("/moved", Served::Moved("/menu.png".into())),
        ("/inside", Served::Moved("https://10.0.0.1/menu.png".into())),
        ("/page.png", Served::File("text/html", page)),
        ("/empty", Served::File("image/png", Bytes::new())),
        ("/busy", Served::Status(503)),
    ]))
    .await
}

async fn send(shop: &Shop, body: &Value) -> u64 {
    let answer = shop.api().post("/messages/send", body).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    answer.body["data"]["id"].as_u64().unwrap()
}

/// What Ali's phone shows, when it shows so many.
async fn shown(shop: &Shop, count: usize) -> Vec<PhoneMessage> {
    shop.until("messages on the phone", async |_| {
        let messages = shop.simulator.network().messages(ALI).unwrap();
        (messages.len() >= count).then_some(messages)
    })
    .await
}

/// The file of a message as the phone shows it.
async fn file(shop: &Shop, message: &PhoneMessage) -> Bytes {
    let media = message.media.as_ref().unwrap();
    let path = media.path.as_ref().unwrap_or_else(|| panic!("{media:?}"));
    let answer = reqwest::get(format!("http://{}{path}", shop.simulator.address())).await.unwrap();
    answer.bytes().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_at_an_address_and_a_document_that_was_uploaded_reach_the_phone_as_they_are() {
    let (shop, files) = (Shop::open().await, files().await);
    let picture = json!({ "phone": ALI, "name": "Ali", "body": "Today's menu, {{name}}", "media": { "url": files.url("/moved") } });
    let id = send(&shop, &picture).await;
    let message = shop.state(id, &["delivered"]).await;
    assert_eq!(message["media"]["url"], files.url("/moved"));

    let asked = json!({ "filename": "price list.pdf", "size": PDF.len() });
    let announced = shop.api().post("/uploads", &asked).await.unwrap();
    assert_eq!(announced.status, 201, "{}", announced.body);
    let upload = &announced.body["data"];
    let document = json!({ "phone": ALI, "media": { "upload_id": upload["id"], "type": "document" } });
    let early = shop.api().post("/messages/send", &document).await.unwrap();
    assert_eq!(early.status, 422, "{}", early.body);
    let put = reqwest::Client::new().put(upload["upload"]["url"].as_str().unwrap()).body(PDF).send().await.unwrap();
    assert!(put.status().is_success(), "{put:?}");
    let id = send(&shop, &document).await;
    shop.state(id, &["delivered"]).await;

    let shown = shown(&shop, 2).await;
    assert_eq!((shown[0].kind.as_str(), shown[0].text.as_str()), ("image", "Today's menu, Ali"));
    assert_eq!(shown[0].media.as_ref().unwrap().mime, "image/png");
    assert_eq!(file(&shop, &shown[0]).await, PNG);
    let media = shown[1].media.as_ref().unwrap();
    assert_eq!((shown[1].kind.as_str(), media.file_name.as_deref()), ("document", Some("price list.pdf")));
    assert_eq!(media.mime, "application/pdf");
    assert_eq!(file(&shop, &shown[1]).await, PDF);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_for_many_is_fetched_once() {
    let (shop, files) = (Shop::open().await, files().await);
    for number in 1..=3 {
        let body = format!("number {number}");
        let id = send(&shop, &json!({ "phone": ALI, "body": body, "media": { "url": files.url("/menu.png") } })).await;
        shop.state(id, &["delivered"]).await;
    }
    assert_eq!(files.asked("/menu.png"), 1);
    let texts: Vec<_> = shown(&shop, 3).await.into_iter().map(|message| message.text).collect();
    assert_eq!(texts, ["number 1", "number 2", "number 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_sent_fails_its_message_with_the_reason_and_the_credit_comes_back() {
    let (shop, files) = (Shop::open().await, files().await);
    for (path, kind, code) in [
        ("/nothing", None, "media_refused"),
        ("/page.png", Some("image"), "media_type"),
        ("/inside", None, "media_address"),
        ("/empty", None, "media_empty"),
        ("/menu.png", Some("voice"), "media_type"),
    ] {
        let id = send(&shop, &json!({ "phone": ALI, "media": { "url": files.url(path), "type": kind } })).await;
        let message = shop.state(id, &["failed"]).await;
        assert_eq!(message["status_reason"]["code"], code, "{path}");
        assert_eq!(message["refunded"], true, "{path}");
    }
    assert_eq!(shop.balance().await, 10_000);
    assert!(shop.simulator.network().messages(ALI).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_had_now_puts_its_message_off_and_nobody_else() {
    let (shop, files) = (Shop::open().await, files().await);
    let id = send(&shop, &json!({ "phone": ALI, "media": { "url": files.url("/busy") } })).await;
    let held = shop.state(id, &["held"]).await;
    assert_eq!(held["status_reason"]["code"], "media_unreachable");
    assert!(held["held_until"].is_string() && held["scheduled_at"].is_null(), "{held}");
    let other = shop.send("not held up").await;
    shop.state(other, &["delivered"]).await;
    assert_eq!((files.asked("/busy"), shop.message(id).await["status"].as_str()), (1, Some("held")));
    let cancelled = shop.api().delete(&format!("/messages/{id}")).await.unwrap();
    assert_eq!(cancelled.status, 200, "{}", cancelled.body);
    assert_eq!(shop.balance().await, 9_999);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_between_the_upload_and_the_wire_neither_fetches_nor_sends_twice() {
    let (mut shop, files) = (Shop::open().await, files().await);
    shop.stop().await;
    shop.start(Some("after|UpdateItem|SET ma")).await;
    let body = json!({ "phone": ALI, "body": "once", "media": { "url": files.url("/menu.png") } });
    let _ = shop.with_key("once").post("/messages/send", &body).await;
    let status = shop.hantar.as_mut().unwrap().wait(LONG).await;
    assert!(!status.success());
    shop.start(None).await;
    let answer = shop.with_key("once").post("/messages/send", &body).await.unwrap();
    assert_eq!(answer.status, 202, "{}", answer.body);
    shop.state(answer.body["data"]["id"].as_u64().unwrap(), &["delivered"]).await;
    let shown = shown(&shop, 1).await;
    assert_eq!((shown.len(), file(&shop, &shown[0]).await), (1, Bytes::from_static(PNG)));
    assert_eq!(files.asked("/menu.png"), 1);
}
