//! Templates.

use hantar_domain::template::Template;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::error::FieldErrors;
use super::fields::Fields;
use super::time;

/// The body of `POST templates` and `PUT templates/{id}`, with the types of its fields checked and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TemplateRequest {
    /// What it is called. A new template must have one.
    pub name: Option<String>,
    /// What programs call it; made from the name when a new template has none.
    pub slug: Option<String>,
    /// The text, with merge fields: `Hi {{name}}`. A new template must have one.
    pub body: Option<String>,
    /// Whether it may be used for new messages; true unless told.
    pub is_active: Option<bool>,
    /// The approved template of Meta's that it stands for, by name; null takes the link away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub meta_template: Option<Option<String>>,
}

impl TemplateRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let request = Self {
            name: fields.filled_string("name"),
            slug: fields.string("slug"),
            body: fields.filled_string("body"),
            is_active: fields.boolean("is_active"),
            meta_template: values.contains_key("meta_template").then(|| fields.string("meta_template")),
        };
        (request, fields.errors)
    }

    /// The bytes that an idempotency key stands for.
    pub fn canonical(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A template as shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateBody {
    /// Its number.
    pub id: u64,
    /// What it is called.
    pub name: String,
    /// What programs call it. Unique in the account.
    pub slug: String,
    /// The text.
    pub body: String,
    /// The merge fields of the text, each once, in their order.
    pub fields: Vec<String>,
    /// Whether it may be used for new messages.
    pub is_active: bool,
    /// The approved template of Meta's that it stands for.
    pub meta_template: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Last change.
    pub updated_at: String,
}

impl TemplateBody {
    /// As shown.
    pub fn new(template: &Template) -> Self {
        Self {
            id: template.id.0,
            name: template.name.clone(),
            slug: template.slug.clone(),
            body: template.body.clone(),
            fields: template.fields(),
            is_active: template.is_active,
            meta_template: template.meta_template.clone(),
            created_at: time::text(template.created_at),
            updated_at: time::text(template.updated_at),
        }
    }
}

/// The body of `POST templates/{id}/preview`: for whom it is rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PreviewRequest {
    /// The recipient's number; its contact's name and attributes are used where there is one.
    pub phone: Option<String>,
    /// The recipient's name.
    pub name: Option<String>,
    /// Plain values for further merge fields.
    #[schema(value_type = std::collections::HashMap<String, String>)]
    pub attributes: std::collections::BTreeMap<String, String>,
}

impl PreviewRequest {
    /// Reads what can be read, and says what is wrong with the rest.
    pub fn read(values: &Map<String, Value>) -> (Self, FieldErrors) {
        let mut fields = Fields::new(values);
        let request = Self {
            phone: fields.string("phone"),
            name: fields.string("name"),
            attributes: fields.plain_map("attributes").unwrap_or_default(),
        };
        (request, fields.errors)
    }
}

/// A rendered template.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewBody {
    /// The text as it would be sent.
    pub text: String,
    /// The fields that have neither a value nor a default: empty in a single message, a rejected row in bulk and campaign.
    pub missing: Vec<String>,
}
