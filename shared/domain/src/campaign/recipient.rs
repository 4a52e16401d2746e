//! Who is written to, who is not, and why.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use crate::contact::Contact;
use crate::ids::ContactId;
use crate::merge::{Rendered, render};
use crate::message::MAX_BODY_CHARS;
use crate::phone::{PhoneNumber, Region};

/// Why somebody is not written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// No number of the account's regions.
    InvalidPhone,
    /// The number was there before.
    Duplicate,
    /// They asked not to be written to.
    OptedOut,
    /// A merge field has neither a value nor a default.
    MissingField,
    /// Their text would be longer than a message may be.
    TooLong,
    /// Their text would be empty.
    Empty,
    /// There is no such contact.
    NoContact,
}

impl Rejection {
    /// All reasons.
    pub const ALL: [Self; 7] = [
        Self::InvalidPhone,
        Self::Duplicate,
        Self::OptedOut,
        Self::MissingField,
        Self::TooLong,
        Self::Empty,
        Self::NoContact,
    ];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidPhone => "invalid_phone",
            Self::Duplicate => "duplicate",
            Self::OptedOut => "opted_out",
            Self::MissingField => "missing_field",
            Self::TooLong => "too_long",
            Self::Empty => "empty",
            Self::NoContact => "no_contact",
        }
    }

    /// The reason with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Somebody as a campaign is given them, not yet looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// With the request.
    Row {
        /// In any spelling.
        phone: String,
        /// What they are called.
        name: Option<String>,
        /// Values for merge fields.
        attributes: BTreeMap<String, String>,
    },
    /// As a contact.
    Contact(Box<Contact>),
    /// As a contact that is not there.
    Nobody(ContactId),
}

/// Somebody who is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// At which number.
    pub phone: PhoneNumber,
    /// What they are called.
    pub name: Option<String>,
    /// Values of the fields that the text asks for, but for those that name and number give.
    pub fields: BTreeMap<String, String>,
    /// Which contact they are.
    pub contact: Option<ContactId>,
}

/// Somebody who is not written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Their place among all that were given, from 0 on.
    pub position: u64,
    /// The number as it was given, or the contact's.
    pub phone: String,
    /// Why.
    pub reason: Rejection,
    /// The missing field.
    pub field: Option<String>,
}

/// Why somebody as given cannot be written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Why.
    pub reason: Rejection,
    /// The missing field.
    pub field: Option<String>,
}

impl From<Rejection> for Unfit {
    fn from(reason: Rejection) -> Self {
        Self { reason, field: None }
    }
}

/// What a number is known by within a campaign: the same number twice is one recipient. Hashed, so that neighbours in a
/// list are not written to one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecipientKey(pub [u8; 16]);

impl RecipientKey {
    /// The key of a number.
    pub fn of(phone: &PhoneNumber) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&Sha256::digest(phone.digits())[..16]);
        Self(key)
    }
}

impl Given {
    /// The number as it was given.
    pub fn phone(&self) -> String {
        match self {
            Self::Row { phone, .. } => phone.clone(),
            Self::Contact(contact) => contact.phone.to_string(),
            Self::Nobody(_) => String::new(),
        }
    }
}

/// Who somebody as given is to a campaign with the text `body`, or why they cannot be written to. Whether they were there
/// before or opted out is the caller's to know.
pub fn address(given: Given, body: &str, regions: &[Region]) -> Result<Recipient, Unfit> {
    let (phone, name, attributes, contact) = match given {
        Given::Row { phone, name, attributes } => {
            let phone = PhoneNumber::parse(&phone, regions).map_err(|_| Rejection::InvalidPhone)?;
            (phone, name, attributes, None)
        }
        Given::Contact(contact) => {
            let Contact { id, phone, name, attributes, .. } = *contact;
            (phone, name, attributes, Some(id))
        }
        Given::Nobody(_) => return Err(Rejection::NoContact.into()),
    };
    let mut recipient = Recipient { phone, name, fields: attributes, contact };
    let asked = RefCell::new(BTreeMap::new());
    let rendered = render(body, |field| {
        let value = value(&recipient, field);
        if let (Some(value), Some(_)) = (&value, recipient.fields.get(field)) {
            asked.borrow_mut().insert(field.to_owned(), value.clone());
        }
        value
    });
    recipient.fields = asked.into_inner();
    if let Some(field) = rendered.missing.into_iter().next() {
        return Err(Unfit { reason: Rejection::MissingField, field: Some(field) });
    }
    if rendered.text.trim().is_empty() {
        return Err(Rejection::Empty.into());
    }
    if rendered.text.chars().count() > MAX_BODY_CHARS {
        return Err(Rejection::TooLong.into());
    }
    Ok(recipient)
}

