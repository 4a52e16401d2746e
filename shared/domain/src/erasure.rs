//! Forgetting a person who asks for it, and the proof that it was done.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::ids::{AccountId, ContactId, ErasureId, UserId};
use crate::message::{Direction, Message};
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// How long a message is waited for that WhatsApp has not answered: until then its text may have to be written again.
pub const PATIENCE: Duration = Duration::from_hours(48);

/// What was done so that a person is forgotten. Names nobody: only who has the number can tell whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: ErasureId,
    /// SHA-256 of the person's number in E.164, with the plus sign.
    pub phone_hash: [u8; 32],
    /// Who asked for it, of the account's people.
    pub requested_by: UserId,
    /// When.
    pub requested_at: Timestamp,
    /// The contact that was deleted, if there was one.
    pub contact: Option<ContactId>,
    /// How many messages have lost what was personal in them.
    pub messages: u64,
    /// How many entries of campaigns' recipients were theirs and are not any more.
    pub recipients: u64,
    /// When all was done.
    pub finished_at: Option<Timestamp>,
}

/// What is to become of a person's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It has not reached the wire: it is taken back first.
    TakeBack,
    /// It is on the wire without an answer: it is looked at again later.
    Wait,
    /// It loses what is personal.
    Blank,
}

/// The hash that stands for a number in a proof.
pub fn phone_hash(phone: &PhoneNumber) -> [u8; 32] {
    Sha256::digest(phone.as_str()).into()
}

/// What is to become of a message of somebody who is to be forgotten.
pub fn fate(message: &Message, now: Timestamp) -> Fate {
    if message.direction == Direction::Inbound {
        Fate::Blank
    } else if message.state.is_unanswered() && now.since(message.updated_at) < PATIENCE {
        Fate::Wait
    } else if message.state.is_open() && !message.state.is_unanswered() {
        Fate::TakeBack
    } else {
        Fate::Blank
    }
}
