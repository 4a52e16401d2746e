//! The conformance suite on the embedded engine and on an emulator.
//!
//! The emulator is named by `HANTAR_EMULATOR_URL`; with `HANTAR_REQUIRE_EMULATOR=1` its absence is a failure.
#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::Client;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_platform::aws::{AwsEndpoint, Connector, sqs, static_credentials, tokio_sleep};
use hantar_queues::conformance::World;
use hantar_queues::embedded::QueueEngine;
use hantar_queues::{SqsQueues, queue_cases, queue_cases_in_time};

fn client(endpoint: &AwsEndpoint, connector: Connector) -> Client {
    sqs(endpoint, connector, tokio_sleep(), SharedTimeSource::new(SystemTimeSource::new()))
}

async fn world(client: Client, pass: Arc<dyn Fn(std::time::Duration) + Send + Sync>) -> World {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let prefix = format!("t{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let queue = Arc::new(SqsQueues::new(client.clone(), prefix.clone()));
    World { queue, client, prefix, pass }.prepare().await
}

async fn embedded() -> World {
    let start = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let hand = Arc::new(AtomicI64::new(start));
    let now = hand.clone();
    let engine = QueueEngine::in_memory(Arc::new(move || now.load(Ordering::SeqCst))).unwrap();
    let pass = Arc::new(move |span: std::time::Duration| {
        hand.fetch_add(i64::try_from(span.as_millis()).unwrap(), Ordering::SeqCst);
    });
    world(client(&AwsEndpoint::in_process(), Connector::InProcess(engine.http_client())), pass).await
}

/// `None` where no emulator is named and none is required. Its clock cannot be moved.
async fn emulator() -> Option<World> {
    let Ok(url) = std::env::var("HANTAR_EMULATOR_URL") else {
        assert!(std::env::var("HANTAR_REQUIRE_EMULATOR").is_err(), "HANTAR_EMULATOR_URL is not set");
        return None;
    };
    let credentials = Some(static_credentials("test", "test", None));
    let endpoint = AwsEndpoint { endpoint_url: Some(url), region: "eu-west-1".to_owned(), credentials };
    Some(world(client(&endpoint, Connector::Https), Arc::new(|_| ())).await)
}

macro_rules! on_the_embedded_engine {
    ($($case:ident),+ $(,)?) => {
        mod embedded_engine {
            $(#[tokio::test]
            async fn $case() {
                hantar_queues::conformance::$case(super::embedded().await).await;
            })+
        }
    };
}

macro_rules! on_the_embedded_engine_in_time {
    ($($case:ident),+ $(,)?) => {
        mod embedded_engine_in_time {
            $(#[tokio::test]
            async fn $case() {
                hantar_queues::conformance::$case(super::embedded().await).await;
            })+
        }
    };
}

macro_rules! on_the_emulator {
    ($($case:ident),+ $(,)?) => {
        mod on_emulator {
            $(#[tokio::test]
            async fn $case() {
                let Some(world) = super::emulator().await else { return };
                hantar_queues::conformance::$case(world).await;
            })+
        }
    };
}

queue_cases!(on_the_embedded_engine);
queue_cases_in_time!(on_the_embedded_engine_in_time);
queue_cases!(on_the_emulator);