/// The text to a recipient.
pub fn text(body: &str, recipient: &Recipient) -> Rendered {
    render(body, |field| value(recipient, field))
}

fn value(recipient: &Recipient, field: &str) -> Option<String> {
    match field {
        "name" => recipient.name.clone(),
        "first_name" => recipient.name.as_ref().and_then(|name| name.split_whitespace().next()).map(str::to_owned),
        "phone" => Some(recipient.phone.to_string()),
        other => recipient.fields.get(other).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(phone: &str, name: Option<&str>, plan: Option<&str>) -> Given {
        let attributes = plan.map(|plan| ("plan".to_owned(), plan.to_owned()));
        let unused = ("unused".to_owned(), "x".to_owned());
        let attributes = attributes.into_iter().chain([unused]).collect();
        Given::Row { phone: phone.into(), name: name.map(str::to_owned), attributes }
    }

    fn verdict(given: Given, body: &str) -> Result<String, (Rejection, Option<String>)> {
        let recipient = address(given, body, &[Region::MALAYSIA]).map_err(|unfit| (unfit.reason, unfit.field))?;
        Ok(text(body, &recipient).text)
    }

    #[test]
    fn reasons_lead_back_from_their_words() {
        for reason in Rejection::ALL {
            assert_eq!(Rejection::from_word(reason.word()), Some(reason));
        }
    }

    #[test]
    fn who_is_written_to_and_why_not_follows_the_table() {
        let long = "x".repeat(MAX_BODY_CHARS);
        for (given, body, expected) in [
            (row("0123456789", Some("Ali Baba"), None), "Hi {{first_name}}", Ok("Hi Ali")),
            (row("012-345 6789", None, Some("gold")), "{{plan}} {{phone}}", Ok("gold +60123456789")),
            (row("0123456789", None, None), "Hi {{name | default: \"there\"}}", Ok("Hi there")),
            (row("0123456789", None, None), "Hi {{name}}", Err((Rejection::MissingField, Some("name")))),
            (row("0123456789", None, Some("")), "{{plan}}", Err((Rejection::Empty, None))),
            (row("0123456789", None, Some(&long)), "a{{plan}}", Err((Rejection::TooLong, None))),
            (row("nobody", Some("Ali"), None), "Hi", Err((Rejection::InvalidPhone, None))),
            (row("+14155550123", Some("Ali"), None), "Hi", Err((Rejection::InvalidPhone, None))),
            (Given::Nobody(ContactId(1)), "Hi", Err((Rejection::NoContact, None))),
        ] {
            let expected = expected.map(str::to_owned).map_err(|(reason, field)| (reason, field.map(str::to_owned)));
            assert_eq!(verdict(given.clone(), body), expected, "{given:?} {body}");
        }
    }

    #[test]
    fn only_values_that_the_text_asks_for_are_kept() {
        let given = row("0123456789", Some("Ali"), Some("gold"));
        let recipient = address(given.clone(), "{{name}} {{plan}}", &[Region::MALAYSIA]).unwrap();
        assert_eq!(recipient.fields.keys().collect::<Vec<_>>(), ["plan"]);
        assert!(address(given, "{{name}}", &[Region::MALAYSIA]).unwrap().fields.is_empty());
    }

    #[test]
    fn one_number_has_one_key_in_every_spelling() {
        let key = |text| RecipientKey::of(&PhoneNumber::parse(text, &[Region::MALAYSIA]).unwrap());
        assert_eq!(key("0123456789"), key("+60 12-345 6789"));
        assert_ne!(key("0123456789"), key("0123456788"));
    }
}
