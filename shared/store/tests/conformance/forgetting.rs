//! What the table itself forgets: heartbeats of hosts that never came back. By the real clock, which is the engine's.

use std::sync::Arc;
use std::time::Duration;

use hantar_platform::embedded::DynamoEngine;
use hantar_store::TableNames;
use hantar_store::conformance::Hand;
use hantar_usecases::ports::{Clock as _, HostId};

use super::support::{hand, in_process, store};

#[tokio::test]
async fn a_heartbeat_that_nobody_renews_for_a_day_is_forgotten_and_its_host_cannot_go_on_from_it() {
    let engine = DynamoEngine::in_memory().unwrap();
    let clock = Arc::new(Hand::new(hand().now() - Duration::from_hours(25)));
    let store = store(in_process(engine.http_client()), TableNames::with_prefix("forgetting"), clock.clone());
    store.fleet().prepare().await.unwrap();
    let leases = store.leases();
    let [asleep, ended, alive] = ["asleep", "ended", "alive"].map(|name| HostId(name.into()));
    for host in [&asleep, &ended, &alive] {
        assert!(leases.renew(host, 1).await.unwrap());
    }
    assert!(leases.end(&ended, 1).await.unwrap());
    clock.pass(Duration::from_hours(2));
    assert!(leases.renew(&alive, 2).await.unwrap());

    assert_eq!(engine.sweep_ttl().await.unwrap(), 2);
    let names = async || {
        let heartbeats = leases.heartbeats().await.unwrap();
        heartbeats.into_iter().map(|heartbeat| heartbeat.host).collect::<Vec<_>>()
    };
    assert_eq!(names().await, std::slice::from_ref(&alive));
    for counter in [2, 3] {
        assert!(!leases.renew(&asleep, counter).await.unwrap(), "it wakes too late");
        assert!(!leases.end(&asleep, counter - 1).await.unwrap());
    }
    assert_eq!(names().await, std::slice::from_ref(&alive), "and is not made anew");
    assert!(leases.renew(&alive, 3).await.unwrap());
}
