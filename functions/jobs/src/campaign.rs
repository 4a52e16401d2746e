//! A campaign's next step: recipients are found, messages are made, or what was begun is taken back.

use hantar_domain::campaign::{Campaign, Status};
use hantar_domain::ids::{AccountId, CampaignId};
use hantar_usecases::end_campaign::{Ended, end_campaign};
use hantar_usecases::expand_campaign::{Expanded, expand_campaign};
use hantar_usecases::ports::{PortError, Tenant};
use hantar_usecases::run_campaign::{Look, RunParts, run_campaign};
use hantar_usecases::start_campaign::delete_list;

use crate::work::{Next, Worker};

/// How many chunks of recipients one step takes in: a second's worth on one machine, some seconds' in the cloud.
const CHUNKS: usize = 40;
/// What a campaign fails with whose list of recipients cannot be read.
const LIST_LOST: &str = "list_lost";

impl Worker {
    pub(crate) async fn campaign(&self, account: AccountId, id: CampaignId) -> Result<Next, PortError> {
        let tenant = self.tenants.for_account(account);
        let Some(campaign) = tenant.campaigns().campaign(id).await? else { return Ok(Next::Never) };
        let (tenant, clock) = (tenant.as_ref(), self.clock.as_ref());
        if campaign.status == Status::Cancelling {
            return Ok(match end_campaign(tenant, clock, &campaign).await? {
                Ended::Whole | Ended::Partly => Next::Now,
            });
        }
        if campaign.status.is_over() {
            delete_list(self.blobs.as_ref(), &campaign).await?;
            return Ok(Next::Never);
        }
        let campaign = if campaign.progress.expanded {
            campaign
        } else {
            match expand_campaign(tenant, self.blobs.as_ref(), clock, campaign.clone(), CHUNKS).await? {
                Expanded::Moved(campaign) => *campaign,
                Expanded::Overtaken => return Ok(Next::Now),
                Expanded::Lost => {
                    // Whoever was faster deletes the list after all of it is taken in, and not before.
                    if let Some(seen) = tenant.campaigns().campaign(id).await?
                        && seen.status.is_active()
                        && !seen.progress.expanded
                    {
                        tracing::error!(account.id = account.0, campaign.id = id.0, "a campaign's list cannot be read");
                        tenant.campaigns().turn(&seen, Status::Cancelling, Some(LIST_LOST), clock.now()).await?;
                    }
                    return Ok(Next::Now);
                }
            }
        };
        self.run(tenant, campaign).await
    }

    async fn run(&self, tenant: &dyn Tenant, campaign: Campaign) -> Result<Next, PortError> {
        let with = RunParts {
            tenant,
            queue: self.queue.as_ref(),
            shards: self.shards,
            pacing: self.pacing,
            clock: self.clock.as_ref(),
        };
        let expanded = campaign.progress.expanded;
        Ok(match run_campaign(&with, campaign).await? {
            Look::Over => Next::Now,
            Look::Again(_) if !expanded => Next::Now,
            Look::Again(due) => Next::At(due),
        })
    }
}
