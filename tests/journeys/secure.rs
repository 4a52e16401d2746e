//! WhatsApp's place taken by a server with TLS, as `--whatsapp-url wss://…` and `--whatsapp-ca` name it.

use serde_json::json;

use crate::shop::{ALI, SHOP, Shop};
use crate::tls_door::TlsDoor;

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_a_named_root_a_number_is_linked_and_a_message_delivered() {
    let mut shop = Shop::unlinked().await;
    shop.stop().await;
    let door = TlsDoor::before(&shop.simulator.websocket_url(), shop.folder()).await;
    shop.start_with(&["--whatsapp-url", &door.url, "--whatsapp-ca", door.root.to_str().unwrap()]).await;
    shop.link(SHOP).await;
    let id = shop.send("over TLS").await;
    assert_eq!(shop.texts(ALI, 1).await, ["over TLS"]);
    shop.state(id, &["delivered"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_an_unknown_root_is_refused_and_the_device_says_so() {
    let mut shop = Shop::unlinked().await;
    shop.stop().await;
    let door = TlsDoor::before(&shop.simulator.websocket_url(), shop.folder()).await;
    shop.start_with(&["--whatsapp-url", &door.url]).await;
    let device = shop
        .until("the reason", async |api| {
            // Somebody looks at the page with the code.
            api.clone().get("/connection/qr").await.ok()?;
            let status = api.get("/connection/status").await.ok()?;
            let device = status.body["data"]["devices"][0].clone();
            device["health"]["reason"]["code"].is_string().then_some(device)
        })
        .await;
    assert_eq!(device["status"], "pairing", "{device}");
    assert_eq!(device["health"]["reason"]["code"], "tls_refused", "{device}");
    assert!(device["health"]["reason"]["message"].as_str().unwrap().contains("not trusted"), "{device}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_with_tls_addresses_in_answers_are_the_public_ones() {
    let mut shop = Shop::unlinked().await;
    shop.stop().await;
    let url = shop.simulator.websocket_url();
    shop.start_with(&["--whatsapp-url", &url, "--public-url", "https://shop.example/"]).await;
    let page = shop.api().get("/messages").await.unwrap();
    let first = page.body["links"]["first"].as_str().unwrap();
    assert!(first.starts_with("https://shop.example/api/v1/messages"), "{first}");
    let asked = json!({ "filename": "a.csv", "size": 1 });
    let announced = shop.api().post("/contacts/import", &asked).await.unwrap();
    let address = announced.body["data"]["upload"]["url"].as_str().expect("where to put it");
    assert!(address.starts_with("https://shop.example/"), "{address}");
}
