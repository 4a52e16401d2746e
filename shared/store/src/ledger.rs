//! Movements of credits that no message stands for: one item each, put in the very transaction that moves the money.

use async_trait::async_trait;
use hantar_domain::ids::AccountId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;
use hantar_usecases::ports::{Idempotency, Ledger, PortError, Warning, Work};

use crate::items::{Fields, Item, NewItem, number};
use crate::places::{Place, Table, ledger_of};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::writing::Write;

/// Notes a movement. To be put into the transaction that moves the credits, and nowhere else: whatever is charged or given
/// back by other means than a message of its own needs one. Refused when the same cause moved credits at the same moment.
pub(crate) fn note(account: AccountId, movement: &Movement) -> Write {
    let place = Place::noted(account, movement.at, &movement.cause);
    Write::put(&place, NewItem::at(&place).with("c", number(movement.credits)).done()).if_new()
}

fn read(item: &Item) -> Result<Movement, PortError> {
    let fields = Fields(item);
    let (at, cause) = fields.word("sk", |sk| {
        let mut parts = sk.splitn(3, '#');
        let at = Timestamp(parts.next()?.parse().ok()?);
        Some((at, Cause::read(parts.next()?, parts.next()?)?))
    })?;
    Ok(Movement { at, credits: fields.number("c")?, cause })
}

#[async_trait]
impl Ledger for TenantStore {
    async fn noted(&self, before: Option<&Movement>, limit: usize) -> Result<Vec<Movement>, PortError> {
        let partition = ledger_of(self.account);
        let query = match before {
            Some(movement) => {
                let place = Place::noted(self.account, movement.at, &movement.cause);
                Query::before(Table::Business, partition, place.sk)
            }
            None => Query::all(Table::Business, partition),
        };
        self.store.first(&query.backwards(), limit).await?.iter().map(read).collect()
    }

    async fn warning(&self) -> Result<Warning, PortError> {
        self.read_warning().await
    }

    async fn warn_below(
        &self,
        threshold: i64,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        self.set_threshold(threshold, idempotency, at).await
    }

    async fn note_told(&self, told: u64) -> Result<(), PortError> {
        self.set_told(told).await
    }

    async fn note_high(&self, told: u64) -> Result<(), PortError> {
        self.forget_told(told).await
    }

    async fn ask_for_letter(&self, at: Timestamp) -> Result<(), PortError> {
        self.store.note_work(self.account, Work::LowBalance, at).await
    }

    async fn note_letter(&self, at: Timestamp) -> Result<(), PortError> {
        self.set_letter(at).await
    }

    async fn owners(&self) -> Result<Vec<User>, PortError> {
        self.own_owners().await
    }
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::CampaignId;

    use super::*;

    #[test]
    fn a_movement_is_read_back_from_its_key() {
        for cause in [Cause::Opening, Cause::Grant("a#b".into()), Cause::CampaignHold(CampaignId(3))] {
            let movement = Movement { at: Timestamp(1_752_000_000_123_456), credits: -20, cause };
            let place = Place::noted(AccountId(1), movement.at, &movement.cause);
            let item = NewItem::at(&place).with("c", number(movement.credits)).done();
            assert_eq!(read(&item).unwrap(), movement);
        }
    }
}
