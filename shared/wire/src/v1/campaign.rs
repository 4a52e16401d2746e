//! Campaigns: asked for, and shown.

use std::collections::BTreeMap;

use hantar_domain::campaign::{Campaign, Counts, Fate, Figures, MAX_INLINE, Preview, Rejection, ResultRow};
use hantar_domain::message::State;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::reason::explain;
use hantar_domain::zone::Moment;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::message::Reason;
use super::time;

/// How many contacts one request may name.
const MAX_CONTACT_IDS: usize = 100_000;
/// How many devices one request may name.
const MAX_DEVICES: usize = 50;
/// The longest name of a recipient, in characters.
const MAX_NAME_CHARS: usize = 255;
/// After so many wrong recipients nobody reads on.
const MAX_WRONG: usize = 20;

/// The body of `POST campaigns` and of `POST campaigns/preview`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CampaignRequest {
    /// What it is called.
    pub name: String,
    /// The template that has the text; this or `body`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_template_id: Option<u64>,
    /// The text, at most 4096 characters. May hold merge fields: `Hi {{name}}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The group whose contacts are written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_group_id: Option<u64>,
    /// Contacts who are written to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contact_ids: Vec<u64>,
    /// Others who are written to, at most 10,000.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<RecipientRequest>,
    /// The devices that share the work; the default one when absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<u64>,
    /// One device alone: the same as a list of it.
    #[serde(skip_serializing)]
    pub device: Option<u64>,
    /// Not before this moment, in ISO 8601; without an offset in the account's time zone.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "super::message::written")]
    #[schema(value_type = Option<String>)]
    pub scheduled_at: Option<Moment>,
    /// How fast it may go, on top of the devices' own pace.
    pub pacing: PacingBody,
}

/// Somebody who is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecipientRequest {
    /// In any spelling.
    pub phone: String,
    /// What they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Plain values for further merge fields.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// A campaign's own pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PacingBody {
    /// How many messages may leave in a minute.
    pub per_minute: Option<u32>,
}

impl CampaignRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let recipients = recipients(&mut fields);
        let device = fields.number("device");
        let mut devices = fields.numbers("devices", MAX_DEVICES).unwrap_or_default();
        devices.extend(device.filter(|device| !devices.contains(device)));
        let pacing = pacing(&mut fields);
        let request = Self {
            name: fields.string("name").unwrap_or_default(),
            message_template_id: fields.number("message_template_id"),
            body: fields.string("body"),
            contact_group_id: fields.number("contact_group_id"),
            contact_ids: fields.numbers("contact_ids", MAX_CONTACT_IDS).unwrap_or_default(),
            recipients,
            devices,
            device,
            scheduled_at: fields.local_time("scheduled_at"),
            pacing,
        };
        (request, fields.errors)
    }

    /// The bytes that an idempotency key stands for: the same for the same request in another spelling of its JSON.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

fn recipients(fields: &mut Fields<'_>) -> Vec<RecipientRequest> {
    let entries = fields.list("recipients", MAX_INLINE).unwrap_or_default();
    let (mut recipients, mut wrong) = (Vec::with_capacity(entries.len()), 0);
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("recipients.{index}");
        let Value::Object(values) = entry else {
            fields.wrong(&path, "must be an object");
            wrong += 1;
            continue;
        };
        let mut of_entry = Fields::within(values, format!("{path}."));
        let recipient = RecipientRequest {
            phone: of_entry.required_string("phone").unwrap_or_default(),
            name: of_entry.string("name"),
            attributes: of_entry.plain_map("attributes").unwrap_or_default(),
        };
        if recipient.name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME_CHARS) {
            of_entry.wrong("name", &format!("must not be greater than {MAX_NAME_CHARS} characters"));
        }
        if !of_entry.errors.is_empty() {
            wrong += 1;
            fields.errors.append(of_entry.errors);
        }
        if wrong == MAX_WRONG {
            break;
        }
        recipients.push(recipient);
    }
    recipients
}

fn pacing(fields: &mut Fields<'_>) -> PacingBody {
    let Some(values) = fields.object("pacing") else { return PacingBody::default() };
    let mut pacing = Fields::within(values, "pacing.".to_owned());
    let per_minute = pacing.number_within("per_minute", 1, 10_000).and_then(|pace| u32::try_from(pace).ok());
    fields.errors.append(pacing.errors);
    PacingBody { per_minute }
}

