//! The administrator's commands, beside the running server.

use std::process::{Command, Output};

use hantar_local::engines::Engines;
use hantar_local::stack::Stack;
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_testkit::aws_server::AwsServer;
use hantar_testkit::process::hantar_with_simulator;
use hantar_usecases::ports::Clock;
use serde_json::{Value, json};
use tempfile::TempDir;

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

/// `hantar --aws …` with these variables on top of what the tables' place needs.
fn in_the_cloud(aws: &AwsServer, key: &str, changed: &[(&str, &str)], arguments: &str) -> Output {
    let mut command = Command::new(hantar_with_simulator());
    command.env_clear().arg("--aws").args(arguments.split(' '));
    command.envs([
        ("HANTAR_AWS_REGION", "eu-west-1"),
        ("HANTAR_AWS_ACCESS_KEY_ID", "operator"),
        ("HANTAR_AWS_SECRET_ACCESS_KEY", "secret"),
        ("HANTAR_AWS_ENDPOINT_URL", aws.url.as_str()),
        ("HANTAR_BUSINESS_TABLE", "hantar"),
        ("HANTAR_ENGINE_TABLE", "hantar-engine"),
        ("HANTAR_QUEUE_PREFIX", "hantar"),
        ("HANTAR_SHARDS", "4"),
        ("HANTAR_KEY_FILE", key),
    ]);
    command.envs(changed.iter().copied()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_commands_work_on_tables_that_the_environment_names() {
    let folder = TempDir::new().unwrap();
    let clock: std::sync::Arc<dyn Clock> = std::sync::Arc::new(SystemClock);
    let engines = Engines::open(folder.path(), &clock).unwrap();
    let (dynamo, queues) = (engines.dynamo.clone(), engines.queues.clone());
    let clients = (dynamo.http_client(), queues.http_client());
    // The deployment: it makes the tables.
    let stack = Stack::on(engines, clients.0, clients.1, clock, std::sync::Arc::new(SystemEntropy)).await.unwrap();
    let aws = AwsServer::start(dynamo, queues).await;
    let key = folder.path().join("master.key").display().to_string();
    let answered = |arguments: &str| -> Value {
        let output = in_the_cloud(&aws, &key, &[], arguments);
        assert!(output.status.success(), "{arguments}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let made = answered("user create --email sara@example.com --verified --credits 7 --json");
    assert!(made["token"].as_str().is_some_and(|token| !token.is_empty()), "{made}");
    assert_eq!(answered("credits grant 5 --json")["balance"], 12);
    assert_ne!(answered("device create --name Second --json")["id"], made["device"]);
    let token = answered("token create --name reader --email sara@example.com --json");
    assert_eq!((&token["account"], &token["user"]), (&made["account"], &made["id"]));
    assert_eq!(stack.fleet.accounts().await.unwrap().len(), 1);

    for (name, value) in [("HANTAR_BUSINESS_TABLE", ""), ("HANTAR_KEY_FILE", "/nowhere"), ("HANTAR_SHARDS", "64")] {
        let output = in_the_cloud(&aws, &key, &[(name, value)], "credits grant 5");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{name}: {said}");
        assert!(said.contains(&format!("{name}: expected ")), "{said}");
    }
}
