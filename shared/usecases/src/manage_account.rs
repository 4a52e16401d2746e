//! What an account says of itself: its name, the countries that it writes to, its time zone.

use hantar_domain::account::Account;
use hantar_domain::user::Role;

use crate::authenticate::Caller;
use crate::idempotency::idempotency;
use crate::ports::{AccountChange, Clock, PortError, Tenant};

/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 255;
/// How many countries an account may write to.
pub const MAX_REGIONS: usize = 250;

/// Why an account is not changed. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Only its owner and its administrators may.
    #[error("only an owner or an administrator may do that")]
    Role,
    /// The idempotency key stands for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Whether whoever calls runs the account.
pub async fn runs_account(tenant: &dyn Tenant, caller: &Caller) -> Result<bool, PortError> {
    Ok(tenant.user(caller.user).await?.is_some_and(|user| matches!(user.role, Role::Owner | Role::Admin)))
}

/// Changes what is named. With an idempotency key a repeat answers the account as it is.
pub async fn change_account(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    caller: &Caller,
    change: &AccountChange,
    key: Option<(String, Vec<u8>)>,
) -> Result<Account, AccountError> {
    if !runs_account(tenant, caller).await? {
        return Err(AccountError::Role);
    }
    let now = clock.now();
    let idempotency = key.map(|(key, content)| idempotency("account", &key, &content, now));
    if !tenant.change_account(change, idempotency.as_ref(), now).await? {
        return Err(AccountError::KeyReused);
    }
    let account = tenant.account().await?;
    Ok(account.ok_or_else(|| PortError::Corrupt(format!("account {} is missing", caller.account)))?)
}
