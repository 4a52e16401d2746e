//! How many of a campaign's messages stand in each state: added up by the relay, as those of the account are.

use std::collections::BTreeMap;

use hantar_domain::campaign::Counts;
use hantar_domain::ids::CampaignId;
use hantar_usecases::ports::{CampaignDifferences, PortError};

use crate::counts::{Counted, name};
use crate::items::Fields;
use crate::places::{Place, Table};
use crate::tenant::TenantStore;

const REFUSED: &str = "refused";

fn read(counted: &Counted) -> Result<Counts, PortError> {
    Ok(Counts { states: counted.states()?, refused: counted.count(REFUSED)? })
}

impl TenantStore {
    pub(super) async fn read_campaign_counts(&self, id: CampaignId) -> Result<Counts, PortError> {
        read(&self.store.counted(&Place::campaign_counts(self.account, id)).await?)
    }

    pub(super) async fn read_counts_of(&self, ids: &[CampaignId]) -> Result<BTreeMap<CampaignId, Counts>, PortError> {
        let places: Vec<_> = ids.iter().map(|id| Place::campaign_counts(self.account, *id)).collect();
        let mut counts = BTreeMap::new();
        for item in self.store.get_all(Table::Engine, &places).await? {
            let id = Fields(&item).word("pk", |pk| pk.rsplit('#').next()?.parse().ok())?;
            counts.insert(id, read(&Counted(item))?);
        }
        Ok(counts)
    }

    pub(super) async fn read_campaign_mark(&self, id: CampaignId, stream: &str) -> Result<Option<u128>, PortError> {
        self.store.counted(&Place::campaign_counts(self.account, id)).await?.mark(stream)
    }

    pub(super) async fn count_campaign(
        &self,
        id: CampaignId,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        differences: &CampaignDifferences,
    ) -> Result<bool, PortError> {
        let states = differences.states.iter().map(|(state, difference)| (name(*state), *difference));
        let sums: BTreeMap<_, _> = states.chain([(REFUSED.to_owned(), differences.refused)]).collect();
        self.store.add_up(&Place::campaign_counts(self.account, id), stream, seen, through, sums).await
    }
}
