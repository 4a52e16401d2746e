//! Somebody begins to use an authenticator app, or ends it.

use hantar_domain::second_factor::{
    RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, TotpSecret, recovery_code, recovery_hash,
};
use hantar_domain::user::User;

use crate::authenticate::Caller;
use crate::passwords::prove;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::PortError;

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

/// Makes a secret for an app. It counts once [`confirm`] saw a code of it; a later one takes its place.
pub async fn begin(with: &PeopleParts<'_>, caller: &Caller, password: &str) -> Result<(TotpSecret, User), PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    if tenant.people().login(user.id).await?.is_some_and(|login| login.second_factor.is_some()) {
        return Err(PeopleError::State);
    }
    let mut bytes = [0; SECRET_BYTES];
    with.entropy.fill(&mut bytes);
    let secret = TotpSecret::from_bytes(bytes);
    let sealed = with.keys.seal(user.account, &place(&user), secret.bytes()).await?;
    tenant.people().want_second_factor(user.id, &sealed).await?;
    Ok((secret, user))
}

/// From now on the second factor is asked for. Answers the recovery codes, to be shown once.
pub async fn confirm(with: &PeopleParts<'_>, caller: &Caller, code: &str) -> Result<Vec<String>, PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let user = tenant.user(caller.user).await?.ok_or(PeopleError::Missing)?;
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    let sealed = login.wanted_factor.ok_or(PeopleError::State)?;
    with.try_code(user.id).await?;
    let step = open_secret(with, &user, &sealed).await?.step_of(code, with.clock.now(), 0).ok_or(PeopleError::Code)?;
    let codes = new_codes(with);
    if !tenant.people().confirm_second_factor(user.id, &sealed, step, &hashes(&codes)).await? {
        return Err(PeopleError::Changed);
    }
    with.code_was_right(user.id).await?;
    Ok(codes)
}

/// The password alone is asked for again. A repeat changes nothing.
pub async fn end(with: &PeopleParts<'_>, caller: &Caller, password: &str) -> Result<(), PeopleError> {
    let user = prove(with, caller, password).await?;
    Ok(with.tenants.for_account(caller.account).people().drop_second_factor(user.id).await?)
}

/// Other recovery codes; those from before are void.
pub async fn renew_codes(with: &PeopleParts<'_>, caller: &Caller, password: &str) -> Result<Vec<String>, PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    if login.second_factor.is_none() {
        return Err(PeopleError::State);
    }
    let codes = new_codes(with);
    if !tenant.people().change_recovery(user.id, &login.recovery, &hashes(&codes)).await? {
        return Err(PeopleError::Changed);
    }
    Ok(codes)
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
