//! Passwords are set anew, by a letter or by whoever knows the old one; and asked for before what cannot be taken back.

use std::time::Duration;

use hantar_domain::password::{check, verify};
use hantar_domain::user::{Email, User};

use crate::authenticate::Caller;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::{NewPassword, Purpose};

/// How long a link to set a password works.
const RESET_WITHIN: Duration = Duration::from_hours(1);

/// Sends a link to set a new password, if somebody has this address. The answer is the same for everybody.
pub async fn forgot_password(with: &PeopleParts<'_>, email: &Email) -> Result<(), PeopleError> {
    let begun = with.clock.running();
    with.send_for_letter(email).await?;
    if let Some(user) = with.known(email).await? {
        PeopleParts::unless_sent(write(with, &user).await);
    }
    with.even(begun).await;
    Ok(())
}

async fn write(with: &PeopleParts<'_>, user: &User) -> Result<(), PeopleError> {
    let secret = with.new_link(user, Purpose::Reset, RESET_WITHIN).await?;
    Ok(with.letter_to_reset(&user.email, &secret).await?)
}

/// Sets a new password by a letter's secret, which proves that the address is theirs, too. Works once; whoever was signed in
/// is signed out. A second factor stays.
pub async fn reset_password(with: &PeopleParts<'_>, secret: &str, password: &str) -> Result<User, PeopleError> {
    with.try_secret().await?;
    let (hash, link) = with.link(secret).await?;
    if link.purpose != Purpose::Reset {
        return Err(PeopleError::Link);
    }
    let tenant = with.tenants.for_account(link.account);
    let user = tenant.user(link.user).await?.ok_or(PeopleError::Link)?;
    check(password, &user.email)?;
    let hashed = with.hashed(password)?;
    // Whoever dies after this asks for another letter.
    with.use_up(&hash).await?;
    let new = NewPassword { hash: hashed, at: with.clock.now(), by_letter: true };
    if !tenant.people().set_password(user.id, &new, None).await? {
        return Err(PeopleError::Link);
    }
    with.note(&*tenant, with.stranger(), "reset-password", 200).await?;
    with.password_was_right(&user.email).await?;
    with.letter_of_reset(&user.email).await?;
    Ok(User { verified_at: user.verified_at.or(Some(new.at)), signed_out_at: Some(new.at), ..user })
}

/// Sets a new password by the old one. Whoever is signed in is signed out, the caller too. With an idempotency key a repeat
/// changes nothing.
pub async fn change_password(
    with: &PeopleParts<'_>,
    caller: &Caller,
    old: &str,
    password: &str,
    key: Option<&str>,
) -> Result<(), PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let keep = with.keep(key, &format!("password {}", caller.user), &[]);
    if with.earlier(&*tenant, keep.as_ref()).await?.is_some() {
        // The key holds no trace of passwords. It is the same request if the password that counts is the one it brings.
        return match prove(with, caller, password).await {
            Ok(_) => Ok(()),
            Err(PeopleError::Password) => Err(PeopleError::KeyReused),
            Err(error) => Err(error),
        };
    }
    let user = prove(with, caller, old).await?;
    check(password, &user.email)?;
    let new = NewPassword { hash: with.hashed(password)?, at: with.clock.now(), by_letter: false };
    if !tenant.people().set_password(user.id, &new, keep.as_ref()).await? {
        return Err(if keep.is_some() { PeopleError::Changed } else { PeopleError::Missing });
    }
    Ok(with.letter_of_reset(&user.email).await?)
}

/// Whether the caller knows their password: a token or an open browser may be in somebody else's hands.
pub(crate) async fn prove(with: &PeopleParts<'_>, caller: &Caller, password: &str) -> Result<User, PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let user = tenant.user(caller.user).await?.ok_or(PeopleError::Missing)?;
    with.try_password(&user.email).await?;
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    if !verify(password, login.password.as_deref()) {
        return Err(PeopleError::Password);
    }
    with.password_was_right(&user.email).await?;
    Ok(user)
}
