//! Messages: asked for, and shown.

use std::collections::BTreeMap;

use hantar_domain::bulk::{Bulk, MAX_ROWS};
use hantar_domain::media::{Kind, Media, Source};
use hantar_domain::message::{Direction, Message, State, Step};
use hantar_domain::reason::explain;
use hantar_domain::zone::Moment;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The body of `POST messages/send`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct SendRequest {
    /// To whom, in any spelling: `0123456789`, `+60 12-345 6789`.
    pub phone: String,
    /// What, at most 4096 characters. May hold merge fields: `Hi {{name}}`. Required unless a template is named or a file is
    /// sent, under which it stands then.
    pub body: String,
    /// A file to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaRequest>,
    /// The template whose text is sent, instead of a body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template_id: Option<u64>,
    /// The recipient's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The caller's own reference: stored and filterable, not a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether the recipient is kept as a contact; when absent, where a name or attributes are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_contact: Option<bool>,
    /// Plain values for further merge fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The device to send by; the default one when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<u64>,
    /// Not before this moment, in ISO 8601; without an offset, in the account's time zone.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "written")]
    #[schema(value_type = Option<String>)]
    pub scheduled_at: Option<Moment>,
}

/// A file to send with a message: a picture, a video, sound or a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct MediaRequest {
    /// Its address, asked when the message's turn comes: `https`, on the Internet, at most 3 redirects. This or `upload_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The number of a file that was uploaded by `POST uploads`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_id: Option<u64>,
    /// As what it is shown: `image` (JPEG, PNG, WebP), `video` (MP4, 3GP), `audio`, `voice` (OGG with Opus) or `document`. When
    /// absent, as what it is found to be.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none", serialize_with = "word")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Kind>,
    /// What a document is called; when absent, as the upload or the address is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
    /// The text under it, in place of `body`. None with sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
}

#[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn word<S: serde::Serializer>(kind: &Option<Kind>, serializer: S) -> Result<S::Ok, S::Error> {
    kind.map(Kind::word).serialize(serializer)
}

impl MediaRequest {
    fn of(fields: &mut Fields<'_>) -> Self {
        let word = fields.string("type");
        let kind = word.as_deref().and_then(Kind::from_word);
        if word.is_some() && kind.is_none() {
            fields.not_selectable("type");
        }
        match (fields.is_given("url"), fields.is_given("upload_id")) {
            (false, false) => fields.wrong("url", "is required when upload id is not present"),
            (true, true) => fields.wrong("url", "is prohibited when upload id is present"),
            _ => {}
        }
        Self {
            url: fields.string("url"),
            upload_id: fields.number("upload_id"),
            kind,
            filename: fields.string("filename"),
            caption: fields.string("caption"),
        }
    }
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
pub(super) fn written<S: serde::Serializer>(at: &Option<Moment>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(time::moment_text).serialize(serializer)
}

impl SendRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let request = Self::of(&mut fields, true);
        (request, fields.errors)
    }

    /// Reads a message by itself, in which something `must` stand, or a row of many, which may lack anything.
    fn of(fields: &mut Fields<'_>, must: bool) -> Self {
        let text = |fields: &mut Fields<'_>, field, must| {
            let text = if must { fields.required_string(field) } else { fields.string(field) };
            text.unwrap_or_default()
        };
        let body_must = must && !fields.is_given("template_id") && !fields.is_given("media");
        Self {
            phone: text(fields, "phone", must),
            body: text(fields, "body", body_must),
            media: fields.nested("media", MediaRequest::of),
            template_id: fields.number("template_id"),
            name: fields.string("name"),
            external_id: fields.string("external_id"),
            save_contact: fields.boolean("save_contact"),
            attributes: fields.plain_map("attributes").unwrap_or_default(),
            device: fields.number("device"),
            scheduled_at: fields.local_time("scheduled_at"),
        }
    }

    /// The bytes that an idempotency key stands for: the same for the same request in another spelling of its JSON.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The body of `POST messages/bulk`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct BulkRequest {
    /// 1 to 1000 messages.
    pub messages: Vec<SendRequest>,
}

