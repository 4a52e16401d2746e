//! Contacts from a file: what to do with it, and how far that is.

mod columns;

use std::collections::BTreeMap;

pub use self::columns::{Columns, Field, Reject, Row};
use crate::file::{FileFormat, Pieces, Stage};
use crate::ids::{AccountId, GroupId, ImportId};
use crate::time::Timestamp;

/// The most rows of one file: what a spreadsheet holds below its header.
pub const MAX_ROWS: u64 = 1_048_575;
/// The largest file of rows, in bytes.
pub const MAX_CSV_BYTES: u64 = 512 * 1024 * 1024;
/// The largest workbook, in bytes: it is unpacked in memory.
pub const MAX_XLSX_BYTES: u64 = 48 * 1024 * 1024;
/// The longest names, references and file names, in characters.
pub const MAX_TEXT_CHARS: usize = 255;

/// How the texts of a file are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16, in the order of bytes that its mark says, or little end first.
    Utf16,
    /// Windows-1252.
    Windows1252,
}

/// What stands between the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
}

/// What to do with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What each column is read as, by its header or by its number from 1 on; columns that are not named are passed
    /// over. `None`: as the headers say.
    pub mapping: Option<BTreeMap<String, Field>>,
    /// Whether the first row holds headers.
    pub has_header: bool,
    /// How texts are written; `None`: as they look.
    pub encoding: Option<Encoding>,
    /// What stands between cells; `None`: what stands in the first row most often.
    pub separator: Option<Separator>,
    /// Whether rows are only checked.
    pub dry_run: bool,
    /// The group that the contacts are put into.
    pub group: Option<GroupId>,
    /// Where the contacts agreed to be written to, if they did.
    pub opt_in_source: Option<String>,
}

/// An import of contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: ImportId,
    /// What its owner calls the file.
    pub filename: String,
    /// What the file is.
    pub format: FileFormat,
    /// How long it is, in bytes.
    pub size: u64,
    /// How far it is.
    pub stage: Stage,
    /// Why it was given up.
    pub failure: Option<Failure>,
    /// What to do, once somebody said so.
    pub plan: Option<Plan>,
    /// How far the reading came.
    pub reading: Reading,
    /// What became of the rows so far.
    pub rows: Rows,
    /// When it was made.
    pub created_at: Timestamp,
    /// When somebody said what to do.
    pub started_at: Option<Timestamp>,
    /// When it was done or given up.
    pub finished_at: Option<Timestamp>,
    /// Until when its files are kept.
    pub kept_until: Timestamp,
    /// Raised with each write: a write by somebody who has not seen the last one is refused.
    pub version: u64,
}

/// How far the reading of a file came: where the next step goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How many bytes there are to read, once the file is ready to be read row by row.
    pub length: Option<u64>,
    /// Whether it had to be written anew for that.
    pub rewritten: bool,
    /// Where the next row begins.
    pub at: u64,
    /// How many rows were read, with the header and blank ones.
    pub lines: u64,
    /// The first of the contact numbers that are kept ready for the rows of the next step, so that a step done twice
    /// makes the same contacts.
    pub numbers: Option<u64>,
    /// The file of rejected rows.
    pub rejects: Pieces,
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Read, without the header and blank ones.
    pub read: u64,
    /// Contacts that were made.
    pub created: u64,
    /// Contacts that were there.
    pub updated: u64,
    /// Rows that nothing is wrong with, where rows are only checked.
    pub checked: u64,
    /// Rejected.
    pub rejected: u64,
}

/// Why an import was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong.
    pub trouble: Trouble,
    /// In which row, the first one being 1.
    pub row: Option<u64>,
}

