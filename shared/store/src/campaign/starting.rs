//! A campaign begins: its item, its text, its upper bound charged, its work noted, in one transaction.

use hantar_domain::campaign::Campaign;
use hantar_domain::ids::CampaignId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Idempotency, PortError, Started, Work};

use super::item::{item, read};
use crate::items::{Fields, Item, NewItem, text};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;
use crate::{credits, ledger, work};

impl TenantStore {
    pub(super) async fn start_campaign(
        &self,
        campaign: &Campaign,
        idempotency: Option<&Idempotency>,
    ) -> Result<Started, PortError> {
        let at = campaign.created_at;
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return self.replayed_campaign(&taken, wanted).await;
        }
        let cost = campaign.cost(campaign.progress.bound);
        let transaction =
            Transaction::new(&self.store, self.store.fresh_token(), self.start_writes(campaign, idempotency, cost))?;
        let line = self.store.lines().of(self.account);
        let turn = line.turn().await;
        let committed = self.store.transact(&transaction).await?;
        drop(turn);
        let Committed::Refused(refusals) = committed else { return Ok(Started::New) };
        let mut refusals = refusals.into_iter();
        let (stored, charged) = (refusals.next(), if cost > 0 { refusals.next() } else { None });
        let key = if idempotency.is_some() { refusals.next() } else { None };
        if let (Some(Refusal::Condition(Some(taken))), Some(wanted)) = (key, idempotency) {
            return self.replayed_campaign(&taken, wanted).await;
        }
        match (stored, charged) {
            (Some(Refusal::Condition(Some(item))), _) if read(&item)?.created_at == at => Ok(Started::New),
            (Some(Refusal::Condition(_)), _) => {
                Err(PortError::Corrupt(format!("campaign number {} is taken", campaign.id)))
            }
            (_, Some(Refusal::Condition(item))) => Ok(Started::Refused { balance: credits::available(item.as_ref())? }),
            _ => Err(PortError::Conflict),
        }
    }

    /// The campaign first, then the charge if there is one, then the key if there is one.
    fn start_writes(&self, campaign: &Campaign, key: Option<&Idempotency>, cost: i64) -> Vec<Write> {
        let (account, id, at) = (self.account, campaign.id, campaign.created_at);
        let mut writes = vec![Write::put(&Place::campaign(account, id), item(campaign)).if_new()];
        writes.extend((cost > 0).then(|| credits::charge(account, cost)));
        writes.extend(key.map(|key| self.put_key(key, "cm", id.0, at)));
        let place = Place::campaign_text(account, id);
        writes.push(Write::put(&place, NewItem::at(&place).with("b", text(&campaign.body)).done()));
        writes.push(work::arm(account, Work::Campaign(id), at));
        let hold = Movement { at, credits: -cost, cause: Cause::CampaignHold(id) };
        writes.extend((cost > 0).then(|| ledger::note(account, &hold)));
        writes
    }

    pub(super) async fn campaign_of_key(
        &self,
        wanted: &Idempotency,
        at: Timestamp,
    ) -> Result<Option<Option<Campaign>>, PortError> {
        let Some(taken) = self.known_key(wanted, at).await? else { return Ok(None) };
        Ok(Some(match self.replayed_campaign(&taken, wanted).await? {
            Started::Replayed(campaign) => Some(*campaign),
            _ => None,
        }))
    }

    async fn replayed_campaign(&self, taken: &Item, wanted: &Idempotency) -> Result<Started, PortError> {
        let Some(id) = campaign_in(taken, wanted)? else { return Ok(Started::KeyReused) };
        let earlier = self.one_campaign(id).await?.ok_or_else(|| Fields(taken).damaged("cm"))?;
        Ok(Started::Replayed(Box::new(earlier)))
    }
}

/// The campaign that a key stands for, if it stands for the same request.
pub(super) fn campaign_in(taken: &Item, wanted: &Idempotency) -> Result<Option<CampaignId>, PortError> {
    let fields = Fields(taken);
    if fields.bytes("q")? != wanted.request {
        return Ok(None);
    }
    Ok(fields.maybe_number("cm")?.map(CampaignId))
}
