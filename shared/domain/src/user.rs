//! A person who signs in.

use crate::ids::{AccountId, UserId};
use crate::time::Timestamp;

/// What a person may do in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Everything, and to give the account away.
    Owner,
    /// Everything but that.
    Admin,
    /// The inbox.
    Agent,
    /// Look only.
    Viewer,
}

impl Role {
    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::Viewer => "viewer",
        }
    }

    /// The role with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Agent, Self::Viewer].into_iter().find(|role| role.word() == word)
    }
}

/// An e-mail address that looks like one, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// The text is no e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address; expected something like name@example.com")]
pub struct NotAnEmail;

impl Email {
    /// Takes `text` when it has one `@` with something sensible on both sides. Whether mail arrives there,
    /// only verification tells.
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim().to_lowercase();
        let (name, host) = text.split_once('@').ok_or(NotAnEmail)?;
        let plain =
            |part: &str| !part.is_empty() && !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@');
        let sound = plain(name) && plain(host) && host.contains('.') && !host.starts_with('.') && !host.ends_with('.');
        if sound && text.len() <= 254 { Ok(Self(text)) } else { Err(NotAnEmail) }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their number.
    pub id: UserId,
    /// The account they belong to.
    pub account: AccountId,
    /// Their address.
    pub email: Email,
    /// When they proved that the address is theirs.
    pub verified_at: Option<Timestamp>,
    /// What they may do.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_in_lower_case_and_nonsense_is_refused() {
        assert_eq!(Email::parse(" Ali@Example.COM ").map(|email| email.0), Ok("ali@example.com".into()));
        for text in ["", "ali", "@example.com", "ali@", "ali@host", "a b@example.com", "a@b@c.com", "a@.com", "a@b."] {
            assert_eq!(Email::parse(text), Err(NotAnEmail), "{text}");
        }
    }

    #[test]
    fn roles_lead_back_from_their_words() {
        for role in [Role::Owner, Role::Admin, Role::Agent, Role::Viewer] {
            assert_eq!(Role::from_word(role.word()), Some(role));
        }
    }
}
