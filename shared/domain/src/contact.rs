//! Whom an account writes to.

pub mod search;

use std::collections::BTreeMap;

use crate::ids::{AccountId, ContactId, GroupId};
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// The longest name, in characters.
pub const MAX_NAME_CHARS: usize = 255;
/// The longest reference of the caller's, in characters.
pub const MAX_EXTERNAL_ID_CHARS: usize = 255;
/// The longest text that says where somebody agreed, in characters.
pub const MAX_SOURCE_CHARS: usize = 255;
/// How many attributes a contact holds at most.
pub const MAX_ATTRIBUTES: usize = 100;
/// How many bytes all of a contact's attributes take at most, names and values.
pub const MAX_ATTRIBUTE_BYTES: usize = 64 * 1024;
/// In how many groups a contact is at most.
pub const MAX_GROUPS_OF_CONTACT: usize = 30;
/// How many groups an account has at most.
pub const MAX_GROUPS: usize = 500;
/// The longest name of a group, in characters.
pub const MAX_GROUP_NAME_CHARS: usize = 255;

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

/// A contact would hold more attributes than it may: [`MAX_ATTRIBUTES`], or [`MAX_ATTRIBUTE_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a contact holds at most {MAX_ATTRIBUTES} attributes of {MAX_ATTRIBUTE_BYTES} bytes in all")]
pub struct TooMuch;

/// What becomes of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Edit<T> {
    /// It stays.
    #[default]
    Keep,
    /// It is this from now on.
    To(T),
}

/// What somebody changes about a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactEdit {
    /// Its name.
    pub name: Edit<Option<String>>,
    /// The caller's reference.
    pub external_id: Edit<Option<String>>,
    /// All of its attributes.
    pub attributes: Edit<BTreeMap<String, String>>,
    /// That it agreed to be written to.
    pub opted_in: Edit<Option<OptIn>>,
    /// The copy of whether it asked not to be written to.
    pub opted_out: Edit<bool>,
}

impl<T> Edit<T> {
    fn apply(self, field: &mut T) {
        if let Self::To(value) = self {
            *field = value;
        }
    }
}

/// What is said of a contact: what is absent is left as it is.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// What it is called.
    pub name: Option<&'a String>,
    /// The caller's reference.
    pub external_id: Option<&'a String>,
    /// Attributes to set.
    pub attributes: &'a BTreeMap<String, String>,
    /// That it agreed to be written to.
    pub opted_in: Option<&'a OptIn>,
}

/// Whether a contact may hold these attributes.
pub fn fits(attributes: &BTreeMap<String, String>) -> bool {
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    attributes.len() <= MAX_ATTRIBUTES && bytes <= MAX_ATTRIBUTE_BYTES
}

impl Contact {
    /// Takes in what is said of it. Of two times that it agreed the later one counts, so that the order in which they are
    /// heard does not matter.
    pub fn learn(&mut self, said: Said<'_>) -> Result<(), TooMuch> {
        let mut attributes = self.attributes.clone();
        attributes.extend(said.attributes.iter().map(|(name, value)| (name.clone(), value.clone())));
        if !fits(&attributes) {
            return Err(TooMuch);
        }
        self.attributes = attributes;
        if let Some(name) = said.name {
            self.name = Some(name.clone());
        }
        if let Some(external_id) = said.external_id {
            self.external_id = Some(external_id.clone());
        }
        if let Some(heard) = said.opted_in
            && self.opted_in.as_ref().is_none_or(|known| known.at < heard.at)
        {
            self.opted_in = Some(heard.clone());
        }
        Ok(())
    }

    /// Changes what `edit` names.
    pub fn edit(&mut self, edit: ContactEdit) -> Result<(), TooMuch> {
        if let Edit::To(attributes) = &edit.attributes
            && !fits(attributes)
        {
            return Err(TooMuch);
        }
        edit.name.apply(&mut self.name);
        edit.external_id.apply(&mut self.external_id);
        edit.attributes.apply(&mut self.attributes);
        edit.opted_in.apply(&mut self.opted_in);
        edit.opted_out.apply(&mut self.opted_out);
        Ok(())
    }

