//! What of a balance being low was told: kept on the balance itself, so that one read answers whether there is something to
//! tell.

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Idempotency, PortError, Warning};

use crate::items::{Fields, number, time};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::writing::{Write, Written};

impl TenantStore {
    pub(crate) async fn read_warning(&self) -> Result<Warning, PortError> {
        let Some(item) = self.store.get(&Place::balance(self.account)).await? else { return Ok(Warning::default()) };
        let fields = Fields(&item);
        Ok(Warning {
            available: fields.number("available")?,
            threshold: fields.maybe_number("lo")?.unwrap_or(0),
            told: fields.maybe_number("ln")?.unwrap_or(0),
            is_told: fields.flag("tl")?,
            letter_at: fields.maybe_time("lt")?,
        })
    }

    pub(crate) async fn set_threshold(
        &self,
        threshold: i64,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<bool, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return Ok(Fields(&taken).bytes("q")? == wanted.request);
        }
        let set = Write::update(&Place::balance(self.account), "SET lo = :lo REMOVE tl")
            .when("attribute_exists(pk)")
            .with(":lo", number(threshold));
        let key = idempotency.map(|key| self.put_key(key, "lo", 0, at));
        let writes = [Some(set), key].into_iter().flatten();
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        let line = self.store.lines().of(self.account);
        let turn = line.turn().await;
        let committed = self.store.transact(&transaction).await?;
        drop(turn);
        match (committed, idempotency) {
            (Committed::Done, _) => Ok(true),
            (Committed::Refused(refusals), Some(wanted)) => match refusals.into_iter().nth(1) {
                Some(Refusal::Condition(Some(taken))) => Ok(Fields(&taken).bytes("q")? == wanted.request),
                _ => Err(self.no_balance()),
            },
            (Committed::Refused(_), None) => Err(self.no_balance()),
        }
    }

    pub(crate) fn no_balance(&self) -> PortError {
        PortError::Corrupt(format!("account {} has no balance", self.account))
    }

    pub(crate) async fn set_told(&self, told: u64) -> Result<(), PortError> {
        let before = told.saturating_sub(1);
        let none_yet = if before == 0 { " OR attribute_not_exists(ln)" } else { "" };
        let noted = Write::update(&Place::balance(self.account), "SET tl = :tl, ln = :told")
            .when(format!("attribute_exists(pk) AND (ln = :before{none_yet})"))
            .with(":before", number(before))
            .with(":told", number(told))
            .with(":tl", aws_sdk_dynamodb::types::AttributeValue::Bool(true));
        self.change_balance(noted).await
    }

    pub(crate) async fn forget_told(&self, told: u64) -> Result<(), PortError> {
        let forgotten = Write::update(&Place::balance(self.account), "REMOVE tl").when("ln = :told");
        self.change_balance(forgotten.with(":told", number(told))).await
    }

    pub(crate) async fn set_letter(&self, at: Timestamp) -> Result<(), PortError> {
        let noted = Write::update(&Place::balance(self.account), "SET lt = :lt").when("attribute_exists(pk)");
        self.change_balance(noted.with(":lt", time(at))).await
    }

    /// A change that moves no money. What its condition refuses was done before, or is not of now.
    async fn change_balance(&self, change: Write) -> Result<(), PortError> {
        let line = self.store.lines().of(self.account);
        let _turn = line.turn().await;
        let (Written::Done(_) | Written::Refused(_)) = self.store.write(change).await?;
        Ok(())
    }
}
