//! Files to send, uploaded beforehand.

use hantar_domain::import::MAX_TEXT_CHARS;
use hantar_domain::media::{MAX_FILE_BYTES, Upload};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::import::Address;
use super::time;

/// The body of `POST uploads`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct UploadRequest {
    /// What the file is called. A recipient sees it where it is sent as a document.
    pub filename: String,
    /// How long the file is, in bytes; it has to be uploaded with exactly as many. At most 64 MiB.
    pub size: u64,
}

impl UploadRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let filename = fields.required_string("filename").unwrap_or_default();
        if filename.chars().count() > MAX_TEXT_CHARS {
            fields.wrong("filename", &format!("must not be greater than {MAX_TEXT_CHARS} characters"));
        }
        if !fields.is_given("size") {
            fields.wrong("size", "is required");
        }
        let size = fields.number_within("size", 1, MAX_FILE_BYTES).unwrap_or_default();
        (Self { filename, size }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A file as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct UploadBody {
    /// Its number, for `media.upload_id`.
    pub id: u64,
    /// What it is called.
    pub filename: String,
    /// How long it is, in bytes.
    pub size: u64,
    /// When it was announced.
    pub created_at: String,
    /// Until when it can be sent. As many messages as you like may carry it.
    pub kept_until: String,
    /// Where to put it, once.
    pub upload: Address,
}

impl UploadBody {
    /// As shown when it is announced.
    pub fn new(upload: &Upload, address: Address) -> Self {
        Self {
            id: upload.id.0,
            filename: upload.filename.clone(),
            size: upload.size,
            created_at: time::text(upload.created_at),
            kept_until: time::text(upload.kept_until),
            upload: address,
        }
    }
}
