//! A message as its sender asks for it, and everything that may be wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::account::Account;
use hantar_domain::bulk::{Kept, Rejection};
use hantar_domain::contact::Contact;
use hantar_domain::device::Device;
use hantar_domain::egress;
use hantar_domain::ids::{AccountId, DeviceId, MessageId, StanzaId, TemplateId, UploadId, UserId};
use hantar_domain::media::{Media, Source, Upload};
use hantar_domain::merge::{fields, render};
use hantar_domain::message::{Direction, Lane, MAX_BODY_CHARS, Message, State, Step};
use hantar_domain::phone::{PhoneError, PhoneNumber, Region};
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;
use hantar_domain::zone::Moment;

/// The longest name and reference, in characters.
pub const MAX_LABEL_CHARS: usize = 255;
/// How far ahead a message may be scheduled.
pub(crate) const MAX_AHEAD: Duration = Duration::from_hours(8784);

/// A message as its sender asks for it, not yet checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// To whom, in any spelling.
    pub phone: String,
    /// What; may hold merge fields. Empty where a template is named.
    pub body: String,
    /// The template whose text it is.
    pub template: Option<TemplateId>,
    /// The file that it carries, if its address may be called.
    pub media: Option<Result<Media, egress::Refusal>>,
    /// The recipient's name, for `{{name}}`.
    pub name: Option<String>,
    /// Values for further merge fields.
    pub attributes: Vec<(String, String)>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Whether the recipient is kept as a contact; when absent, where a name or an attribute is given.
    pub save_contact: Option<bool>,
    /// The person who sends, who must have a verified address; `None` for what the house sends by itself.
    pub sender: Option<UserId>,
    /// The device to send by; the default one when absent.
    pub device: Option<DeviceId>,
    /// Not before.
    pub scheduled_at: Option<Moment>,
    /// Whether it is a row of a campaign.
    pub campaign: bool,
    /// Whether it goes although the recipient asked not to be written to: the one answer to that.
    pub exempt: bool,
    /// The caller's idempotency key, and the bytes of the request that it stands for.
    pub idempotency: Option<(String, Vec<u8>)>,
}

/// What is wrong with a draft's field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is missing or empty.
    Required,
    /// Longer than this many characters.
    TooLong(usize),
    /// No number of the account's regions (named by the home region's adjective).
    Phone {
        /// Such as "Malaysian".
        adjective: String,
        /// More exactly.
        error: PhoneError,
    },
    /// The recipient asked not to be written to.
    OptedOut,
    /// There is no such device, or no default one.
    NoDevice,
    /// There is no such template, or it may not be used.
    NoTemplate,
    /// The file's address may not be called.
    Address(egress::Refusal),
    /// There is no such upload.
    NoUpload,
    /// The file is kept until then, and the message is due later.
    KeptUntil(Timestamp),
    /// WhatsApp shows no text with sound.
    TextWithSound,
    /// It and the named field exclude each other.
    Prohibited(&'static str),
    /// Too far ahead.
    TooFarAhead,
}

impl Problem {
    /// Why a row with this problem in `field` gets no message.
    pub fn rejection(&self, field: &str) -> Rejection {
        match self {
            Self::Required if field == "phone" => Rejection::InvalidPhone,
            Self::Required => Rejection::EmptyBody,
            Self::TooLong(_) => Rejection::TooLong,
            Self::Phone { .. } => Rejection::InvalidPhone,
            Self::OptedOut => Rejection::OptedOut,
            Self::NoDevice => Rejection::InvalidDevice,
            Self::NoTemplate | Self::Prohibited(_) => Rejection::InvalidTemplate,
            Self::TooFarAhead => Rejection::InvalidTime,
            Self::Address(_) | Self::NoUpload | Self::KeptUntil(_) | Self::TextWithSound => Rejection::InvalidMedia,
        }
    }
}

/// A field and its problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field's path in the request.
    pub field: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// What a draft is checked against.
