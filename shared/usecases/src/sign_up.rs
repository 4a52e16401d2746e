//! Somebody makes an account of their own, and proves that the address is theirs.
//!
//! Whether an address is known is told to whoever reads its letters, and to nobody else. And an account is verified by who
//! both reads the letter and knows the password: otherwise somebody could make one with another's address, and wait until
//! they confirm it.

use std::time::Duration;

use hantar_domain::password::{check, verify};
use hantar_domain::user::{Email, User};

use crate::found_account::{Founders, NewAccount, found_with_password};
use crate::people::{PeopleError, PeopleParts};
use crate::ports::Purpose;

/// How long a link to verify an address works.
const VERIFY_WITHIN: Duration = Duration::from_hours(72);

/// Somebody who wants an account.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// Their address.
    pub email: Email,
    /// The password that they choose.
    pub password: String,
    /// What the account is called; the address when absent.
    pub account: Option<String>,
}

/// Makes an account and sends a letter; or, where the address is known, a letter alone. The answer is the same. A repeat
/// sends another letter.
pub async fn sign_up(with: &PeopleParts<'_>, new: SignUp) -> Result<(), PeopleError> {
    let begun = with.clock.running();
    check(&new.password, &new.email)?;
    with.make_account().await?;
    with.send_for_letter(&new.email).await?;
    let password = with.hashed(&new.password)?;
    let known = match with.known(&new.email).await? {
        Some(user) => Some(user),
        None => found(with, &new, password).await?,
    };
    let sent = match known {
        Some(user) => write_again(with, &user).await,
        // Founded by somebody else at this moment, or about to be deleted: their own letter says so.
        None => Ok(()),
    };
    with.even(begun).await;
    sent
}

async fn found(with: &PeopleParts<'_>, new: &SignUp, password: String) -> Result<Option<User>, PeopleError> {
    let founders = Founders {
        fleet: with.fleet,
        numbers: with.numbers,
        wrap: with.keys.wrap(),
        entropy: with.entropy,
        clock: with.clock,
    };
    let account = NewAccount {
        name: new.account.clone().unwrap_or_else(|| new.email.as_str().to_owned()),
        email: new.email.clone(),
        verified: false,
        credits: 0,
        device_name: "WhatsApp".to_owned(),
    };
    let founding = found_with_password(&founders, account, Some(password)).await?;
    let Some(founding) = founding else { return Ok(None) };
    let tenant = with.tenants.for_account(founding.account.id);
    with.note(&*tenant, with.stranger(), "sign-up", 202).await?;
    Ok(Some(founding.owner))
}

async fn write_again(with: &PeopleParts<'_>, user: &User) -> Result<(), PeopleError> {
    if user.verified_at.is_some() {
        return Ok(with.letter_of_known(&user.email).await?);
    }
    let secret = with.new_link(user, Purpose::Verify(user.email.clone()), VERIFY_WITHIN).await?;
    Ok(with.letter_to_verify(&user.email, &secret).await?)
}

/// Sends the letter once more, if somebody waits for it. The answer is the same for everybody.
pub async fn resend_verification(with: &PeopleParts<'_>, email: &Email) -> Result<(), PeopleError> {
    let begun = with.clock.running();
    with.send_for_letter(email).await?;
    if let Some(user) = with.known(email).await?.filter(|user| user.verified_at.is_none()) {
        PeopleParts::unless_sent(write_again(with, &user).await);
    }
    with.even(begun).await;
    Ok(())
}

/// Verifies an address by the letter's secret and the password. A repeat, while the link works, answers the same: the link alone
/// opens nothing.
pub async fn verify_email(with: &PeopleParts<'_>, secret: &str, password: &str) -> Result<User, PeopleError> {
    with.try_secret().await?;
    let (_, link) = with.link(secret).await?;
    let Purpose::Verify(email) = &link.purpose else { return Err(PeopleError::Link) };
    with.try_password(email).await?;
    let tenant = with.tenants.for_account(link.account);
    let user = tenant.user(link.user).await?.filter(|user| user.email == *email).ok_or(PeopleError::Link)?;
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    if !verify(password, login.password.as_deref()) {
        return Err(PeopleError::Password);
    }
    with.password_was_right(email).await?;
    let now = with.clock.now();
    tenant.people().verify_email(user.id, now).await?;
    with.note(&*tenant, with.stranger(), "verify-email", 200).await?;
    Ok(User { verified_at: user.verified_at.or(Some(now)), ..user })
}
