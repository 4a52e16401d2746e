//! An account's contacts and their groups.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hantar_domain::contact::{Contact, OptIn};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use super::PortError;

/// A contact as somebody gives it: what is absent is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactDraft {
    /// Its number if there is none with this phone yet.
    pub id: ContactId,
    /// The number that it is reached at: what it is found by.
    pub phone: PhoneNumber,
    /// What it is called.
    pub name: Option<String>,
    /// The caller's own reference.
    pub external_id: Option<String>,
    /// Attributes to set; others stay.
    pub attributes: BTreeMap<String, String>,
    /// Groups to put it into; it stays in others.
    pub groups: Vec<GroupId>,
    /// That it agreed to be written to.
    pub opted_in: Option<OptIn>,
    /// When this is.
    pub at: Timestamp,
}

/// What became of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upserted {
    /// There was none with this phone.
    Created(Contact),
    /// There was one, and this is it now.
    Updated(Contact),
}

/// A part of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// In order of their numbers.
    pub contacts: Vec<Contact>,
    /// Where to go on: after this one. `None` at the end.
    pub next: Option<ContactId>,
}

/// An account's contacts and their groups.
#[async_trait]
pub trait Contacts: Send + Sync {
    /// One contact, strongly consistent.
    async fn contact(&self, id: ContactId) -> Result<Option<Contact>, PortError>;

    /// The contact with this number, strongly consistent.
    async fn contact_by_phone(&self, phone: &PhoneNumber) -> Result<Option<Contact>, PortError>;

    /// Several contacts, in the order asked for; missing ones are left out.
    async fn contacts_by_id(&self, ids: &[ContactId]) -> Result<Vec<Contact>, PortError>;

    /// The contacts with these numbers, in no order; missing ones are left out. Strongly consistent.
    async fn contacts_by_phone(&self, phones: &[PhoneNumber]) -> Result<Vec<Contact>, PortError>;

    /// Notes on the contact with this number, if there is one, whether it asked not to be written to. The consent ledger
    /// is what counts; this is for lists. Repeatable.
    async fn mark_opted_out(&self, phone: &PhoneNumber, opted_out: bool, at: Timestamp) -> Result<(), PortError>;

    /// Makes or changes contacts, each by itself; one answer for each, in order. Of several with one phone in a call the
    /// later ones change what the earlier ones made. A repeat changes nothing more.
    async fn upsert(&self, drafts: &[ContactDraft]) -> Result<Vec<Upserted>, PortError>;

    /// A part of a group: at most `limit` contacts behind `after`.
    async fn members(&self, group: GroupId, after: Option<ContactId>, limit: usize) -> Result<Members, PortError>;
}
