//! Erasures: asked for, and shown as a proof.

use hantar_domain::erasure::Erasure;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The body of `POST contact-erasures`: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErasureRequest {
    /// The contact to be forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<u64>,
    /// The number of who is to be forgotten, contact or not, in any spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl ErasureRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let contact_id = fields.number("contact_id");
        let phone = fields.string("phone");
        if fields.errors.is_empty() && contact_id.is_none() && phone.is_none() {
            fields.wrong("phone", "is required when contact id is not present");
        }
        if contact_id.is_some() && phone.is_some() {
            fields.wrong("phone", "is prohibited when contact id is present");
        }
        (Self { contact_id, phone }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// An erasure as shown: names nobody.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErasureBody {
    /// Its number.
    pub id: u64,
    /// `running` or `done`.
    pub status: &'static str,
    /// SHA-256 of the person's number in E.164 with its plus sign, in hexadecimal digits.
    pub phone_sha256: String,
    /// The user who asked for it.
    pub requested_by: u64,
    /// When.
    pub requested_at: String,
    /// What was deleted.
    pub deleted: DeletedBody,
    /// When all was done.
    pub finished_at: Option<String>,
}

/// What an erasure deleted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeletedBody {
    /// The contact with its attributes and groups, if there was one.
    pub contact_id: Option<u64>,
    /// How many messages lost number, name and text.
    pub messages: u64,
    /// How many entries of campaigns' recipients lost number, name and attributes.
    pub recipients: u64,
}

impl ErasureBody {
    /// As shown.
    pub fn new(erasure: &Erasure) -> Self {
        Self {
            id: erasure.id.0,
            status: if erasure.finished_at.is_some() { "done" } else { "running" },
            phone_sha256: hex(&erasure.phone_hash),
            requested_by: erasure.requested_by.0,
            requested_at: time::text(erasure.requested_at),
            deleted: DeletedBody {
                contact_id: erasure.contact.map(|contact| contact.0),
                messages: erasure.messages,
                recipients: erasure.recipients,
            },
            finished_at: erasure.finished_at.map(time::text),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
