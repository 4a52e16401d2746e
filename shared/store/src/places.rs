//! Where each item is: its table and its two keys. Nothing else in this crate spells a key.

use hantar_domain::ids::{
    AccountId, AuditId, CommandId, DeviceId, EndpointId, InvitationId, MessageId, Shard, TokenId, UserId,
};
use hantar_domain::message::{Lane, Turn};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_domain::token::TokenHash;
use hantar_domain::user::Email;
use hantar_domain::webhook::EventId;
use hantar_usecases::ports::{HostId, Sequence, Work};
use sha2::{Digest, Sha256};

/// In how many lines the due deliveries stand, so that no partition is hot.
pub(crate) const DUE_LINES: u8 = 4;

/// One of the two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Business,
    Engine,
}

/// The place of one item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) table: Table,
    pub(crate) pk: String,
    pub(crate) sk: String,
}

impl Place {
    fn business(pk: String, sk: impl Into<String>) -> Self {
        Self { table: Table::Business, pk, sk: sk.into() }
    }

    fn engine(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { table: Table::Engine, pk: pk.into(), sk: sk.into() }
    }

    pub(crate) fn account(account: AccountId) -> Self {
        Self::business(of_account(account), "ACCOUNT")
    }

    pub(crate) fn balance(account: AccountId) -> Self {
        Self::business(of_account(account), "BALANCE")
    }

    pub(crate) fn movement(account: AccountId, movement: &str) -> Self {
        Self::business(of_account(account), format!("GRANT#{movement}"))
    }

    pub(crate) fn user(account: AccountId, user: UserId) -> Self {
        Self::business(of_account(account), format!("{USER}{}", ordered(user.0)))
    }

    pub(crate) fn login(account: AccountId, user: UserId) -> Self {
        Self::business(of_account(account), format!("LOGIN#{}", ordered(user.0)))
    }

    pub(crate) fn invitation(account: AccountId, invitation: InvitationId) -> Self {
        Self::business(of_account(account), format!("{INVITATION}{}", ordered(invitation.0)))
    }

    /// Leads from a token's number to its hash.
    pub(crate) fn listed_token(account: AccountId, token: TokenId) -> Self {
        Self::business(of_account(account), format!("{LISTED_TOKEN}{}", ordered(token.0)))
    }

    /// Begins with letters: what begins with a digit is a message to those who filter the stream.
    pub(crate) fn audit(account: AccountId, entry: AuditId) -> Self {
        Self::business(audit_of(account), format!("{AUDIT}{}", ordered(entry.0)))
    }

    pub(crate) fn closing(account: AccountId) -> Self {
        Self::business(of_account(account), "CLOSING")
    }

    pub(crate) fn device(account: AccountId, device: DeviceId) -> Self {
        Self::business(of_account(account), format!("{DEVICE}{}", ordered(device.0)))
    }

    pub(crate) fn endpoint(account: AccountId, endpoint: EndpointId) -> Self {
        Self::business(of_account(account), format!("{ENDPOINT}{}", ordered(endpoint.0)))
    }

    pub(crate) fn idempotency(account: AccountId, key: &[u8; 32]) -> Self {
        Self::business(of_account(account), format!("IDEM#{}", hex::encode(key)))
    }

    pub(crate) fn message(account: AccountId, message: MessageId) -> Self {
        Self::business(messages_of(account), ordered(message.0))
    }

    pub(crate) fn open(account: AccountId, device: DeviceId, turn: Turn) -> Self {
        let (at, message) = (ordered_time(turn.accepted_at), ordered(turn.message.0));
        Self::business(of_device(account, device), format!("{OPEN}{}#{at}#{message}", lane_digit(turn.lane)))
    }

    /// Behind all lanes, the one that is due first in front.
    pub(crate) fn scheduled(account: AccountId, device: DeviceId, due: Timestamp, turn: Turn) -> Self {
        let (at, message) = (ordered_time(turn.accepted_at), ordered(turn.message.0));
        let sk = format!("{SCHEDULED}{}#{}#{at}#{message}", ordered_time(due), lane_digit(turn.lane));
        Self::business(of_device(account, device), sk)
    }

