//! The binary `hantar-device-host`: one host of a fleet, on the tables and queues that the fleet shares. Configured by the
//! environment alone; see [`config`].

mod config;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_device_host::{DeviceHost, HostParts};
use hantar_platform::aws::{Connector, dynamodb, sqs, tokio_sleep};
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::key_file::KeyFile;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_store::{Store, Surroundings};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::ports::{Clock, Entropy};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Config;

/// What a process exits with when a configuration value is missing or wrong (`EX_USAGE` of sysexits.h).
const EXIT_CONFIG: u8 = 64;

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    let config = match Config::parse(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => return failed(&error.into(), EXIT_CONFIG),
    };
    start_logs();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let run = runtime.context("the runtime does not start").and_then(|runtime| runtime.block_on(run(config)));
    run.map_or_else(|error| failed(&error, 1), |()| ExitCode::SUCCESS)
}

/// Runs until it is told to stop, then leaves in order.
async fn run(config: Config) -> anyhow::Result<()> {
    let (mut terminated, mut interrupted) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let host = DeviceHost::start(parts(&config)?, config.host).await.context("the host does not start")?;
    tracing::info!("the host runs");
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    tracing::info!("the host leaves");
    host.drain().await;
    Ok(())
}

/// The ports on AWS, or on what stands in for it.
fn parts(config: &Config) -> anyhow::Result<HostParts> {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let time = SharedTimeSource::new(SystemTimeSource::new());
    let dynamodb = dynamodb(&config.aws, Connector::Https, tokio_sleep(), time.clone());
    let sqs = sqs(&config.aws, Connector::Https, tokio_sleep(), time);
    let around = Surroundings { clock: clock.clone(), entropy: entropy.clone(), sleep: Arc::new(TokioSleep) };
    let store = Store::new(dynamodb, config.tables.clone(), around);
    let key_file = KeyFile::open(&config.key_file, &SystemEntropy)?;
    Ok(HostParts {
        fleet: store.fleet(),
        tenants: store.tenants(),
        leases: store.leases(),
        keys: store.keys(),
        queue: Arc::new(SqsQueues::new(sqs, config.queue_prefix.clone())),
        account_keys: Arc::new(AccountKeys::new(store.tenants(), Arc::new(key_file), entropy.clone())),
        clock,
        entropy,
    })
}

fn start_logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HANTAR_LOG")
        .unwrap_or_else(|_| "info,whatsapp_rust=warn,wacore=warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[expect(clippy::print_stderr, reason = "the last words of a program")]
fn failed(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("hantar-device-host: {error:#}");
    ExitCode::from(code)
}
