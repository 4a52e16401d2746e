//! Who agreed to be written to, and who did not.

use hantar_domain::consent::{Confirmation, Consent, Settings, Source, Standing};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The body of `POST consents`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConsentRequest {
    /// About whom, in any spelling.
    pub phone: String,
    /// `opted_in` or `opted_out`.
    pub status: String,
    /// Where and how they said so: "web form of 2026-11-20".
    pub note: Option<String>,
}

impl ConsentRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let request = Self {
            phone: fields.required_string("phone").unwrap_or_default(),
            status: fields.required_string("status").unwrap_or_default(),
            note: fields.string("note"),
        };
        (request, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// An entry of the ledger as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentBody {
    /// About whom.
    pub phone: String,
    /// What they said: `opted_in` or `opted_out`.
    pub status: &'static str,
    /// How it is known: `message`, `api` or `import`.
    pub source: &'static str,
    /// The message in which they said so.
    pub message_id: Option<u64>,
    /// The person of the account who told us.
    pub user_id: Option<u64>,
    /// Their own words, or where and how they said so.
    pub note: Option<String>,
    /// Whether it was not so before.
    pub changed: bool,
    /// When.
    pub at: String,
}

impl ConsentBody {
    /// As shown.
    pub fn new(entry: &Consent) -> Self {
        let (message_id, user_id) = match entry.source {
            Source::Message(message) => (Some(message.0), None),
            Source::Person(user) => (None, Some(user.0)),
            Source::Import => (None, None),
        };
        Self {
            phone: entry.phone.to_string(),
            status: entry.said.word(),
            source: entry.source.word(),
            message_id,
            user_id,
            note: entry.note.clone(),
            changed: entry.turned,
            at: time::text(entry.at),
        }
    }

    /// Its values in the order of [`COLUMNS`].
    fn values(&self) -> [String; 8] {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        [
            self.phone.clone(),
            self.status.to_owned(),
            self.source.to_owned(),
            number(self.message_id),
            number(self.user_id),
            self.note.clone().unwrap_or_default(),
            self.changed.to_string(),
            self.at.clone(),
        ]
    }
}

const COLUMNS: &str = "phone,status,source,message_id,user_id,note,changed,at\r\n";

/// All that is known of what one number said.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProofBody {
    /// About whom.
    pub phone: String,
    /// What counts now: `opted_in`, `opted_out`, or null where nothing was said.
    pub status: Option<&'static str>,
    /// Since when.
    pub since: Option<String>,
    /// Everything that was said, oldest first.
    pub entries: Vec<ConsentBody>,
    /// When this was asked for.
    pub shown_at: String,
}

impl ProofBody {
    /// As shown. `entries` are the newest first.
    pub fn new(phone: &PhoneNumber, standing: Option<&Standing>, entries: &[Consent], at: Timestamp) -> Self {
        Self {
            phone: phone.to_string(),
            status: standing.map(|standing| standing.said.word()),
            since: standing.map(|standing| time::text(standing.at)),
            entries: entries.iter().rev().map(ConsentBody::new).collect(),
            shown_at: time::text(at),
        }
    }

    /// The entries as CSV (RFC 4180), with a line of names.
    pub fn csv(&self) -> String {
        let quoted = |value: String| format!("\"{}\"", plain(value).replace('"', "\"\""));
        let lines = self.entries.iter().map(|entry| entry.values().map(quoted).join(",") + "\r\n");
        std::iter::once(COLUMNS.to_owned()).chain(lines).collect()
    }
}

/// Spreadsheets take some beginnings for a formula; what people wrote must not become one.
fn plain(value: String) -> String {
    let is_formula = value.starts_with(['=', '@', '\t', '\r'])
        || value.starts_with(['+', '-']) && !value[1..].bytes().all(|byte| byte.is_ascii_digit());
    if is_formula { format!("'{value}") } else { value }
}

/// The body of `PUT consents/settings`, with the types of its fields checked and nothing else: what is absent stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ConsentSettingsRequest {
    /// Words that count as "do not write to me", beside those that everybody has.
    pub stop_words: Option<Vec<String>>,
    /// Words that count as "write to me again", beside those that everybody has.
    pub start_words: Option<Vec<String>>,
    /// Whether somebody who opted out by a message is answered, once.
    pub confirm: Option<bool>,
    /// What they are answered; null for a text in the language of their word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub confirmation: Option<Option<String>>,
}

impl ConsentSettingsRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let request = Self {
            stop_words: fields.strings("stop_words"),
            start_words: fields.strings("start_words"),
            confirm: fields.boolean("confirm"),
            confirmation: values.contains_key("confirmation").then(|| fields.string("confirmation")),
        };
        (request, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What the account has decided about consent, as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentSettingsBody {
    /// Words that count as "do not write to me", beside those that everybody has.
    pub stop_words: Vec<String>,
    /// Words that count as "write to me again", beside those that everybody has.
    pub start_words: Vec<String>,
    /// Whether somebody who opted out by a message is answered, once.
    pub confirm: bool,
    /// What they are answered; null for a text in the language of their word.
    pub confirmation: Option<String>,
}

impl ConsentSettingsBody {
    /// As shown.
    pub fn new(settings: &Settings) -> Self {
        Self {
            stop_words: settings.stop_words.clone(),
            start_words: settings.start_words.clone(),
            confirm: settings.confirmation != Confirmation::Silence,
            confirmation: match &settings.confirmation {
                Confirmation::Text(text) => Some(text.clone()),
                Confirmation::Standard | Confirmation::Silence => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_is_no_formula_in_a_spreadsheet() {
        for (value, shown) in [
            ("STOP", "STOP"),
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-stop", "'-stop"),
            ("+60123456789", "+60123456789"),
            ("", ""),
        ] {
            assert_eq!(plain(value.to_owned()), shown, "{value}");
        }
    }
}
