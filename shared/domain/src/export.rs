//! What an account takes out as a file.

use crate::file::{FileFormat, Pieces, Stage};
use crate::ids::{AccountId, CampaignId, ExportId, GroupId};
use crate::time::Timestamp;

/// The most columns of values that a file gets; a contact's further ones stand together in the last.
pub const MAX_ATTRIBUTE_COLUMNS: usize = 250;
/// The most rows of a workbook below its header.
pub const MAX_SHEET_ROWS: u64 = 1_048_575;

/// What is taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// All contacts.
    Contacts,
    /// The contacts of a group.
    Group(GroupId),
    /// What became of a campaign's recipients.
    Campaign(CampaignId),
}

/// A file that is made of an account's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: ExportId,
    /// What is taken out.
    pub subject: Subject,
    /// As what.
    pub format: FileFormat,
    /// How far it is.
    pub stage: Stage,
    /// Why it was given up, as a stable code.
    pub failure: Option<String>,
    /// How far its making came.
    pub making: Making,
    /// How many rows it has so far, without the header.
    pub rows: u64,
    /// How long the file is, once it is there.
    pub size: Option<u64>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it was done or given up.
    pub finished_at: Option<Timestamp>,
    /// Until when the file can be fetched.
    pub kept_until: Timestamp,
    /// Raised with each write: a write by somebody who has not seen the last one is refused.
    pub version: u64,
}

/// How far the making of a file came: where the next step goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Making {
    /// The names of all attributes; `None` while they are looked for.
    pub columns: Option<Vec<String>>,
    /// Those found so far.
    pub found: Vec<String>,
    /// After which record the next step goes on.
    pub after: Option<String>,
    /// What is written so far.
    pub pieces: Pieces,
    /// Of a workbook: how long its sheet is so far, packed and unpacked, and the check sum of it.
    pub sheet: Sheet,
}

/// How far the sheet of a workbook is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Packed, in bytes.
    pub packed: u64,
    /// Unpacked, in bytes.
    pub unpacked: u64,
    /// CRC-32 of what is unpacked.
    pub check: u32,
}

impl Export {
    /// What whoever fetches the file saves it as.
    pub fn filename(&self) -> String {
        let what = match self.subject {
            Subject::Contacts => "contacts".to_owned(),
            Subject::Group(group) => format!("contacts-of-group-{group}"),
            Subject::Campaign(campaign) => format!("results-of-campaign-{campaign}"),
        };
        format!("{what}-{}.{}", self.id, self.format.word())
    }

    /// Whether the file can be fetched at `now`.
    pub fn is_there(&self, now: Timestamp) -> bool {
        self.stage == Stage::Completed && now < self.kept_until
    }
}
