use hantar_domain::device::Status;
use hantar_domain::ids::Epoch;
use hantar_simulator::{Fault, FaultKind};

use crate::world::{ALI, SHOP, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_wanted_code_appears_and_scanning_it_links_the_number() {
    let world = World::new().await;
    let host = world.host().await;
    let device = world.want_code().await;
    assert_eq!(device.status, Status::Pairing);
    let code = device.pairing_code.unwrap();
    assert!(code.text.starts_with("2@") && code.expires_at > world.tables.clock.now());
    let paired = world.network().scan_qr(&code.text, Some(SHOP)).unwrap();
    let device = world.device_until("connected", |device| device.status == Status::Connected).await;
    assert_eq!(device.phone.unwrap().digits(), SHOP);
    assert_eq!(device.lid, Some(paired.lid));
    assert_eq!(device.pairing_code, None, "a used code is not shown");
    assert!(device.connected_at.is_some());
    world.until("the host to count it", async || (host.facts().connected == 1).then_some(())).await;
    assert_eq!((host.facts().shards, host.facts().devices), (4, 1));
    assert_eq!(world.network().unknown_iqs().len(), 0, "{:?}", world.network().unknown_iqs());
    host.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unlinking_on_the_phone_erases_the_keys_and_the_number_can_be_linked_again() {
    let (world, host) = World::linked().await;
    world.network().unlink(SHOP, None).unwrap();
    let device = world.device_until("logged out", |device| device.status == Status::LoggedOut).await;
    assert_eq!(device.reason.as_deref(), Some("logged_out"));
    let epoch = Epoch(u64::MAX);
    world
        .until("the keys to be gone", async || {
            let left = world.tables.keys.list(world.shop.device, Epoch(1), "").await;
            left.ok().filter(Vec::is_empty)
        })
        .await;
    world.link().await;
    let id = world.send(ALI, "linked again").await;
    assert_eq!(world.shown(1).await, ["linked again"]);
    world.message_until(id, hantar_domain::message::State::Delivered).await;
    drop(host);
    assert!(world.tables.keys.claim(world.shop.device, epoch).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_version_is_a_state_of_the_device_and_is_not_tried_again() {
    let (world, host) = World::linked().await;
    host.drain().await;
    let fault = Fault { from: Some(SHOP.into()), ..Fault::new(FaultKind::LoginFailure { reason: 405 }) };
    world.network().add_fault(fault).unwrap();
    let host = world.host().await;
    world.device_until("outdated", |device| device.status == Status::Outdated).await;
    assert_eq!(world.network().faults()[0].applied, 1);
    host.drain().await;
    assert_eq!(world.shop.device().await.status, Status::Outdated, "leaving does not change what is known");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_made_again() {
    let (world, _host) = World::linked().await;
    let before = world.shop.device().await.status_seq;
    world.network().disconnect(SHOP, None).unwrap();
    world
        .device_until("connected again", |device| device.status == Status::Connected && device.status_seq > before)
        .await;
    world.send(ALI, "here again").await;
    assert_eq!(world.shown(1).await, ["here again"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_ban_is_a_state_of_the_device_and_is_not_tried_again() {
    let (world, host) = World::linked().await;
    host.drain().await;
    // 402: temporarily banned.
    let fault = Fault { from: Some(SHOP.into()), ..Fault::new(FaultKind::LoginFailure { reason: 402 }) };
    world.network().add_fault(fault).unwrap();
    let _host = world.host().await;
    let device = world.device_until("banned", |device| device.status == Status::Banned).await;
    assert_eq!(device.reason.as_deref(), Some("banned"));
    assert_eq!(world.network().faults()[0].applied, 1);
    let id = world.send(ALI, "kept for later").await;
    assert!(world.stanzas_of(id).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_be_reached_is_said_and_tried_again_while_somebody_waits() {
    let world = World::new().await;
    world.network().add_fault(Fault::new(FaultKind::RefuseConnections)).unwrap();
    let _host = world.host().await;
    world.want_pairing().await;
    let device = world.device_until("failing", |device| device.reason.is_some()).await;
    assert_eq!((device.status, device.reason.as_deref()), (Status::Pairing, Some("unreachable")));
    world.until("another try", async || (world.network().faults()[0].applied >= 2).then_some(())).await;
    world.network().clear_faults();
    let device = world.device_until("showing a code", |device| device.pairing_code.is_some()).await;
    assert_eq!((device.status, device.reason), (Status::Pairing, None));
}
