//! Many messages asked for at once: which of them are accepted, and why the others are not.

use std::collections::BTreeMap;

use crate::ids::{AccountId, BulkId, MessageId};
use crate::message::Message;
use crate::time::Timestamp;

/// How many messages one bulk holds at most.
pub const MAX_ROWS: usize = 1_000;

/// Why a row of a bulk or a recipient of a campaign gets no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rejection {
    /// Its number is none to which the account sends.
    InvalidPhone,
    /// An earlier one has the same number.
    Duplicate,
    /// The recipient asked not to be written to.
    OptedOut,
    /// The text has a field that has neither a value nor a default.
    MissingField,
    /// Text, name or reference are too long.
    TooLong,
    /// There is no text.
    EmptyBody,
    /// The device does not exist.
    InvalidDevice,
    /// The template does not exist, or may not be used.
    InvalidTemplate,
    /// It is scheduled too far ahead.
    InvalidTime,
    /// Its file's address may not be called, there is no such upload, or it is sound with a text.
    InvalidMedia,
}

impl Rejection {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::InvalidPhone,
        Self::Duplicate,
        Self::OptedOut,
        Self::MissingField,
        Self::TooLong,
        Self::EmptyBody,
        Self::InvalidDevice,
        Self::InvalidTemplate,
        Self::InvalidTime,
        Self::InvalidMedia,
    ];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidPhone => "invalid_phone",
            Self::Duplicate => "duplicate",
            Self::OptedOut => "opted_out",
            Self::MissingField => "missing_field",
            Self::TooLong => "too_long",
            Self::EmptyBody => "empty_body",
            Self::InvalidDevice => "invalid_device",
            Self::InvalidTemplate => "invalid_template",
            Self::InvalidTime => "invalid_time",
            Self::InvalidMedia => "invalid_media",
        }
    }

    /// The rejection with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rejection| rejection.word() == word)
    }

    /// In words for people.
    pub const fn explained(self) -> &'static str {
        match self {
            Self::InvalidPhone => "The phone is not a valid number of a country that this account sends to.",
            Self::Duplicate => "The same phone stands earlier in the same request.",
            Self::OptedOut => "The recipient asked not to be written to.",
            Self::MissingField => "The text has a merge field without a value.",
            Self::TooLong => "The text, the name or the reference is too long.",
            Self::EmptyBody => "The text is empty.",
            Self::InvalidDevice => "There is no such device.",
            Self::InvalidTemplate => "There is no such template, or it is not active.",
            Self::InvalidTime => "The time is more than a year ahead.",
            Self::InvalidMedia => {
                "The file's address may not be called, there is no such upload, or it is sound, which shows no text."
            }
        }
    }
}

/// A row that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Its place in the request, from 0 on.
    pub index: usize,
    /// Why.
    pub why: Rejection,
    /// The merge field that lacks a value, where it is that.
    pub field: Option<String>,
}

/// Many messages accepted in one request. Its accepted rows have rising numbers from `first` on, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: BulkId,
    /// How many rows the request had.
    pub rows: usize,
    /// The number of the first accepted row.
    pub first: MessageId,
    /// The rows that were not accepted, in their order.
    pub rejected: Vec<Rejected>,
    /// What was charged for all that were.
    pub credits: i64,
    /// When it was accepted.
    pub at: Timestamp,
    /// Whether all of its messages are stored.
    pub done: bool,
}

impl Bulk {
    /// How many rows were accepted.
    pub const fn accepted(&self) -> usize {
        self.rows - self.rejected.len()
    }

    /// The accepted rows' places in the request, each with its message's number.
    pub fn queued(&self) -> impl Iterator<Item = (usize, MessageId)> {
        let mut rejected = self.rejected.iter().map(|row| row.index).peekable();
        let accepted = (0..self.rows).filter(move |index| rejected.next_if_eq(index).is_none());
        accepted.zip(self.first.0..).map(|(index, id)| (index, MessageId(id)))
    }
}

/// An accepted row: its message, and what is to be noted of its recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The message as it is accepted.
    pub message: Message,
    /// The recipient is kept as a contact.
    pub kept: Option<Kept>,
}

/// What is kept of a message's recipient, beside number and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Values for merge fields.
    pub attributes: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_rows_are_numbered_without_gaps() {
        let rejected = [1, 2, 5].map(|index| Rejected { index, why: Rejection::Duplicate, field: None }).to_vec();
        let bulk = Bulk {
            account: AccountId(1),
            id: BulkId(1),
            rows: 6,
            first: MessageId(40),
            rejected,
            credits: 3,
            at: Timestamp(0),
            done: false,
        };
        let queued: Vec<_> = bulk.queued().map(|(index, id)| (index, id.0)).collect();
        assert_eq!(queued, [(0, 40), (3, 41), (4, 42)]);
        assert_eq!(bulk.accepted(), 3);
    }

    #[test]
    fn words_lead_back() {
        for rejection in Rejection::ALL {
            assert_eq!(Rejection::from_word(rejection.word()), Some(rejection));
        }
    }
}
