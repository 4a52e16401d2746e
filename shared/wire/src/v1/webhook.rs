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

/// An endpoint as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookBody {
    /// Its number.
    pub id: u64,
    /// Where events are posted to.
    pub url: String,
    /// Names of events; `*` for all.
    pub events: Vec<&'static str>,
    /// What deliveries are signed with: shown when the endpoint is made, and never again.
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

    /// As shown once, when it is made.
    pub fn with_secret(endpoint: &Endpoint, secret: &SigningSecret) -> Self {
        Self { secret: Some(secret.shown()), ..Self::new(endpoint) }
    }
}