/// A campaign as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignBody {
    /// Its number.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// `scheduled`, `running`, `paused`, `completed`, `cancelling`, `cancelled` or `failed`.
    pub status: &'static str,
    /// Why it is paused or failed, where it was not its owner.
    pub pause_reason: Option<Reason>,
    /// The template that its text was taken from.
    pub template: Option<TemplateName>,
    /// The text.
    pub body: String,
    /// The group whose contacts are written to.
    pub contact_group_id: Option<u64>,
    /// The devices that share the work.
    pub devices: Vec<u64>,
    /// How fast it may go, on top of the devices' own pace.
    pub pacing: PacingBody,
    /// Whether its recipients are still being looked for.
    pub expanding: bool,
    /// How many are written to; at most, while recipients are looked for.
    pub total: u64,
    /// Recipients per state.
    pub counts: CountsBody,
    /// Those who are not written to, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// How much is settled, in percent.
    pub progress: u64,
    /// When the last message will have left.
    pub eta: Option<String>,
    /// What was set aside for it, and what of that was given back because it was not needed.
    pub credits: HeldCredits,
    /// Not before.
    pub scheduled_at: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// When it last began to run.
    pub started_at: Option<String>,
    /// When it was over.
    pub ended_at: Option<String>,
    /// Last change of its status.
    pub updated_at: String,
}

/// A template, by its name when the campaign was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateName {
    /// Its number.
    pub id: u64,
    /// What it was called.
    pub name: String,
}

/// Credits set aside for a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldCredits {
    /// Set aside when it was made.
    pub held: i64,
    /// Given back because nobody needed them.
    pub released: i64,
}

/// Recipients per state. All but `rejected` sum up to the total.
#[derive(Debug, Serialize, ToSchema)]
pub struct CountsBody {
    /// No message yet.
    pub pending: u64,
    /// Waiting for their turn.
    pub queued: u64,
    /// Waiting for a time.
    pub held: u64,
    /// Given to WhatsApp, not answered.
    pub dispatched: u64,
    /// WhatsApp's server has it.
    pub sent: u64,
    /// On the recipient's phone.
    pub delivered: u64,
    /// Opened.
    pub read: u64,
    /// Played.
    pub played: u64,
    /// Refused.
    pub failed: u64,
    /// On the wire with no answer in time.
    pub unknown: u64,
    /// Taken back.
    pub cancelled: u64,
    /// Not written to.
    pub rejected: u64,
}

impl CampaignBody {
    /// As shown.
    pub fn new(campaign: &Campaign, counts: &Counts, figures: &Figures) -> Self {
        let of = |state| counts.of(&[state]);
        let progress = &campaign.progress;
        Self {
            id: campaign.id.0,
            name: campaign.name.clone(),
            status: campaign.status.word(),
            pause_reason: campaign.reason.as_ref().map(|code| Reason { code: code.clone(), message: explain(code) }),
            template: campaign.template.as_ref().map(|(id, name)| TemplateName { id: id.0, name: name.clone() }),
            body: campaign.body.clone(),
            contact_group_id: campaign.group.map(|group| group.0),
            devices: campaign.devices.iter().map(|device| device.0).collect(),
            pacing: PacingBody { per_minute: campaign.per_minute },
            expanding: campaign.status.is_active() && !progress.expanded,
            total: figures.total,
            counts: CountsBody {
                pending: figures.pending,
                queued: of(State::Queued),
                held: of(State::Held),
                dispatched: of(State::Dispatched),
                sent: of(State::Sent),
                delivered: of(State::Delivered),
                read: of(State::Read),
                played: of(State::Played),
                failed: of(State::Failed),
                unknown: of(State::Unknown),
                cancelled: of(State::Cancelled) + figures.never,
                rejected: progress.rejected_in_all(),
            },
            rejected: reasons(&progress.rejected),
            progress: figures.progress,
            eta: figures.eta.map(time::text),
            credits: HeldCredits { held: campaign.cost(progress.bound), released: campaign.cost(progress.released) },
            scheduled_at: campaign.scheduled_at.map(time::text),
            created_at: time::text(campaign.created_at),
            started_at: campaign.started_at.map(time::text),
            ended_at: campaign.ended_at.map(time::text),
            updated_at: time::text(campaign.updated_at),
        }
    }
}

/// Numbers of those who are not written to, under the words of the reasons.
fn reasons(rejected: &BTreeMap<Rejection, u64>) -> BTreeMap<&'static str, u64> {
    rejected.iter().map(|(reason, count)| (reason.word(), *count)).collect()
}

