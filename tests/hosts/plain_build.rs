//! The build that is shipped: it takes no server's word for being WhatsApp that WhatsApp's own root has not signed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hantar_domain::device::Device;
use hantar_simulator::Pattern;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::host::{Build, Host};
use crate::sending::Accepted;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_the_simulator_feature_refuses_a_fresh_pairing() {
    let mut world = World::new().await;
    let door = Door::before(world.whatsapp.clone()).await;
    world.whatsapp = door.url.clone();
    let till = &world.tills[0];
    let mut plain = Host::start(&world, "plain", Build::Plain).await;
    world.owns(&plain.name, 4).await;
    world.want(till).await;
    // It hears the server out, goes away, and tries again in vain.
    world.until("three refusals", async || (door.left.load(Ordering::Acquire) >= 3).then_some(())).await;
    assert!(door.heard.load(Ordering::Acquire) >= 3, "the server had shown what it has");
    assert!(shows_nothing(&world.device(till).await), "{:?}", world.device(till).await);
    assert_eq!(world.device(till).await.reason.as_deref(), Some("handshake_refused"), "and the device says why");
    assert!(world.network().phone(&till.phone).unwrap().devices.is_empty());
    plain.leave().await;
    // The same request at the same door, taken up by the other build: nothing else was missing.
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

/// A door before the simulated network that counts who goes through: of a handshake that fails, the network tells nothing.
struct Door {
    url: String,
    /// Connections that brought more than the answer to the upgrade, and are over.
    heard: Arc<AtomicUsize>,
    /// Connections that are over.
    left: Arc<AtomicUsize>,
    _open: JoinSet<()>,
}

/// The answer to a WebSocket's upgrade is shorter; a server's hello with its certificates is longer.
const UPGRADE: u64 = 300;

impl Door {
    async fn before(url: String) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let there = url.trim_start_matches("ws://").split('/').next().unwrap().to_owned();
        let here = listener.local_addr().unwrap().to_string();
        let (heard, left) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let (hears, leaves, inside) = (heard.clone(), left.clone(), there.clone());
        let mut open = JoinSet::new();
        open.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let (hears, leaves, inside) = (hears.clone(), leaves.clone(), inside.clone());
                connections.spawn(async move {
                    let mut server = TcpStream::connect(inside).await.unwrap();
                    if copy_bidirectional(&mut client, &mut server).await.is_ok_and(|(_, back)| back > UPGRADE) {
                        hears.fetch_add(1, Ordering::AcqRel);
                    }
                    leaves.fetch_add(1, Ordering::AcqRel);
                });
            }
        });
        Self { url: url.replace(&there, &here), heard, left, _open: open }
    }
}
