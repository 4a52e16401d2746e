//! Contacts from files.

use std::collections::BTreeMap;

use hantar_domain::file::FileFormat;
use hantar_domain::ids::GroupId;
use hantar_domain::import::{Encoding, Field, Import, MAX_CSV_BYTES, MAX_TEXT_CHARS, MAX_XLSX_BYTES, Plan, Separator};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::message::Reason;
use super::time;

/// The body of `POST contacts/import`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ImportRequest {
    /// What the file is called. Its ending says what it holds: `.csv`, `.tsv`, `.txt` or `.xlsx`.
    pub filename: String,
    /// How long the file is, in bytes; it has to be uploaded with exactly as many.
    pub size: u64,
    /// `csv` or `xlsx`, where the name does not say so.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "word")]
    #[schema(value_type = Option<String>)]
    pub format: Option<FileFormat>,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn word<S: serde::Serializer>(format: &Option<FileFormat>, serializer: S) -> Result<S::Ok, S::Error> {
    format.map(FileFormat::word).serialize(serializer)
}

impl ImportRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let filename = fields.required_string("filename").unwrap_or_default();
        if filename.chars().count() > MAX_TEXT_CHARS {
            fields.wrong("filename", &format!("must not be greater than {MAX_TEXT_CHARS} characters"));
        }
        let given = chosen(&mut fields, "format", FileFormat::from_word);
        let format = given.or_else(|| FileFormat::of_name(&filename));
        if format.is_none() && !filename.is_empty() && !fields.errors.names("format") {
            fields.wrong("filename", "must end in .csv, .tsv, .txt or .xlsx, or the format must be given");
        }
        let most = if format == Some(FileFormat::Xlsx) { MAX_XLSX_BYTES } else { MAX_CSV_BYTES };
        if values.get("size").is_none_or(Value::is_null) {
            fields.wrong("size", "is required");
        }
        let size = fields.number_within("size", 1, most).unwrap_or_default();
        (Self { filename, size, format }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The body of `POST contacts/import/{id}/start`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct StartRequest {
    /// What each column is read as: `{"Mobile No": "phone", "Plan": "attributes.plan"}`. Columns are named by their
    /// headers or by their numbers from 1 on, and are `phone`, `name`, `external_id`, `opted_out` (yes or no) or
    /// `attributes.` and a name. Columns that are not named are passed over. When absent, the headers say what columns are, and unknown ones are attributes.
    pub mapping: Option<BTreeMap<String, String>>,
    /// Whether the first row holds headers; true when absent.
    pub has_header: bool,
    /// `comma`, `semicolon` or `tab`; found out when absent.
    pub separator: Option<String>,
    /// `utf-8`, `utf-16` or `windows-1252`; found out when absent.
    pub encoding: Option<String>,
    /// Whether rows are only checked. Such an import can be started again.
    pub dry_run: bool,
    /// The group that the contacts are put into.
    pub contact_group_id: Option<u64>,
    /// Where the contacts agreed to be written to, if they did: "web form".
    pub opt_in_source: Option<String>,
}

impl StartRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, Option<Plan>, FieldErrors) {
        let mut fields = Fields::new(values);
        let mapping = fields.plain_map("mapping");
        let mapped = mapping.as_ref().map(|mapping| read_mapping(&mut fields, mapping));
        let separator = chosen(&mut fields, "separator", Separator::from_word);
        let encoding = chosen(&mut fields, "encoding", |word| Encoding::from_word(&word.to_ascii_lowercase()));
        let has_header = fields.boolean("has_header").unwrap_or(true);
        let dry_run = fields.boolean("dry_run").unwrap_or(false);
        let group = fields.number("contact_group_id");
        let source = fields.string("opt_in_source");
        if source.as_ref().is_some_and(|source| source.chars().count() > MAX_TEXT_CHARS) {
            fields.wrong("opt_in_source", &format!("must not be greater than {MAX_TEXT_CHARS} characters"));
        }
        let request = Self {
            mapping,
            has_header,
            separator: separator.map(|separator| separator.word().to_owned()),
            encoding: encoding.map(|encoding| encoding.word().to_owned()),
            dry_run,
            contact_group_id: group,
            opt_in_source: source.clone(),
        };
        let plan = fields.errors.is_empty().then(|| Plan {
            mapping: mapped,
            has_header,
            encoding,
            separator,
            dry_run,
            group: group.map(GroupId),
            opt_in_source: source,
        });
        (request, plan, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn read_mapping(fields: &mut Fields<'_>, mapping: &BTreeMap<String, String>) -> BTreeMap<String, Field> {
    let mut read = BTreeMap::new();
    for (column, word) in mapping {
        match Field::from_word(word) {
            Some(field) => {
                read.insert(column.clone(), field);
            }
            None => fields.not_selectable(&format!("mapping.{column}")),
        }
    }
    if !read.values().any(|field| *field == Field::Phone) && fields.errors.is_empty() {
        fields.wrong("mapping", "must name the column of the phone");
    }
    read
}

fn chosen<T>(fields: &mut Fields<'_>, field: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = fields.string(field).map(|word| read(&word))?;
    if value.is_none() {
        fields.not_selectable(field);
    }
    value
}

/// Where a file is put to, or fetched from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Address {
    /// `PUT` or `GET`.
    pub method: &'static str,
    /// Where. Whoever knows it may do so: keep it to yourself.
    pub url: String,
    /// Headers to send with it.
    pub headers: BTreeMap<String, String>,
    /// Until when it counts.
    pub expires_at: String,
}

/// An import as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportBody {
    /// Its number.
    pub id: u64,
    /// What the file is called.
    pub filename: String,
    /// `csv` or `xlsx`.
    pub format: &'static str,
    /// How long the file is, in bytes.
    pub size: u64,
    /// `waiting` for its file and its start, `running`, `completed` or `failed`.
    pub status: &'static str,
    /// Why it failed.
    pub status_reason: Option<Reason>,
    /// The row at which it failed, where there is one; the first one is 1.
    pub failed_row: Option<u64>,
    /// Whether rows are only checked.
    pub dry_run: bool,
    /// How much of the file was read, in hundredths.
    pub progress: u64,
    /// What became of the rows so far.
    pub rows: RowCounts,
    /// Where to upload the file, once, before the start; in the answer to `POST contacts/import`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<Address>,
    /// Where to fetch the rejected rows with their reasons, as CSV.
    pub rejected_rows: Option<Address>,
    /// When it was made.
    pub created_at: String,
    /// When it was started.
    pub started_at: Option<String>,
    /// When it was done or given up.
    pub finished_at: Option<String>,
    /// Until when its files are kept.
    pub kept_until: String,
}

