//! The consent ledger.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Consents, PortError};

use crate::tenant::TenantStore;

#[async_trait]
impl Consents for TenantStore {
    async fn suppressed(&self, _: &[PhoneNumber]) -> Result<BTreeSet<PhoneNumber>, PortError> {
        Ok(BTreeSet::new())
    }
}