/// What may be wrong with a file as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// There is none.
    #[error("The file was not uploaded. Make another import, and upload the file before you start it.")]
    NotUploaded,
    /// It is another one than was announced.
    #[error("The uploaded file is not as long as was said. Make another import with its right size.")]
    OtherSize,
    /// Nobody started it.
    #[error("The import was never started, and its file is no longer kept. Make another one.")]
    NeverStarted,
    /// It is no workbook.
    #[error("The file cannot be read as an XLSX workbook. Save it as one again, or as CSV.")]
    NoWorkbook,
    /// It would take too much room.
    #[error("The workbook is too large when it is unpacked. Save it as CSV, or in parts.")]
    TooLarge,
    /// There is nothing in it.
    #[error("The file holds no rows.")]
    Empty,
    /// No column holds numbers.
    #[error("No column is read as the phone number. Say which one is, by the mapping.")]
    NoPhoneColumn,
    /// The mapping names a column that is not there.
    #[error("The mapping names a column that the file does not have.")]
    UnknownColumn,
    /// A row goes on and on.
    #[error("A row is longer than 64 KiB. Perhaps a quotation mark is missing at the end of a cell.")]
    RowTooLong,
    /// There are too many rows.
    #[error("The file has more rows than one import takes (1,048,575). Import it in parts.")]
    TooManyRows,
    /// The group was deleted meanwhile.
    #[error("The group is gone.")]
    GroupGone,
}

impl Encoding {
    const ALL: [Self; 3] = [Self::Utf8, Self::Utf16, Self::Windows1252];

    /// As written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// Reads what [`Self::word`] writes.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.word() == word)
    }
}

impl Separator {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Comma, Self::Semicolon, Self::Tab];

    /// The character.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }

    /// As written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
        }
    }

    /// Reads what [`Self::word`] writes, or the character itself.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word || word.as_bytes() == [one.byte()])
    }
}

impl Trouble {
    const ALL: [Self; 11] = [
        Self::NotUploaded,
        Self::OtherSize,
        Self::NeverStarted,
        Self::NoWorkbook,
        Self::TooLarge,
        Self::Empty,
        Self::NoPhoneColumn,
        Self::UnknownColumn,
        Self::RowTooLong,
        Self::TooManyRows,
        Self::GroupGone,
    ];

    /// As a stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotUploaded => "not_uploaded",
            Self::OtherSize => "other_size",
            Self::NeverStarted => "never_started",
            Self::NoWorkbook => "no_workbook",
            Self::TooLarge => "too_large",
            Self::Empty => "empty",
            Self::NoPhoneColumn => "no_phone_column",
            Self::UnknownColumn => "unknown_column",
            Self::RowTooLong => "row_too_long",
            Self::TooManyRows => "too_many_rows",
            Self::GroupGone => "group_gone",
        }
    }

    /// Reads what [`Self::code`] writes.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trouble| trouble.code() == code)
    }
}

impl Import {
    /// Whether the file of rejected rows can be fetched at `now`.
    pub fn has_rejects(&self, now: Timestamp) -> bool {
        let over = matches!(self.stage, Stage::Completed | Stage::Failed);
        over && !self.reading.rejects.names.is_empty() && now < self.kept_until
    }

    /// Whether it may be started: it never was, or its rows were only checked.
    pub fn may_start(&self, now: Timestamp) -> bool {
        let only_checked = self.stage == Stage::Completed && self.plan.as_ref().is_some_and(|plan| plan.dry_run);
        (self.stage == Stage::Waiting || only_checked) && now < self.kept_until
    }

    /// How much of the file was read, in hundredths.
    pub fn percent(&self) -> u64 {
        match (self.stage, self.reading.length) {
            (Stage::Completed, _) => 100,
            (_, Some(length)) => (self.reading.at.saturating_mul(100) / length.max(1)).min(99),
            (_, None) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_codes_are_read_back() {
        for trouble in Trouble::ALL {
            assert_eq!(Trouble::from_code(trouble.code()), Some(trouble));
        }
        for encoding in Encoding::ALL {
            assert_eq!(Encoding::from_word(encoding.word()), Some(encoding));
        }
        for separator in Separator::ALL {
            assert_eq!(Separator::from_word(separator.word()), Some(separator));
        }
        assert_eq!(Separator::from_word(";"), Some(Separator::Semicolon));
    }
}
