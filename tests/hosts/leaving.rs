//! Hosts that leave in order, as in a rolling release.

use std::time::Instant;

use hantar_domain::lease::Terms;
use hantar_testkit::aws_server::Cut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::host::{Build, Host, share, two_hosts};
use crate::sending::{Accepted, Sending, sends_again};
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_stop_loses_nothing() {
    let world = World::new().await;
    let (first, second) = two_hosts(&world).await;
    let sending = Sending::begin(&world);
    world.shown(40).await;
    leave(&world, first, &second).await;
    let third = Host::start(&world, "third", Build::Simulator).await;
    share(&world, &second, &third).await;
    leave(&world, second, &third).await;
    let accepted = sending.end().await;
    accepted.all_arrived_once_in_order(&world).await;
    for till in &world.tills {
        assert!(world.repeated(till).is_empty(), "nothing was left unanswered: {:?} of {till:?}", world.repeated(till));
    }
    let leases = world.leases().await;
    assert!(leases.iter().all(|lease| lease.owner.as_ref() == Some(&third.name)), "{leases:?}");
}

/// One of two leaves; the other one takes its shards at once, and sends for them.
async fn leave(world: &World, mut leaving: Host, staying: &Host) {
    let tills = world.tills_of(&leaving.name).await;
    let connections: Vec<u64> = tills.iter().map(|till| world.connection(till)).collect();
    let started = Instant::now();
    let took = leaving.leave().await;
    assert!(!world.alive().await.contains(&leaving.name), "its heartbeat is ended");
    world.owns(&staying.name, 4).await;
    let handed_over = started.elapsed();
    for (till, connection) in tills.iter().zip(connections) {
        sends_again(world, till, connection).await;
    }
    println!(
        "it left in {took:?}; all was taken over after {handed_over:?}, and sent again after {:?}",
        started.elapsed()
    );
    assert!(handed_over < took + Terms::default().term, "nobody waits for the term of a host that said goodbye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_says_whether_it_is_well_and_ready_and_what_it_counts() {
    let world = World::new().await;
    let mut host = Host::start(&world, "first", Build::Simulator).await;
    let web = host.web().await;
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(&web).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {web}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse::<u16>().ok()?, body.to_owned()))
    };
    world.until("a ready host", async || ask("/readyz").await.filter(|(status, _)| *status == 200)).await;
    world.link().await;
    let mut accepted = Accepted::default();
    for till in &world.tills {
        accepted.send(&world, till, "counted", 3).await;
    }
    accepted.all_arrived_once_in_order(&world).await;
    assert_eq!(ask("/healthz").await, Some((200, "ok\n".into())));
    let (_, text) = ask("/metrics").await.unwrap();
    for line in [
        "hantar_devices{status=\"connected\"} 4",
        "hantar_shards 4",
        "hantar_sends_total 12",
        "hantar_ack_seconds_count 12",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
    }
    assert_eq!(ask("/other").await.map(|(status, _)| status), Some(404));
    // The tables do not answer any more: it may act no more, and says so; it is well all the same.
    world.aws.block_client(&host.key, Cut::Silence);
    world.until("a host that is not ready", async || ask("/readyz").await.filter(|(status, _)| *status == 503)).await;
    assert_eq!(ask("/healthz").await.map(|(status, _)| status), Some(200));
    world.aws.unblock_client(&host.key);
    world.until("a ready host again", async || ask("/readyz").await.filter(|(status, _)| *status == 200)).await;
    let (_, text) = ask("/metrics").await.unwrap();
    let errors: u64 = text
        .lines()
        .filter(|line| line.starts_with("hantar_store_errors_total"))
        .filter_map(|line| line.split(' ').next_back()?.parse::<u64>().ok())
        .sum();
    assert!(errors > 0 && text.contains("hantar_lease_changes_total{change=\"lapsed\"} 4"), "{text}");
    host.leave().await;
    let lines = host.process.lines();
    assert!(lines.iter().any(|line| line.contains("\"standing\"") && line.contains("\"shards\"")), "{lines:#?}");
    let is_json = |line: &String| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(lines.iter().all(is_json), "{lines:#?}");
}
