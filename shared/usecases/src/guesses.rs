//! Limits on guessing: at somebody's secrets, and from one address. Counted in the table, so that all processes count
//! together, and before the guess is looked at, so that many at once gain nothing.
//!
//! What is counted does not depend on whether anybody is known by the address: refusals tell nothing.

use std::time::Duration;

use hantar_domain::ids::UserId;
use hantar_domain::user::Email;
use sha2::{Digest, Sha256};

use crate::people::{PeopleError, PeopleParts};

/// Passwords for one e-mail address.
const PASSWORDS: Limit = Limit { kind: "password", most: 10, window: Duration::from_mins(15) };
/// Passwords and secrets from one network address, which many may share.
const FROM_ADDRESS: Limit = Limit { kind: "address", most: 60, window: Duration::from_mins(15) };
/// Codes of one person: of a million there are three that count.
const CODES: Limit = Limit { kind: "code", most: 5, window: Duration::from_mins(15) };
/// Letters to one e-mail address, whoever has them sent.
const LETTERS: Limit = Limit { kind: "letter", most: 5, window: Duration::from_hours(1) };
/// New accounts from one network address.
const SIGN_UPS: Limit = Limit { kind: "sign-up", most: 20, window: Duration::from_hours(1) };

struct Limit {
    kind: &'static str,
    most: u32,
    window: Duration,
}

impl Limit {
    /// A hash: what was typed is in no key of the table.
    fn of(&self, what: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.kind).chain_update([0]).chain_update(what).finalize().into()
    }
}

impl PeopleParts<'_> {
    async fn count(&self, limit: &Limit, what: &str) -> Result<(), PeopleError> {
        let now = self.clock.now();
        match self.fleet.count_guess(&limit.of(what), limit.most, limit.window, now).await? {
            Some(wait) => Err(PeopleError::TooMany { wait }),
            None => Ok(()),
        }
    }

    async fn count_address(&self, limit: &Limit) -> Result<(), PeopleError> {
        match self.address {
            Some(address) => self.count(limit, &address.0).await,
            None => Ok(()),
        }
    }

    /// Somebody is about to try a secret, from wherever.
    pub(crate) async fn try_secret(&self) -> Result<(), PeopleError> {
        self.count_address(&FROM_ADDRESS).await
    }

    /// Somebody is about to try a password.
    pub(crate) async fn try_password(&self, email: &Email) -> Result<(), PeopleError> {
        self.try_secret().await?;
        self.count(&PASSWORDS, email.as_str()).await
    }

    /// They knew it.
    pub(crate) async fn password_was_right(&self, email: &Email) -> Result<(), PeopleError> {
        Ok(self.fleet.forget_guesses(&PASSWORDS.of(email.as_str())).await?)
    }

    /// Somebody is about to try a code.
    pub(crate) async fn try_code(&self, user: UserId) -> Result<(), PeopleError> {
        self.try_secret().await?;
        self.count(&CODES, &user.to_string()).await
    }

    /// They had it.
    pub(crate) async fn code_was_right(&self, user: UserId) -> Result<(), PeopleError> {
        Ok(self.fleet.forget_guesses(&CODES.of(&user.to_string())).await?)
    }

    /// Somebody has a letter sent.
    pub(crate) async fn send_for_letter(&self, email: &Email) -> Result<(), PeopleError> {
        self.try_secret().await?;
        self.count(&LETTERS, email.as_str()).await
    }

    /// Somebody makes an account.
    pub(crate) async fn make_account(&self) -> Result<(), PeopleError> {
        self.count_address(&SIGN_UPS).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_of_different_kinds_are_counted_apart() {
        assert_ne!(PASSWORDS.of("a"), CODES.of("a"));
        assert_ne!(PASSWORDS.of("a"), PASSWORDS.of("b"));
    }
}
