//! The stream of the embedded engine, read back into the domain.

use hantar_domain::device::Status;
use hantar_domain::message::{Fact, State};
use hantar_platform::embedded::DynamoEngine;
use hantar_store::TableNames;
use hantar_store::conformance::World;
use hantar_store::stream::change;
use hantar_usecases::ports::{Change, DeviceChange};

use super::support::{hand, in_process, store};

#[tokio::test]
async fn the_stream_tells_every_step_of_a_message_and_of_a_device_and_nothing_else() {
    let engine = DynamoEngine::in_memory().unwrap();
    let (names, clock) = (TableNames::with_prefix("streamed"), hand());
    let store = store(in_process(engine.http_client()), names.clone(), clock.clone());
    let (fleet, tenants, leases, keys) = (store.fleet(), store.tenants(), store.leases(), store.keys());
    let world = World { fleet, tenants, leases, keys, clock }.prepare().await;
    let home = world.home(5).await;
    let message = home.accepted().await;
    home.tenant.dispatch(message.id, hantar_domain::ids::Epoch(1), home.now()).await.unwrap();
    home.tenant.record(message.id, Fact::Read, home.now()).await.unwrap();
    let connected = DeviceChange::Status { status: Status::Connected, reason: None, at: home.now() };
    home.tenant.change_device(home.device, &connected, None).await.unwrap();

    let (mut messages, mut devices) = (Vec::new(), Vec::new());
    for record in engine.stream_batch(&names.business, 1_000).await.unwrap() {
        match change(record.old.as_ref(), record.new.as_ref()).unwrap() {
            Some(Change::Message { old, new }) => messages.push((old, new)),
            Some(Change::Device { old, new }) => devices.push((old, new)),
            None => {}
        }
    }
    let states: Vec<_> = messages.iter().map(|(_, new)| new.state).collect();
    assert_eq!(states, [State::Queued, State::Dispatched, State::Read]);
    assert_eq!(messages[0], (None, Box::new(message.clone())));
    for pair in messages.windows(2) {
        assert_eq!(pair[1].0.as_ref(), Some(&pair[0].1));
        assert!(pair[1].1.history.starts_with(&pair[0].1.history));
    }
    assert_eq!(*messages[2].1, home.message(message.id).await);
    assert_eq!(devices.iter().map(|(_, new)| new.status_seq).collect::<Vec<_>>(), [0, 1]);
}
