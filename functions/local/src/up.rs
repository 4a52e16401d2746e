//! `hantar up`: the API, the pages, the relay, the webhooks, the timers and the device host in one process.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_trait::async_trait;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use hantar_api::{ApiParts, RateLimits, Readiness};
use hantar_dashboard::DashboardParts;
use hantar_device_host::{DeviceHost, HostConfig, WhatsAppServer};
use hantar_domain::billing::Billing;
use hantar_domain::lease::Terms;
use hantar_domain::pacing::Pacing;
use hantar_domain::user::Email;
use hantar_jobs::deliver_webhook::Deliverer;
use hantar_jobs::sweep::Sweeper;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::mail::MailSettings;
use hantar_platform::secret::open_billing;
use hantar_platform::sleep::TokioSleep;
use hantar_usecases::found_account::{NewAccount, found_account};
use hantar_usecases::people::ClientAddress;
use hantar_usecases::ports::{Fleet, Leases, Sleep};
use hantar_usecases::sign_in::create_sign_in;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::cli::UpArgs;
use crate::engines::make_private;
use crate::stack::Stack;
use crate::{blob_door, relay_loop, timers, webhook_workers, work_workers};

/// The owner of the first account.
pub const OWNER: &str = "owner@hantar.local";
/// What the first account begins with.
const FIRST_CREDITS: i64 = 10_000;
/// How many webhook calls run at a time: workers times ten jobs of one receive.
const WEBHOOK_WORKERS: usize = 4;
/// How many steps of long work are done at a time.
const WORK_WORKERS: usize = 2;
/// How many devices connect per second.
const CONNECTS_PER_SECOND: u32 = 20;
/// Where the source of this program is; AGPL-3.0 section 13.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");

/// Runs until it is told to stop. Callers are answered on the runtime that this runs on, everything else is done on `road`.
pub async fn up(args: UpArgs, road: Handle) -> anyhow::Result<()> {
    let _sole = sole_server(&args.data.data_dir)?;
    let egress = GuardedEgress::new(EgressSettings { allowed: args.egress_allow.clone(), ..EgressSettings::default() })
        .context("the way out cannot be prepared")?;
    let billing = args.billing.read(&args.egress_allow)?;
    let mail = MailSettings::of(&args.mail, args.mail_from.clone())?.open()?;
    let mut stack = Stack::open(&args.data.data_dir).await?;
    stack.mail = mail;
    let billing = open_billing(stack.wrap.as_ref(), billing).await?;
    let stack = if billing.charges() { stack } else { stack.free_of_charge() };
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("{} is taken; name another address with --listen", args.listen))?;
    let address = listener.local_addr()?;
    let network = Network::start(&args).await?;
    first_start(&stack).await?;
    end_earlier_runs(stack.leases.as_ref()).await?;
    let host = road
        .spawn(DeviceHost::start(
            stack.host_parts(Arc::new(egress.clone())),
            host_config(&stack, network.server(), args.campaign_gap),
        ))
        .await??;
    let host = Arc::new(host);

    let mut tasks = JoinSet::new();
    tasks.spawn_on(relay_loop::run(stack.readers()), &road);
    let deliverer = Arc::new(deliverer(&stack, egress.clone(), &args));
    for _ in 0..WEBHOOK_WORKERS {
        tasks.spawn_on(webhook_workers::run(deliverer.clone()), &road);
    }
    let worker = Arc::new(stack.worker(args.campaign_gap));
    for _ in 0..WORK_WORKERS {
        tasks.spawn_on(work_workers::run(worker.clone()), &road);
    }
    let sweeper = Sweeper {
        fleet: stack.fleet.clone(),
        tenants: stack.tenants.clone(),
        queue: stack.queue.clone(),
        clock: stack.clock.clone(),
    };
    tasks.spawn_on(timers::run(sweeper, stack.shards, stack.dynamo.clone()), &road);

    announce(&stack, address, &network).await?;
    let stopping = Arc::new(AtomicBool::new(false));
    let router = router(&stack, &args, (billing, egress), address, &host, &stopping);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop_signal(stopping)).await?;
    tracing::info!("stopping");
    tasks.shutdown().await;
    if let Ok(host) = Arc::try_unwrap(host) {
        host.drain().await;
    }
    network.stop().await;
    Ok(())
}

