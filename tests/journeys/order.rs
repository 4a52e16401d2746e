//! Messages of one device and lane arrive in the order in which they were accepted.

use crate::shop::{ALI, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn messages_accepted_one_after_the_other_arrive_in_that_order() {
    let shop = Shop::open().await;
    let sent: Vec<String> = (0..60).map(|number| format!("number {number}")).collect();
    for text in &sent {
        shop.send(text).await;
    }
    assert_eq!(shop.texts(ALI, 60).await, sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_survives_a_lost_connection() {
    let shop = Shop::open().await;
    let sent: Vec<String> = (0..30).map(|number| format!("number {number}")).collect();
    for (number, text) in sent.iter().enumerate() {
        if number % 10 == 5 {
            shop.simulator.network().disconnect(crate::shop::SHOP, None).unwrap();
        }
        shop.send(text).await;
    }
    assert_eq!(shop.texts(ALI, 30).await, sent);
}
