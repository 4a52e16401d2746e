//! A browser signs in with a secret that works once, and stays signed in by a cookie.

use std::time::Duration;

use hantar_domain::ids::{AccountId, UserId};
use hantar_domain::token::{Abilities, Presented};

use crate::authenticate::{Caller, is_signed_in};
use crate::create_token::new_secret;
use crate::ports::{Clock, Entropy, Fleet, PortError, Tenants, WebSession};

/// How long a sign-in link works.
const LINK_VALID: Duration = Duration::from_hours(1);
/// How long a browser stays signed in.
pub const SESSION_VALID: Duration = Duration::from_hours(720);

/// Makes the secret of a sign-in link for a person. Works once, for an hour.
pub async fn create_sign_in(
    fleet: &dyn Fleet,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
    account: AccountId,
    user: UserId,
) -> Result<String, PortError> {
    let secret = new_secret(entropy);
    let session = WebSession { account, user, expires_at: clock.now() + LINK_VALID };
    fleet.put_sign_in(&secret.hash(), &session).await?;
    Ok(secret.plain().to_owned())
}

/// Uses a sign-in secret up and answers the cookie's value. `None` when it is unknown, used or too old.
pub async fn sign_in(
    fleet: &dyn Fleet,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
    secret: &str,
) -> Result<Option<String>, PortError> {
    let Some(presented) = Presented::parse(secret) else { return Ok(None) };
    let Some(link) = fleet.take_sign_in(&presented.hash).await? else { return Ok(None) };
    let now = clock.now();
    if link.expires_at <= now {
        return Ok(None);
    }
    let cookie = new_secret(entropy);
    fleet.put_web_session(&cookie.hash(), &WebSession { expires_at: now + SESSION_VALID, ..link }).await?;
    Ok(Some(cookie.plain().to_owned()))
}

/// The caller behind a cookie. `None` when it opens no door.
pub async fn by_cookie(
    fleet: &dyn Fleet,
    tenants: &dyn Tenants,
    clock: &dyn Clock,
    cookie: &str,
) -> Result<Option<Caller>, PortError> {
    let Some(presented) = Presented::parse(cookie) else { return Ok(None) };
    let Some(session) = fleet.web_session(&presented.hash).await? else { return Ok(None) };
    if clock.now() >= session.expires_at {
        return Ok(None);
    }
    let begun = session.expires_at - SESSION_VALID;
    let user = tenants.for_account(session.account).user(session.user).await?;
    Ok(user.filter(|user| is_signed_in(user, begun)).map(|user| Caller {
        account: session.account,
        user: session.user,
        token: None,
        abilities: Abilities::all(),
        role: user.role,
    }))
}

/// Ends the session behind a cookie. A repeat changes nothing.
pub async fn sign_out(fleet: &dyn Fleet, clock: &dyn Clock, cookie: &str) -> Result<(), PortError> {
    let Some(presented) = Presented::parse(cookie) else { return Ok(()) };
    let Some(session) = fleet.web_session(&presented.hash).await? else { return Ok(()) };
    let now = clock.now();
    if session.expires_at <= now {
        return Ok(());
    }
    fleet.put_web_session(&presented.hash, &WebSession { expires_at: now, ..session }).await
}