pub(crate) struct Ground<'a> {
    pub(crate) account: &'a Account,
    /// The number that the draft's `phone` was read as.
    pub(crate) phone: &'a Result<PhoneNumber, Problem>,
    pub(crate) device: Option<&'a Device>,
    /// The template that the draft names.
    pub(crate) template: Option<&'a Template>,
    /// The upload that the draft names.
    pub(crate) upload: Option<&'a Upload>,
    /// Who has this number.
    pub(crate) contact: Option<&'a Contact>,
    /// Whether the recipient may be written to.
    pub(crate) open: bool,
    pub(crate) now: Timestamp,
}

/// A draft that nothing is wrong with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) phone: PhoneNumber,
    pub(crate) body: String,
    pub(crate) media: Option<Media>,
    /// Merge fields that have neither a value nor a default.
    pub(crate) missing: Vec<String>,
    pub(crate) due: Option<Timestamp>,
}

impl Draft {
    /// The number that it goes to.
    pub(crate) fn number(&self, account: &Account) -> Result<PhoneNumber, Problem> {
        if self.phone.trim().is_empty() {
            return Err(Problem::Required);
        }
        let adjective = || account.regions.first().copied().unwrap_or(Region::MALAYSIA).adjective();
        PhoneNumber::parse(&self.phone, &account.regions)
            .map_err(|error| Problem::Phone { adjective: adjective(), error })
    }

    /// Its text, with its merge fields. None where the template that it names is none.
    fn text<'a>(&'a self, template: Option<&'a Template>) -> &'a str {
        template.map_or(&self.body, |template| &template.body)
    }

    /// Whether who has the number is of any concern: they are to be kept, or the text asks for what only their contact
    /// says.
    pub(crate) fn needs_contact(&self, template: Option<&Template>) -> bool {
        self.keeps_contact()
            || fields(self.text(template)).iter().any(|field| field != "phone" && self.value(field).is_none())
    }

    /// Whether the recipient is kept as a contact.
    pub(crate) fn keeps_contact(&self) -> bool {
        self.save_contact.unwrap_or(self.name.is_some() || !self.attributes.is_empty())
    }

    /// What is kept of the recipient, if anything is.
    pub(crate) fn kept(&self) -> Option<Kept> {
        self.keeps_contact().then(|| Kept {
            external_id: self.external_id.clone().filter(|_| self.save_contact == Some(true)),
            attributes: self.attributes.iter().cloned().collect::<BTreeMap<_, _>>(),
        })
    }

    /// The value that it gives to a merge field.
    fn value(&self, field: &str) -> Option<String> {
        match field {
            "name" => self.name.clone(),
            "first_name" => self.name.as_ref().and_then(|name| name.split_whitespace().next()).map(str::to_owned),
            other => self.attributes.iter().find(|(key, _)| key == other).map(|(_, value)| value.clone()),
        }
    }

