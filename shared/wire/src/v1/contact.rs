//! Contacts: asked for, and shown.

use std::collections::BTreeMap;

use hantar_domain::contact::{
    Contact, ContactEdit, Edit, MAX_EXTERNAL_ID_CHARS, MAX_GROUPS_OF_CONTACT, MAX_NAME_CHARS, MAX_SOURCE_CHARS, OptIn,
};
use hantar_domain::ids::GroupId;
use hantar_domain::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// How many contacts are merged into one in a request.
const MAX_MERGED: usize = 20;

/// The body of `POST contacts`, with its fields checked as far as they can be by themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ContactRequest {
    /// The number, in any spelling: `0123456789`, `+60 12-345 6789`. Who has it is found by it.
    pub phone: String,
    /// What it is called, at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The caller's own reference, at most 255 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Plain values for merge fields. They are set; others stay.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Groups to put it into; it stays in others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_ids: Vec<u64>,
    /// Where they agreed to be written to: `web form`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_in_source: Option<String>,
    /// When they did, in ISO 8601; now when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub opted_in_at: Option<String>,
}

/// A contact as somebody gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactGiven {
    /// The request.
    pub request: ContactRequest,
    /// Where and when they agreed to be written to.
    pub opted_in: Option<OptIn>,
}

impl ContactGiven {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>, now: Timestamp) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let phone = fields.required_string("phone").unwrap_or_default();
        let name = fields.string_within("name", MAX_NAME_CHARS);
        let external_id = fields.string_within("external_id", MAX_EXTERNAL_ID_CHARS);
        let attributes = fields.plain_map("attributes").unwrap_or_default();
        let group_ids = fields.numbers("group_ids", MAX_GROUPS_OF_CONTACT).unwrap_or_default();
        let (source, at) = opt_in(&mut fields);
        let opted_in = source.clone().map(|source| OptIn { source, at: at.unwrap_or(now) });
        let opted_in_at = at.map(time::text);
        let request =
            ContactRequest { phone, name, external_id, attributes, group_ids, opt_in_source: source, opted_in_at };
        (Self { request, opted_in }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(&self.request).unwrap_or_default()
    }
}

/// Where and when somebody agreed: a time needs a place.
fn opt_in(fields: &mut Fields<'_>) -> (Option<String>, Option<Timestamp>) {
    let source = fields.string_within("opt_in_source", MAX_SOURCE_CHARS);
    let at = fields.time("opted_in_at");
    if at.is_some() && source.is_none() && !fields.errors.names("opt_in_source") {
        fields.wrong("opt_in_source", "is required when opted in at is present");
    }
    (source, at)
}

/// The body of `PUT contacts/{id}`: what is not there stays, what is empty or null is cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactChange {
    /// What changes about the contact.
    pub edit: ContactEdit,
    /// Its number, if given: it cannot be changed.
    pub phone: Option<String>,
    /// When they agreed, if given.
    pub opted_in_at: Option<Timestamp>,
}

/// The description of [`ContactChange`].
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described")]
pub struct ContactChangeRequest {
    name: Option<String>,
    external_id: Option<String>,
    /// All of its attributes: those that are not there are removed.
    attributes: Option<BTreeMap<String, String>>,
    opted_out: Option<bool>,
    opt_in_source: Option<String>,
    opted_in_at: Option<String>,
}

impl ContactChange {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>, now: Timestamp) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let phone = fields.string("phone");
        let name = fields.string_within("name", MAX_NAME_CHARS);
        let external_id = fields.string_within("external_id", MAX_EXTERNAL_ID_CHARS);
        let attributes = fields.plain_map("attributes").unwrap_or_default();
        let opted_out = fields.boolean("opted_out");
        let (source, at) = opt_in(&mut fields);
        let opted_in = source.map(|source| OptIn { source, at: at.unwrap_or(now) });
        let edit = ContactEdit {
            name: if fields.has("name") { Edit::To(name) } else { Edit::Keep },
            external_id: if fields.has("external_id") { Edit::To(external_id) } else { Edit::Keep },
            attributes: if fields.has("attributes") { Edit::To(attributes) } else { Edit::Keep },
            opted_in: if fields.has("opt_in_source") { Edit::To(opted_in) } else { Edit::Keep },
            opted_out: opted_out.map_or(Edit::Keep, Edit::To),
        };
        (Self { edit, phone, opted_in_at: at }, fields.errors)
    }

    /// The bytes that an idempotency key stands for, of a change of the contact `id`.
    pub fn canonical(&self, id: u64) -> Vec<u8> {
        let ContactEdit { name, external_id, attributes, opted_in, opted_out } = &self.edit;
        let source = |opted_in: &Option<OptIn>| opted_in.as_ref().map(|opted_in| opted_in.source.clone());
        let opted_in = (given(opted_in).into_iter().map(source).collect::<Vec<_>>(), self.opted_in_at.map(|at| at.0));
        let form =
            json!([id, given(name), given(external_id), given(attributes), opted_in, given(opted_out), self.phone]);
        serde_json::to_vec(&form).unwrap_or_default()
    }
}

