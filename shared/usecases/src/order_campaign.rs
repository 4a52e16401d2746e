//! Pausing a campaign, resuming it, taking it back.

use std::time::Duration;

use hantar_domain::campaign::Order;
use hantar_domain::ids::{AccountId, CampaignId, DeviceId};

use crate::idempotency::idempotency;
use crate::ports::{Clock, Job, JobQueue, Ordered, PortError, Queue, Tenant, Work};
use crate::ring_devices::ring_devices;

/// What ordering a campaign needs from outside.
pub struct OrderParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Doorbells.
    pub queue: &'a dyn JobQueue,
    /// The fleet's fixed number of shards.
    pub shards: u16,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// Does what is asked of a campaign. Stored when it answers; who has to do with it is rung, and would find it without.
/// Repeatable: what is as it was asked for stays so.
pub async fn order_campaign(
    with: &OrderParts<'_>,
    account: AccountId,
    id: CampaignId,
    order: Order,
    key: Option<&str>,
) -> Result<Ordered, PortError> {
    let now = with.clock.now();
    let (kind, content) = (kind(order), id.0.to_be_bytes());
    let key = key.map(|key| idempotency(kind, key, &content, now));
    let ordered = with.tenant.campaigns().order(id, order, key.as_ref(), now).await?;
    if let Ordered::Done(campaign) = &ordered
        && let Err(error) = ring(with, account, id, order, &campaign.devices).await
    {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(account.id = account.0, campaign.id = id.0, error, "nobody was rung for a campaign");
    }
    Ok(ordered)
}

const fn kind(order: Order) -> &'static str {
    match order {
        Order::Pause => "pause campaign",
        Order::Resume => "resume campaign",
        Order::Cancel => "cancel campaign",
    }
}

async fn ring(
    with: &OrderParts<'_>,
    account: AccountId,
    id: CampaignId,
    order: Order,
    devices: &[DeviceId],
) -> Result<(), PortError> {
    if order == Order::Pause {
        return Ok(());
    }
    ring_worker(with.queue, account, id).await?;
    ring_devices(with.queue, with.shards, account, devices.iter().copied()).await
}

/// Rings for a campaign's next step.
pub(crate) async fn ring_worker(queue: &dyn JobQueue, account: AccountId, id: CampaignId) -> Result<(), PortError> {
    queue.send(Queue::Jobs, &[Job::Work { account, work: Work::Campaign(id) }], Duration::ZERO).await
}
