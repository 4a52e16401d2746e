//! Campaigns: the campaign itself, small because it changes often; its text, its recipients and the chunks that they came
//! in beside it.
//!
//! Whatever moves a campaign on is conditional on how far it had come, so that of two who do the same step one is refused
//! and looks again. Its messages have numbers that were set aside for it, so that they are made once however often
//! somebody tries.

mod counts;
mod expanding;
mod forgetting;
mod item;
mod orders;
mod results;
mod rows;
mod starting;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use hantar_domain::campaign::{Campaign, Chunk, Claim, Counts, Order, RecipientKey, Standing, Status, Watch};
use hantar_domain::ids::{CampaignId, DeviceId};
use hantar_domain::message::{Message, Turn};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{
    CampaignDifferences, Campaigns, ClaimedRows, Forgetting, Idempotency, Ordered, PortError, Results, Started,
};

use crate::tenant::TenantStore;

#[async_trait]
impl Campaigns for TenantStore {
    async fn standings(&self, ids: &[CampaignId]) -> Result<BTreeMap<CampaignId, Standing>, PortError> {
        self.campaign_standings(ids).await
    }

    async fn start(&self, campaign: &Campaign, idempotency: Option<&Idempotency>) -> Result<Started, PortError> {
        self.start_campaign(campaign, idempotency).await
    }

    async fn started_by(&self, wanted: &Idempotency, at: Timestamp) -> Result<Option<Option<Campaign>>, PortError> {
        self.campaign_of_key(wanted, at).await
    }

    async fn campaign(&self, id: CampaignId) -> Result<Option<Campaign>, PortError> {
        self.one_campaign(id).await
    }

    async fn list(&self, before: Option<CampaignId>, limit: usize) -> Result<Vec<Campaign>, PortError> {
        self.some_campaigns(before, limit).await
    }

    async fn order(
        &self,
        id: CampaignId,
        order: Order,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Ordered, PortError> {
        self.order_campaign(id, order, idempotency, at).await
    }

    async fn turn(
        &self,
        campaign: &Campaign,
        status: Status,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        self.turn_campaign(campaign, status, reason, at).await
    }

    async fn known(&self, id: CampaignId, keys: &[RecipientKey]) -> Result<BTreeSet<RecipientKey>, PortError> {
        self.known_recipients(id, keys).await
    }

    async fn take(&self, campaign: &Campaign, chunk: &Chunk) -> Result<bool, PortError> {
        self.take_chunk(campaign, chunk).await
    }

    async fn close(&self, campaign: &Campaign, at: Timestamp) -> Result<bool, PortError> {
        self.close_expansion(campaign, at).await
    }

    async fn claim(
        &self,
        campaign: &Campaign,
        to: u64,
        claim: &Claim,
        paced_until: Option<Timestamp>,
        watch: Watch,
    ) -> Result<bool, PortError> {
        self.claim_rows(campaign, to, claim, paced_until, watch).await
    }

    async fn claimed(&self, campaign: &Campaign) -> Result<ClaimedRows, PortError> {
        self.claimed_rows(campaign).await
    }

    async fn put_rows(&self, messages: &[Message]) -> Result<(), PortError> {
        self.put_campaign_rows(messages).await
    }

    async fn block_rows(&self, messages: &[Message], at: Timestamp) -> Result<(), PortError> {
        self.block_campaign_rows(messages, at).await
    }

    async fn made(&self, campaign: &Campaign, chunk: u64) -> Result<bool, PortError> {
        self.rows_made(campaign, chunk).await
    }

    async fn release(&self, campaign: &Campaign, at: Timestamp) -> Result<bool, PortError> {
        self.release_campaign(campaign, at).await
    }

    async fn turns(&self, device: DeviceId, limit: usize) -> Result<Vec<Turn>, PortError> {
        self.campaign_turns(device, limit).await
    }

    async fn counts(&self, id: CampaignId) -> Result<Counts, PortError> {
        self.read_campaign_counts(id).await
    }

    async fn counts_of(&self, ids: &[CampaignId]) -> Result<BTreeMap<CampaignId, Counts>, PortError> {
        self.read_counts_of(ids).await
    }

    async fn counted_through(&self, id: CampaignId, stream: &str) -> Result<Option<u128>, PortError> {
        self.read_campaign_mark(id, stream).await
    }

    async fn add_counts(
        &self,
        id: CampaignId,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        differences: &CampaignDifferences,
    ) -> Result<bool, PortError> {
        self.count_campaign(id, stream, seen, through, differences).await
    }

    async fn forget(&self, campaign: &Campaign, person: &PhoneNumber) -> Result<Forgetting, PortError> {
        self.forget_in_campaign(campaign, person).await
    }

    async fn results(&self, campaign: &Campaign, after: Option<u64>, limit: usize) -> Result<Results, PortError> {
        self.campaign_results(campaign, after, limit).await
    }
}