/// One server for a data folder at a time: the lock goes with the process, however it ends.
fn sole_server(folder: &Path) -> anyhow::Result<File> {
    make_private(folder).with_context(|| {
        format!("the data folder {} cannot be made; name another one with --data-dir", folder.display())
    })?;
    let file = File::create(folder.join("server.lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another hantar serves {}; stop it, or name another folder with --data-dir", folder.display())
        }
        Err(TryLockError::Error(error)) => Err(error).context("the data folder cannot be locked"),
    }
}

/// Whoever holds the lock knows that every earlier run is over, and need not wait for its lease to end.
async fn end_earlier_runs(leases: &dyn Leases) -> anyhow::Result<()> {
    for heartbeat in leases.heartbeats().await? {
        if !heartbeat.ended {
            leases.end(&heartbeat.host, heartbeat.counter).await?;
        }
    }
    Ok(())
}

/// The simulated network alone.
#[cfg(feature = "simulator")]
pub async fn simulator(args: crate::cli::SimulatorArgs) -> anyhow::Result<()> {
    make_private(&args.data.data_dir)?;
    let (config, keys) = (simulator_config(args.listen, &args.data.data_dir), simulator_keys(&args.keys)?);
    let simulator = hantar_simulator::Simulator::start_with_keys(config, keys).await;
    let simulator = simulator.context("the simulated network does not start")?;
    let address = simulator.address();
    say(&format!("The simulated WhatsApp network is at http://{address}/, and with TLS at https://{address}/"));
    say(&format!("Root key for clients that check it: {}", simulator.root_key_hex()));
    stop_signal(Arc::default()).await;
    simulator.shutdown().await;
    Ok(())
}

#[cfg(feature = "simulator")]
fn simulator_config(listen: SocketAddr, folder: &std::path::Path) -> hantar_simulator::SimulatorConfig {
    hantar_simulator::SimulatorConfig { listen, seed: 1, state_file: Some(folder.join("simulator.json")) }
}

#[cfg(feature = "simulator")]
fn simulator_keys(args: &crate::cli::SimulatorKeyArgs) -> anyhow::Result<hantar_simulator::ServerKeys> {
    use hantar_simulator::{ServerKeys, TlsCertificate};
    let read = |name: &str, path: &Path| {
        std::fs::read_to_string(path).with_context(|| format!("{name}: {} cannot be read", path.display()))
    };
    let tls = match (&args.simulator_tls_certificate, &args.simulator_tls_key) {
        (Some(certificate), Some(key)) => Some(TlsCertificate {
            chain_pem: read("--simulator-tls-certificate", certificate)?,
            key_pem: read("--simulator-tls-key", key)?,
        }),
        _ => None,
    };
    let root = match &args.simulator_root_key {
        Some(path) => {
            let root = ServerKeys::root_from_hex(&read("--simulator-root-key", path)?);
            Some(root.context("--simulator-root-key: the file must hold 64 hexadecimal digits")?)
        }
        None => None,
    };
    Ok(ServerKeys { tls, root })
}

/// Whom the device host talks to.
struct Network {
    #[cfg(feature = "simulator")]
    simulator: Option<hantar_simulator::Simulator>,
    #[cfg(feature = "simulator")]
    named: Option<WhatsAppServer>,
}

