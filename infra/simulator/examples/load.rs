//! Ten thousand companions on one simulator: each pairs over the real protocol, logs in by Noise IK, stays connected
//! with keepalives, and says something now and then. The simulator runs in a process of its own, so that what is
//! measured of it is its own. Prints the figures; fails when a companion is lost.
//!
//! ```sh
//! cargo run --release -p hantar-simulator --example load -- --companions 10000 --seconds 30 --messages 500
//! ```
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures and prints, and stops at the first thing that goes wrong"
)]

#[path = "../tests/light/mod.rs"]
#[expect(dead_code, reason = "tests use more of it")]
mod light;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use hantar_simulator::{Simulator, SimulatorConfig};
use light::{Identity, Light, request};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use whatsapp_rust::anyhow::{Context as _, Result, ensure};

const SEED: u64 = 1;
/// How many pair or connect at the same time.
const AT_ONCE: usize = 128;
const KEEPALIVE: Duration = Duration::from_secs(20);
/// How long the last acks and receipts may take.
const SETTLING: Duration = Duration::from_secs(20);

struct Wanted {
    companions: usize,
    seconds: u64,
    messages_per_second: u64,
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if arguments.first().is_some_and(|first| first == "--serve") {
        return runtime.block_on(serve());
    }
    let number = |name: &str, default: u64| -> Result<u64> {
        match arguments.iter().position(|argument| argument == name) {
            Some(at) => Ok(arguments.get(at + 1).context("a number is missing")?.parse()?),
            None => Ok(default),
        }
    };
    let wanted = Wanted {
        companions: usize::try_from(number("--companions", 10_000)?)?,
        seconds: number("--seconds", 30)?,
        messages_per_second: number("--messages", 500)?,
    };
    let mut server = Command::new(std::env::current_exe()?).arg("--serve").stdout(Stdio::piped()).spawn()?;
    let measured = runtime.block_on(measure(&mut server, &wanted));
    server.kill()?;
    server.wait()?;
    measured
}

async fn serve() -> Result<()> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let simulator = Simulator::start(SimulatorConfig { listen, seed: SEED, state_file: None }).await?;
    println!("{}", simulator.address());
    std::io::stdout().flush()?;
    std::future::pending().await
}

async fn measure(server: &mut Child, wanted: &Wanted) -> Result<()> {
    let mut line = String::new();
    BufReader::new(server.stdout.take().context("no output")?).read_line(&mut line)?;
    let address: SocketAddr = line.trim().parse()?;
    let process = server.id();
    println!("seed {SEED}, {} companions, {} processors", wanted.companions, std::thread::available_parallelism()?);
    println!("simulator alone: {:.1} MiB", resident_mib(process)?);

    let start = Instant::now();
    let identities = pair_all(address, wanted.companions).await?;
    report("paired", wanted.companions, start.elapsed());
    let paired_mib = resident_mib(process)?;
    println!("simulator with all accounts, phones and devices: {paired_mib:.1} MiB");

    let (start, processor) = (Instant::now(), processor_seconds(process)?);
    let companions = connect_all(address, &identities).await?;
    report("connected and active", companions.len(), start.elapsed());
    println!("simulator's processor time per connection: {:.2} ms", {
        (processor_seconds(process)? - processor) * 1_000.0 / as_float(wanted.companions)
    });
    let connected_mib = resident_mib(process)?;
    println!(
        "simulator with all connected: {connected_mib:.1} MiB, {:.1} KiB for each connection",
        (connected_mib - paired_mib) * 1024.0 / as_float(wanted.companions)
    );

    let spoken = talk(companions, &identities, wanted).await?;
    let seconds = spoken.lasted.as_secs_f64();
    println!(
        "{} messages in {seconds:.1} s ({:.0}/s), each taken, delivered and received: {} acks, {} receipts, {} keepalives",
        spoken.sent,
        as_float(spoken.sent) / seconds,
        spoken.acks,
        spoken.receipts,
        spoken.keepalives
    );
    println!("ack after {:.1} ms at the median, {:.1} ms at the 99th percentile", spoken.median_ms, spoken.p99_ms);
    println!("simulator at the end: {:.1} MiB", resident_mib(process)?);
    ensure!(spoken.lost == 0, "{} companions were lost", spoken.lost);
    ensure!(spoken.acks == spoken.sent && spoken.receipts == spoken.sent, "acks or receipts are missing");
    Ok(())
}

