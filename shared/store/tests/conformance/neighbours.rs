//! Two deployments side by side: their tables are apart, the names of transactions are one space for a whole AWS region.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_platform::embedded::DynamoEngine;
use hantar_store::TableNames;
use hantar_store::conformance::{Hand, World};
use hantar_usecases::ports::{Accepted, Clock as _};

use super::support::{elsewhere, hand, in_process, store};

/// The same account, message number and moment in both: nothing but the tables tells the acceptances apart.
async fn accepts_and_pays_in(client: aws_sdk_dynamodb::Client, name: &str, start: Timestamp) {
    let clock = Arc::new(Hand::new(start));
    let store = store(client, TableNames::with_prefix(name), clock.clone());
    let world = World {
        fleet: store.fleet(),
        tenants: store.tenants(),
        leases: store.leases(),
        keys: store.keys(),
        clock: clock.clone(),
    };
    let world = world.prepare().await;
    let home = world.home(10).await;
    clock.pass((start + Duration::from_mins(1)).since(clock.now()));
    let at = clock.now();
    let acceptance = home.acceptance();
    assert_eq!(home.tenant.accept(&acceptance).await.unwrap(), Accepted::Stored);
    assert!(home.tenant.message(acceptance.message.id).await.unwrap().is_some());
    home.tenant.grant(5, "top-up", at).await.unwrap();
    home.has(14, 1, 0).await;
}

#[tokio::test]
async fn a_neighbour_with_the_same_numbers_at_the_same_moment_is_no_repeat_on_the_embedded_engine() {
    let engine = DynamoEngine::in_memory().unwrap();
    let start = hand().now();
    accepts_and_pays_in(in_process(engine.http_client()), "here", start).await;
    accepts_and_pays_in(in_process(engine.http_client()), "there", start).await;
}

#[tokio::test]
async fn a_neighbour_with_the_same_numbers_at_the_same_moment_is_no_repeat_on_the_emulator() {
    let Some(client) = elsewhere() else { return };
    let start = hand().now();
    accepts_and_pays_in(client.clone(), &format!("here{}", start.0), start).await;
    accepts_and_pays_in(client, &format!("there{}", start.0), start).await;
}