#[cfg(feature = "simulator")]
impl Network {
    async fn start(args: &UpArgs) -> anyhow::Result<Self> {
        let server = &args.server;
        if server.simulate {
            let config = simulator_config(server.simulator_listen, &args.data.data_dir);
            let keys = simulator_keys(&server.simulator_keys)?;
            let simulator = hantar_simulator::Simulator::start_with_keys(config, keys).await;
            let simulator = simulator.with_context(|| {
                format!(
                    "the simulated network does not start at {}; name another address with --simulator-listen",
                    server.simulator_listen
                )
            })?;
            return Ok(Self { simulator: Some(simulator), named: None });
        }
        let extra_root_pem = match &server.whatsapp_ca {
            Some(path) => {
                Some(std::fs::read(path).with_context(|| format!("--whatsapp-ca: {} cannot be read", path.display()))?)
            }
            None => None,
        };
        let named = server.whatsapp_url.clone().map(|url| WhatsAppServer {
            url,
            version: server.whatsapp_version,
            extra_root_pem,
        });
        Ok(Self { simulator: None, named })
    }

    fn server(&self) -> WhatsAppServer {
        match (&self.simulator, &self.named) {
            (Some(simulator), _) => {
                // Files go up by TLS alone, which shows the network's own certificate.
                let extra_root_pem = Some(simulator.tls_certificate().as_bytes().to_vec());
                WhatsAppServer { url: simulator.websocket_url(), version: Some((2, 3000, 1)), extra_root_pem }
            }
            (None, Some(named)) => named.clone(),
            (None, None) => WhatsAppServer::default(),
        }
    }

    fn page(&self) -> Option<String> {
        self.simulator.as_ref().map(|simulator| format!("http://{}/", simulator.address()))
    }

    async fn stop(self) {
        if let Some(simulator) = self.simulator {
            simulator.shutdown().await;
        }
    }
}

#[cfg(not(feature = "simulator"))]
impl Network {
    #[expect(clippy::unused_async, reason = "the same shape as with the simulator")]
    async fn start(_: &UpArgs) -> anyhow::Result<Self> {
        Ok(Self {})
    }

    #[expect(clippy::unused_self, reason = "the same shape as with the simulator")]
    fn server(&self) -> WhatsAppServer {
        WhatsAppServer::default()
    }

    #[expect(clippy::unused_self, reason = "the same shape as with the simulator")]
    fn page(&self) -> Option<String> {
        None
    }

    #[expect(clippy::unused_async, clippy::unused_self, reason = "the same shape as with the simulator")]
    async fn stop(self) {}
}

/// An account with credits, its owner and a default device, where there is none yet. A second process that starts at
/// the same moment finds the owner's address taken.
async fn first_start(stack: &Stack) -> anyhow::Result<()> {
    if !stack.fleet.accounts().await?.is_empty() {
        return Ok(());
    }
    let new = NewAccount {
        name: "My business".into(),
        email: Email::parse(OWNER)?,
        verified: true,
        credits: FIRST_CREDITS,
        device_name: "WhatsApp".into(),
    };
    found_account(&stack.founders(), new).await?;
    Ok(())
}

