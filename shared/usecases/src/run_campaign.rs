//! Making a campaign's messages, a little ahead of the devices that send them.
//!
//! A look claims as many as the devices have room for, makes them, and rings. What a death left claimed is made first, so
//! that at most one claim is open, and everything about its messages follows from it.

use std::time::Duration;

use hantar_domain::campaign::{
    Campaign, Claim, MAX_CLAIM, Pace, Spread, Status, Verdict, Watch, ahead, judge, look_again,
};
use hantar_domain::device::Device;
use hantar_domain::ids::DeviceId;
use hantar_domain::message::{Message, Turn};
use hantar_domain::pacing::Pacing;
use hantar_domain::time::Timestamp;

use crate::end_campaign::LINE as WHOLE_LINE;
use crate::ports::{Clock, JobQueue, PortError, Tenant};
use crate::ring_devices::ring_devices;

/// How many claims one look makes.
const CLAIMS: usize = 8;
/// How much of a device's line is looked at for room: more than a queue ever holds.
const LINE: usize = 600;
/// How many of an account's campaigns are asked whether their rows are in the way.
const CAMPAIGNS: usize = 100;
/// How soon a paused campaign is looked after: whoever resumes it rings, but a ring can be lost.
const PAUSED: Duration = Duration::from_mins(1);

/// What running a campaign needs from outside.
pub struct RunParts<'a> {
    /// The account's records.
    pub tenant: &'a dyn Tenant,
    /// Doorbells of devices.
    pub queue: &'a dyn JobQueue,
    /// The fleet's fixed number of shards.
    pub shards: u16,
    /// How fast devices send.
    pub pacing: Pacing,
    /// Time.
    pub clock: &'a dyn Clock,
}

/// What a look came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is to be looked after again then.
    Again(Timestamp),
    /// It is over.
    Over,
}

/// What a campaign is to do next.
enum Step {
    Claim(Claim, u64, Option<Timestamp>, Watch),
    Turn(Status, Option<&'static str>),
    Wait(Timestamp),
}

/// Makes what there is room for, and says when to look again. Repeatable, also by two at a time.
pub async fn run_campaign(with: &RunParts<'_>, mut campaign: Campaign) -> Result<Look, PortError> {
    let campaigns = with.tenant.campaigns();
    for _ in 0..CLAIMS {
        let devices = with.tenant.devices().await?;
        if campaign.progress.done < campaign.progress.claimed {
            make(with, &campaign, &devices).await?;
        } else {
            let now = with.clock.now();
            match next(with, &campaign, &devices, now).await? {
                Step::Wait(until) => return Ok(Look::Again(until)),
                Step::Turn(status, reason) => {
                    campaigns.turn(&campaign, status, reason, now).await?;
                    if let Some(reason) = reason {
                        tracing::warn!(
                            account.id = campaign.account.0,
                            campaign.id = campaign.id.0,
                            reason,
                            "a campaign is paused"
                        );
                    }
                }
                Step::Claim(claim, to, paced, watch) => {
                    campaigns.claim(&campaign, to, &claim, paced, watch).await?;
                }
            }
        }
        // Whether it was us or another one who moved it on.
        campaign = match campaigns.campaign(campaign.id).await? {
            Some(seen) if !seen.status.is_over() => seen,
            _ => return Ok(Look::Over),
        };
    }
    Ok(Look::Again(with.clock.now()))
}

/// The claimed messages, and the chunk behind them.
pub(crate) async fn claimed_messages(
    tenant: &dyn Tenant,
    campaign: &Campaign,
    devices: &[Device],
) -> Result<(Vec<Message>, u64), PortError> {
    let rows = tenant.campaigns().claimed(campaign).await?;
    let owners = campaign.claim.spread.devices();
    let mut messages = Vec::with_capacity(rows.recipients.len());
    for ((ordinal, recipient), owner) in (campaign.progress.done..).zip(&rows.recipients).zip(owners) {
        let device = devices.iter().find(|device| device.id == owner);
        let device =
            device.ok_or_else(|| PortError::Corrupt(format!("campaign {} has no device {owner}", campaign.id)))?;
        messages.push(campaign.message(device, ordinal, recipient.as_ref(), campaign.claim.at));
    }
    Ok((messages, rows.chunk))
}

async fn make(with: &RunParts<'_>, campaign: &Campaign, devices: &[Device]) -> Result<(), PortError> {
    let (messages, chunk) = claimed_messages(with.tenant, campaign, devices).await?;
    // Whoever was forgotten meanwhile is not written to, and not paid for.
    let (messages, forgotten): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| message.phone.is_some());
    with.tenant.campaigns().put_rows(&messages).await?;
    if !forgotten.is_empty() {
        with.tenant.campaigns().block_rows(&forgotten, with.clock.now()).await?;
    }
    // The stream rings, too, but perhaps before the last of them has its turn.
    let rung = messages.iter().map(|message| message.device);
    ring_devices(with.queue, with.shards, campaign.account, rung).await?;
    with.tenant.campaigns().made(campaign, chunk).await.map(drop)
}

