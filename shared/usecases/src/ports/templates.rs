//! An account's templates.

use async_trait::async_trait;
use hantar_domain::ids::TemplateId;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;

use super::{Deleted, Idempotency, PortError};

/// What became of storing a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TemplateStored {
    /// Stored now.
    Done,
    /// The idempotency key stood for this earlier one; nothing was written.
    Replayed(Box<Template>),
    /// Another template has this slug; nothing was written.
    SlugTaken,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
    /// The account has as many as it may have; nothing was written.
    Full,
    /// It is not as it was seen any more; nothing was written. Look at it again.
    Changed,
}

/// An account's templates.
#[async_trait]
pub trait Templates: Send + Sync {
    /// One template, strongly consistent.
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, PortError>;

    /// Several templates, strongly consistent, in no order; missing ones are left out.
    async fn templates_by_id(&self, ids: &[TemplateId]) -> Result<Vec<Template>, PortError>;

    /// All templates, by number.
    async fn all_templates(&self) -> Result<Vec<Template>, PortError>;

    /// Stores a new template, unless the account has `most` already. A repeat with the same number and no key answers
    /// [`TemplateStored::Done`].
    async fn add_template(
        &self,
        template: &Template,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<TemplateStored, PortError>;

    /// Makes `seen` into `template`, if it is still as it was seen.
    async fn change_template(
        &self,
        seen: &Template,
        template: &Template,
        idempotency: Option<&Idempotency>,
    ) -> Result<TemplateStored, PortError>;

    /// Deletes a template. Messages made of it stay as they are.
    async fn delete_template(
        &self,
        id: TemplateId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;
}
