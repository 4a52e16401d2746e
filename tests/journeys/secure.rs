//! WhatsApp's place taken by a server with TLS, as `--whatsapp-url wss://…` and `--whatsapp-ca` name it.

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