impl BulkRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        if !fields.is_given("messages") {
            fields.wrong("messages", "is required");
        }
        let mut request = Self::default();
        let rows = fields.objects("messages", MAX_ROWS);
        let mut errors = fields.errors;
        if rows.as_ref().is_some_and(Vec::is_empty) {
            errors.add("messages", "The messages field must have at least 1 items.");
        }
        for (index, row) in rows.unwrap_or_default().into_iter().enumerate() {
            let mut fields = Fields::within(row, format!("messages.{index}."));
            request.messages.push(SendRequest::of(&mut fields, false));
            errors.append(fields.errors);
        }
        (request, errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What `POST messages/bulk` answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BulkBody {
    /// The messages that were accepted.
    pub queued: Vec<QueuedRow>,
    /// The rows that were not, and why.
    pub rejected: Vec<RejectedRow>,
    /// What was charged: one credit for each accepted message.
    pub credits_charged: i64,
    /// What may still be spent.
    pub balance: i64,
}

/// A row that became a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct QueuedRow {
    /// Its place in the request, from 0 on.
    pub index: usize,
    /// The message's number.
    pub id: u64,
    /// To whom.
    pub phone: String,
}

/// A row that did not.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RejectedRow {
    /// Its place in the request, from 0 on.
    pub index: usize,
    /// The number, as it was given where it is none.
    pub phone: String,
    /// Why, as a stable code.
    pub reason: &'static str,
    /// Why, in words.
    pub message: String,
}

impl BulkBody {
    /// As shown. `phones` are the rows' numbers, as given or as read.
    pub fn new(bulk: &Bulk, phones: &[String], balance: i64) -> Self {
        let phone = |index: usize| phones.get(index).cloned().unwrap_or_default();
        let queued: Vec<_> =
            bulk.queued().map(|(index, id)| QueuedRow { index, id: id.0, phone: phone(index) }).collect();
        let rejected = bulk.rejected.iter().map(|row| RejectedRow {
            index: row.index,
            phone: phone(row.index),
            reason: row.why.word(),
            message: match &row.field {
                Some(field) => format!("The text has no value for the merge field {field}."),
                None => row.why.explained().to_owned(),
            },
        });
        Self { rejected: rejected.collect(), credits_charged: bulk.credits, queued, balance }
    }
}

/// A message as shown.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageBody {
    /// Its number.
    pub id: u64,
    /// The device that sends or received it.
    pub device: u64,
    /// `outbound` or `inbound`.
    pub direction: &'static str,
    /// The other side's number; null when WhatsApp hides it.
    pub phone: Option<String>,
    /// The other side's hidden id, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lid: Option<String>,
    /// The recipient's name as given, or the name that the writer of an inbound message gave themselves.
    pub name: Option<String>,
    /// The text; with a file, what stands under it.
    pub body: String,
    /// The file that it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<MediaBody>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// `queued`, `held`, `dispatched`, `sent`, `delivered`, `read`, `played`, `failed`, `unknown` or `cancelled`.
    pub status: &'static str,
    /// Why it failed or waits.
    pub status_reason: Option<Reason>,
    /// Until when it waits, while held.
    pub held_until: Option<String>,
    /// When it was asked to be sent, while it waits for that.
    pub scheduled_at: Option<String>,
    /// What was paid for it.
    pub credits: i64,
    /// Whether that was given back.
    pub refunded: bool,
    /// `reply`, `single` or `campaign`.
    pub lane: &'static str,
    /// The campaign that it is a row of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<u64>,
    /// Accepted, or received, at.
    pub created_at: String,
    /// Last change.
    pub updated_at: String,
    /// When WhatsApp's server had it.
    pub sent_at: Option<String>,
    /// When it had reached the recipient's phone.
    pub delivered_at: Option<String>,
    /// When the recipient had opened it.
    pub read_at: Option<String>,
    /// When it failed.
    pub failed_at: Option<String>,
    /// All changes of state, oldest first; where one message is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<StepBody>>,
}

/// The file that a message carries.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MediaBody {
    /// As what it is shown; null when that is found out as it is sent.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
    /// Its address.
    pub url: Option<String>,
    /// The number of the uploaded file.
    pub upload_id: Option<u64>,
    /// What it is called.
    pub filename: Option<String>,
}

