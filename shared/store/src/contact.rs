//! Contacts and their groups.

use async_trait::async_trait;
use hantar_domain::contact::Contact;
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{ContactDraft, Contacts, Members, PortError, Upserted};

use crate::tenant::TenantStore;

#[async_trait]
impl Contacts for TenantStore {
    async fn contact(&self, _: ContactId) -> Result<Option<Contact>, PortError> {
        Ok(None)
    }

    async fn contact_by_phone(&self, _: &PhoneNumber) -> Result<Option<Contact>, PortError> {
        Ok(None)
    }

    async fn contacts_by_id(&self, _: &[ContactId]) -> Result<Vec<Contact>, PortError> {
        Ok(Vec::new())
    }

    async fn contacts_by_phone(&self, _: &[PhoneNumber]) -> Result<Vec<Contact>, PortError> {
        Ok(Vec::new())
    }

    async fn mark_opted_out(&self, _: &PhoneNumber, _: bool, _: Timestamp) -> Result<(), PortError> {
        Ok(())
    }

    async fn upsert(&self, _: &[ContactDraft]) -> Result<Vec<Upserted>, PortError> {
        Err(PortError::Corrupt("contacts are not stored yet".into()))
    }

    async fn members(&self, _: GroupId, _: Option<ContactId>, _: usize) -> Result<Members, PortError> {
        Ok(Members::default())
    }
}
