//! An account's templates.

use async_trait::async_trait;
use hantar_domain::ids::TemplateId;
use hantar_domain::template::Template;

use super::PortError;

/// An account's templates.
#[async_trait]
pub trait Templates: Send + Sync {
    /// One template, strongly consistent.
    async fn template(&self, id: TemplateId) -> Result<Option<Template>, PortError>;
}