async fn announce(stack: &Stack, address: SocketAddr, network: &Network) -> anyhow::Result<()> {
    let owner = stack.fleet.user_by_email(&Email::parse(OWNER)?).await?;
    say(&format!("Hantar serves http://{address}/"));
    if let Some((account, user)) = owner {
        let secret =
            create_sign_in(stack.fleet.as_ref(), stack.entropy.as_ref(), stack.clock.as_ref(), account, user).await?;
        say(&format!("Sign in (works once, for an hour): http://{address}/sign-in?secret={secret}"));
    }
    if let Some(page) = network.page() {
        say(&format!("Simulated WhatsApp network, nothing leaves this machine: {page}"));
    }
    say("Make an API token with: hantar token create --name mine");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what the person at the terminal is to read")]
fn say(text: &str) {
    println!("{text}");
}

fn host_config(stack: &Stack, server: WhatsAppServer, pacing: Pacing) -> HostConfig {
    HostConfig {
        shards: stack.shards,
        terms: Terms::default(),
        server,
        pacing,
        pre_keys: None,
        connects_per_second: CONNECTS_PER_SECOND,
        device_name: "Hantar".into(),
    }
}

fn deliverer(stack: &Stack, egress: GuardedEgress, args: &UpArgs) -> Deliverer {
    Deliverer {
        tenants: stack.tenants.clone(),
        queue: stack.queue.clone(),
        egress: Arc::new(egress),
        keys: stack.account_keys.clone(),
        clock: stack.clock.clone(),
        entropy: stack.entropy.clone(),
        allowed: args.egress_allow.clone(),
    }
}

fn router(
    stack: &Stack,
    args: &UpArgs,
    (billing, egress): (Billing, GuardedEgress),
    address: SocketAddr,
    host: &Arc<DeviceHost>,
    stopping: &Arc<AtomicBool>,
) -> axum::Router {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let sleep: Arc<dyn Sleep> = Arc::new(TokioSleep);
    let ready = Ready {
        fleet: stack.fleet.clone(),
        shards: stack.shards,
        host: Arc::downgrade(host),
        stopping: stopping.clone(),
    };
    let named = args.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned());
    let pages_url = named.clone().or_else(|| Some(format!("http://{address}")));
    let api = ApiParts {
        fleet: stack.fleet.clone(),
        tenants: stack.tenants.clone(),
        queue: stack.queue.clone(),
        shards: stack.shards,
        account_keys: stack.account_keys.clone(),
        blobs: stack.blobs.clone(),
        mail: stack.mail.clone(),
        billing,
        egress: Arc::new(egress),
        numbers: stack.numbers.clone(),
        clock: stack.clock.clone(),
        entropy: stack.entropy.clone(),
        sleep: sleep.clone(),
        pacing: args.campaign_gap,
        allowed: args.egress_allow.clone(),
        ready: Arc::new(ready),
        limits: RateLimits { reads_per_minute: args.reads_per_minute, writes_per_minute: args.writes_per_minute },
        public_url: named,
        pages_url: pages_url.clone(),
        version: version.clone(),
    };
    let mut hosts = args.hosts.clone();
    hosts.push(address.ip().to_string());
    hosts.extend(args.public_url.as_ref().and_then(|url| url.host_str().map(str::to_owned)));
    let pages = DashboardParts {
        fleet: stack.fleet.clone(),
        tenants: stack.tenants.clone(),
        numbers: stack.numbers.clone(),
        clock: stack.clock.clone(),
        entropy: stack.entropy.clone(),
        sleep,
        mail: stack.mail.clone(),
        account_keys: stack.account_keys.clone(),
        pages_url,
        hosts,
        https: args.public_url.as_ref().is_some_and(|url| url.scheme() == "https"),
        source_url: SOURCE.into(),
        version,
    };
    let router = hantar_api::router(Arc::new(api))
        .merge(hantar_dashboard::router(Arc::new(pages)))
        .merge(blob_door::router(stack.folder.clone()));
    router.layer(from_fn(know_address))
}

/// Callers come to this socket themselves.
async fn know_address(mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(address)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        let address = ClientAddress(address.ip().to_string());
        request.extensions_mut().insert(address);
    }
    next.run(request).await
}

/// Ready: the tables answer, and the host looks after its shards.
struct Ready {
    fleet: Arc<dyn Fleet>,
    shards: u16,
    host: Weak<DeviceHost>,
    stopping: Arc<AtomicBool>,
}

#[async_trait]
impl Readiness for Ready {
    async fn obstacles(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.stopping.load(Ordering::Acquire) {
            problems.push("stopping".to_owned());
        }
        if let Err(error) = self.fleet.shard_count(self.shards).await {
            problems.push(format!("the tables do not answer: {error}"));
        }
        match self.host.upgrade().map(|host| host.facts().shards) {
            Some(0) | None => problems.push("no device is looked after yet".to_owned()),
            Some(_) => {}
        }
        problems
    }
}

/// Waits for SIGINT or SIGTERM.
async fn stop_signal(stopping: Arc<AtomicBool>) {
    let interrupted = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
    stopping.store(true, Ordering::Release);
    // Open connections get a moment; idle ones are not waited for.
    tokio::spawn(async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        tracing::warn!("stopping took too long");
        std::process::exit(1);
    });
}
