//! Campaigns.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hantar_domain::campaign::Standing;
use hantar_domain::ids::CampaignId;
use hantar_usecases::ports::{Campaigns, PortError};

use crate::tenant::TenantStore;

#[async_trait]
impl Campaigns for TenantStore {
    async fn standings(&self, _: &[CampaignId]) -> Result<BTreeMap<CampaignId, Standing>, PortError> {
        Ok(BTreeMap::new())
    }
}
