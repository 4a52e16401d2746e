//! An account's credits: four whole numbers on one item, changed only by addition.

use hantar_domain::credits::Balance;
use hantar_domain::ids::AccountId;
use hantar_domain::ledger::{Cause, Movement};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;
use sha2::{Digest, Sha256};

use crate::items::{Fields, Item, NewItem, number, time};
use crate::ledger;
use crate::places::{Place, Table};
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::Write;

/// A new account's balance.
pub(crate) fn first(account: AccountId, credits: i64) -> Write {
    let place = Place::balance(account);
    let balance = NewItem::at(&place)
        .with("available", number(credits))
        .with("granted", number(credits))
        .with("charged", number(0))
        .with("refunded", number(0));
    Write::put(&place, balance.done()).if_new()
}

/// Takes credits, if there are as many.
pub(crate) fn charge(account: AccountId, credits: i64) -> Write {
    Write::update(&Place::balance(account), "SET available = available - :c, charged = charged + :c")
        .when("available >= :c")
        .with(":c", number(credits))
}

/// Gives credits back.
pub(crate) fn give_back(account: AccountId, credits: i64) -> Write {
    Write::update(&Place::balance(account), "ADD available :c, refunded :c").with(":c", number(credits))
}

/// Puts credits in. The balance does not count as told to be low any more.
pub(crate) fn grant(account: AccountId, credits: i64) -> Write {
    // Whether it is enough shows when it is looked at the next time.
    Write::update(&Place::balance(account), "ADD available :c, granted :c REMOVE tl")
        .when("attribute_exists(pk)")
        .with(":c", number(credits))
}

/// What is there, according to a balance item.
pub(crate) fn available(item: Option<&Item>) -> Result<i64, PortError> {
    item.map_or(Ok(0), |item| Fields(item).number("available"))
}

impl TenantStore {
    pub(crate) async fn read_balance(&self) -> Result<Balance, PortError> {
        let Some(item) = self.store.get(&Place::balance(self.account)).await? else { return Ok(Balance::default()) };
        let fields = Fields(&item);
        Ok(Balance {
            available: fields.number("available")?,
            granted: fields.number("granted")?,
            charged: fields.number("charged")?,
            refunded: fields.number("refunded")?,
        })
    }

    pub(crate) async fn put_in(&self, credits: i64, movement: &str, at: Timestamp) -> Result<Balance, PortError> {
        let place = Place::movement(self.account, movement);
        let noted = NewItem::at(&place).with("c", number(credits)).with("t", time(at)).done();
        let cause = Cause::Grant(movement.to_owned());
        let table = self.store.table(Table::Business);
        let name =
            Sha256::new().chain_update("grant").chain_update(table).chain_update(&place.pk).chain_update(&place.sk);
        let name = name.chain_update(credits.to_be_bytes()).chain_update(at.0.to_be_bytes()).finalize();
        let entry = ledger::note(self.account, &Movement { at, credits, cause });
        let writes = [Write::put(&place, noted).if_new(), grant(self.account, credits), entry];
        let transaction = Transaction::new(&self.store, hex::encode(&name[..16]), writes)?;
        let line = self.store.lines().of(self.account);
        let turn = line.turn().await;
        let committed = self.store.transact(&transaction).await?;
        drop(turn);
        match committed {
            // Without the note's refusal it is the balance that is missing.
            Committed::Refused(refusals) if !matches!(refusals.first(), Some(Refusal::Condition(_))) => {
                Err(self.no_balance())
            }
            _ => self.read_balance().await,
        }
    }
}
