//! Texts to send again and again.

use crate::ids::{AccountId, TemplateId};
use crate::time::Timestamp;

/// A text with merge fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: TemplateId,
    /// What it is called.
    pub name: String,
    /// What programs call it. Unique in the account.
    pub slug: String,
    /// The text.
    pub body: String,
    /// Whether it may be used for new messages.
    pub is_active: bool,
    /// The approved template of Meta's that it stands for, by name, if any.
    pub meta_template: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}
