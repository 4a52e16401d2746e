//! How fast a campaign's recipients are taken in, and what one of its messages costs from its creation to "delivered".

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hantar_device_host::DeviceHost;
use hantar_domain::campaign::{Campaign, Claim, Cursor, Listed, Progress, Source, Status, Watch};
use hantar_domain::ids::{CampaignId, DeviceId, MessageId};
use hantar_domain::message::State;
use hantar_domain::pacing::Pacing;
use hantar_local::{relay_loop, work_workers};
use hantar_platform::egress::{EgressSettings, GuardedEgress};
use hantar_simulator::{Simulator, SimulatorConfig};
use hantar_usecases::ports::{BlobKey, Sequence, Started, Work};
use hantar_usecases::start_campaign::{CampaignDraft, CampaignParts, start_campaign};

use crate::figures::rate;
use crate::units::{Metered, config, link};

const MESSAGES: usize = 200;
const PATIENCE: Duration = Duration::from_mins(2);

fn phone(number: usize) -> String {
    format!("6012{number:07}")
}

fn row(number: usize) -> Listed {
    let attributes = BTreeMap::from([("plan".to_owned(), "gold".to_owned()), ("town".to_owned(), "Ipoh".to_owned())]);
    Listed::Row { phone: format!("+{}", phone(number)), name: Some(format!("Customer {number}")), attributes }
}

pub(crate) async fn run(recipients: usize) -> anyhow::Result<()> {
    expansion(recipients).await?;
    units().await
}

/// A list of any length is put where the API puts the short one of a request.
async fn expansion(recipients: usize) -> anyhow::Result<()> {
    let shop = Metered::open().await?;
    let stack = &shop.stack;
    let tenant = stack.tenants.for_account(shop.account);
    let now = stack.clock.now();
    tenant.grant(i64::try_from(recipients)?, "bench", now).await?;
    let id = CampaignId(stack.numbers.next(Sequence::Campaigns(shop.account)).await?);
    let bound = recipients as u64;
    let first = MessageId(stack.fleet.reserve(Sequence::Messages(shop.account), bound).await?);
    let mut list = Vec::new();
    for number in 0..recipients {
        row(number).write(&mut list);
    }
    stack.blobs.put(&BlobKey::new(shop.account, "campaigns", &format!("{id}-recipients")), list).await?;
    let campaign = Campaign {
        account: shop.account,
        id,
        name: "Bench".into(),
        template: None,
        body: "Hi {{name}}, your plan {{plan}} ends soon. See you in {{town}}!".into(),
        group: None,
        devices: vec![DeviceId(1)],
        scheduled_at: None,
        per_minute: None,
        status: Status::Paused,
        reason: None,
        first,
        price: 1,
        progress: Progress::of(bound),
        cursor: Cursor { source: Source::List(0), chunk: 0 },
        claim: Claim::default(),
        paced_until: None,
        watch: Watch::default(),
        created_at: now,
        started_at: None,
        ended_at: None,
        updated_at: now,
    };
    ensure!(tenant.campaigns().start(&campaign, None).await? == Started::New, "the campaign is not made");
    let relaying = tokio::spawn(relay_loop::run(stack.readers()));
    let worker = stack.worker(Pacing::default());
    shop.faults.reset();
    let started = Instant::now();
    loop {
        worker.take_step(shop.account, Work::Campaign(id)).await?;
        let seen = tenant.campaigns().campaign(id).await?.context("the campaign")?;
        if seen.progress.expanded {
            ensure!(seen.progress.accepted == bound, "{:?}", seen.progress);
            break;
        }
    }
    let span = started.elapsed();
    let units = shop.faults.write_units().values().sum::<f64>() / recipients as f64;
    println!(
        "campaigns: {recipients} recipients taken in within {:.1} s, {:.0}/s, {units:.2} write units each",
        span.as_secs_f64(),
        rate(recipients, span)
    );
    relaying.abort();
    Ok(())
}

async fn units() -> anyhow::Result<()> {
    let shop = Metered::open().await?;
    let stack = &shop.stack;
    let simulator =
        Simulator::start(SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 1, state_file: None }).await?;
    simulator.network().create_phone("60111222333", "Shop")?;
    for number in 0..MESSAGES {
        simulator.network().create_phone(&phone(number), "Customer")?;
    }
    let pacing = Pacing { campaign_gap: Duration::from_millis(20) };
    let relaying = tokio::spawn(relay_loop::run(stack.readers()));
    let working = tokio::spawn(work_workers::run(Arc::new(stack.worker(pacing))));
    let mut host = config(stack, simulator.websocket_url());
    host.pacing = pacing;
    let host =
        DeviceHost::start(stack.host_parts(Arc::new(GuardedEgress::new(EgressSettings::default())?)), host).await?;
    link(&shop, &simulator).await?;
    for label in ["to people never written to before", "to the same people again"] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        shop.faults.reset();
        let id = start(&shop).await?;
        delivered(&shop, id).await?;
        let units = shop.faults.write_units();
        let each = units.values().sum::<f64>() / MESSAGES as f64;
        let tables: Vec<String> =
            units.iter().map(|(table, units)| format!("{table} {:.2}", units / MESSAGES as f64)).collect();
        println!(
            "campaigns: {MESSAGES} messages {label}, from creation to delivered: {each:.2} write units each ({})",
            tables.join(", ")
        );
    }
    relaying.abort();
    working.abort();
    host.drain().await;
    simulator.shutdown().await;
    Ok(())
}

async fn start(shop: &Metered) -> anyhow::Result<CampaignId> {
    let stack = &shop.stack;
    let tenant = stack.tenants.for_account(shop.account);
    let with = CampaignParts {
        tenant: tenant.as_ref(),
        fleet: stack.fleet.as_ref(),
        numbers: &stack.numbers,
        blobs: stack.blobs.as_ref(),
        queue: stack.queue.as_ref(),
        clock: stack.clock.as_ref(),
    };
    let draft = CampaignDraft {
        name: "Bench".into(),
        body: Some(
            "Salam {{name}}, your order is ready. Come by between nine and six, or tell us where to bring it.".into(),
        ),
        recipients: (0..MESSAGES).map(row).collect(),
        ..CampaignDraft::default()
    };
    Ok(start_campaign(&with, shop.account, draft).await?.id)
}

async fn delivered(shop: &Metered, id: CampaignId) -> anyhow::Result<()> {
    let tenant = shop.stack.tenants.for_account(shop.account);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let counts = tenant.campaigns().counts(id).await?;
        if counts.of(&[State::Delivered, State::Read]) == MESSAGES as u64 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "not all are delivered: {counts:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
