//! Where each item is: its table and its two keys. Nothing else in this crate spells a key.

use hantar_domain::campaign::RecipientKey;
use hantar_domain::ids::{
    AccountId, AuditId, BulkId, CampaignId, CommandId, ContactId, DeviceId, EndpointId, ErasureId, ExportId, GroupId,
    ImportId, InvitationId, MessageId, OrderId, Shard, TemplateId, TokenId, UploadId, UserId,
};
use hantar_domain::ledger::Cause;
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

    /// A movement of credits: the order of these is that of time.
    pub(crate) fn noted(account: AccountId, at: Timestamp, cause: &Cause) -> Self {
        let name = format!("{}#{}#{}", ordered_time(at), cause.word(), cause.reference());
        Self::business(ledger_of(account), name)
    }

    pub(crate) fn prices(account: AccountId) -> Self {
        Self::business(of_account(account), "PRICES")
    }

    pub(crate) fn order(account: AccountId, order: OrderId) -> Self {
        Self::business(orders_of(account), ordered(order.0))
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

    pub(crate) fn upload(account: AccountId, upload: UploadId) -> Self {
        Self::business(files_of(account), format!("{UPLOAD}{}", ordered(upload.0)))
    }

    pub(crate) fn import(account: AccountId, import: ImportId) -> Self {
        Self::business(files_of(account), format!("{IMPORT}{}", ordered(import.0)))
    }

    pub(crate) fn export(account: AccountId, export: ExportId) -> Self {
        Self::business(files_of(account), format!("{EXPORT}{}", ordered(export.0)))
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

    pub(crate) fn template(account: AccountId, template: TemplateId) -> Self {
        Self::business(templates_of(account), format!("{TEMPLATE}{}", ordered(template.0)))
    }

    pub(crate) fn slug(account: AccountId, slug: &str) -> Self {
        Self::business(templates_of(account), format!("SLUG#{slug}"))
    }

    pub(crate) fn bulk(account: AccountId, bulk: BulkId) -> Self {
        Self::business(bulks_of(account), ordered(bulk.0))
    }

    /// What a number last said about being written to.
    pub(crate) fn standing(account: AccountId, phone: &PhoneNumber) -> Self {
        Self::business(consents_of(account), phone.digits())
    }

    /// An entry of the consent ledger, among those of its number.
    pub(crate) fn consent(account: AccountId, phone: &PhoneNumber, at: Timestamp, name: &str) -> Self {
        Self::business(consents_of(account), format!("{}#{}#{name}", phone.digits(), ordered_time(at)))
    }

    /// The same entry, among all of the account.
    pub(crate) fn listed_consent(account: AccountId, phone: &PhoneNumber, at: Timestamp, name: &str) -> Self {
        Self::business(consent_list_of(account), format!("{}#{}#{name}", ordered_time(at), phone.digits()))
    }

    pub(crate) fn consent_settings(account: AccountId) -> Self {
        Self::business(of_account(account), "CONSENT")
    }

    pub(crate) fn counts(account: AccountId) -> Self {
        Self::engine(of_account(account), "COUNTS")
    }

    pub(crate) fn campaign(account: AccountId, campaign: CampaignId) -> Self {
        Self::business(campaigns_of(account), ordered(campaign.0))
    }

    /// Apart from the campaign itself, which changes often and is to stay small. What is in this partition tells no
    /// subscriber anything, so it is kept out of the stream.
    pub(crate) fn campaign_text(account: AccountId, campaign: CampaignId) -> Self {
        Self::engine(of_campaign(account, campaign), "TEXT")
    }

    pub(crate) fn chunk(account: AccountId, campaign: CampaignId, number: u64) -> Self {
        Self::engine(of_campaign(account, campaign), format!("{CHUNKS}{}", ordered(number)))
    }

    /// A place beside a campaign, by its sort key.
    pub(crate) fn in_campaign(account: AccountId, campaign: CampaignId, sk: &str) -> Self {
        Self::engine(of_campaign(account, campaign), sk)
    }

    pub(crate) fn recipient(account: AccountId, campaign: CampaignId, key: RecipientKey) -> Self {
        Self::engine(of_campaign(account, campaign), format!("R#{}", hex::encode(key.0)))
    }

    pub(crate) fn campaign_counts(account: AccountId, campaign: CampaignId) -> Self {
        Self::engine(of_campaign(account, campaign), "COUNTS")
    }

    /// A partition for each: they come and go faster than anything else of an account.
    pub(crate) fn command(account: AccountId, command: CommandId) -> Self {
        Self::engine(format!("A#{account}#C#{command}"), "CMD")
    }

    pub(crate) fn delivery(account: AccountId, endpoint: EndpointId, event: &EventId) -> Self {
        Self::business(deliveries_of(account), format!("DLV#{endpoint}#{event}"))
    }

    /// A delivery, by its whole sort key.
    pub(crate) fn in_deliveries(account: AccountId, sk: &str) -> Self {
        Self::business(deliveries_of(account), sk)
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

    pub(crate) fn contact(account: AccountId, contact: ContactId) -> Self {
        Self::business(contacts_of(account), ordered(contact.0))
    }

    /// The one entry of a number: backwards, so that those that end alike stand together.
    pub(crate) fn contact_number(account: AccountId, phone: &PhoneNumber) -> Self {
        let backwards = reversed(phone.digits());
        Self::engine(numbers_of(account, &backwards), backwards)
    }

    pub(crate) fn contact_word(account: AccountId, word: &str, contact: ContactId) -> Self {
        Self::engine(words_of(account, word), format!("{word}#{}", ordered(contact.0)))
    }

    pub(crate) fn contact_reference(account: AccountId, reference: &str, contact: ContactId) -> Self {
        let (pk, prefix) = references_of(account, reference);
        Self::engine(pk, format!("{prefix}{}", ordered(contact.0)))
    }

    pub(crate) fn contact_opted_out(account: AccountId, contact: ContactId) -> Self {
        Self::engine(opted_out_of(account), ordered(contact.0))
    }

    pub(crate) fn member(account: AccountId, group: GroupId, contact: ContactId) -> Self {
        Self::engine(members_of(account, group), ordered(contact.0))
    }

    pub(crate) fn contact_counts(account: AccountId, part: u8) -> Self {
        Self::engine(format!("A#{account}#KN"), format!("{part:02}"))
    }

    pub(crate) fn group(account: AccountId, group: GroupId) -> Self {
        Self::business(of_account(account), format!("{GROUP}{}", ordered(group.0)))
    }

    /// Hashed: names are of any length.
    pub(crate) fn group_name(account: AccountId, name: &str) -> Self {
        Self::business(of_account(account), format!("GROUPNAME#{}", hex::encode(Sha256::digest(name))))
    }

    pub(crate) fn erasure(account: AccountId, erasure: ErasureId) -> Self {
        Self::business(erasures_of(account), ordered(erasure.0))
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
            Sequence::Uploads(account) => format!("UPLOADS#{account}"),
            Sequence::Exports(account) => format!("EXPORTS#{account}"),
            Sequence::Erasures(account) => format!("ERASURES#{account}"),
            Sequence::Orders(account) => format!("ORDERS#{account}"),
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
pub(crate) const GROUP: &str = "GROUP#";
pub(crate) const IMPORT: &str = "IMPORT#";
pub(crate) const UPLOAD: &str = "UPLOAD#";
pub(crate) const EXPORT: &str = "EXPORT#";
pub(crate) const OPEN: &str = "OPEN#";
/// Among these, the rows of campaigns.
/// How the sort keys of a campaign's chunks begin.
pub(crate) const CHUNKS: &str = "CHUNK#";
pub(crate) const OPEN_CAMPAIGN: &str = "OPEN#2#";
/// Begins as [`OPEN`] does and sorts behind the digits of all lanes: one query reads both.
pub(crate) const SCHEDULED: &str = "OPEN#HELD#";
pub(crate) const UNKNOWN: &str = "UNKNOWN#";
pub(crate) const KEY: &str = "K#";
pub(crate) const TEMPLATE: &str = "T#";
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

pub(crate) fn campaigns_of(account: AccountId) -> String {
    format!("A#{account}#C")
}

pub(crate) fn bulks_of(account: AccountId) -> String {
    format!("A#{account}#B")
}

pub(crate) fn of_campaign(account: AccountId, campaign: CampaignId) -> String {
    format!("A#{account}#C#{campaign}")
}

pub(crate) fn ledger_of(account: AccountId) -> String {
    format!("A#{account}#L")
}

pub(crate) fn contacts_of(account: AccountId) -> String {
    format!("A#{account}#K")
}

/// A partition for each two last digits, so that an import writes to many.
pub(crate) fn numbers_of(account: AccountId, backwards: &str) -> String {
    format!("A#{account}#KP#{}", &backwards[..backwards.len().min(2)])
}

/// A partition for each first character.
pub(crate) fn words_of(account: AccountId, word: &str) -> String {
    format!("A#{account}#KW#{}", word.chars().take(1).collect::<String>())
}

/// Where the contacts with a reference stand, and how their sort keys begin. Hashed: references are of any length.
pub(crate) fn references_of(account: AccountId, reference: &str) -> (String, String) {
    let hash = hex::encode(&Sha256::digest(reference)[..16]);
    (format!("A#{account}#KX#{}", &hash[..2]), format!("{hash}#"))
}

pub(crate) fn opted_out_of(account: AccountId) -> String {
    format!("A#{account}#KO")
}

pub(crate) fn members_of(account: AccountId, group: GroupId) -> String {
    format!("A#{account}#KG#{group}")
}

pub(crate) fn erasures_of(account: AccountId) -> String {
    format!("A#{account}#KE")
}

pub(crate) fn deliveries_of(account: AccountId) -> String {
    format!("A#{account}#W")
}

/// How the sort keys of the deliveries of all events about a message to an endpoint begin.
pub(crate) fn events_about(account: AccountId, endpoint: EndpointId, message: MessageId) -> String {
    format!("DLV#{endpoint}#msg_{account}_{message}_")
}

/// A number's digits, the last one first.
pub(crate) fn reversed(digits: &str) -> String {
    digits.chars().rev().collect()
}

pub(crate) fn orders_of(account: AccountId) -> String {
    format!("A#{account}#O")
}

pub(crate) fn files_of(account: AccountId) -> String {
    format!("A#{account}#F")
}

pub(crate) fn audit_of(account: AccountId) -> String {
    format!("A#{account}#T")
}

/// One of the partitions of an account that have a letter alone, or two.
pub(crate) fn part_of_account(account: AccountId, letters: &str) -> String {
    format!("A#{account}#{letters}")
}

pub(crate) fn of_device(account: AccountId, device: DeviceId) -> String {
    format!("A#{account}#D#{device}")
}

pub(crate) fn templates_of(account: AccountId) -> String {
    format!("A#{account}#T")
}

pub(crate) fn consents_of(account: AccountId) -> String {
    format!("A#{account}#S")
}

pub(crate) fn consent_list_of(account: AccountId) -> String {
    format!("A#{account}#SL")
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