    /// Takes from another contact of the same person what this one lacks. Whether somebody may be written to belongs to
    /// their number, and stays with it.
    pub fn absorb(&mut self, other: &Self) -> Result<(), TooMuch> {
        let mut attributes = other.attributes.clone();
        attributes.extend(self.attributes.clone());
        if !fits(&attributes) {
            return Err(TooMuch);
        }
        self.attributes = attributes;
        self.name = self.name.take().or_else(|| other.name.clone());
        self.external_id = self.external_id.take().or_else(|| other.external_id.clone());
        Ok(())
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn contact() -> Contact {
        Contact {
            account: AccountId(1),
            id: ContactId(2),
            phone: PhoneNumber::from_e164("60123456789").unwrap(),
            name: Some("Ali".into()),
            external_id: None,
            attributes: map(&[("plan", "gold")]),
            opted_out: false,
            opted_in: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
        }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn opt_in(at: i64) -> OptIn {
        OptIn { source: format!("form {at}"), at: Timestamp(at) }
    }

    #[test]
    fn what_is_not_said_stays() {
        let mut contact = contact();
        let (reference, attributes) = ("crm-1".to_owned(), map(&[("city", "Ipoh"), ("plan", "silver")]));
        let said = Said { name: None, external_id: Some(&reference), attributes: &attributes, opted_in: None };
        contact.learn(said).unwrap();
        assert_eq!((contact.name.as_deref(), contact.external_id.as_deref()), (Some("Ali"), Some("crm-1")));
        assert_eq!(contact.attributes, attributes);
    }

    #[test]
    fn the_later_of_two_opt_ins_counts_in_whatever_order_they_are_heard() {
        for heard in [[5, 9], [9, 5]] {
            let mut contact = contact();
            for at in heard {
                let (opted_in, none) = (opt_in(at), BTreeMap::new());
                contact
                    .learn(Said { name: None, external_id: None, attributes: &none, opted_in: Some(&opted_in) })
                    .unwrap();
            }
            assert_eq!(contact.opted_in, Some(opt_in(9)));
        }
    }

    #[test]
    fn more_attributes_than_a_contact_may_hold_change_nothing() {
        let many = |count: usize, bytes: usize| -> BTreeMap<String, String> {
            (0..count).map(|n| (format!("f{n:03}"), "x".repeat(bytes))).collect()
        };
        for (attributes, taken) in
            [(many(99, 1), true), (many(100, 1), false), (many(16, 4_000), true), (many(17, 4_000), false)]
        {
            let mut contact = contact();
            let said =
                Said { name: Some(&"Abu".to_owned()), external_id: None, attributes: &attributes, opted_in: None };
            assert_eq!(contact.learn(said).is_ok(), taken, "{} of them", attributes.len());
            assert_eq!(contact.name.as_deref(), Some(if taken { "Abu" } else { "Ali" }));
        }
    }

    #[test]
    fn an_edit_sets_clears_and_keeps() {
        let mut contact = contact();
        let edit =
            ContactEdit { name: Edit::To(None), attributes: Edit::To(map(&[("a", "b")])), ..ContactEdit::default() };
        contact.edit(edit).unwrap();
        assert_eq!((contact.name.as_deref(), &contact.attributes), (None, &map(&[("a", "b")])));
        contact.edit(ContactEdit::default()).unwrap();
        assert_eq!(contact.attributes, map(&[("a", "b")]));
    }

    #[test]
    fn a_merged_contact_keeps_its_own_and_takes_what_it_lacks_but_no_consent() {
        let mut contact = contact();
        let other = Contact {
            name: Some("Ali bin Abu".into()),
            external_id: Some("crm-1".into()),
            attributes: map(&[("plan", "none"), ("city", "Ipoh")]),
            opted_out: true,
            opted_in: Some(opt_in(1)),
            ..contact.clone()
        };
        contact.absorb(&other).unwrap();
        assert_eq!((contact.name.as_deref(), contact.external_id.as_deref()), (Some("Ali"), Some("crm-1")));
        assert_eq!(contact.attributes, map(&[("plan", "gold"), ("city", "Ipoh")]));
        assert_eq!((contact.opted_out, &contact.opted_in), (false, &None));
    }
}