    pub(crate) fn unknown(account: AccountId, device: DeviceId, at: Timestamp, message: MessageId) -> Self {
        let sk = format!("{UNKNOWN}{}#{}", ordered_time(at), ordered(message.0));
        Self::business(of_device(account, device), sk)
    }

    /// The mark that a message of this chat, sender and id was received. Hashed: the parts are of any length and script.
    pub(crate) fn received(account: AccountId, device: DeviceId, chat: &str, sender: &str, stanza: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [chat, sender, stanza] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        Self::business(of_device(account, device), format!("IN#{}", hex::encode(hash.finalize())))
    }

    pub(crate) fn peer(account: AccountId, device: DeviceId, phone: &PhoneNumber) -> Self {
        Self::business(of_device(account, device), format!("PEER#{}", phone.digits()))
    }

    pub(crate) fn counts(account: AccountId) -> Self {
        Self::engine(of_account(account), "COUNTS")
    }

    /// A partition for each: they come and go faster than anything else of an account.
    pub(crate) fn command(account: AccountId, command: CommandId) -> Self {
        Self::engine(format!("A#{account}#C#{command}"), "CMD")
    }

    pub(crate) fn delivery(account: AccountId, endpoint: EndpointId, event: &EventId) -> Self {
        Self::business(format!("A#{account}#W"), format!("DLV#{endpoint}#{event}"))
    }

    pub(crate) fn due(due: Timestamp, account: AccountId, endpoint: EndpointId, event: &EventId) -> Self {
        let name = format!("{account}#{endpoint}#{event}");
        let line = Sha256::digest(&name)[0] % DUE_LINES;
        Self::engine(due_line(line), format!("{}#{name}", ordered_time(due)))
    }

    /// Kept under the same key however often its due time moves: work is little, and is read whole.
    pub(crate) fn work(account: AccountId, work: Work) -> Self {
        let name = format!("{account}#{work}");
        let line = Sha256::digest(&name)[0] % DUE_LINES;
        Self::engine(work_line(line), name)
    }

    pub(crate) fn email(email: &Email) -> Self {
        Self::business(format!("EMAIL#{}", email.as_str()), "EMAIL")
    }

    pub(crate) fn token(hash: &TokenHash) -> Self {
        Self::business(format!("TOKEN#{}", hex::encode(hash.0)), "TOKEN")
    }

    pub(crate) fn listed_account(account: AccountId) -> Self {
        Self::business(ACCOUNTS.into(), ordered(account.0))
    }

    pub(crate) fn sign_in(hash: &TokenHash) -> Self {
        Self::engine(format!("SIGNIN#{}", hex::encode(hash.0)), "SIGNIN")
    }

    pub(crate) fn web_session(hash: &TokenHash) -> Self {
        Self::engine(format!("WEB#{}", hex::encode(hash.0)), "WEB")
    }

    pub(crate) fn link(hash: &TokenHash) -> Self {
        Self::engine(format!("LINK#{}", hex::encode(hash.0)), "LINK")
    }

    pub(crate) fn guesses(what: &[u8; 32]) -> Self {
        Self::engine(format!("GUESS#{}", hex::encode(what)), "GUESS")
    }

    pub(crate) fn settings() -> Self {
        Self::engine("SETTINGS", "SETTINGS")
    }

    pub(crate) fn client_version() -> Self {
        Self::engine("VERSION", "VERSION")
    }

    pub(crate) fn sequence(sequence: Sequence) -> Self {
        let name = match sequence {
            Sequence::Accounts => "ACCOUNTS".into(),
            Sequence::Users => "USERS".into(),
            Sequence::Tokens => "TOKENS".into(),
            Sequence::Devices => "DEVICES".into(),
            Sequence::Messages(account) => format!("MESSAGES#{account}"),
            Sequence::Endpoints(account) => format!("ENDPOINTS#{account}"),
            Sequence::Contacts(account) => format!("CONTACTS#{account}"),
            Sequence::Groups(account) => format!("GROUPS#{account}"),
            Sequence::Templates(account) => format!("TEMPLATES#{account}"),
            Sequence::Bulks(account) => format!("BULKS#{account}"),
            Sequence::Campaigns(account) => format!("CAMPAIGNS#{account}"),
            Sequence::Imports(account) => format!("IMPORTS#{account}"),
            Sequence::Exports(account) => format!("EXPORTS#{account}"),
            Sequence::Invitations(account) => format!("INVITATIONS#{account}"),
        };
        Self::engine(format!("SEQ#{name}"), "SEQ")
    }

