//! Who calls: the account comes from the token, and from nowhere else.

use hantar_domain::ids::{AccountId, TokenId, UserId};
use hantar_domain::token::{Abilities, Presented};

use crate::ports::{Clock, Fleet, PortError, Tenant};

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the caller acts in.
    pub account: AccountId,
    /// The person that the caller acts for.
    pub user: UserId,
    /// The token used; `None` for a browser's session.
    pub token: Option<TokenId>,
    /// What the caller may do.
    pub abilities: Abilities,
}

/// Finds the caller by a bearer token. `None` when it opens no door: unknown, malformed or expired.
pub async fn authenticate(fleet: &dyn Fleet, clock: &dyn Clock, bearer: &str) -> Result<Option<Caller>, PortError> {
    let Some(presented) = Presented::parse(bearer.trim()) else { return Ok(None) };
    let Some(token) = fleet.token(&presented.hash).await? else { return Ok(None) };
    let named_right = presented.id.is_none_or(|id| id == token.id);
    if !named_right || !token.is_valid_at(clock.now()) {
        return Ok(None);
    }
    Ok(Some(Caller { account: token.account, user: token.user, token: Some(token.id), abilities: token.abilities }))
}

/// Whether the caller's e-mail address is verified: sending asks for it.
pub async fn is_verified(tenant: &dyn Tenant, caller: &Caller) -> Result<bool, PortError> {
    Ok(tenant.user(caller.user).await?.is_some_and(|user| user.verified_at.is_some()))
}
