//! Devices.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::device::{PairingCode, Status};
use hantar_domain::ids::{DeviceId, Epoch, Shard};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{DeviceChange, PortError, Sequence};

use super::world::{SHARDS, device_of};
use super::{Home, World};

fn status(home: &Home, status: Status, reason: Option<&str>) -> DeviceChange {
    DeviceChange::Status { status, reason: reason.map(str::to_owned), at: home.now() }
}

/// So that a subscriber hears each change once.
pub async fn a_status_is_counted_when_it_changes_and_not_when_it_is_repeated(world: World) {
    let home = world.home(0).await;
    let change = |change: DeviceChange| {
        let tenant = home.tenant.clone();
        let device = home.device;
        async move { tenant.change_device(device, &change, Some(Epoch(1))).await.unwrap().unwrap() }
    };
    let connected = status(&home, Status::Connected, None);
    let once = change(connected.clone()).await;
    assert_eq!((once.status, once.status_seq), (Status::Connected, 1));
    assert!(once.connected_at.is_some() && once.connected_at == Some(once.status_at));
    assert_eq!(change(connected).await, once);
    assert_eq!(change(status(&home, Status::Connected, None)).await, once);
    let lost = change(status(&home, Status::Disconnected, Some("network"))).await;
    assert_eq!((lost.status_seq, lost.connected_at), (2, once.connected_at));
    assert_eq!(change(status(&home, Status::Disconnected, Some("replaced"))).await.status_seq, 3);
    let seen = home.now();
    let device = change(DeviceChange::Seen(seen)).await;
    assert_eq!((device.last_seen_at, device.status_seq), (Some(seen), 3));
    assert_eq!(home.tenant.device(home.device).await.unwrap(), Some(device));
    let none = home.tenant.change_device(DeviceId(999_999), &DeviceChange::Seen(seen), None).await.unwrap();
    assert_eq!(none, None);
}

/// Its view of the world is of the past.
pub async fn an_older_host_cannot_change_a_device(world: World) {
    let home = world.home(0).await;
    let say = |state, epoch: Option<u64>| {
        let change = status(&home, state, None);
        let (tenant, device) = (home.tenant.clone(), home.device);
        async move { tenant.change_device(device, &change, epoch.map(Epoch)).await }
    };
    say(Status::Connected, Some(1)).await.unwrap();
    // The same again, but said by the next host: it stands for that one now.
    say(Status::Connected, Some(2)).await.unwrap();
    assert!(matches!(say(Status::Disconnected, Some(1)).await, Err(PortError::Conflict)));
    assert_eq!(home.tenant.device(home.device).await.unwrap().unwrap().status, Status::Connected);
    say(Status::Disconnected, Some(2)).await.unwrap();
    say(Status::Unlinked, None).await.unwrap();
    assert!(matches!(say(Status::Connected, Some(1)).await, Err(PortError::Conflict)));
}

/// Wanted by a person, answered by a host.
pub async fn pairing_is_wanted_shown_and_over_once_linked(world: World) {
    let home = world.home(0).await;
    let change = |change: DeviceChange, epoch| {
        let tenant = home.tenant.clone();
        let device = home.device;
        async move { tenant.change_device(device, &change, epoch).await.unwrap().unwrap() }
    };
    let until = home.now() + Duration::from_mins(3);
    assert_eq!(change(DeviceChange::PairingWanted(until), None).await.pairing_wanted_until, Some(until));
    let code = PairingCode { text: "2@abc".into(), expires_at: until };
    let shown = change(DeviceChange::PairingCode(Some(code.clone())), Some(Epoch(1))).await;
    assert_eq!((shown.pairing_code, shown.pairing_wanted_until), (Some(code), Some(until)));
    let phone = PhoneNumber::from_e164("60123456789").unwrap();
    let linked = DeviceChange::Linked { phone: phone.clone(), lid: Some("77".into()) };
    let linked = change(linked, Some(Epoch(1))).await;
    assert_eq!((linked.phone, linked.lid), (Some(phone), Some("77".into())));
    assert_eq!((linked.pairing_code, linked.pairing_wanted_until), (None, None));
}

/// None is lost.
pub async fn changes_at_once_all_count(world: World) {
    let home = world.home(0).await;
    let until = home.now();
    let changes = [
        DeviceChange::PairingWanted(until),
        DeviceChange::Seen(until),
        status(&home, Status::Pairing, None),
        DeviceChange::PairingCode(Some(PairingCode { text: "2@x".into(), expires_at: until })),
    ];
    let calls = changes.iter().map(|change| home.tenant.change_device(home.device, change, None));
    for answer in join_all(calls).await {
        answer.unwrap();
    }
    let device = home.tenant.device(home.device).await.unwrap().unwrap();
    assert_eq!((device.pairing_wanted_until, device.last_seen_at), (Some(until), Some(until)));
    assert_eq!((device.status, device.pairing_code.is_some()), (Status::Pairing, true));
}

/// A host finds its devices by shard.
pub async fn a_device_is_added_once_and_found_by_its_shard(world: World) {
    let home = world.home(0).await;
    let id = DeviceId(world.number(Sequence::Devices).await);
    let device = device_of(home.account, id, home.now());
    home.tenant.add_device(&device).await.unwrap();
    home.tenant.change_device(id, &DeviceChange::Seen(home.now()), None).await.unwrap();
    home.tenant.add_device(&device).await.unwrap();
    let devices = home.tenant.devices().await.unwrap();
    assert_eq!(devices.iter().map(|device| device.id).collect::<Vec<_>>(), [home.device, id]);
    assert!(devices[1].last_seen_at.is_some(), "a repeat changes nothing");
    for id in [home.device, id] {
        let listed = world.fleet.devices_of(Shard::of(id, SHARDS)).await.unwrap();
        assert_eq!(listed.iter().filter(|entry| **entry == (home.account, id)).count(), 1);
    }
}