async fn next(with: &RunParts<'_>, campaign: &Campaign, devices: &[Device], now: Timestamp) -> Result<Step, PortError> {
    match campaign.status {
        Status::Running => {}
        Status::Scheduled => {
            let due = campaign.scheduled_at.unwrap_or(now);
            return Ok(if due <= now { Step::Turn(Status::Running, None) } else { Step::Wait(due) });
        }
        _ => return Ok(Step::Wait(now + PAUSED)),
    }
    if campaign.lost_a_device(devices) {
        return Ok(Step::Turn(Status::Paused, Some("banned")));
    }
    let usable = match campaign.usable(devices) {
        Ok(usable) => usable,
        Err(reason) => return Ok(Step::Turn(Status::Paused, Some(reason))),
    };
    let counted = with.tenant.campaigns().counts(campaign.id).await?.watch();
    let watch = match judge(campaign.watch, counted) {
        Verdict::Danger => return Ok(Step::Turn(Status::Paused, Some("whatsapp_refuses"))),
        Verdict::Passed => counted,
        Verdict::Calm => campaign.watch,
    };
    let again = Step::Wait(now + look_again(with.pacing.campaign_gap));
    let waiting = campaign.progress.accepted - campaign.progress.claimed;
    if waiting == 0 {
        let through = campaign.progress.is_made() && !in_line(with.tenant, campaign).await?;
        return Ok(if through { Step::Turn(Status::Completed, None) } else { again });
    }
    let rooms = rooms(with, &usable).await?;
    let pace = campaign.per_minute.map(|pace| Pace::new(pace, campaign.paced_until, now));
    let due = pace.map_or(u64::MAX, |pace| pace.due_before(now + look_again(with.pacing.campaign_gap)));
    let spread = Spread::over(&rooms, waiting.min(due).min(MAX_CLAIM), campaign.progress.claimed);
    let rows = spread.rows();
    if rows == 0 {
        return Ok(again);
    }
    let claim = Claim { at: now, spread, chunk: campaign.claim.chunk };
    Ok(Step::Claim(claim, campaign.progress.claimed + rows, pace.map(|pace| pace.after(rows)), watch))
}

/// Whether messages of the campaign stand in a device's line.
async fn in_line(tenant: &dyn Tenant, campaign: &Campaign) -> Result<bool, PortError> {
    for device in &campaign.devices {
        let turns = tenant.campaigns().turns(*device, WHOLE_LINE).await?;
        if turns.len() == WHOLE_LINE || turns.iter().any(|turn| campaign.ordinal(turn.message).is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many more each device may have in its queue.
async fn rooms(with: &RunParts<'_>, devices: &[&Device]) -> Result<Vec<(DeviceId, u64)>, PortError> {
    let most = ahead(with.pacing.campaign_gap);
    let mut paused: Option<Vec<Campaign>> = None;
    let mut rooms = Vec::with_capacity(devices.len());
    for device in devices {
        let turns = with.tenant.campaigns().turns(device.id, LINE).await?;
        let mut open = turns.len() as u64;
        if open >= most {
            let paused = match &mut paused {
                Some(known) => known,
                None => paused.insert(paused_campaigns(with.tenant).await?),
            };
            open = turns.iter().filter(|turn| !is_of(paused, turn)).count() as u64;
        }
        rooms.push((device.id, most.saturating_sub(open)));
    }
    Ok(rooms)
}

/// Rows of a paused campaign keep their turns, and must not keep others from theirs.
async fn paused_campaigns(tenant: &dyn Tenant) -> Result<Vec<Campaign>, PortError> {
    let mut campaigns = tenant.campaigns().list(None, CAMPAIGNS).await?;
    campaigns.retain(|campaign| campaign.status == Status::Paused);
    Ok(campaigns)
}

fn is_of(campaigns: &[Campaign], turn: &Turn) -> bool {
    campaigns.iter().any(|campaign| campaign.ordinal(turn.message).is_some())
}
