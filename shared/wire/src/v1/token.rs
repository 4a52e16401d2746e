//! API tokens.

use hantar_domain::time::Timestamp;
use hantar_domain::token::{ABILITIES, Abilities, Token};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 255;

/// The body of `POST tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenRequest {
    /// What you call it.
    pub name: String,
    /// What it may do; `["*"]`, also when absent, for all that you may.
    pub abilities: Vec<String>,
    /// When it ends; never when absent.
    pub expires_at: Option<String>,
    #[serde(skip)]
    #[schema(ignore)]
    ends: Option<Timestamp>,
}

impl TokenRequest {
    /// Reads what can be read, or says what is wrong with all of it.
    pub fn read(values: &Map<String, Value>, now: Timestamp) -> Result<Self, FieldErrors> {
        let mut fields = Fields::new(values);
        let name = fields.required_string("name").unwrap_or_default();
        if name.chars().count() > MAX_NAME_CHARS {
            fields.wrong("name", &format!("must not be greater than {MAX_NAME_CHARS} characters"));
        }
        let abilities = fields.strings("abilities").unwrap_or_else(|| vec!["*".to_owned()]);
        for (index, ability) in abilities.iter().enumerate() {
            if !ABILITIES.contains(&ability.as_str()) && ability != "gateway" {
                fields.not_selectable(&format!("abilities.{index}"));
            }
        }
        if abilities.is_empty() {
            fields.wrong("abilities", "must have at least 1 items");
        }
        let ends = fields.time("expires_at");
        if ends.is_some_and(|end| end <= now) {
            fields.wrong("expires_at", "must be a date after now");
        }
        let request = Self { name, abilities, expires_at: ends.map(time::text), ends };
        if fields.errors.is_empty() { Ok(request) } else { Err(fields.errors) }
    }

    /// When it ends.
    pub const fn ends(&self) -> Option<Timestamp> {
        self.ends
    }

    /// What it may do: the names were checked.
    pub fn abilities(&self) -> Abilities {
        Abilities::from_names(self.abilities.clone()).unwrap_or_else(|_| Abilities::none())
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A token as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenBody {
    /// Its number.
    pub id: u64,
    /// What its owner calls it.
    pub name: String,
    /// What it may do, as far as its owner may.
    pub abilities: Vec<String>,
    /// Whom it acts for.
    pub user_id: u64,
    /// The token itself: shown when it is made, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it was last used, to within an hour.
    pub last_used_at: Option<String>,
    /// When it ends.
    pub expires_at: Option<String>,
    /// When it was made.
    pub created_at: String,
}

impl TokenBody {
    /// As shown at any time.
    pub fn new(token: &Token) -> Self {
        Self {
            id: token.id.0,
            name: token.name.clone(),
            abilities: token.abilities.names().to_vec(),
            user_id: token.user.0,
            token: None,
            last_used_at: token.last_used_at.map(time::text),
            expires_at: token.expires_at.map(time::text),
            created_at: time::text(token.created_at),
        }
    }

    /// As shown once, when it is made.
    pub fn with_text(token: &Token, text: String) -> Self {
        Self { token: Some(text), ..Self::new(token) }
    }
}
