//! Write units of one message from its acceptance to "read", counted at the store's door, index writes and transaction
//! doubling included.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hantar_device_host::{DeviceHost, HostConfig, WhatsAppServer};
use hantar_domain::device::Status;
use hantar_domain::ids::{AccountId, DeviceId, MessageId};
use hantar_domain::lease::Terms;
use hantar_domain::message::State;
use hantar_domain::pacing::Pacing;
use hantar_domain::user::Email;
use hantar_local::engines::Engines;
use hantar_local::relay_loop;
use hantar_local::stack::Stack;
use hantar_platform::clock::SystemClock;
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_platform::entropy::SystemEntropy;
use hantar_platform::faults::{FaultPlan, FaultyClient};
use hantar_platform::sleep::TokioSleep;
use hantar_simulator::{Simulator, SimulatorConfig};
use hantar_usecases::found_account::{NewAccount, found_account};
use hantar_usecases::link_device::{Linking, link_device};
use hantar_usecases::ports::Clock;
use hantar_usecases::send_message::{Draft, send_message};
use tempfile::TempDir;

const MESSAGES: usize = 200;
const CUSTOMER: &str = "60123456789";
const PATIENCE: Duration = Duration::from_mins(1);

/// The product's parts on tables with a meter in front.
pub(crate) struct Metered {
    pub(crate) stack: Stack,
    pub(crate) faults: FaultyClient,
    pub(crate) account: AccountId,
    _folder: TempDir,
}

impl Metered {
    pub(crate) async fn open() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let engines = Engines::open(folder.path(), &clock)?;
        let faults = FaultyClient::new(engines.dynamo.http_client(), FaultPlan::default(), 1);
        let queues = engines.queues.http_client();
        let stack = Stack::on(engines, faults.http_client(), queues, clock, Arc::new(SystemEntropy)).await?;
        let new = NewAccount {
            name: "Bench".into(),
            email: Email::parse("bench@example.com")?,
            verified: true,
            credits: 10_000,
            device_name: "Bench".into(),
        };
        let founded = found_account(&stack.founders(), new).await?.context("a new account")?;
        Ok(Self { stack, faults, account: founded.account.id, _folder: folder })
    }
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let shop = Metered::open().await?;
    let stack = &shop.stack;
    let simulator =
        Simulator::start(SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 1, state_file: None }).await?;
    simulator.network().create_phone("60111222333", "Shop")?;
    simulator.network().create_phone(CUSTOMER, "Ali")?;
    let relaying = tokio::spawn(relay_loop::run(stack.readers()));
    let host = DeviceHost::start(
        stack.host_parts(Arc::new(GuardedEgress::new(EgressSettings::default())?)),
        config(stack, simulator.websocket_url()),
    )
    .await?;
    let device = link(&shop, &simulator).await?;
    for (label, gap) in [("one by one", true), ("in a burst", false)] {
        let before = simulator.network().messages(CUSTOMER)?.len();
        tokio::time::sleep(Duration::from_secs(2)).await;
        shop.faults.reset();
        let mut ids = Vec::new();
        for number in 0..MESSAGES {
            ids.push(send(&shop, device, number).await?);
            if gap {
                simulator.network().wait_for_messages(CUSTOMER, before + number + 1, PATIENCE).await?;
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
        simulator.network().wait_for_messages(CUSTOMER, before + MESSAGES, PATIENCE).await?;
        all_in(&shop, &ids, State::Delivered).await?;
        simulator.network().mark_read(CUSTOMER, None)?;
        all_in(&shop, &ids, State::Read).await?;
        let units = shop.faults.write_units();
        let each = units.values().sum::<f64>() / MESSAGES as f64;
        let tables: Vec<String> =
            units.iter().map(|(table, units)| format!("{table} {:.2}", units / MESSAGES as f64)).collect();
        println!(
            "units: {MESSAGES} messages {label}, from accept to read: {each:.2} write units each ({})",
            tables.join(", ")
        );
    }
    relaying.abort();
    host.drain().await;
    simulator.shutdown().await;
    Ok(())
}

pub(crate) fn config(stack: &Stack, url: String) -> HostConfig {
    HostConfig {
        shards: stack.shards,
        terms: Terms::default(),
        server: WhatsAppServer { url, version: Some((2, 3000, 1)), extra_root_pem: None },
        pacing: Pacing::default(),
        pre_keys: None,
        connects_per_second: 50,
        device_name: "Hantar".into(),
    }
}

pub(crate) async fn link(shop: &Metered, simulator: &Simulator) -> anyhow::Result<DeviceId> {
    let tenant = shop.stack.tenants.for_account(shop.account);
    let linking = link_device(tenant.as_ref(), shop.stack.clock.as_ref(), &TokioSleep, None).await?;
    let Linking::Code(device, code) = linking else { anyhow::bail!("no QR code: {linking:?}") };
    simulator.network().scan_qr(&code.text, Some("60111222333"))?;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tenant.device(device.id).await?.is_none_or(|device| device.status != Status::Connected) {
        ensure!(tokio::time::Instant::now() < deadline, "the device does not connect");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(device.id)
}

async fn send(shop: &Metered, device: DeviceId, number: usize) -> anyhow::Result<MessageId> {
    let tenant = shop.stack.tenants.for_account(shop.account);
    let body = format!(
        "Salam, your order number {number} is ready. Come by between nine and six, or tell us where to bring it."
    );
    let draft = Draft { phone: CUSTOMER.into(), body, device: Some(device), ..Draft::default() };
    Ok(send_message(tenant.as_ref(), &shop.stack.numbers, shop.stack.clock.as_ref(), shop.account, draft).await?.id)
}

async fn all_in(shop: &Metered, ids: &[MessageId], state: State) -> anyhow::Result<()> {
    let tenant = shop.stack.tenants.for_account(shop.account);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    for id in ids {
        while tenant.message(*id).await?.is_none_or(|message| message.state < state) {
            ensure!(tokio::time::Instant::now() < deadline, "message {id} does not become {state}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}
