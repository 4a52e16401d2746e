//! One of three hosts is killed: how long until all of its devices send again.

use std::time::Duration;

use anyhow::Context as _;

use crate::figures::Latencies;
use crate::fleet::{Fleet, Sending, milliseconds};

/// How long all is well before, and after.
const CALM: Duration = Duration::from_secs(10);

pub(crate) async fn run(devices: usize, every: Duration) -> anyhow::Result<()> {
    let fleet = Fleet::open(devices).await?;
    let mut victim = fleet.host("first").await?;
    let _second = fleet.host("second").await?;
    let _third = fleet.host("third").await?;
    fleet.settled(3).await?;
    let sending = Sending::begin(&fleet, every);
    tokio::time::sleep(CALM).await;
    let orphans = fleet.tills_of(&victim.name).await?;
    victim.process.kill().await;
    let killed_at = milliseconds();
    let mut silences = Latencies::default();
    for till in &orphans {
        let again = fleet.until("a device to send again", async || Ok(fleet.first_message_after(till, killed_at)));
        let again = again.await.with_context(|| till.phone.clone())?;
        silences.add(Duration::from_millis(again - killed_at));
    }
    tokio::time::sleep(CALM).await;
    let (all, repeated) = sending.end(&fleet).await?;
    println!(
        "failover: 3 hosts, {devices} devices, each a message every {:.1} s, SIGKILL of one with {}: its devices send again \
         after {}; {all} messages, none lost or doubled, each device's in order; {repeated} stanzas came twice",
        every.as_secs_f64(),
        orphans.len(),
        silences.line()
    );
    Ok(())
}
