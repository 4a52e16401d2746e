//! Asking WhatsApp whether somebody is at a number: through the API, the queue, the host and the socket.

use hantar_simulator::{StanzaDirection, StanzaFilter};
use hantar_testkit::json_client::JsonAnswer;
use serde_json::{Value, json};

use crate::shop::{ALI, SHOP, Shop};

async fn look_up(shop: &Shop, device: &Value, phone: &str) -> JsonAnswer {
    shop.api().get(&format!("/devices/{device}/numbers/{phone}")).await.unwrap()
}

async fn device(shop: &Shop) -> Value {
    shop.api().get("/connection/status").await.unwrap().body["data"]["devices"][0]["id"].clone()
}

/// How many questions about numbers came to the network.
fn questions(shop: &Shop) -> usize {
    let filter = StanzaFilter {
        tag: Some("iq".into()),
        direction: Some(StanzaDirection::In),
        phone: Some(SHOP.into()),
        ..StanzaFilter::default()
    };
    shop.simulator.network().stanzas(&filter).iter().filter(|stanza| stanza.xml.contains("<contact")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_looked_up_on_the_network_each_time_it_is_asked_for() {
    let shop = Shop::open().await;
    let device = device(&shop).await;
    let found = look_up(&shop, &device, "012-345%206789").await;
    assert_eq!(found.status, 200, "{}", found.body);
    let data = &found.body["data"];
    assert_eq!(
        (&data["phone"], &data["exists"], &data["jid"]),
        (&json!(format!("+{ALI}")), &json!(true), &json!(format!("{ALI}@s.whatsapp.net")))
    );
    assert!(data["lid"].as_str().is_some_and(|lid| lid.bytes().all(|byte| byte.is_ascii_digit())), "{data}");

    let stranger = "60123456780";
    let missing = look_up(&shop, &device, &format!("+{stranger}")).await;
    let expected = json!({ "phone": format!("+{stranger}"), "exists": false, "jid": null, "lid": null });
    assert_eq!((missing.status, &missing.body["data"]), (200, &expected));
    shop.simulator.network().create_phone(stranger, "Siti").unwrap();
    assert_eq!(look_up(&shop, &device, stranger).await.body["data"]["exists"], true, "they have joined since");
    assert_eq!(questions(&shop), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_looks_up_so_many_numbers_and_no_more() {
    let shop = Shop::open().await;
    let device = device(&shop).await;
    let asked = (0..30).map(|last| {
        let (shop, device) = (&shop, &device);
        async move { look_up(shop, device, &format!("601234567{last:02}")).await.status }
    });
    let mut statuses: Vec<u16> = futures::future::join_all(asked).await;
    statuses.sort_unstable();
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert!((1..=20).contains(&refused), "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 200 | 429)), "{statuses:?}");
    assert_eq!(questions(&shop), statuses.len() - refused, "who is refused is not asked about");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_device_is_not_there_and_an_unlinked_one_says_so_at_once() {
    let shop = Shop::unlinked().await;
    let ours = device(&shop).await;
    let unlinked = look_up(&shop, &ours, ALI).await;
    assert_eq!((unlinked.status, &unlinked.body["code"]), (409, &json!("not_linked")));
    let made = shop.command_json(&["user", "create", "--email", "sara@example.com", "--account", "Sara", "--json"]);
    let path = format!("/devices/{}/numbers/{ALI}", made["device"]);
    let foreign = shop.api().get(&path).await.unwrap();
    assert_eq!((foreign.status, &foreign.body["code"]), (404, &json!("not_found")), "{made}");
    let sara = shop.api().with_token(made["token"].as_str().unwrap());
    assert_eq!(sara.get(&path).await.unwrap().status, 409, "it is hers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_link_the_phone_ended_says_so_at_once() {
    let shop = Shop::open().await;
    let device = device(&shop).await;
    // The phone ends the link: the host learns it from the network.
    shop.simulator.network().unlink(SHOP, None).unwrap();
    shop.until("a device without a link", async |api| {
        let answer = api.get("/connection/status").await.ok()?;
        (answer.body["data"]["devices"][0]["status"] == "logged_out").then_some(())
    })
    .await;
    assert_eq!(look_up(&shop, &device, ALI).await.body["code"], "not_linked");
}
