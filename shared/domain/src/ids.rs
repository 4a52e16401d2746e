//! Typed numbers and names, so that one id can never stand in for another.

use std::fmt;

use sha2::{Digest, Sha256};

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

number! {
    /// The tenant. Unique in the whole installation.
    AccountId,
    /// A person who signs in. Unique in the whole installation.
    UserId,
    /// An API token. Unique in the whole installation.
    TokenId,
    /// One linked WhatsApp number. Unique in the whole installation.
    DeviceId,
    /// One message, in or out. Unique and roughly rising within its account, with gaps.
    MessageId,
    /// A webhook endpoint. Unique within its account.
    EndpointId,
    /// A person or business that the account writes to. Unique within its account.
    ContactId,
    /// A group of contacts. Unique within its account.
    GroupId,
    /// A text to send again and again. Unique within its account.
    TemplateId,
    /// A bulk: messages accepted in one request. Unique within its account.
    BulkId,
    /// A campaign. Unique within its account.
    CampaignId,
    /// An import of contacts. Unique within its account.
    ImportId,
    /// An export of contacts or of a campaign's results. Unique within its account.
    ExportId,
    /// A file that was uploaded to be sent. Unique within its account.
    UploadId,
    /// A purchase of credits. Unique within its account.
    OrderId,
    /// What was done so that a person is forgotten. Unique within its account.
    ErasureId,
    /// An invitation into an account. Unique within its account.
    InvitationId,
    /// An entry of the audit log. Unique and rising within its account: about the microsecond at which it was made.
    AuditId,
}

/// One command to a host: 16 random bytes, written as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub [u8; 16]);

impl CommandId {
    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 16] = hex::decode(text).ok()?.try_into().ok()?;
        Some(Self(bytes)).filter(|id| id.to_string() == text)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// Which queue and which host work for a device: a number below the fleet's fixed shard count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u16);

impl Shard {
    /// The shard of `device` among `count` shards. Stable for ever: it is part of the stored layout.
    pub fn of(device: DeviceId, count: u16) -> Self {
        let digest = Sha256::digest(device.0.to_be_bytes());
        let head = u64::from_be_bytes([
            digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
        ]);
        Self(u16::try_from(head % u64::from(count.max(1))).unwrap_or(0))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number that each take-over of a shard raises; writes of an older one are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Epoch(pub u64);

/// WhatsApp's own id of a message. Ours are chosen at acceptance, so that a second try carries the same one
/// and phones drop the duplicate.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StanzaId(pub String);

/// The secret of a device from which its stanza ids are made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StanzaKey(pub [u8; 16]);

impl fmt::Debug for StanzaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StanzaKey(..)")
    }
}

/// The prefix of ids made by WhatsApp's own web client.
const WEB_PREFIX: &str = "3EB0";
const ROUNDS: u8 = 6;

impl StanzaId {
    /// The one stanza id of `message` on the device that owns `key`.
    ///
    /// The id is the message's number and a check value under a small keyed permutation (a Feistel network over
    /// 72 bits with SHA-256 as its round function). It looks like any web client's id, tells nobody how many
    /// messages an account sends, and an acknowledgement finds its message with no look-up table to write or
    /// to lose. It is a disguise, not a secret: nothing is protected by it.
    pub fn for_message(key: &StanzaKey, message: MessageId) -> Self {
        let mut block = [0_u8; 9];
        block[1..9].copy_from_slice(&message.0.to_be_bytes());
        // Message numbers stay below 2^53, so the upper byte is free for the check value.
        block[0] = check(key, message);
        permute(key, &mut block, false);
        Self(format!("{WEB_PREFIX}{}", hex::encode_upper(block)))
    }

    /// The message that this stanza id was made for, or `None` for one that the phone itself sent.
    pub fn message(&self, key: &StanzaKey) -> Option<MessageId> {
        let digits = self.0.strip_prefix(WEB_PREFIX)?;
        let mut block: [u8; 9] = hex::decode(digits).ok()?.try_into().ok()?;
        permute(key, &mut block, true);
        let mut number = [0_u8; 8];
        number.copy_from_slice(&block[1..9]);
        let message = MessageId(u64::from_be_bytes(number));
        (message.0 < 1 << 53 && block[0] == check(key, message)).then_some(message)
    }
}

impl fmt::Display for StanzaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn check(key: &StanzaKey, message: MessageId) -> u8 {
    round(key, 0xff, &message.0.to_be_bytes())[0]
}

/// Halves of 4 and 5 bytes; each round masks one half by a hash of the other.
fn permute(key: &StanzaKey, block: &mut [u8; 9], inverse: bool) {
    for step in 0..ROUNDS {
        let number = if inverse { ROUNDS - 1 - step } else { step };
        let (left, right) = block.split_at_mut(4);
        let (source, target) = if number % 2 == 0 { (&*right, left) } else { (&*left, right) };
        let mask = round(key, number, source);
        for (byte, mask) in target.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

fn round(key: &StanzaKey, number: u8, half: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(key.0).chain_update([number]).chain_update(half).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_stanza_id_leads_back_to_its_message_and_to_no_other(key: [u8; 16], number in 0_u64..1 << 53) {
            let key = StanzaKey(key);
            let id = StanzaId::for_message(&key, MessageId(number));
            prop_assert_eq!(id.0.len(), 22);
            prop_assert_eq!(id.message(&key), Some(MessageId(number)));
        }

        #[test]
        fn an_id_of_the_phones_own_is_practically_never_taken_for_ours(key: [u8; 16], foreign: [u8; 9]) {
            let key = StanzaKey(key);
            let id = StanzaId(format!("3EB0{}", hex::encode_upper(foreign)));
            if let Some(message) = id.message(&key) {
                // A hit is only possible where the id really is the one we would make.
                prop_assert_eq!(StanzaId::for_message(&key, message), id);
            }
        }
    }

    #[test]
    fn a_command_is_found_by_its_one_spelling() {
        let id = CommandId([0xab; 16]);
        assert_eq!(CommandId::parse(&id.to_string()), Some(id));
        for text in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"zz".repeat(16)] {
            assert_eq!(CommandId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn neighbouring_messages_have_ids_that_share_nothing_visible() {
        let key = StanzaKey([7; 16]);
        let a = StanzaId::for_message(&key, MessageId(1)).0;
        let b = StanzaId::for_message(&key, MessageId(2)).0;
        let same = a[4..].bytes().zip(b[4..].bytes()).filter(|(a, b)| a == b).count();
        assert!(same < 9, "{a} {b}");
    }

    #[test]
    fn ids_of_other_shapes_are_foreign() {
        for text in ["", "3EB0", "3EB0XYZ", "AC12", "3EB0000000000000000000"] {
            assert_eq!(StanzaId(text.into()).message(&StanzaKey([1; 16])), None, "{text}");
        }
    }

    #[test]
    fn a_devices_shard_never_moves_and_all_shards_are_used() {
        assert_eq!(Shard::of(DeviceId(1), 4), Shard::of(DeviceId(1), 4));
        let used: std::collections::BTreeSet<_> = (0..100).map(|n| Shard::of(DeviceId(n), 4)).collect();
        assert_eq!(used.len(), 4);
    }
}