fn report(what: &str, count: usize, lasted: Duration) {
    println!("{what}: {count} in {:.1} s ({:.0}/s)", lasted.as_secs_f64(), as_float(count) / lasted.as_secs_f64());
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn as_float(count: usize) -> f64 {
    count as f64
}

/// What a process holds in memory now.
fn resident_mib(process: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib / 1024.0)
}

/// How long it ran on a processor so far, in user and kernel mode.
fn processor_seconds(process: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after_name = stat.rsplit(") ").next().context("no stat")?;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).context("no field")?.parse()?) };
    // utime and stime; a tick is a hundredth of a second on every Linux there is.
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

async fn pair_all(address: SocketAddr, count: usize) -> Result<Vec<Identity>> {
    let pairing = futures::stream::iter(0..count).map(|_| light::pair(address, None, |code| scan(address, code)));
    let mut pairing = pairing.buffer_unordered(AT_ONCE);
    let mut identities = Vec::with_capacity(count);
    while let Some(identity) = pairing.next().await {
        identities.push(identity?);
    }
    Ok(identities)
}

/// Shows the code to the simulator, which makes an account that scans it.
async fn scan(address: SocketAddr, code: String) -> Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let head = "POST /admin/mock-phone/scan-qr HTTP/1.1\r\nhost: simulator\r\nconnection: close\r\n";
    let request = format!("{head}content-type: text/plain\r\ncontent-length: {}\r\n\r\n{code}", code.len());
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

async fn connect_all(address: SocketAddr, identities: &[Identity]) -> Result<Vec<Light>> {
    let connecting = futures::stream::iter(identities).map(|identity| identity.come_online(address));
    let mut connecting = connecting.buffered(AT_ONCE);
    let mut companions = Vec::with_capacity(identities.len());
    while let Some(companion) = connecting.next().await {
        companions.push(companion?);
    }
    Ok(companions)
}

#[derive(Default)]
struct Tally {
    acks: AtomicU64,
    receipts: AtomicU64,
    keepalives: AtomicU64,
    lost: AtomicU64,
}

struct Spoken {
    sent: usize,
    acks: usize,
    receipts: usize,
    keepalives: u64,
    lost: u64,
    lasted: Duration,
    median_ms: f64,
    p99_ms: f64,
}

async fn talk(companions: Vec<Light>, identities: &[Identity], wanted: &Wanted) -> Result<Spoken> {
    let tally = Arc::new(Tally::default());
    let (latencies, mut measured) = mpsc::unbounded_channel();
    let mut lives = JoinSet::new();
    let mut orders = Vec::with_capacity(companions.len());
    for (at, companion) in companions.into_iter().enumerate() {
        let (order, ordered) = mpsc::unbounded_channel();
        orders.push(order);
        lives.spawn(live(companion, at, ordered, Arc::clone(&tally), latencies.clone()));
    }
    drop(latencies);
    let start = Instant::now();
    let total = usize::try_from(wanted.seconds * wanted.messages_per_second)?;
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let mut sent = 0;
    while sent < total {
        ticks.tick().await;
        let due = usize::try_from(start.elapsed().as_micros() * u128::from(wanted.messages_per_second) / 1_000_000)?;
        while sent < due.min(total) {
            // Spread over all of them: the step is prime, so everybody speaks and everybody is spoken to.
            let (from, to) = (sent * 7919 % orders.len(), (sent * 7919 + 104_729) % orders.len());
            let (order, target) = (orders.get(from).context("no sender")?, identities.get(to).context("no target")?);
            // A companion that is lost is counted, not waited for.
            let _ = order.send((target.jid(), format!("LOAD{sent}")));
            sent += 1;
        }
    }
    let settled = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let all = sent as u64;
        while tally.receipts.load(Ordering::Relaxed) < all || tally.acks.load(Ordering::Relaxed) < all {
            ticks.tick().await;
        }
    };
    let _in_time = tokio::time::timeout(SETTLING, settled).await;
    let lasted = start.elapsed();
    lives.shutdown().await;
    let mut latencies = Vec::with_capacity(sent);
    while let Ok(latency) = measured.try_recv() {
        latencies.push(latency);
    }
    latencies.sort_unstable();
    let at = |share: usize| latencies.get((latencies.len() * share / 100).min(latencies.len().saturating_sub(1)));
    let ms = |latency: Option<&Duration>| latency.map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0);
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(Spoken {
        sent,
        acks: usize::try_from(read(&tally.acks))?,
        receipts: usize::try_from(read(&tally.receipts))?,
        keepalives: read(&tally.keepalives),
        lost: read(&tally.lost),
        lasted,
        median_ms: ms(at(50)),
        p99_ms: ms(at(99)),
    })
}