/// What a field is changed to, as a list of one, so that "cleared" and "left alone" are two things.
fn given<T>(edit: &Edit<T>) -> Vec<&T> {
    match edit {
        Edit::Keep => Vec::new(),
        Edit::To(value) => vec![value],
    }
}

/// The body of `POST contacts/{id}/merge`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MergeRequest {
    /// The contacts that go, at most 20.
    pub contact_ids: Vec<u64>,
}

impl MergeRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let contact_ids = fields.required_numbers("contact_ids", MAX_MERGED).unwrap_or_default();
        (Self { contact_ids }, fields.errors)
    }

    /// The bytes that an idempotency key stands for, of a merge into the contact `id`.
    pub fn canonical(&self, id: u64) -> Vec<u8> {
        serde_json::to_vec(&(id, &self.contact_ids)).unwrap_or_default()
    }
}

/// A contact as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ContactBody {
    /// Its number.
    pub id: u64,
    /// The number that it is reached at.
    pub phone: String,
    /// What it is called.
    pub name: Option<String>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Values for merge fields.
    pub attributes: BTreeMap<String, String>,
    /// Whether it asked not to be written to.
    pub opted_out: bool,
    /// When it agreed to be written to, if anybody said so.
    pub opted_in_at: Option<String>,
    /// Where it did.
    pub opt_in_source: Option<String>,
    /// The groups that it is in; where one contact is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_ids: Option<Vec<u64>>,
    /// When it was made.
    pub created_at: String,
    /// Last change.
    pub updated_at: String,
}

impl ContactBody {
    /// As a list shows it.
    pub fn new(contact: &Contact) -> Self {
        Self {
            id: contact.id.0,
            phone: contact.phone.to_string(),
            name: contact.name.clone(),
            external_id: contact.external_id.clone(),
            attributes: contact.attributes.clone(),
            opted_out: contact.opted_out,
            opted_in_at: contact.opted_in.as_ref().map(|opted_in| time::text(opted_in.at)),
            opt_in_source: contact.opted_in.as_ref().map(|opted_in| opted_in.source.clone()),
            group_ids: None,
            created_at: time::text(contact.created_at),
            updated_at: time::text(contact.updated_at),
        }
    }

    /// As shown by itself: with its groups.
    pub fn with_groups(contact: &Contact, groups: &[GroupId]) -> Self {
        Self { group_ids: Some(groups.iter().map(|group| group.0).collect()), ..Self::new(contact) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_169_053_000_000);

    fn values(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let long = "x".repeat(256);
        let text = format!(
            r#"{{"name":"{long}","external_id":5,"attributes":[],"group_ids":["x",1],"opt_in_source":"{long}","opted_in_at":"soon"}}"#
        );
        let (_, errors) = ContactGiven::read(&values(&text), NOW);
        for field in ["phone", "name", "external_id", "attributes", "group_ids.0", "opt_in_source", "opted_in_at"] {
            assert!(errors.names(field), "{field}");
        }
        let (_, errors) = ContactGiven::read(&values(r#"{"phone":"1","opted_in_at":"2026-11-20"}"#), NOW);
        assert!(errors.names("opt_in_source"));
    }

    #[test]
    fn an_opt_in_without_a_time_is_of_now_and_the_request_the_same_later() {
        let read = |now| ContactGiven::read(&values(r#"{"phone":"1","opt_in_source":"form"}"#), now).0;
        assert_eq!(read(NOW).opted_in, Some(OptIn { source: "form".into(), at: NOW }));
        assert_eq!(read(NOW).canonical(), read(Timestamp(5)).canonical());
    }

    #[test]
    fn a_change_clears_what_is_empty_and_keeps_what_is_not_there() {
        let (change, errors) =
            ContactChange::read(&values(r#"{"name":null,"external_id":"","attributes":{"a":1}}"#), NOW);
        assert!(errors.is_empty());
        assert_eq!((change.edit.name, change.edit.external_id), (Edit::To(None), Edit::To(None)));
        assert_eq!(change.edit.attributes, Edit::To([("a".to_owned(), "1".to_owned())].into()));
        assert_eq!(change.edit.opted_in, Edit::Keep);
        let canonical = |text: &str| ContactChange::read(&values(text), NOW).0.canonical(1);
        let all = [r#"{"name":null}"#, "{}", r#"{"name":"a"}"#, r#"{"external_id":"a"}"#].map(canonical);
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
    }
}
