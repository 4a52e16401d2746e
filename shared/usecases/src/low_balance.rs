//! A balance that runs low is told once: from then on not again before it was high.
//!
//! It is looked at when messages were charged. The event is stored before it is remembered that it was told, under a number
//! that stays the same until then, so that whoever dies in between tells the same event again.

use std::time::Duration;

use hantar_domain::ids::AccountId;
use hantar_domain::time::Timestamp;
use hantar_domain::user::User;

use crate::ports::{Letter, Mail, PortError, Tenant, Warning};

/// How long after a letter no further one is written: a balance that goes up and down fills no letter box.
const LETTERS_APART: Duration = Duration::from_hours(24);

/// A balance became low.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LowBalance {
    /// The how manieth time it is, from 1 on.
    pub number: u64,
    /// What may still be spent.
    pub available: i64,
    /// Below which balance its people want to be told.
    pub threshold: i64,
}

/// Whether the balance became low and nobody was told yet. Remembers it when it is high again.
pub async fn look_at_balance(tenant: &dyn Tenant) -> Result<Option<LowBalance>, PortError> {
    let Warning { available, threshold, told, is_told, .. } = tenant.ledger().warning().await?;
    match (available < threshold, is_told) {
        (true, false) => Ok(Some(LowBalance { number: told + 1, available, threshold })),
        (false, true) => {
            tenant.ledger().note_high(told).await?;
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Writes to the account's owners, unless the balance is high again or they had a letter a short time ago. Whoever repeats
/// it after a death writes twice at worst.
pub async fn write_letters(
    tenant: &dyn Tenant,
    mail: &dyn Mail,
    account: AccountId,
    now: Timestamp,
) -> Result<(), PortError> {
    let warning = tenant.ledger().warning().await?;
    let is_recent = warning.letter_at.is_some_and(|at| now.since(at) < LETTERS_APART);
    if warning.available >= warning.threshold || is_recent {
        return Ok(());
    }
    let name = tenant.account().await?.map(|account| account.name).unwrap_or_default();
    for owner in tenant.ledger().owners().await?.into_iter().filter(|owner| owner.verified_at.is_some()) {
        mail.send(&letter(&owner, &name, account, warning)).await?;
    }
    tenant.ledger().note_letter(now).await
}

fn letter(owner: &User, name: &str, account: AccountId, warning: Warning) -> Letter {
    let Warning { available, threshold, .. } = warning;
    let text = format!(
        "The account {name} (number {account}) has {available} credits left, fewer than the {threshold} below which you \
         asked to be told.\n\nOne message costs one credit. When there are none left, messages are refused and nothing is \
         queued. Top the account up in time.\n\nYou get at most one such letter a day. Change the threshold with \
         PUT /api/v1/credits/settings.\n"
    );
    Letter { to: owner.email.clone(), subject: format!("{available} credits left in {name}"), text }
}
