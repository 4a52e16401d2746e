//! The stream of the business table becomes counts: how many messages of an account, and of a campaign, are in each state.
//!
//! One worker reads each stream shard in order. A batch that fails is read again; counts remember how far they went. This is
//! apart from the relay, because the two want different batches: a doorbell waits for nothing, while a count is one write for
//! however many changes were gathered.

use std::collections::BTreeMap;
use std::sync::Arc;

use hantar_domain::campaign::tells_danger;
use hantar_domain::ids::{AccountId, CampaignId};
use hantar_domain::message::{Direction, Message, State};
use hantar_usecases::ports::{CampaignDifferences, Change, PortError, Tenants};

use crate::relay::Record;

/// What counts.
pub struct Counter {
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
}

impl Counter {
    /// Adds a batch of stream shard `stream` to the counts of its accounts and campaigns. Batches come in order; after an
    /// error the whole batch is to be given again, and what was counted is not counted twice.
    pub async fn handle(&self, stream: &str, records: &[Record]) -> Result<(), PortError> {
        let mut accounts: BTreeMap<AccountId, Vec<&Record>> = BTreeMap::new();
        for record in records {
            if let Change::Message { new, .. } = &record.change {
                accounts.entry(new.account).or_default().push(record);
            }
        }
        self.count_campaigns(stream, records).await?;
        for (account, records) in accounts {
            let tenant = self.tenants.for_account(account);
            let counted = tenant.counted_through(stream).await?;
            let fresh: Vec<&Record> =
                records.into_iter().filter(|record| counted.is_none_or(|through| record.sequence > through)).collect();
            let Some(last) = fresh.last() else { continue };
            let differences = differences(fresh.iter().map(|record| &record.change));
            if !tenant.add_counts(stream, counted, last.sequence, &differences).await? {
                // Somebody else counts the same stream shard: leave it to the next reading of this batch.
                return Err(PortError::Conflict);
            }
        }
        Ok(())
    }

    /// Campaigns have counts of their own, each with its own marks.
    async fn count_campaigns(&self, stream: &str, records: &[Record]) -> Result<(), PortError> {
        let mut campaigns: BTreeMap<(AccountId, CampaignId), Vec<&Record>> = BTreeMap::new();
        for record in records {
            if let Change::Message { new, .. } = &record.change
                && let Some(campaign) = new.campaign
            {
                campaigns.entry((new.account, campaign)).or_default().push(record);
            }
        }
        for ((account, id), records) in campaigns {
            let tenant = self.tenants.for_account(account);
            let counted = tenant.campaigns().counted_through(id, stream).await?;
            let fresh: Vec<&Record> =
                records.into_iter().filter(|record| counted.is_none_or(|through| record.sequence > through)).collect();
            let Some(last) = fresh.last() else { continue };
            let sums = campaign_differences(fresh.iter().map(|record| &record.change));
            if !tenant.campaigns().add_counts(id, stream, counted, last.sequence, &sums).await? {
                return Err(PortError::Conflict);
            }
        }
        Ok(())
    }
}

/// What changes add to a campaign's counts.
fn campaign_differences<'a>(changes: impl Iterator<Item = &'a Change>) -> CampaignDifferences {
    let mut sums = CampaignDifferences::default();
    let refused = |message: &Message| message.state == State::Failed && message.reason().is_some_and(tells_danger);
    for change in changes {
        if let Change::Message { old, new } = change {
            if let Some(old) = old {
                *sums.states.entry(old.state).or_default() -= 1;
                sums.refused -= i64::from(refused(old));
            }
            *sums.states.entry(new.state).or_default() += 1;
            sums.refused += i64::from(refused(new));
        }
    }
    sums
}

fn differences<'a>(changes: impl Iterator<Item = &'a Change>) -> Vec<(Direction, State, i64)> {
    let mut counts: BTreeMap<(bool, State), i64> = BTreeMap::new();
    for change in changes {
        if let Change::Message { old, new } = change {
            let outbound = new.direction == Direction::Outbound;
            if let Some(old) = old {
                *counts.entry((outbound, old.state)).or_default() -= 1;
            }
            *counts.entry((outbound, new.state)).or_default() += 1;
        }
    }
    let direction = |outbound| if outbound { Direction::Outbound } else { Direction::Inbound };
    counts
        .into_iter()
        .filter(|(_, count)| *count != 0)
        .map(|((outbound, state), count)| (direction(outbound), state, count))
        .collect()
}
