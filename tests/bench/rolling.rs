//! A rolling release: each of three hosts is told to go when a new one has its share. How long a device is away.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::ensure;
use hantar_simulator::Network;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::figures::Latencies;
use crate::fleet::{Fleet, Sending};

/// How exactly an absence is measured.
const LOOK: Duration = Duration::from_millis(50);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(25);
/// How long all is well before, and after.
const CALM: Duration = Duration::from_secs(5);

pub(crate) async fn run(devices: usize, every: Duration) -> anyhow::Result<()> {
    let fleet = Fleet::open(devices).await?;
    let mut hosts = Vec::new();
    for number in 1..=3 {
        hosts.push(fleet.host(&format!("old {number}")).await?);
    }
    fleet.settled(3).await?;
    let absences = Absences::begin(fleet.network().clone());
    let sending = Sending::begin(&fleet, every);
    tokio::time::sleep(CALM).await;
    let mut took = Latencies::default();
    for number in 0..3 {
        let new = fleet.host(&format!("new {number}")).await?;
        fleet.settled(4).await?;
        let mut old = hosts.remove(0);
        let begun = Instant::now();
        let status = old.process.terminate(LEAVE).await;
        ensure!(status.success(), "a host left with {status}");
        took.add(begun.elapsed());
        hosts.push(new);
        fleet.settled(3).await?;
    }
    tokio::time::sleep(CALM).await;
    let (all, repeated) = sending.end(&fleet).await?;
    let mut absences = absences.end().await?;
    println!(
        "rolling: 3 hosts, {devices} devices, each a message every {:.1} s, each host replaced by a new one: a host left in \
         {}; {} absences, {}; {all} messages, none lost or doubled, each device's in order; {repeated} stanzas came twice",
        every.as_secs_f64(),
        took.line(),
        absences.count(),
        absences.line()
    );
    Ok(())
}

/// Watches who is away for how long.
struct Absences {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Latencies>,
}

impl Absences {
    fn begin(network: Network) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut spans = Latencies::default();
            let mut away: BTreeMap<String, Instant> = BTreeMap::new();
            let mut ticks = tokio::time::interval(LOOK);
            while !stopped.load(Ordering::Acquire) {
                ticks.tick().await;
                for phone in network.phones().into_iter().filter(|phone| !phone.devices.is_empty()) {
                    if phone.devices.iter().all(|device| device.connected) {
                        if let Some(since) = away.remove(&phone.phone) {
                            spans.add(since.elapsed());
                        }
                    } else {
                        away.entry(phone.phone).or_insert_with(Instant::now);
                    }
                }
            }
            for since in away.values() {
                spans.add(since.elapsed());
            }
            spans
        });
        Self { stop, task }
    }

    async fn end(self) -> anyhow::Result<Latencies> {
        self.stop.store(true, Ordering::Release);
        Ok(self.task.await?)
    }
}
