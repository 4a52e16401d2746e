//! A person who signs in, and what their role lets them do.

use crate::ids::{AccountId, UserId};
use crate::time::Timestamp;

/// What a person may do in an account. Each may do what those before may. An account has one owner, always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look only.
    Viewer,
    /// The inbox.
    Agent,
    /// Everything but what the owner alone may.
    Admin,
    /// Everything, and to give the account away.
    Owner,
}

/// Who may do what, at least: the whole table. What it does not name, administrators and owners may.
const LEAST: [(&str, Role); 23] = [
    ("account:own", Role::Owner),
    ("account:read", Role::Viewer),
    ("account:write", Role::Admin),
    ("agents:read", Role::Viewer),
    ("agents:write", Role::Admin),
    ("audit:read", Role::Admin),
    ("billing:read", Role::Viewer),
    ("campaigns:read", Role::Viewer),
    ("campaigns:send", Role::Admin),
    ("connection:read", Role::Viewer),
    ("connection:write", Role::Admin),
    ("contacts:read", Role::Viewer),
    ("contacts:write", Role::Agent),
    ("inbox:read", Role::Viewer),
    ("inbox:write", Role::Agent),
    ("messages:read", Role::Viewer),
    ("messages:send", Role::Agent),
    ("people:read", Role::Viewer),
    ("people:write", Role::Admin),
    ("templates:read", Role::Viewer),
    ("templates:write", Role::Admin),
    // Their own: a token does no more than the person it acts for, and everybody has a password.
    ("profile:*", Role::Viewer),
    ("tokens:*", Role::Viewer),
];

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Agent, Self::Admin, Self::Owner];

    /// Whether somebody in this role may do what `ability` names.
    pub fn may(self, ability: &str) -> bool {
        let family = ability.split_once(':').map(|(family, _)| format!("{family}:*"));
        let named = |name: &str| name == ability || Some(name) == family.as_deref();
        let least = LEAST.iter().find(|(name, _)| named(name)).map_or(Self::Admin, |(_, least)| *least);
        self >= least
    }

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
        Self::ALL.into_iter().find(|role| role.word() == word)
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
    /// When they were signed out everywhere: what began by signing in before this is over.
    pub signed_out_at: Option<Timestamp>,
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
        for role in Role::ALL {
            assert_eq!(Role::from_word(role.word()), Some(role));
        }
    }

    #[test]
    fn the_table_of_roles_and_abilities() {
        let may = |role: Role, names: &[&str]| names.iter().filter(|name| role.may(name)).count();
        let looks = ["messages:read", "contacts:read", "campaigns:read", "people:read", "billing:read"];
        let inbox = ["messages:send", "contacts:write", "inbox:write"];
        let rules =
            ["campaigns:send", "templates:write", "webhooks:write", "webhooks:read", "people:write", "audit:read"];
        let own = ["account:own"];
        let table = Role::ALL.map(|role| [may(role, &looks), may(role, &inbox), may(role, &rules), may(role, &own)]);
        assert_eq!(table, [[5, 0, 0, 0], [5, 3, 0, 0], [5, 3, 6, 0], [5, 3, 6, 1]]);
        for role in Role::ALL {
            assert!(role.may("profile:write") && role.may("tokens:write"), "{role:?}");
        }
    }

    #[test]
    fn what_the_table_does_not_name_is_for_administrators() {
        assert_eq!(Role::ALL.map(|role| role.may("rockets:launch")), [false, false, true, true]);
        assert!(!Role::Agent.may("*"));
    }

    #[test]
    fn a_role_may_all_that_lesser_ones_may() {
        for (name, _) in LEAST {
            let allowed = Role::ALL.map(|role| role.may(name));
            assert!(allowed.is_sorted(), "{name}: {allowed:?}");
        }
    }
}
