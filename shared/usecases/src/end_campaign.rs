//! Taking a campaign back: what is not made is paid back at once, what is made and has not left is cancelled.

use hantar_domain::campaign::{Campaign, Status};

use crate::ports::{Cancelled, Clock, PortError, Tenant};
use crate::run_campaign::claimed_messages;

/// How many messages one step cancels.
const CANCELS: usize = 500;
/// How much of a device's line is looked at. Whatever stands behind is cancelled by the device's host.
pub(crate) const LINE: usize = 10_000;

/// How far a campaign was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All of it.
    Whole,
    /// More is to be done.
    Partly,
}

/// Takes some of a campaign back that is `cancelling`. Repeatable, also by two at a time.
pub async fn end_campaign(tenant: &dyn Tenant, clock: &dyn Clock, campaign: &Campaign) -> Result<Ended, PortError> {
    let campaigns = tenant.campaigns();
    if !campaigns.release(campaign, clock.now()).await? {
        return Ok(Ended::Partly);
    }
    if campaign.progress.done < campaign.progress.claimed {
        // Whoever claimed them may still be making them: each number is taken before they come to it, or cancelled after.
        let (messages, chunk) = claimed_messages(tenant, campaign, &tenant.devices().await?).await?;
        campaigns.block_rows(&messages, clock.now()).await?;
        campaigns.made(campaign, chunk).await?;
    }
    let mut cancelled = 0;
    for device in &campaign.devices {
        let turns = campaigns.turns(*device, LINE).await?;
        for turn in turns.iter().filter(|turn| campaign.ordinal(turn.message).is_some()) {
            // Past cancelling is whatever is on the wire.
            if matches!(tenant.cancel(turn.message, None, clock.now()).await?, Cancelled::Done(_)) {
                cancelled += 1;
            }
            if cancelled == CANCELS {
                return Ok(Ended::Partly);
            }
        }
    }
    let status = if campaign.reason.is_some() { Status::Failed } else { Status::Cancelled };
    let ended = campaigns.turn(campaign, status, campaign.reason.as_deref(), clock.now()).await?;
    Ok(if ended { Ended::Whole } else { Ended::Partly })
}
