//! A Worker has no way to a host but the table and the queue.

use hantar_testkit::json_client::JsonClient;
use hantar_usecases::ports::{Answer, Person};
use serde_json::json;

use crate::ground::Ground;
use crate::journey::expect;
use crate::worker::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_asks_a_host_and_tells_what_it_answered() {
    let ground = Ground::new().await;
    let shop = ground.shop(1, true).await;
    let worker = Worker::start(&ground.bindings(&ground.aws)).await;
    let client = JsonClient::new(&worker.url).with_token(&shop.token);
    let status = client.get("/api/v1/connection/status").await.unwrap();
    let number = format!("/api/v1/devices/{}/numbers/0123456789", status.body["data"]["devices"][0]["id"]);
    expect(&client.get(&number).await.unwrap(), 409, Some("not_linked"));
    let person = Person { jid: "60123456789@s.whatsapp.net".into(), lid: Some("1000001".into()) };
    ground.host(&shop, Ok(Answer::Number(Some(person)))).await;
    let found = client.get(&number).await.unwrap();
    expect(&found, 200, None);
    let expected =
        json!({"phone": "+60123456789", "exists": true, "jid": "60123456789@s.whatsapp.net", "lid": "1000001"});
    assert_eq!(found.body["data"], expected);
}
