//! Who calls: the account comes from the token, and from nowhere else.

use std::time::Duration;

use hantar_domain::ids::{AccountId, TokenId, UserId};
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Abilities, Presented, Token, TokenHash};
use hantar_domain::user::{Role, User};

use crate::ports::{Clock, Fleet, PortError, Tenant, Tenants};

/// How exactly it is noted when a token was last used: a write on every request would cost more than it tells.
const NOTED_EVERY: Duration = Duration::from_hours(1);

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account that the caller acts in.
    pub account: AccountId,
    /// The person that the caller acts for.
    pub user: UserId,
    /// The token used; `None` for a browser's session.
    pub token: Option<TokenId>,
    /// What the token may do.
    pub abilities: Abilities,
    /// What the person may do.
    pub role: Role,
}

impl Caller {
    /// Whether both the token and the person may do what `ability` names.
    pub fn may(&self, ability: &str) -> bool {
        self.abilities.allow(ability) && self.role.may(ability)
    }
}

/// Finds the caller by a bearer token. `None` when it opens no door: unknown, malformed or expired, its person removed, or
/// signed out since it was made by signing in. Notes about once an hour that the token was used.
pub async fn authenticate(
    fleet: &dyn Fleet,
    tenants: &dyn Tenants,
    clock: &dyn Clock,
    bearer: &str,
) -> Result<Option<Caller>, PortError> {
    let Some(presented) = Presented::parse(bearer.trim()) else { return Ok(None) };
    let Some(token) = fleet.token(&presented.hash).await? else { return Ok(None) };
    let named_right = presented.id.is_none_or(|id| id == token.id);
    let now = clock.now();
    if !named_right || !token.is_valid_at(now) {
        return Ok(None);
    }
    let user = tenants.for_account(token.account).user(token.user).await?;
    let Some(user) = user.filter(|user| !token.by_sign_in || is_signed_in(user, token.created_at)) else {
        return Ok(None);
    };
    note_use(fleet, &token, &presented.hash, now).await;
    let Token { account, abilities, id, .. } = token;
    Ok(Some(Caller { account, user: user.id, token: Some(id), abilities, role: user.role }))
}

/// Whether what began by signing in at `since` goes on.
pub(crate) fn is_signed_in(user: &User, since: Timestamp) -> bool {
    user.signed_out_at.is_none_or(|end| end < since)
}

/// Within the request, because nothing may run on after its answer; a failure is nothing to the caller.
async fn note_use(fleet: &dyn Fleet, token: &Token, hash: &TokenHash, now: Timestamp) {
    let unless_since = now - NOTED_EVERY;
    if token.last_used_at.is_some_and(|at| at > unless_since) {
        return;
    }
    if let Err(error) = fleet.note_token_use(hash, now, unless_since).await {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(account.id = %token.account, token.id = %token.id, error, "the use of a token is not noted");
    }
}

/// Whether the caller's e-mail address is verified: sending asks for it.
pub async fn is_verified(tenant: &dyn Tenant, caller: &Caller) -> Result<bool, PortError> {
    Ok(tenant.user(caller.user).await?.is_some_and(|user| user.verified_at.is_some()))
}
