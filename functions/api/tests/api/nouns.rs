//! What sending a message asks about its recipient in the small world: nobody is known there, and nobody opted out.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::consent::{Consent, Settings, Standing};
use hantar_domain::contact::{Contact, ContactEdit, Group};
use hantar_domain::erasure::Erasure;
use hantar_domain::ids::{ContactId, DeviceId, ErasureId, GroupId, MessageId, TemplateId};
use hantar_domain::message::Message;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::template::Template;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{
    ConsentPage, Consents, ContactCounts, ContactDraft, ContactFilter, ContactPage, Contacts, Created, Deleted, Edited,
    Erasing, Erasures, Groups, Idempotency, Members, Moved, Named, Noted, Peer, PersonMessages, PortError, Saved,
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

    async fn save(&self, _: &ContactDraft, _: &Idempotency) -> Result<Saved, PortError> {
        no_handler_calls_this()
    }

    async fn edit(
        &self,
        _: ContactId,
        _: &ContactEdit,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Edited, PortError> {
        no_handler_calls_this()
    }

    async fn delete_contact(&self, _: ContactId, _: Option<&Idempotency>, _: Timestamp) -> Result<Deleted, PortError> {
        no_handler_calls_this()
    }

    async fn merge(
        &self,
        _: ContactId,
        _: &[ContactId],
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Edited, PortError> {
        no_handler_calls_this()
    }

    async fn list_contacts(
        &self,
        _: &ContactFilter,
        _: Option<&str>,
        _: usize,
        _: usize,
    ) -> Result<ContactPage, PortError> {
        no_handler_calls_this()
    }

    async fn contact_counts(&self) -> Result<ContactCounts, PortError> {
        no_handler_calls_this()
    }

    async fn groups_of(&self, _: ContactId) -> Result<Vec<GroupId>, PortError> {
        no_handler_calls_this()
    }

    async fn members(&self, _: GroupId, _: Option<ContactId>, _: usize) -> Result<Members, PortError> {
        no_handler_calls_this()
    }
}

#[async_trait]
impl Groups for Records {
    async fn groups(&self) -> Result<Vec<Group>, PortError> {
        no_handler_calls_this()
    }

    async fn group(&self, _: GroupId) -> Result<Option<Group>, PortError> {
        no_handler_calls_this()
    }

    async fn add_group(&self, _: &Group, _: usize, _: Option<&Idempotency>) -> Result<Named, PortError> {
        no_handler_calls_this()
    }

    async fn rename_group(
        &self,
        _: GroupId,
        _: &str,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Named, PortError> {
        no_handler_calls_this()
    }

    async fn delete_group(&self, _: GroupId, _: Option<&Idempotency>, _: Timestamp) -> Result<Deleted, PortError> {
        no_handler_calls_this()
    }

    async fn move_contacts(
        &self,
        _: GroupId,
        _: &[ContactId],
        _: bool,
        _: Option<&Idempotency>,
        _: Timestamp,
    ) -> Result<Moved, PortError> {
        no_handler_calls_this()
    }

    async fn clear_group(&self, _: GroupId, _: Timestamp) -> Result<bool, PortError> {
        no_handler_calls_this()
    }
}

#[async_trait]
impl Erasures for Records {
    async fn erasure_under(&self, _: &Idempotency, _: Timestamp) -> Result<Option<Created<Erasure>>, PortError> {
        no_handler_calls_this()
    }

    async fn add_erasure(
        &self,
        _: &Erasure,
        _: &PhoneNumber,
        _: Option<&Idempotency>,
    ) -> Result<Created<Erasure>, PortError> {
        no_handler_calls_this()
    }

    async fn erasure(&self, _: ErasureId) -> Result<Option<Erasure>, PortError> {
        no_handler_calls_this()
    }

    async fn erasures(&self, _: Option<ErasureId>, _: usize) -> Result<Vec<Erasure>, PortError> {
        no_handler_calls_this()
    }

    async fn erasing(&self, _: ErasureId) -> Result<Option<Erasing>, PortError> {
        no_handler_calls_this()
    }

    async fn note_erasing(&self, _: &Erasing) -> Result<bool, PortError> {
        no_handler_calls_this()
    }

    async fn messages_of_person(
        &self,
        _: &PhoneNumber,
        _: ErasureId,
        _: Option<MessageId>,
    ) -> Result<PersonMessages, PortError> {
        no_handler_calls_this()
    }

    async fn blank_message(&self, _: &Message, _: ErasureId) -> Result<(), PortError> {
        no_handler_calls_this()
    }

    async fn forget_peer(&self, _: &PhoneNumber) -> Result<(), PortError> {
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