/// What a campaign would come to.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignPreviewBody {
    /// How many would be written to.
    pub recipients: u64,
    /// How many would not, by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Whether the numbers are estimated, because there are too many to be looked at one by one.
    pub estimated: bool,
    /// What it would cost.
    pub credits: i64,
    /// What is there.
    pub balance: i64,
    /// When the last message would leave; null where no device sends.
    pub eta: Option<String>,
    /// How it would read.
    pub samples: Vec<SampleBody>,
}

/// A text as one recipient would read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SampleBody {
    /// To whom.
    pub phone: String,
    /// What.
    pub body: String,
}

impl CampaignPreviewBody {
    /// As shown.
    pub fn new(preview: Preview) -> Self {
        let sample = |(phone, body): (PhoneNumber, String)| SampleBody { phone: phone.to_string(), body };
        Self {
            recipients: preview.recipients,
            rejected: reasons(&preview.rejected),
            estimated: preview.estimated,
            credits: preview.cost,
            balance: preview.balance,
            eta: preview.eta.map(time::text),
            samples: preview.samples.into_iter().map(sample).collect(),
        }
    }
}

/// Somebody whom a campaign was given, and what became of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResultBody {
    /// The number; as it was given, where it was rejected.
    pub phone: String,
    /// What they are called.
    pub name: Option<String>,
    /// A message's status, or `pending`, `cancelled` or `rejected`.
    pub status: &'static str,
    /// Why: a message's reason, or why they are not written to.
    pub reason: Option<String>,
    /// The merge field that has neither a value nor a default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The message to them.
    pub message_id: Option<u64>,
    /// The device that sends it.
    pub device: Option<u64>,
    /// Last change.
    pub updated_at: Option<String>,
}

impl ResultBody {
    /// As shown.
    pub fn new(row: ResultRow) -> Self {
        let ResultRow { phone, name, fate } = row;
        let bare = |status, reason, field| Self {
            phone: phone.clone(),
            name: name.clone(),
            status,
            reason,
            field,
            message_id: None,
            device: None,
            updated_at: None,
        };
        match fate {
            Fate::Message(message) => Self {
                message_id: Some(message.id.0),
                device: Some(message.device.0),
                updated_at: Some(time::text(message.updated_at)),
                ..bare(message.state.word(), message.reason().map(str::to_owned), None)
            },
            Fate::Waiting => bare("pending", None, None),
            Fate::Never => bare(State::Cancelled.word(), Some("campaign_cancelled".to_owned()), None),
            Fate::Rejected { reason, field } => bare("rejected", Some(reason.word().to_owned()), field),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: &Value) -> (CampaignRequest, Value) {
        let (request, errors) = CampaignRequest::read(value.as_object().unwrap());
        (request, serde_json::to_value(&errors).unwrap())
    }

    #[test]
    fn every_wrong_field_is_named_at_once_recipients_by_their_place() {
        let (_, errors) = read(&json!({
            "name": 5, "body": [], "contact_group_id": "x", "contact_ids": [1, "a"], "device": -1, "devices": {},
            "recipients": [{"phone": "1"}, 7, {"name": "Ali"}, {"phone": 5, "attributes": {"plan": {}}}],
            "scheduled_at": "soon", "pacing": {"per_minute": 0},
        }));
        for field in [
            "name",
            "body",
            "contact_group_id",
            "contact_ids.1",
            "device",
            "devices",
            "recipients.1",
            "recipients.2.phone",
            "recipients.3.phone",
            "recipients.3.attributes.plan",
            "scheduled_at",
            "pacing.per_minute",
        ] {
            assert!(errors.get(field).is_some(), "{field}: {errors}");
        }
        assert_eq!(errors["recipients.2.phone"], json!(["The recipients.2.phone field is required."]));
    }

    #[test]
    fn nobody_is_told_of_ten_thousand_wrong_recipients() {
        let wrong: Vec<Value> = (0..10_000).map(|number| json!({ "phone": number })).collect();
        let (_, errors) = read(&json!({ "recipients": wrong }));
        assert_eq!(errors.as_object().unwrap().len(), MAX_WRONG);
    }

    #[test]
    fn the_same_request_in_another_spelling_has_the_same_canonical_form() {
        let (one, _) = read(&json!({"name": "Sale", "body": "Hi", "device": "3", "recipients": [{"phone": "012"}]}));
        let (two, _) = read(
            &json!({"recipients": [{"name": null, "phone": "012"}], "devices": [3], "body": "Hi", "name": "Sale", "pacing": null}),
        );
        assert_eq!(one.canonical(), two.canonical());
    }
}