    pub(crate) fn in_shard(shard: Shard, account: AccountId, device: DeviceId) -> Self {
        Self::engine(shard_list(shard), format!("A#{account}#D#{device}"))
    }

    pub(crate) fn heartbeat(host: &HostId) -> Self {
        Self::engine(HEARTBEATS, host.0.clone())
    }

    pub(crate) fn lease(shard: Shard) -> Self {
        Self::engine(LEASES, format!("{:05}", shard.0))
    }

    pub(crate) fn claim(device: DeviceId) -> Self {
        Self::engine(keys_of(device), "CLAIM")
    }

    pub(crate) fn key(device: DeviceId, key: &str) -> Self {
        Self::engine(keys_of(device), format!("{KEY}{key}"))
    }
}

/// The beginnings of sort keys that are listed.
pub(crate) const AUDIT: &str = "AT#";
pub(crate) const USER: &str = "USER#";
pub(crate) const INVITATION: &str = "INVITE#";
pub(crate) const LISTED_TOKEN: &str = "TOKEN#";
pub(crate) const DEVICE: &str = "DEVICE#";
pub(crate) const ENDPOINT: &str = "ENDPOINT#";
pub(crate) const OPEN: &str = "OPEN#";
/// Begins as [`OPEN`] does and sorts behind the digits of all lanes: one query reads both.
pub(crate) const SCHEDULED: &str = "OPEN#HELD#";
pub(crate) const UNKNOWN: &str = "UNKNOWN#";
pub(crate) const KEY: &str = "K#";
/// The partitions that are listed.
pub(crate) const ACCOUNTS: &str = "ACCOUNTS";
pub(crate) const HEARTBEATS: &str = "HEARTBEATS";
pub(crate) const LEASES: &str = "LEASES";

pub(crate) fn of_account(account: AccountId) -> String {
    format!("A#{account}")
}

pub(crate) fn messages_of(account: AccountId) -> String {
    format!("A#{account}#M")
}

pub(crate) fn audit_of(account: AccountId) -> String {
    format!("A#{account}#T")
}

/// One of an account's partitions that have a letter alone.
pub(crate) fn part_of_account(account: AccountId, letter: char) -> String {
    format!("A#{account}#{letter}")
}

pub(crate) fn of_device(account: AccountId, device: DeviceId) -> String {
    format!("A#{account}#D#{device}")
}

pub(crate) fn keys_of(device: DeviceId) -> String {
    format!("D#{device}")
}

pub(crate) fn shard_list(shard: Shard) -> String {
    format!("SHARD#{shard}")
}

pub(crate) fn work_line(line: u8) -> String {
    format!("WORK#{line}")
}

pub(crate) fn due_line(line: u8) -> String {
    format!("DUE#{line}")
}

/// A number such that the order of texts is the order of numbers: ours stay below 2^53.
pub(crate) fn ordered(number: u64) -> String {
    format!("{number:016}")
}

/// A moment such that the order of texts is the order of moments, from 1970 to 2286.
pub(crate) fn ordered_time(at: Timestamp) -> String {
    format!("{:016}", at.0.max(0))
}

/// Stored for ever: the digit of a lane never changes.
pub(crate) const fn lane_digit(lane: Lane) -> u8 {
    match lane {
        Lane::Reply => 0,
        Lane::Single => 1,
        Lane::Campaign => 2,
    }
}

pub(crate) fn lane_of(digit: &str) -> Option<Lane> {
    Lane::ALL.into_iter().find(|lane| lane_digit(*lane).to_string() == digit)
}