impl MediaBody {
    fn new(media: &Media) -> Self {
        let (url, upload_id) = match &media.source {
            Source::Url(url) => (Some(url.clone()), None),
            Source::Upload(id) => (None, Some(id.0)),
        };
        Self { kind: media.kind.map(Kind::word), url, upload_id, filename: media.filename.clone() }
    }
}

/// Why something is as it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reason {
    /// As a stable code.
    pub code: String,
    /// In words.
    pub message: String,
}

/// One change of state.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StepBody {
    /// Its place, from 0 on: the last part of the event's id.
    pub step: usize,
    /// The state entered.
    pub status: &'static str,
    /// When.
    pub at: String,
    /// Why, as a stable code.
    pub code: Option<String>,
}

impl MessageBody {
    /// As a list shows it.
    pub fn new(message: &Message) -> Self {
        let outbound = message.direction == Direction::Outbound;
        let first = |states: &[State]| {
            let step = message.history.iter().find(|step| states.contains(&step.state));
            step.map(|step| time::text(step.at))
        };
        // A receipt can be lost, so a later one says that the earlier states were passed, too.
        let sent = if outbound { first(&[State::Sent, State::Delivered, State::Read, State::Played]) } else { None };
        let held_until = message.held_until.filter(|_| message.state == State::Held).map(time::text);
        let scheduled = message.history.first().is_some_and(|step| step.code.as_deref() == Some("scheduled"));
        Self {
            id: message.id.0,
            device: message.device.0,
            direction: message.direction.word(),
            phone: message.phone.as_ref().map(ToString::to_string),
            lid: message.lid.clone(),
            name: message.name.clone(),
            body: message.body.clone(),
            media: message.media.as_ref().map(MediaBody::new),
            external_id: message.external_id.clone(),
            status: message.state.word(),
            status_reason: message.reason().map(|code| Reason { code: code.to_owned(), message: explain(code) }),
            scheduled_at: held_until.clone().filter(|_| scheduled),
            held_until,
            credits: message.credits,
            refunded: message.refunded,
            lane: message.lane.word(),
            campaign_id: message.campaign.map(|campaign| campaign.0),
            created_at: time::text(message.accepted_at),
            updated_at: time::text(message.updated_at),
            sent_at: sent,
            delivered_at: first(&[State::Delivered, State::Read, State::Played]),
            read_at: first(&[State::Read, State::Played]),
            failed_at: first(&[State::Failed]),
            history: None,
        }
    }

    /// As shown by itself: with its history.
    pub fn with_history(message: &Message) -> Self {
        Self { history: Some(message.history.iter().enumerate().map(StepBody::new).collect()), ..Self::new(message) }
    }
}

impl StepBody {
    fn new((index, step): (usize, &Step)) -> Self {
        Self { step: index, status: step.state.word(), at: time::text(step.at), code: step.code.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (SendRequest, FieldErrors) {
        SendRequest::read(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn the_same_request_in_another_spelling_has_the_same_canonical_form() {
        let one = read(
            r#"{"phone":"0123456789","body":"Hi","attributes":{"b":1,"a":"x"},"scheduled_at":"2026-11-20T18:04:13+08:00"}"#,
        );
        let two = read(
            r#"{ "attributes": {"a":"x", "b":"1"}, "scheduled_at": "2026-11-20T10:04:13Z", "body": "\u0048i", "name": null, "phone": "0123456789" }"#,
        );
        assert!(one.1.is_empty() && two.1.is_empty());
        assert_eq!(one.0.canonical(), two.0.canonical());
        assert_ne!(one.0.canonical(), read(r#"{"phone":"0123456789","body":"Ho"}"#).0.canonical());
    }

    #[test]
    fn every_wrong_field_is_named_at_once() {
        let (_, errors) =
            read(r#"{"phone":5,"device":"x","save_contact":"perhaps","media":{"type":"smell"},"scheduled_at":"soon"}"#);
        for field in ["phone", "device", "save_contact", "media.type", "media.url", "scheduled_at"] {
            assert!(errors.names(field), "{field}");
        }
    }
}
