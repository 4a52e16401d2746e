//! Groups of contacts: asked for, and shown.

use hantar_domain::contact::{Group, MAX_GROUP_NAME_CHARS};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// How many contacts one request puts into a group or takes out of it.
const MAX_MOVED: usize = 1_000;

/// The body of `POST contact-groups` and `PUT contact-groups/{id}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct GroupRequest {
    /// What it is called, at most 255 characters. Unique in the account.
    pub name: String,
}

impl GroupRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let name = fields.required_string("name").unwrap_or_default();
        let name = name.trim();
        if !fields.errors.names("name") && name.is_empty() {
            fields.wrong("name", "is required");
        }
        if name.chars().count() > MAX_GROUP_NAME_CHARS {
            fields.wrong("name", &format!("must not be greater than {MAX_GROUP_NAME_CHARS} characters"));
        }
        (Self { name: name.to_owned() }, fields.errors)
    }

    /// The bytes that an idempotency key stands for, where the group `id` is renamed, or one is made.
    pub fn canonical(&self, id: Option<u64>) -> Vec<u8> {
        serde_json::to_vec(&(id, &self.name)).unwrap_or_default()
    }
}

/// The body of `POST` and `DELETE contact-groups/{id}/contacts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MembersRequest {
    /// The contacts, at most 1,000.
    pub contact_ids: Vec<u64>,
}

impl MembersRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let contact_ids = fields.required_numbers("contact_ids", MAX_MOVED).unwrap_or_default();
        (Self { contact_ids }, fields.errors)
    }

    /// The bytes that an idempotency key stands for, of contacts that go into the group `id`, or out of it.
    pub fn canonical(&self, id: u64, into: bool) -> Vec<u8> {
        serde_json::to_vec(&(id, into, &self.contact_ids)).unwrap_or_default()
    }
}

/// A group as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GroupBody {
    /// Its number.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// How many contacts are in it.
    pub contacts_count: u64,
    /// When it was made.
    pub created_at: String,
}

impl GroupBody {
    /// As shown, with so many contacts.
    pub fn new(group: &Group, contacts_count: u64) -> Self {
        Self { id: group.id.0, name: group.name.clone(), contacts_count, created_at: time::text(group.created_at) }
    }
}
