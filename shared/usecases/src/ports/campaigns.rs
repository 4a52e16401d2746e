//! An account's campaigns.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hantar_domain::campaign::Standing;
use hantar_domain::ids::CampaignId;

use super::PortError;

/// An account's campaigns.
#[async_trait]
pub trait Campaigns: Send + Sync {
    /// Whether rows of these campaigns may go to the wire now, strongly consistent. At most 100.
    async fn standings(&self, ids: &[CampaignId]) -> Result<BTreeMap<CampaignId, Standing>, PortError>;
}
