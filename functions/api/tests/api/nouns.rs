//! What sending a message asks about its recipient in the small world: nobody is known there, and nobody opted out.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::consent::{Consent, Settings, Standing};
use hantar_domain::contact::Contact;
use hantar_domain::ids::{ContactId, DeviceId, GroupId, TemplateId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{
    ConsentPage, Consents, ContactDraft, Contacts, Deleted, Idempotency, Members, Noted, Peer, PortError,
    TemplateStored, Templates, Upserted,
};

use super::{Records, no_handler_calls_this};

#[async_trait]
impl Consents for Records {
    async fn suppressed(&self, _: &[PhoneNumber]) -> Result<BTreeSet<PhoneNumber>, PortError> {
        self.with(|_| BTreeSet::new())
    }

    async fn peer(&self, _: DeviceId, _: &PhoneNumber) -> Result<Peer, PortError> {
        self.with(|_| Peer::default())
    }

    async fn standing(&self, _: &PhoneNumber) -> Result<Option<Standing>, PortError> {
        no_handler_calls_this()
    }

    async fn note_consent(&self, _: &Consent, _: &str, _: Option<&Idempotency>) -> Result<Noted, PortError> {
        no_handler_calls_this()
    }

    async fn consents_of(&self, _: &PhoneNumber, _: usize) -> Result<Vec<Consent>, PortError> {
        no_handler_calls_this()
    }

    async fn consents(&self, _: Option<Timestamp>, _: usize) -> Result<ConsentPage, PortError> {
        no_handler_calls_this()
    }

    async fn consent_settings(&self) -> Result<Settings, PortError> {
        no_handler_calls_this()
    }

    async fn set_consent_settings(
        &self,
        _: &Settings,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<bool, PortError> {
        no_handler_calls_this()
    }
}

#[async_trait]
impl Contacts for Records {
    async fn contact(&self, _: ContactId) -> Result<Option<Contact>, PortError> {
        no_handler_calls_this()
    }

    async fn contact_by_phone(&self, _: &PhoneNumber) -> Result<Option<Contact>, PortError> {
        self.with(|_| None)
    }

    async fn contacts_by_id(&self, _: &[ContactId]) -> Result<Vec<Contact>, PortError> {
        no_handler_calls_this()
    }

    async fn contacts_by_phone(&self, _: &[PhoneNumber]) -> Result<Vec<Contact>, PortError> {
        no_handler_calls_this()
    }

    async fn mark_opted_out(&self, _: &PhoneNumber, _: bool, _: Timestamp) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn upsert(&self, _: &[ContactDraft]) -> Result<Vec<Upserted>, PortError> {
        self.with(|_| vec![])
    }

    async fn members(&self, _: GroupId, _: Option<ContactId>, _: usize) -> Result<Members, PortError> {
        no_handler_calls_this()
    }
}

#[async_trait]
impl Templates for Records {
    async fn template(&self, _: TemplateId) -> Result<Option<Template>, PortError> {
        self.with(|_| None)
    }

    async fn templates_by_id(&self, _: &[TemplateId]) -> Result<Vec<Template>, PortError> {
        no_handler_calls_this()
    }

    async fn all_templates(&self) -> Result<Vec<Template>, PortError> {
        no_handler_calls_this()
    }

    async fn add_template(&self, _: &Template, _: usize, _: Option<&Idempotency>) -> Result<TemplateStored, PortError> {
        no_handler_calls_this()
    }

    async fn change_template(
        &self,
        _: &Template,
        _: &Template,
        _: Option<&Idempotency>,
    ) -> Result<TemplateStored, PortError> {
        no_handler_calls_this()
    }

    async fn delete_template(
        &self,
        _: TemplateId,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Deleted, PortError> {
        no_handler_calls_this()
    }
}
