//! Somebody signs in by address and password, and by their second factor where they have one. They are given a token, or
//! their browser a cookie.

use std::time::Duration;

use hantar_domain::audit::Actor;
use hantar_domain::ids::{AccountId, TokenId, UserId};
use hantar_domain::password::verify;
use hantar_domain::second_factor::recovery_hash;
use hantar_domain::token::{Abilities, Token};
use hantar_domain::user::{Email, User};

use crate::create_token::{NewToken, new_secret};
use crate::people::{PeopleError, PeopleParts};
use crate::ports::{Login, Purpose, Sequence, Tenant, WebSession};
use crate::second_factor::open_secret;
use crate::sign_in::SESSION_VALID;

/// How long a right password waits for its second factor.
const FACTOR_WITHIN: Duration = Duration::from_mins(10);

/// What somebody wants to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A token of this name, for as long as a browser's session.
    Token(String),
    /// A browser's cookie.
    Cookie,
}

/// What somebody is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// A token, and the text to show once.
    Token(Token, String),
    /// A cookie's value.
    Cookie(String),
}

/// What became of signing in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedIn {
    /// They are in.
    Done(Box<User>, Given),
    /// The password was right, and the second factor is to be shown, with this secret, within ten minutes.
    SecondFactor(String),
}

/// Tries a password. Takes as long for an address that nobody has.
pub async fn sign_in(
    with: &PeopleParts<'_>,
    email: &Email,
    password: &str,
    wanted: Wanted,
) -> Result<SignedIn, PeopleError> {
    with.try_password(email).await?;
    let user = with.known(email).await?;
    let account = user.as_ref().map_or(AccountId(0), |user| user.account);
    let tenant = with.tenants.for_account(account);
    let id = user.as_ref().map_or(UserId(0), |user| user.id);
    let login = tenant.people().login(id).await?.unwrap_or_default();
    let right = verify(password, login.password.as_deref());
    let Some(user) = user else { return Err(PeopleError::Credentials) };
    if !right {
        with.note(&*tenant, with.acting(&user, None), "sign-in", 422).await?;
        return Err(PeopleError::Credentials);
    }
    with.password_was_right(email).await?;
    if login.second_factor.is_some() {
        return Ok(SignedIn::SecondFactor(with.new_link(&user, Purpose::SecondFactor, FACTOR_WITHIN).await?));
    }
    with.let_in(&*tenant, user, wanted).await
}

/// A second factor as somebody shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The code of their app.
    Code(String),
    /// A recovery code.
    Recovery(String),
}

/// Tries a second factor, with the secret that the right password was answered with.
pub async fn show_second_factor(
    with: &PeopleParts<'_>,
    secret: &str,
    shown: &Shown,
    wanted: Wanted,
) -> Result<SignedIn, PeopleError> {
    with.try_secret().await?;
    let (hash, link) = with.link(secret).await?;
    if link.purpose != Purpose::SecondFactor {
        return Err(PeopleError::Link);
    }
    with.try_code(link.user).await?;
    let tenant = with.tenants.for_account(link.account);
    let user = tenant.user(link.user).await?.ok_or(PeopleError::Link)?;
    let login = tenant.people().login(user.id).await?.unwrap_or_default();
    if !is_right(with, &*tenant, &user, &login, shown).await? {
        with.note(&*tenant, with.acting(&user, None), "second-factor", 422).await?;
        return Err(PeopleError::Code);
    }
    with.use_up(&hash).await?;
    with.code_was_right(user.id).await?;
    with.let_in(&*tenant, user, wanted).await
}

/// Whether it is; and then it is used up.
async fn is_right(
    with: &PeopleParts<'_>,
    tenant: &dyn Tenant,
    user: &User,
    login: &Login,
    shown: &Shown,
) -> Result<bool, PeopleError> {
    let Some(sealed) = &login.second_factor else { return Ok(false) };
    match shown {
        Shown::Code(code) => {
            let step = open_secret(with, user, sealed).await?.step_of(code, with.clock.now(), login.used_step);
            match step {
                Some(step) => Ok(tenant.people().use_step(user.id, step).await?),
                None => Ok(false),
            }
        }
        Shown::Recovery(code) => {
            let hash = recovery_hash(code);
            let rest: Vec<_> = login.recovery.iter().copied().filter(|known| *known != hash).collect();
            let known = rest.len() < login.recovery.len();
            Ok(known && tenant.people().change_recovery(user.id, &login.recovery, &rest, None).await?)
        }
    }
}

impl PeopleParts<'_> {
    fn acting(&self, user: &User, token: Option<TokenId>) -> Actor {
        Actor { user: Some(user.id), token, ..self.stranger() }
    }

    async fn let_in(&self, tenant: &dyn Tenant, user: User, wanted: Wanted) -> Result<SignedIn, PeopleError> {
        let (secret, now) = (new_secret(self.entropy), self.clock.now());
        let (account, end) = (user.account, now + SESSION_VALID);
        let given = match wanted {
            Wanted::Token(name) => {
                let id = TokenId(self.numbers.next(Sequence::Tokens).await?);
                let abilities = Abilities::all();
                let new = NewToken { account, user: user.id, name, abilities, expires_at: Some(end) };
                let token = Token { by_sign_in: true, ..new.token(id, now) };
                self.fleet.put_token(&token, &secret.hash()).await?;
                Given::Token(token, secret.shown(id))
            }
            Wanted::Cookie => {
                let session = WebSession { account, user: user.id, expires_at: end };
                self.fleet.put_web_session(&secret.hash(), &session).await?;
                Given::Cookie(secret.plain().to_owned())
            }
        };
        let token = if let Given::Token(token, _) = &given { Some(token.id) } else { None };
        self.note(tenant, self.acting(&user, token), "sign-in", 200).await?;
        Ok(SignedIn::Done(Box::new(user), given))
    }
}
