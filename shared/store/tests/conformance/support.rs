//! Stores on the different kinds of tables.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::SharedHttpClient;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_domain::time::Timestamp;
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, static_credentials, tokio_sleep};
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::faults::{Calls, FaultPlan, FaultyClient, Loss, LostAs, Throttle, ThrottleError, When};
use hantar_platform::sleep::TokioSleep;
use hantar_store::conformance::{Hand, World};
use hantar_store::{Store, Surroundings, TableNames};

/// Names that no other test of this run has.
fn names() -> TableNames {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    TableNames::with_prefix(&format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)))
}

/// An emulator deletes by its own clock what has expired: so the hand begins at the real time.
pub(crate) fn hand() -> Arc<Hand> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Arc::new(Hand::new(Timestamp(i64::try_from(now.as_micros()).unwrap())))
}

pub(crate) fn client(endpoint: &AwsEndpoint, connector: Connector) -> Client {
    dynamodb(endpoint, connector, tokio_sleep(), SharedTimeSource::new(SystemTimeSource::new()))
}

pub(crate) fn in_process(http: SharedHttpClient) -> Client {
    client(&AwsEndpoint::in_process(), Connector::InProcess(http))
}

pub(crate) fn store(client: Client, tables: TableNames, clock: Arc<Hand>) -> Store {
    let around = Surroundings { clock, entropy: Arc::new(SystemEntropy), sleep: Arc::new(TokioSleep) };
    Store::new(client, tables, around)
}

pub(crate) async fn world(client: Client) -> World {
    let clock = hand();
    let store = store(client, names(), clock.clone());
    let world =
        World { fleet: store.fleet(), tenants: store.tenants(), leases: store.leases(), keys: store.keys(), clock };
    world.prepare().await
}

pub(crate) async fn embedded() -> World {
    world(in_process(DynamoEngine::in_memory().unwrap().http_client())).await
}

pub(crate) async fn emulator() -> Option<World> {
    Some(world(elsewhere()?).await)
}

/// The emulator; `None` where none is named and none is required.
pub(crate) fn elsewhere() -> Option<Client> {
    let Ok(url) = std::env::var("HANTAR_EMULATOR_URL") else {
        assert!(std::env::var("HANTAR_REQUIRE_EMULATOR").is_err(), "HANTAR_EMULATOR_URL is not set");
        return None;
    };
    let credentials = Some(static_credentials("test", "test", None));
    let endpoint = AwsEndpoint { endpoint_url: Some(url), region: "eu-west-1".to_owned(), credentials };
    Some(client(&endpoint, Connector::Https))
}

/// The embedded engine behind a bad day: transactions conflict, some calls are throttled, some answers are lost.
/// Few enough that the SDK's three tries and the store's own get through.
pub(crate) async fn faulty(case: &str) -> World {
    let engine = DynamoEngine::in_memory().unwrap();
    let seed = case.bytes().fold(7_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    println!("faults of {case} thrown from seed {seed}");
    let faulty = FaultyClient::new(engine.http_client(), FaultPlan::default(), seed);
    let world = world(in_process(faulty.http_client())).await;
    let lost = |operation: &str, chance| Loss {
        calls: Calls { operation: Some(operation.to_owned()), containing: None, when: When::Chance(chance) },
        executed: true,
        error: LostAs::Io,
    };
    faulty.set_plan(FaultPlan {
        conflict_window: Some(Duration::from_millis(1)..=Duration::from_millis(2)),
        throttles: vec![Throttle { calls: Calls::any(0.002), error: ThrottleError::RequestLimitExceeded }],
        losses: vec![lost("TransactWriteItems", 0.01), lost("GetItem", 0.005), lost("Query", 0.005)],
        ..FaultPlan::default()
    });
    world
}
