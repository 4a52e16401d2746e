//! Somebody begins to use an authenticator app, or ends it.

use hantar_domain::second_factor::{
    RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, TotpSecret, recovery_code, recovery_hash,
};
use hantar_domain::user::User;

use crate::authenticate::Caller;
use crate::passwords::prove;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::{Keep, PortError};

/// Where the secret of somebody's app is kept: it opens nowhere else.
fn place(user: &User) -> String {
    format!("second factor/{}", user.id)
}

/// The secret of somebody's app.
pub(crate) async fn open_secret(with: &PeopleParts<'_>, user: &User, sealed: &[u8]) -> Result<TotpSecret, PortError> {
    let place = place(user);
    let bytes = with.keys.open(user.account, &place, sealed).await?;
    let bytes =
        bytes.try_into().map_err(|_| PortError::Corrupt(format!("the secret at {place} has a wrong length")))?;
    Ok(TotpSecret::from_bytes(bytes))
}

/// Makes a secret for an app. It counts once [`confirm`] saw a code of it; a later one takes its place. With an idempotency
/// key a repeat, which knows the password, too, is shown the same one.
pub async fn begin(
    with: &PeopleParts<'_>,
    caller: &Caller,
    password: &str,
    key: Option<&str>,
) -> Result<(TotpSecret, User), PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let keep = with.keep(key, &format!("two factor {}", user.id), &[]);
    if let Some(earlier) = with.earlier(&*tenant, keep.as_ref()).await? {
        return Ok((open_secret(with, &user, &earlier.sealed).await?, user));
    }
    if tenant.people().login(user.id).await?.is_some_and(|login| login.second_factor.is_some()) {
        return Err(PeopleError::State);
    }
    let mut bytes = [0; SECRET_BYTES];
    with.entropy.fill(&mut bytes);
    let secret = TotpSecret::from_bytes(bytes);
    let sealed = with.keys.seal(user.account, &place(&user), secret.bytes()).await?;
    let keep = keep.map(|keep| Keep { sealed: Some(sealed.clone()), ..keep });
    if !tenant.people().want_second_factor(user.id, &sealed, keep.as_ref()).await? {
        return Err(PeopleError::Changed);
    }
    Ok((secret, user))
}

/// From now on the second factor is asked for. Answers the recovery codes, to be shown once; with an idempotency key once more
/// to a repeat.
pub async fn confirm(
    with: &PeopleParts<'_>,
    caller: &Caller,
    code: &str,
    key: Option<&str>,
) -> Result<Vec<String>, PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let user = tenant.user(caller.user).await?.ok_or(PeopleError::Missing)?;
    let keep = with.keep(key, &format!("two factor code {}", user.id), code.as_bytes());
    if let Some(earlier) = with.earlier(&*tenant, keep.as_ref()).await? {
        return open_codes(with, &user, &earlier.sealed).await;
    }
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    let sealed = login.wanted_factor.ok_or(PeopleError::State)?;
    with.try_code(user.id).await?;
    let step = open_secret(with, &user, &sealed).await?.step_of(code, with.clock.now(), 0).ok_or(PeopleError::Code)?;
    let codes = new_codes(with);
    let keep = keep_codes(with, &user, keep, &codes).await?;
    if !tenant.people().confirm_second_factor(user.id, &sealed, step, &hashes(&codes), keep.as_ref()).await? {
        return Err(PeopleError::Changed);
    }
    with.code_was_right(user.id).await?;
    Ok(codes)
}

/// The password alone is asked for again. With an idempotency key a late repeat does not end one that was begun since.
pub async fn end(
    with: &PeopleParts<'_>,
    caller: &Caller,
    password: &str,
    key: Option<&str>,
) -> Result<(), PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let keep = with.keep(key, &format!("end two factor {}", user.id), &[]);
    if with.earlier(&*tenant, keep.as_ref()).await?.is_some() {
        return Ok(());
    }
    let ended = tenant.people().drop_second_factor(user.id, keep.as_ref()).await?;
    if ended { Ok(()) } else { Err(PeopleError::Changed) }
}

/// Other recovery codes; those from before are void. With an idempotency key a repeat, which knows the password, too, is shown
/// the same ones.
pub async fn renew_codes(
    with: &PeopleParts<'_>,
    caller: &Caller,
    password: &str,
    key: Option<&str>,
) -> Result<Vec<String>, PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let keep = with.keep(key, &format!("recovery codes {}", user.id), &[]);
    if let Some(earlier) = with.earlier(&*tenant, keep.as_ref()).await? {
        return open_codes(with, &user, &earlier.sealed).await;
    }
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    if login.second_factor.is_none() {
        return Err(PeopleError::State);
    }
    let codes = new_codes(with);
    let keep = keep_codes(with, &user, keep, &codes).await?;
    if !tenant.people().change_recovery(user.id, &login.recovery, &hashes(&codes), keep.as_ref()).await? {
        return Err(PeopleError::Changed);
    }
    Ok(codes)
}

/// Where recovery codes are kept for as long as the key counts that they were made under.
fn codes_place(user: &User) -> String {
    format!("recovery codes of {}", user.id)
}

async fn keep_codes(
    with: &PeopleParts<'_>,
    user: &User,
    keep: Option<Keep>,
    codes: &[String],
) -> Result<Option<Keep>, PortError> {
    let Some(keep) = keep else { return Ok(None) };
    let sealed = with.keys.seal(user.account, &codes_place(user), codes.join(" ").as_bytes()).await?;
    Ok(Some(Keep { sealed: Some(sealed), ..keep }))
}

async fn open_codes(with: &PeopleParts<'_>, user: &User, sealed: &[u8]) -> Result<Vec<String>, PeopleError> {
    let codes = with.keys.open(user.account, &codes_place(user), sealed).await?;
    let codes = String::from_utf8(codes).map_err(|_| PortError::Corrupt("recovery codes are no text".to_owned()))?;
    Ok(codes.split(' ').map(str::to_owned).collect())
}

fn new_codes(with: &PeopleParts<'_>) -> Vec<String> {
    let one = |_| {
        let mut bytes = [0; RECOVERY_BYTES];
        with.entropy.fill(&mut bytes);
        recovery_code(&bytes)
    };
    (0..RECOVERY_CODES).map(one).collect()
}

fn hashes(codes: &[String]) -> Vec<[u8; 32]> {
    codes.iter().map(|code| recovery_hash(code)).collect()
}
