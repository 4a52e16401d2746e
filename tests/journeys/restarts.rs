//! Stopping and starting, politely and not.

use crate::shop::{ALI, SHOP, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_link_and_sends_what_was_accepted_meanwhile() {
    let mut shop = Shop::open().await;
    shop.stop().await;
    shop.simulator.network().send_text(ALI, SHOP, "while you were away").unwrap();
    shop.start(None).await;
    shop.connected().await;
    let id = shop.send("back again").await;
    shop.state(id, &["delivered"]).await;
    shop.until("the message that waited", async |api| {
        let list = api.get("/messages?direction=inbound").await.ok()?;
        (list.body["data"][0]["body"] == "while you were away").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_the_device_is_back_without_waiting_for_its_own_lease() {
    let mut shop = Shop::open().await;
    let alive = async |shop: &Shop| {
        let beats = shop.stack().await.leases.heartbeats().await.unwrap();
        beats.into_iter().filter(|beat| !beat.ended).map(|beat| beat.host).collect::<Vec<_>>()
    };
    let before = alive(&shop).await;
    assert_eq!(before.len(), 1);
    shop.kill().await;
    assert_eq!(alive(&shop).await, before, "the dead run's lease is in force");
    shop.start(None).await;
    assert!(!alive(&shop).await.contains(&before[0]), "it is ended before anything is served");
    shop.connected().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused() {
    let shop = Shop::unlinked().await;
    let second = shop.command(&["up", "--listen", "127.0.0.1:0"]);
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("another hantar serves"), "{second:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unlinking_on_the_phone_is_seen_and_a_new_code_links_again() {
    let mut shop = Shop::open().await;
    shop.simulator.network().unlink(SHOP, None).unwrap();
    shop.until("the logged-out device", async |api| {
        let status = api.get("/connection/status").await.ok()?;
        (status.body["data"]["devices"][0]["status"] == "logged_out").then_some(())
    })
    .await;
    shop.link(SHOP).await;
    let id = shop.send("linked again").await;
    shop.state(id, &["delivered"]).await;
}
