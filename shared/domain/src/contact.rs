//! Whom an account writes to.

use std::collections::BTreeMap;

use crate::ids::{AccountId, ContactId, GroupId};
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// A person or business that the account writes to. One for each number of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: ContactId,
    /// The number that it is reached at.
    pub phone: PhoneNumber,
    /// What it is called.
    pub name: Option<String>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Values for merge fields.
    pub attributes: BTreeMap<String, String>,
    /// Whether it asked not to be written to. A copy, for lists: the consent ledger is what counts.
    pub opted_out: bool,
    /// That it agreed to be written to, if anybody said so.
    pub opted_in: Option<OptIn>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// That somebody agreed to be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptIn {
    /// Where they said so, in the account's words: "web form", "import of 2026-11-20".
    pub source: String,
    /// When.
    pub at: Timestamp,
}

impl Contact {
    /// The value of a merge field: `name`, `first_name`, `phone`, or an attribute.
    pub fn field(&self, field: &str) -> Option<String> {
        match field {
            "name" => self.name.clone(),
            "first_name" => self.name.as_ref().and_then(|name| name.split_whitespace().next()).map(str::to_owned),
            "phone" => Some(self.phone.to_string()),
            other => self.attributes.get(other).cloned(),
        }
    }
}

/// A group of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: GroupId,
    /// What it is called. Unique in the account.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}