type Order = (Jid, String);

/// One companion: says what it is told to, confirms what it gets, and gives signs of life.
async fn live(
    mut companion: Light,
    number: usize,
    mut orders: mpsc::UnboundedReceiver<Order>,
    tally: Arc<Tally>,
    latencies: mpsc::UnboundedSender<Duration>,
) {
    let first = Duration::from_millis(u64::try_from(number).unwrap_or_default() * 2 % 20_000);
    let mut keepalive = tokio::time::interval_at(tokio::time::Instant::now() + first, KEEPALIVE);
    let mut sent: Vec<(String, Instant)> = Vec::new();
    loop {
        let done = tokio::select! {
            Some((to, id)) = orders.recv() => {
                sent.push((id.clone(), Instant::now()));
                companion.send(&message(&to, &id)).await
            }
            _ = keepalive.tick() => {
                tally.keepalives.fetch_add(1, Ordering::Relaxed);
                companion.send(&request("w:p", "get", "keepalive", None)).await
            }
            stanza = companion.receive() => match stanza {
                Ok(stanza) => react(&mut companion, &stanza, &mut sent, &tally, &latencies).await,
                Err(error) => Err(error),
            },
        };
        if done.is_err() {
            tally.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

async fn react(
    companion: &mut Light,
    stanza: &Node,
    sent: &mut Vec<(String, Instant)>,
    tally: &Tally,
    latencies: &mpsc::UnboundedSender<Duration>,
) -> Result<()> {
    let attribute = |name: &str| stanza.attrs.get(name).map(|value| value.as_str().into_owned()).unwrap_or_default();
    let (id, from) = (attribute("id"), stanza.attrs.get("from").and_then(wacore_binary::NodeValue::to_jid));
    match stanza.tag.as_ref() {
        "ack" if attribute("class") == "message" => {
            tally.acks.fetch_add(1, Ordering::Relaxed);
            if let Some(at) = sent.iter().position(|(sent, _)| *sent == id) {
                // The receiver waits until the end.
                let _ = latencies.send(sent.swap_remove(at).1.elapsed());
            }
        }
        "message" => {
            let from = from.context("a message from nobody")?;
            companion.send(&NodeBuilder::new("receipt").attr("to", from).attr("id", id).build()).await?;
        }
        "receipt" => {
            tally.receipts.fetch_add(1, Ordering::Relaxed);
            let ack = NodeBuilder::new("ack").attr("class", "receipt").attr("id", id);
            companion.send(&ack.attr("to", from.context("a receipt from nobody")?).build()).await?;
        }
        _ => {}
    }
    Ok(())
}

/// A message for one device. What the server carries is not its to read, so the ciphertext is made up.
fn message(to: &Jid, id: &str) -> Node {
    let sealed = NodeBuilder::new("enc").attr("v", "2").attr("type", "msg").bytes(vec![0x33; 120]).build();
    let copy = NodeBuilder::new("to").attr("jid", to.clone()).children([sealed]).build();
    let participants = NodeBuilder::new("participants").children([copy]).build();
    let message = NodeBuilder::new("message").attr("to", to.to_non_ad()).attr("id", id).attr("type", "text");
    message.children([participants]).build()
}
