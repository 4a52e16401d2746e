//! A campaign is paused, resumed, taken back; and moves on by itself.

use hantar_domain::campaign::{Campaign, Order, Status, TooLate, Watch};
use hantar_domain::ids::CampaignId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Idempotency, Ordered, PortError, Work};

use super::starting::campaign_in;
use crate::items::{number, text, time};
use crate::places::Place;
use crate::progress::LOOKS;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::Write;
use crate::{credits, ledger, work};

/// A change of status from the one that was seen.
fn turned(campaign: &Campaign, status: Status, reason: Option<&str>, at: Timestamp) -> Write {
    let started = matches!(status, Status::Running) && campaign.status != Status::Running;
    let mut set = "SET st = :to, u = :u".to_owned();
    for (name, there) in [("sa", started), ("en", status.is_over())] {
        if there {
            set = format!("{set}, {name} = :u");
        }
    }
    let expression = match reason {
        Some(_) => format!("{set}, rs = :rs"),
        None => format!("{set} REMOVE rs"),
    };
    let write = Write::update(&Place::campaign(campaign.account, campaign.id), expression)
        .when("st = :seen")
        .with(":to", text(status.word()))
        .with(":u", time(at))
        .with(":seen", text(campaign.status.word()));
    match reason {
        Some(reason) => write.with(":rs", text(reason)),
        None => write,
    }
}

impl TenantStore {
    pub(super) async fn turn_campaign(
        &self,
        campaign: &Campaign,
        status: Status,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        Ok(self.store.write(turned(campaign, status, reason, at)).await?.is_done())
    }

    pub(super) async fn order_campaign(
        &self,
        id: CampaignId,
        order: Order,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Ordered, PortError> {
        for _ in 0..LOOKS {
            if let Some(wanted) = idempotency
                && let Some(taken) = self.known_key(wanted, at).await?
            {
                return Ok(match campaign_in(&taken, wanted)? {
                    Some(known) if known == id => self.met(id).await?,
                    _ => Ordered::KeyReused,
                });
            }
            let Some(seen) = self.one_campaign(id).await? else { return Ok(Ordered::Missing) };
            let due = seen.scheduled_at.is_none_or(|scheduled| scheduled <= at);
            let moved = match order.applied_to(seen.status, due) {
                Ok(moved) => moved,
                Err(TooLate) => return Ok(Ordered::TooLate(Box::new(seen))),
            };
            let mut writes: Vec<Write> = idempotency.map(|key| self.put_key(key, "cm", id.0, at)).into_iter().collect();
            if let Some(status) = moved {
                writes.push(self.ordered(&seen, order, status, at).await?);
                writes.extend((order != Order::Pause).then(|| work::arm(self.account, Work::Campaign(id), at)));
            }
            if writes.is_empty() {
                return Ok(Ordered::Done(Box::new(seen)));
            }
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
            if matches!(self.store.transact(&transaction).await?, Committed::Done) {
                return self.met(id).await;
            }
        }
        Err(PortError::Conflict)
    }

    /// Whoever goes on all the same is not stopped again by what was counted before.
    async fn ordered(&self, seen: &Campaign, order: Order, status: Status, at: Timestamp) -> Result<Write, PortError> {
        let write = turned(seen, status, None, at);
        if order != Order::Resume {
            return Ok(write);
        }
        let Watch { answered, refused } = self.read_campaign_counts(seen.id).await?.watch();
        Ok(write.setting(", wa = :wa, wr = :wr").with(":wa", number(answered)).with(":wr", number(refused)))
    }

    async fn met(&self, id: CampaignId) -> Result<Ordered, PortError> {
        Ok(self.one_campaign(id).await?.map_or(Ordered::Missing, |campaign| Ordered::Done(Box::new(campaign))))
    }

    pub(super) async fn release_campaign(&self, campaign: &Campaign, at: Timestamp) -> Result<bool, PortError> {
        let owed = campaign.progress.remainder();
        if owed == 0 {
            return Ok(true);
        }
        let released = Write::update(&Place::campaign(self.account, campaign.id), "SET rl = :to")
            .when("st = :st AND rl = :seen AND cl = :cl")
            .with(":to", number(campaign.progress.released + owed))
            .with(":seen", number(campaign.progress.released))
            .with(":cl", number(campaign.progress.claimed))
            .with(":st", text(Status::Cancelling.word()));
        self.give_back_for(campaign, released, owed, at).await
    }

    /// Carries out a write together with the credits for so many recipients that it gives back.
    pub(super) async fn give_back_for(
        &self,
        campaign: &Campaign,
        write: Write,
        recipients: u64,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        let credits = campaign.cost(recipients);
        let mut writes = vec![write];
        if credits > 0 {
            let cause = Cause::CampaignRelease(campaign.id);
            writes.push(credits::give_back(self.account, credits));
            writes.push(ledger::note(self.account, &Movement { at, credits, cause }));
        }
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let line = self.store.lines().of(self.account);
        let _turn = line.turn().await;
        Ok(matches!(self.store.transact(&transaction).await?, Committed::Done))
    }
}
