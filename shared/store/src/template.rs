//! Templates.

use async_trait::async_trait;
use hantar_domain::ids::TemplateId;
use hantar_domain::template::Template;
use hantar_usecases::ports::{PortError, Templates};

use crate::tenant::TenantStore;

#[async_trait]
impl Templates for TenantStore {
    async fn template(&self, _: TemplateId) -> Result<Option<Template>, PortError> {
        Ok(None)
    }
}
