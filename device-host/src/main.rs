//! `hantar-device-host`: one host of a fleet, on DynamoDB and SQS. Everything it needs to know is in the environment;
//! see README.md.

#![expect(clippy::print_stderr, reason = "what the person who starts it is to read")]

mod config;

use std::process::ExitCode;
use std::sync::Arc;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_device_host::{DeviceHost, HostConfig, HostParts};
use hantar_platform::aws::{AwsEndpoint, Connector, dynamodb, sqs, static_credentials, tokio_sleep};
use hantar_platform::clock::SystemClock;
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::key_file::KeyFile;
use hantar_platform::sleep::TokioSleep;
use hantar_queues::SqsQueues;
use hantar_store::{Store, Surroundings, TableNames};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::ports::{Clock, Entropy};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::Config;

/// `EX_USAGE` of sysexits.h: starting it again unchanged will not help.
const USAGE: u8 = 64;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    #[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
    let config = match Config::read(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(wrong) => {
            eprintln!("hantar-device-host: {wrong}");
            return ExitCode::from(USAGE);
        }
    };
    tracing_subscriber::fmt().json().with_env_filter(EnvFilter::new(&config.log)).init();
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = error.as_ref() as &dyn std::error::Error, "the device host does not start");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let host = start(config).await?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("leaving");
        host.drain().await;
        Ok(())
    })
}

async fn start(config: Config) -> Result<DeviceHost, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let time = SharedTimeSource::new(SystemTimeSource::new());
    let credentials = static_credentials(&config.access_key, &config.secret_key, config.session_token.as_deref());
    let endpoint = |endpoint_url| AwsEndpoint {
        endpoint_url,
        region: config.region.clone(),
        credentials: Some(credentials.clone()),
    };
    let tables = dynamodb(&endpoint(config.dynamodb_url.clone()), Connector::Https, tokio_sleep(), time.clone());
    let queues = sqs(&endpoint(config.sqs_url.clone()), Connector::Https, tokio_sleep(), time);
    let around = Surroundings { clock: Arc::clone(&clock), entropy: Arc::clone(&entropy), sleep: Arc::new(TokioSleep) };
    let store = Store::new(tables, TableNames::with_prefix(&config.table_prefix), around);
    let wrap = Arc::new(KeyFile::open(&config.key_file, entropy.as_ref())?);
    let parts = HostParts {
        fleet: store.fleet(),
        tenants: store.tenants(),
        leases: store.leases(),
        keys: store.keys(),
        queue: Arc::new(SqsQueues::new(queues, config.queue_prefix)),
        account_keys: Arc::new(AccountKeys::new(store.tenants(), wrap, Arc::clone(&entropy))),
        clock,
        entropy,
    };
    let host = HostConfig {
        shards: config.shards,
        server: config.whatsapp,
        connects_per_second: config.connects_per_second,
        ..HostConfig::default()
    };
    Ok(DeviceHost::start(parts, host).await?)
}
