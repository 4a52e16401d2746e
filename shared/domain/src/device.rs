//! One linked WhatsApp number, and what can be said of its connection.

use std::time::Duration;

use crate::ids::{AccountId, DeviceId, StanzaKey};
use crate::phone::PhoneNumber;
use crate::time::Timestamp;

/// How long a request for a QR code keeps pairing going.
pub const PAIRING_WANTED: Duration = Duration::from_mins(3);

/// How a device stands with WhatsApp. Said only on evidence: `Connected` means that the log-in was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// No number is linked.
    Unlinked,
    /// A QR code is wanted or shown.
    Pairing,
    /// Linked; a connection is being made.
    Connecting,
    /// Linked and logged in.
    Connected,
    /// Linked; the connection was lost and is tried again.
    Disconnected,
    /// The number's owner, or WhatsApp, ended the link. A new QR code is needed.
    LoggedOut,
    /// WhatsApp refuses this client version (405). An update of Hantar is needed.
    Outdated,
    /// WhatsApp restricted the number for a time.
    Banned,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 8] = [
        Self::Unlinked,
        Self::Pairing,
        Self::Connecting,
        Self::Connected,
        Self::Disconnected,
        Self::LoggedOut,
        Self::Outdated,
        Self::Banned,
    ];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unlinked => "unlinked",
            Self::Pairing => "pairing",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::LoggedOut => "logged_out",
            Self::Outdated => "outdated",
            Self::Banned => "banned",
        }
    }

    /// The status with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether a number is linked, so that asking for a QR code makes no sense.
    pub const fn is_linked(self) -> bool {
        matches!(self, Self::Connecting | Self::Connected | Self::Disconnected | Self::Outdated | Self::Banned)
    }
}

/// A QR code to be scanned by the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingCode {
    /// The raw text of the code (`2@…`).
    pub text: String,
    /// When WhatsApp stops taking it.
    pub expires_at: Timestamp,
}

/// A device as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Whose.
    pub account: AccountId,
    /// Our number.
    pub id: DeviceId,
    /// What its owner calls it.
    pub name: String,
    /// Whether it is meant where a request names none.
    pub is_default: bool,
    /// How it stands.
    pub status: Status,
    /// A stable code that says why, where the status alone does not.
    pub reason: Option<String>,
    /// The linked number.
    pub phone: Option<PhoneNumber>,
    /// The linked number's hidden id, without its server.
    pub lid: Option<String>,
    /// What its stanza ids are made with.
    pub stanza_key: StanzaKey,
    /// Until when somebody wants a QR code.
    pub pairing_wanted_until: Option<Timestamp>,
    /// The QR code of the moment.
    pub pairing_code: Option<PairingCode>,
    /// When it last became `Connected`.
    pub connected_at: Option<Timestamp>,
    /// When the host last said that a frame had come; written at most once a minute.
    pub last_seen_at: Option<Timestamp>,
    /// Raised by each change of status: the number of the event about it.
    pub status_seq: u64,
    /// When the status last changed.
    pub status_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_lead_back_from_their_words() {
        for status in Status::ALL {
            assert_eq!(Status::from_word(status.word()), Some(status));
        }
    }
}