    /// All problems at once, in the order of the fields.
    pub(crate) fn check(&self, ground: &Ground<'_>) -> Result<Checked, Vec<FieldProblem>> {
        let mut problems = Vec::new();
        let mut found = |field, problem| problems.push(FieldProblem { field, problem });
        match ground.phone {
            Err(problem) => found("phone", problem.clone()),
            Ok(_) if !ground.open && !self.exempt => found("phone", Problem::OptedOut),
            Ok(_) => {}
        }
        let phone = ground.phone.as_ref().ok();
        let rendered = render(self.text(ground.template), |field| match field {
            "phone" => phone.map(ToString::to_string),
            other => self.value(other).or_else(|| ground.contact?.field(other)),
        });
        if let Some(problem) = self.body_problem(ground.template, &rendered.text) {
            found("body", problem);
        }
        if self.template.is_some() && ground.template.is_none_or(|template| !template.is_active) {
            found("template_id", Problem::NoTemplate);
        }
        let due = self.scheduled_at.map(|moment| moment.in_zone(&ground.account.time_zone));
        if let Some((field, problem)) = self.media_problem(ground.upload, due.unwrap_or(ground.now)) {
            found(field, problem);
        }
        for (field, label) in [("name", &self.name), ("external_id", &self.external_id)] {
            if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARS) {
                found(field, Problem::TooLong(MAX_LABEL_CHARS));
            }
        }
        if ground.device.is_none() {
            found("device", Problem::NoDevice);
        }
        if due.is_some_and(|due| due > ground.now + MAX_AHEAD) {
            found("scheduled_at", Problem::TooFarAhead);
        }
        match phone {
            Some(phone) if problems.is_empty() => {
                let media = self.file(ground.upload.map(|upload| upload.filename.clone()));
                Ok(Checked { phone: phone.clone(), body: rendered.text, media, missing: rendered.missing, due })
            }
            _ => Err(problems),
        }
    }

    fn body_problem(&self, template: Option<&Template>, rendered: &str) -> Option<Problem> {
        let text = self.text(template);
        let is_given = !self.body.trim().is_empty();
        match self.template {
            Some(_) if is_given => return Some(Problem::Prohibited("template_id")),
            Some(_) if template.is_none() => return None,
            _ => {}
        }
        match &self.media {
            Some(_) if text.trim().is_empty() => return None,
            Some(Ok(Media { kind: Some(kind), .. })) if !kind.takes_text() => return Some(Problem::TextWithSound),
            _ => {}
        }
        if text.trim().is_empty() {
            Some(Problem::Required)
        } else if rendered.chars().count() > MAX_BODY_CHARS || text.chars().count() > MAX_BODY_CHARS {
            Some(Problem::TooLong(MAX_BODY_CHARS))
        } else if rendered.trim().is_empty() {
            Some(Problem::Required)
        } else {
            None
        }
    }

    fn media_problem(&self, upload: Option<&Upload>, due: Timestamp) -> Option<(&'static str, Problem)> {
        match (self.media.as_ref()?, upload) {
            (Err(refusal), _) => Some(("media.url", Problem::Address(*refusal))),
            (Ok(Media { filename: Some(name), .. }), _) if name.chars().count() > MAX_LABEL_CHARS => {
                Some(("media.filename", Problem::TooLong(MAX_LABEL_CHARS)))
            }
            (Ok(Media { source: Source::Upload(_), .. }), None) => Some(("media.upload_id", Problem::NoUpload)),
            (Ok(Media { source: Source::Upload(_), .. }), Some(upload)) if upload.kept_until <= due => {
                Some(("media.upload_id", Problem::KeptUntil(upload.kept_until)))
            }
            (Ok(_), _) => None,
        }
    }

    /// The upload that it names.
    pub(crate) fn upload(&self) -> Option<UploadId> {
        match self.media.as_ref()?.as_ref().ok()?.source {
            Source::Upload(id) => Some(id),
            Source::Url(_) => None,
        }
    }

    /// The file of its message. An upload that nobody renamed is called as its owner called it.
    fn file(&self, upload: Option<String>) -> Option<Media> {
        let media = self.media.as_ref()?.as_ref().ok()?.clone();
        let filename = media.filename.or(upload);
        Some(Media { filename, ..media })
    }

    /// The message that a checked draft becomes.
    #[expect(clippy::too_many_arguments, reason = "each is known to its caller alone")]
    pub(crate) fn message(
        &self,
        account: AccountId,
        id: MessageId,
        device: &Device,
        checked: Checked,
        lane: Lane,
        credits: i64,
        at: Timestamp,
    ) -> Message {
        let held_until = checked.due.filter(|due| *due > at);
        let (state, code) =
            if held_until.is_some() { (State::Held, Some("scheduled".to_owned())) } else { (State::Queued, None) };
        Message {
            account,
            id,
            device: device.id,
            direction: Direction::Outbound,
            phone: Some(checked.phone),
            lid: None,
            name: self.name.clone(),
            body: checked.body,
            media: checked.media,
            attached: None,
            external_id: self.external_id.clone(),
            campaign: None,
            lane,
            stanza: StanzaId::for_message(&device.stanza_key, id),
            state,
            held_until,
            accepted_at: at,
            updated_at: at,
            credits,
            refunded: false,
            history: vec![Step { state, at, code }],
        }
    }
}
