//! The administrator's commands, beside the running server.

use serde_json::json;

use crate::shop::{ALI, Shop};

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_while_the_server_runs() {
    let shop = Shop::unlinked().await;
    let made =
        shop.command_json(&["user", "create", "--email", "sara@example.com", "--account", "Sara's shop", "--json"]);
    let sara = shop.api().with_token(made["token"].as_str().unwrap());
    let refused = sara.clone().post("/messages/send", &json!({ "phone": ALI, "body": "x" })).await.unwrap();
    assert_eq!((refused.status, &refused.body["message"]), (403, &json!("Your email address is not verified.")));
    assert_eq!(sara.get("/balance").await.unwrap().body["data"]["balance"], 0);

    let granted = shop.command_json(&["credits", "grant", "5", "--json"]);
    assert_eq!(granted["balance"], 10_005);
    assert_eq!(shop.balance().await, 10_005);

    let device = shop.command_json(&["device", "create", "--name", "Second", "--json"]);
    let status = shop.api().get("/connection/status").await.unwrap();
    let devices = status.body["data"]["devices"].as_array().unwrap();
    assert!(devices.iter().any(|one| one["id"] == device["id"] && one["is_default"] == false), "{devices:?}");

    let reader = shop.command_json(&["token", "create", "--name", "reader", "--abilities", "messages:read", "--json"]);
    let reader = shop.api().with_token(reader["token"].as_str().unwrap());
    assert_eq!(reader.clone().get("/messages").await.unwrap().status, 200);
    assert_eq!(reader.post("/messages/send", &json!({ "phone": ALI, "body": "x" })).await.unwrap().status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_value_is_named_and_ends_with_64() {
    let shop = Shop::unlinked().await;
    for (arguments, named) in [
        (vec!["up", "--listen", "nonsense"], "--listen"),
        (vec!["up", "--whatsapp-url", "http://x"], "--whatsapp-url"),
        (vec!["up", "--egress-allow", "everything"], "--egress-allow"),
        (vec!["token", "create", "--name", "x", "--abilities", "fly"], "--abilities"),
        (vec!["user", "create", "--email", "nonsense"], "--email"),
    ] {
        let output = shop.command(&arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(named), "{arguments:?}: {output:?}");
    }
}
