//! The build that is shipped: it takes no server's word for being WhatsApp that WhatsApp's own root has not signed.

use hantar_domain::device::Device;
use hantar_simulator::Pattern;

use crate::host::{Build, Host};
use crate::sending::Accepted;
use crate::world::{LONG, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_the_simulator_feature_refuses_a_fresh_pairing() {
    let world = World::new().await;
    let till = &world.tills[0];
    let mut plain = Host::start(&world, "plain", Build::Plain).await;
    world.owns(&plain.name, 4).await;
    world.want(till).await;
    plain.process.wait_for_line("certificate", LONG).await;
    assert!(shows_nothing(&world.device(till).await));
    assert!(world.network().phone(&till.phone).unwrap().devices.is_empty());
    println!("{:#?}", plain.process.lines());
    plain.leave().await;
    // The same request, taken up by the other build: nothing else was missing.
    let _other = Host::start(&world, "simulator", Build::Simulator).await;
    world.network().scan_qr(&world.code(till).await, Some(&till.phone)).unwrap();
    world.until("a linked device", async || world.is_online(till).then_some(())).await;
}

fn shows_nothing(device: &Device) -> bool {
    device.pairing_code.is_none() && device.phone.is_none() && !device.status.is_linked()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_binary_carries_a_message_over_a_device_row_paired_before() {
    let world = World::new().await;
    let mut paired_by = Host::start(&world, "simulator", Build::Simulator).await;
    world.link().await;
    paired_by.leave().await;
    let plain = Host::start(&world, "plain", Build::Plain).await;
    world.owns(&plain.name, 4).await;
    let mut accepted = Accepted::default();
    for till in &world.tills {
        accepted.send(&world, till, "by the shipped build", 3).await;
    }
    accepted.all_arrived_once_in_order(&world).await;
    for till in &world.tills {
        let devices = world.network().phone(&till.phone).unwrap().devices;
        assert_eq!(devices[0].handshake, Some(Pattern::Ik), "with the key it knew from before");
    }
    let lines = plain.process.lines();
    assert!(!lines.iter().any(|line| line.contains("feature `simulator`")), "{lines:#?}");
    assert!(paired_by.process.lines().iter().any(|line| line.contains("feature `simulator`")), "the other one says so");
}
