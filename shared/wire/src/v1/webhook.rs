//! Subscribers' addresses.

use hantar_domain::reason::explain;
use hantar_domain::webhook::{Endpoint, SigningSecret};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::message::Reason;
use super::time;

/// The body of `POST webhooks`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookRequest {
    /// Where events are posted to.
    pub url: String,
    /// Names of events; `["*"]`, also when absent, for all.
    pub events: Vec<String>,
}

impl WebhookRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let url = fields.required_string("url").unwrap_or_default();
        let events = fields.strings("events").unwrap_or_else(|| vec!["*".to_owned()]);
        (Self { url, events }, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// The body of `PUT webhooks/{id}`: what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct WebhookChange {
    /// Where events are posted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Names of events; `["*"]` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// Whether events are posted to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Whether it gets another secret, which this answer shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_secret: Option<bool>,
}

impl WebhookChange {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let url = values.contains_key("url").then(|| fields.required_string("url").unwrap_or_default());
        let change = Self {
            url,
            events: fields.strings("events"),
            is_active: fields.boolean("is_active"),
            rotate_secret: fields.boolean("rotate_secret"),
        };
        (change, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// An endpoint as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookBody {
    /// Its number.
    pub id: u64,
    /// Where events are posted to.
    pub url: String,
    /// Names of events; `*` for all.
    pub events: Vec<&'static str>,
    /// What deliveries are signed with: shown when the endpoint is made or the secret rotated, and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Whether events are posted to it.
    pub is_active: bool,
    /// Why they are not.
    pub disabled_reason: Option<Reason>,
    /// When it was made.
    pub created_at: String,
}

impl WebhookBody {
    /// As shown at any time.
    pub fn new(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id.0,
            url: endpoint.url.clone(),
            events: endpoint.subscription.names(),
            secret: None,
            is_active: endpoint.disabled.is_none(),
            disabled_reason: endpoint
                .disabled
                .as_ref()
                .map(|code| Reason { code: code.clone(), message: explain(code) }),
            created_at: time::text(endpoint.created_at),
        }
    }

    /// As shown once, when its secret is made.
    pub fn with_secret(endpoint: &Endpoint, secret: &SigningSecret) -> Self {
        Self { secret: Some(secret.shown()), ..Self::new(endpoint) }
    }
}
