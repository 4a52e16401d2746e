//! The whole road under load for a minute: accepts and deliveries a second, and how long each takes.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hantar_simulator::Network;
use hantar_testkit::json_client::JsonClient;
use serde_json::json;
use tokio::sync::Mutex;

use crate::figures::{Latencies, rate};
use crate::server::Server;

/// How many people are written to.
const CUSTOMERS: usize = 50;
/// How many requests are under way at once at full load.
const CLIENTS: usize = 32;

struct Load {
    api: JsonClient,
    devices: Vec<u64>,
    next: AtomicU64,
    accepted: Mutex<HashMap<String, Instant>>,
    refused: AtomicU64,
    stop: AtomicBool,
}

pub(crate) async fn run(span: Duration, devices: usize) -> anyhow::Result<()> {
    let mut server = Server::start().await?;
    server.link(devices).await?;
    for number in 0..CUSTOMERS {
        server.simulator.network().create_phone(&customer(number), &format!("Customer {number}"))?;
    }
    first_contacts(&server).await?;
    phase("full load", &server, server.devices.clone(), span, None).await?;
    phase("half load", &server, server.devices.clone(), span, Some(500.0)).await?;
    phase("one device", &server, vec![server.devices[0]], span.min(Duration::from_secs(20)), Some(300.0)).await
}

/// Each device writes to each customer for the first time: keys are fetched, sessions made. What a campaign to new
/// customers costs, and what the phases after it are spared.
async fn first_contacts(server: &Server) -> anyhow::Result<()> {
    let network = server.simulator.network();
    let before = arrived(network)?;
    let (next, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let pairs = server.devices.len() * CUSTOMERS;
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (api, devices, next) = (server.api.clone(), server.devices.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = usize::try_from(next.fetch_add(1, Ordering::Relaxed))?;
                    if number >= pairs {
                        return anyhow::Ok(());
                    }
                    let (device, phone) = (devices[number % devices.len()], customer(number / devices.len()));
                    let message = json!({ "phone": phone, "body": "Salam, we have met.", "device": device });
                    let answer = api.post("/messages/send", &message).await?;
                    anyhow::ensure!(answer.status == 202, "{}: {}", answer.status, answer.body);
                }
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    let accepted = started.elapsed();
    let drained = drain(network, before + pairs).await?;
    println!(
        "road, first contacts: {pairs} accepted in {:.1} s, {} on the phones after {:.1} s, {:.0} deliveries/s",
        accepted.as_secs_f64(),
        drained - before,
        started.elapsed().as_secs_f64(),
        rate(drained - before, started.elapsed()),
    );
    Ok(())
}

fn customer(number: usize) -> String {
    format!("6012{:07}", 3_000_000 + number)
}

/// One phase: `pace` in requests a second, or as fast as it goes.
async fn phase(
    name: &str,
    server: &Server,
    devices: Vec<u64>,
    span: Duration,
    pace: Option<f64>,
) -> anyhow::Result<()> {
    let load = Arc::new(Load {
        api: server.api.clone(),
        devices,
        next: AtomicU64::new(0),
        accepted: Mutex::default(),
        refused: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let network = server.simulator.network();
    let before = arrived(network)?;
    let started = Instant::now();
    let wall = started_at_ms();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            // Spread over the gap: so many requests a second, not so many at one moment every now and then.
            let gap = pace.map(|pace| CLIENTS as f64 / pace);
            let begin = started + Duration::from_secs_f64(gap.unwrap_or(0.0) * number as f64 / CLIENTS as f64);
            tokio::spawn(client(load.clone(), name.to_owned(), begin, gap))
        })
        .collect();
    tokio::time::sleep(span).await;
    let at_the_end = arrived(network)? - before;
    load.stop.store(true, Ordering::Release);
    let mut accepts = Latencies::default();
    for client in clients {
        accepts.extend(client.await?);
    }
    let accepted = load.accepted.lock().await.len();
    println!(
        "road, {name}: {:.0} accepts/s ({} refused), accept {}; {:.0} deliveries/s while it lasted",
        rate(accepts.count(), started.elapsed()),
        load.refused.load(Ordering::Acquire),
        accepts.line(),
        rate(at_the_end, span),
    );
    let drained = drain(network, before + accepted).await?;
    println!(
        "road, {name}: all {accepted} on the phones after {:.1} s, {:.0} deliveries/s over all; accept to phone {}",
        started.elapsed().as_secs_f64(),
        rate(drained - before, started.elapsed()),
        to_phone(network, &load, started, wall).await?.line()
    );
    Ok(())
}

async fn client(load: Arc<Load>, name: String, begin: Instant, gap: Option<f64>) -> Latencies {
    let mut latencies = Latencies::default();
    tokio::time::sleep_until(begin.into()).await;
    while !load.stop.load(Ordering::Acquire) {
        let number = load.next.fetch_add(1, Ordering::Relaxed);
        let device = load.devices[usize::try_from(number).unwrap_or(0) % load.devices.len()];
        let text = format!("{name} {number}: the quick brown fox jumps over the lazy dog");
        let phone = customer(fastrand::usize(..CUSTOMERS));
        let began = Instant::now();
        match load.api.post("/messages/send", &json!({ "phone": phone, "body": text, "device": device })).await {
            Ok(answer) if answer.status == 202 => {
                latencies.add(began.elapsed());
                load.accepted.lock().await.insert(text, Instant::now());
            }
            _ => {
                load.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some(gap) = gap {
            tokio::time::sleep(Duration::from_secs_f64(gap).saturating_sub(began.elapsed())).await;
        }
    }
    latencies
}

fn arrived(network: &Network) -> anyhow::Result<usize> {
    let mut count = 0;
    for number in 0..CUSTOMERS {
        count += network.messages(&customer(number))?.len();
    }
    Ok(count)
}

async fn drain(network: &Network, expected: usize) -> anyhow::Result<usize> {
    let deadline = Instant::now() + Duration::from_mins(5);
    loop {
        let count = arrived(network)?;
        if count >= expected || Instant::now() > deadline {
            return Ok(count);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn started_at_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(0)
}

async fn to_phone(network: &Network, load: &Load, started: Instant, wall: u64) -> anyhow::Result<Latencies> {
    let accepted = load.accepted.lock().await;
    let mut latencies = Latencies::default();
    for number in 0..CUSTOMERS {
        for message in network.messages(&customer(number))? {
            if let Some(at) = accepted.get(&message.text) {
                let accepted_ms = u64::try_from(at.duration_since(started).as_millis()).unwrap_or(0);
                latencies
                    .add(Duration::from_millis(message.received_at.saturating_sub(wall).saturating_sub(accepted_ms)));
            }
        }
    }
    Ok(latencies)
}