/// What became of the rows of a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowCounts {
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

impl ImportBody {
    /// As shown at any time.
    pub fn new(import: &Import, rejected_rows: Option<Address>) -> Self {
        let failure = import.failure.as_ref();
        let rows = import.rows;
        Self {
            id: import.id.0,
            filename: import.filename.clone(),
            format: import.format.word(),
            size: import.size,
            status: import.stage.word(),
            status_reason: failure.map(|failure| Reason {
                code: failure.trouble.code().to_owned(),
                message: failure.trouble.to_string(),
            }),
            failed_row: failure.and_then(|failure| failure.row),
            dry_run: import.plan.as_ref().is_some_and(|plan| plan.dry_run),
            progress: import.percent(),
            rows: RowCounts {
                read: rows.read,
                created: rows.created,
                updated: rows.updated,
                checked: rows.checked,
                rejected: rows.rejected,
            },
            upload: None,
            rejected_rows,
            created_at: time::text(import.created_at),
            started_at: import.started_at.map(time::text),
            finished_at: import.finished_at.map(time::text),
            kept_until: time::text(import.kept_until),
        }
    }

    /// As shown where it is made.
    pub fn with_upload(import: &Import, upload: Address) -> Self {
        Self { upload: Some(upload), ..Self::new(import, None) }
    }
}
