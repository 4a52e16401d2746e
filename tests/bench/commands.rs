//! A question that only the host of a device can answer: from the request over HTTP to the answer, through the table, the
//! queue, the socket and back. Each number is another one; the devices take turns, since each may ask ten at once.

use std::time::{Duration, Instant};

use anyhow::ensure;

use crate::figures::Latencies;
use crate::server::Server;

const DEVICES: usize = 5;
const EACH: usize = 10;
/// What half of all are to be answered within.
const AIM: Duration = Duration::from_millis(500);

pub(crate) async fn run() -> anyhow::Result<()> {
    let mut server = Server::start().await?;
    server.link(DEVICES).await?;
    let mut latencies = Latencies::default();
    for round in 0..EACH {
        for (place, device) in server.devices.iter().enumerate() {
            let number = format!("6012{:07}", 3_000_000 + round * DEVICES + place);
            // Every other one is somebody.
            let exists = (round + place) % 2 == 0;
            if exists {
                server.simulator.network().create_phone(&number, "Somebody")?;
            }
            let asked = Instant::now();
            let answer = server.api.get(&format!("/devices/{device}/numbers/+{number}")).await?;
            latencies.add(asked.elapsed());
            ensure!(answer.status == 200 && answer.body["data"]["exists"] == exists, "{number}: {}", answer.body);
        }
    }
    println!(
        "commands: {} numbers looked up through {DEVICES} devices: {} (aim: half within {} ms)",
        latencies.count(),
        latencies.line(),
        AIM.as_millis()
    );
    Ok(())
}
