//! The program `hantar-device-host`: one host of a fleet, on the tables and queues that the fleet shares. Configured by the
//! environment alone; see [`config`].
//!
//! It stands in the library so that a bench can be such a process, too; the binary does nothing but call it.

mod config;
mod credentials;
mod service;
mod telemetry;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_platform::aws::{Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::blobs::{NoBlobs, S3Blobs};
use hantar_platform::clock::SystemClock;
use hantar_platform::cloud::KeySource;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_store::{Store, Surroundings};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::ports::{Blobs, Clock, Entropy};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use self::config::Config;
use self::service::Watched;
use self::telemetry::Telemetry;
use crate::{DeviceHost, HostParts};

/// What a process exits with when a configuration value is missing or wrong (`EX_USAGE` of sysexits.h).
const EXIT_CONFIG: u8 = 64;
/// How often the host says how it stands, for those who count log lines.
const STANDING_EVERY: Duration = Duration::from_mins(1);

/// Runs until SIGTERM or SIGINT, then leaves in order. `get` reads the environment.
pub fn run(get: impl Fn(&'static str) -> Option<String>) -> ExitCode {
    let config = match Config::parse(&get) {
        Ok(config) => config,
        Err(error) => return failed(&error.into(), EXIT_CONFIG),
    };
    #[cfg(feature = "simulator")]
    if let Some(file) = get("HANTAR_STOP_FILE") {
        crate::brink::stop_when(file.into());
    }
    let telemetry = match Telemetry::start(config.log.as_deref(), config.otlp_url.as_deref()) {
        Ok(telemetry) => telemetry,
        Err(error) => return failed(&error, EXIT_CONFIG),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let run = runtime.context("the runtime does not start").and_then(|runtime| runtime.block_on(work(config)));
    telemetry.stop();
    run.map_or_else(|error| failed(&error, 1), |()| ExitCode::SUCCESS)
}

async fn work(config: Config) -> anyhow::Result<()> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("HANTAR_LISTEN: {} cannot be listened on", config.listen))?;
    let listen = listener.local_addr()?;
    let host = DeviceHost::start(parts(&config)?, config.host).await.context("the host does not start")?;
    let watched = Watched::new(host);
    let serving = tokio::spawn(service::serve(listener, watched.clone()));
    let standing = tokio::spawn(say_standing(watched.clone()));
    tracing::info!(%listen, "the host runs");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    tracing::info!("the host leaves");
    standing.abort();
    if let Some(host) = watched.leave() {
        host.drain().await;
    }
    serving.abort();
    tracing::info!("the host has left");
    Ok(())
}

async fn say_standing(watched: Watched) {
    let mut ticks = tokio::time::interval(STANDING_EVERY);
    loop {
        ticks.tick().await;
        if let Some(facts) = watched.facts() {
            let (devices, connected, shards) = (facts.devices, facts.connected, facts.shards);
            let (silent_devices, unacked) = (facts.silent, facts.unacked);
            tracing::info!(devices, connected, shards, silent_devices, unacked, "standing");
        }
    }
}

/// The ports on AWS, or on what stands in for it.
fn parts(config: &Config) -> anyhow::Result<HostParts> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let time = SharedTimeSource::new(SystemTimeSource::new());
    let aws = config.endpoint();
    let dynamodb = dynamodb(&aws, Connector::Https, tokio_sleep(), time.clone());
    let sqs = sqs(&aws, Connector::Https, tokio_sleep(), time.clone());
    let around = Surroundings { clock: clock.clone(), entropy: entropy.clone(), sleep: Arc::new(TokioSleep) };
    let store = Store::new(dynamodb, config.tables.clone(), around);
    let wrap = KeySource::open(&config.keys, &aws)?;
    let blobs: Arc<dyn Blobs> = match &config.bucket {
        Some((at, bucket)) => {
            Arc::new(S3Blobs::new(at, Connector::Https, tokio_sleep(), time, bucket.clone(), clock.clone()))
        }
        None => Arc::new(NoBlobs),
    };
    let egress = EgressSettings { allowed: config.egress_allow.clone(), ..EgressSettings::default() };
    Ok(HostParts {
        fleet: store.fleet(),
        tenants: store.tenants(),
        leases: store.leases(),
        keys: store.keys(),
        queue: Arc::new(SqsQueues::new(sqs, config.queue_prefix.clone())),
        blobs,
        download: Arc::new(GuardedEgress::new(egress)?),
        account_keys: Arc::new(AccountKeys::new(store.tenants(), wrap, entropy.clone())),
        clock,
        entropy,
    })
}

#[expect(clippy::print_stderr, reason = "the last words of a program")]
fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("hantar-device-host: {error:#}");
    ExitCode::from(code)
}
