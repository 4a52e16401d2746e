//! What a linked, idle device costs in memory.

use std::time::Duration;

use crate::server::Server;

pub(crate) async fn run(devices: usize) -> anyhow::Result<()> {
    let mut server = Server::start().await?;
    server.link(1).await?;
    settle().await;
    let before = server.memory()?;
    server.link(devices + 1).await?;
    settle().await;
    let after = server.memory()?;
    let each = after.saturating_sub(before) as f64 / devices as f64 / 1024.0 / 1024.0;
    println!(
        "idle: {devices} linked devices, {:.1} MiB with one, {:.1} MiB with all: {each:.3} MiB per idle device",
        mib(before),
        mib(after)
    );
    Ok(())
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

/// Lets start-up work and its memory end.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(8)).await;
}
