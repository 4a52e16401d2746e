//! An account's contacts and their groups.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hantar_domain::contact::search::Search;
use hantar_domain::contact::{Contact, ContactEdit, OptIn};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;

use super::{Deleted, Erasures, Groups, Idempotency, PortError};

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

/// What became of a draft under an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It was made or changed, now or by an earlier run of the same request.
    Done(Upserted),
    /// The idempotency key stands for another request, or for a contact that is gone; nothing was written.
    KeyReused,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edited {
    /// This is the contact now.
    Done(Box<Contact>),
    /// There is no such contact.
    Missing,
    /// It would hold more attributes than it may; nothing was written.
    TooMuch,
    /// The idempotency key stands for another request; nothing was written.
    KeyReused,
}

/// Which contacts a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactFilter {
    /// Found by this.
    pub search: Option<Search>,
    /// With this reference of the caller's.
    pub external_id: Option<String>,
    /// In this group.
    pub group: Option<GroupId>,
    /// Who asked not to be written to, or who did not.
    pub opted_out: Option<bool>,
}

/// A part of a list. What is found by a word is in order of the words, all else newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactPage {
    /// The contacts. May be fewer than asked for although more follow: the work of one call is bounded.
    pub contacts: Vec<Contact>,
    /// How many of those to be passed over were passed over.
    pub skipped: usize,
    /// Where to go on; `None` at the end. Only this port reads it, and for the same filter.
    pub next: Option<String>,
}

/// How many contacts there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContactCounts {
    /// In all.
    pub all: u64,
    /// Who asked not to be written to.
    pub opted_out: u64,
    /// In each group that has any.
    pub groups: BTreeMap<GroupId, u64>,
}

/// An account's contacts and their groups.
#[async_trait]
pub trait Contacts: Groups + Erasures + Send + Sync {
    /// One contact, strongly consistent.
    async fn contact(&self, id: ContactId) -> Result<Option<Contact>, PortError>;

    /// The contact with this number, strongly consistent.
    async fn contact_by_phone(&self, phone: &PhoneNumber) -> Result<Option<Contact>, PortError>;

    /// Several contacts, in the order asked for; missing ones are left out.
    async fn contacts_by_id(&self, ids: &[ContactId]) -> Result<Vec<Contact>, PortError>;

    /// The contacts with these numbers, in no order; missing ones are left out. Strongly consistent.
    async fn contacts_by_phone(&self, phones: &[PhoneNumber]) -> Result<Vec<Contact>, PortError>;

    /// Makes or changes contacts, each by itself; one answer for each, in order. Of several with one phone in a call the
    /// later ones change what the earlier ones made. A repeat changes nothing more.
    ///
    /// A draft with which a contact would hold more than it may ([`hantar_domain::contact::fits`]) changes nothing of it:
    /// the answer shows the contact as it is, without the draft's attributes. Groups that do not exist, and those beyond
    /// [`hantar_domain::contact::MAX_GROUPS_OF_CONTACT`], are passed over.
    async fn upsert(&self, drafts: &[ContactDraft]) -> Result<Vec<Upserted>, PortError>;

    /// The same for one draft under an idempotency key: a repeat answers whether the first one made or changed it, and
    /// shows the contact as it is now.
    async fn save(&self, draft: &ContactDraft, idempotency: &Idempotency) -> Result<Saved, PortError>;

    /// Changes a contact. A repeat under the same key changes nothing more.
    async fn edit(
        &self,
        id: ContactId,
        edit: &ContactEdit,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Edited, PortError>;

    /// Notes on the contact with this number, if there is one, whether it asked not to be written to. The consent ledger
    /// is what counts; this is for lists. Repeatable.
    async fn mark_opted_out(&self, phone: &PhoneNumber, opted_out: bool, at: Timestamp) -> Result<(), PortError>;

    /// Deletes a contact for good, and takes it out of its groups; its messages stay.
    async fn delete_contact(
        &self,
        id: ContactId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError>;

    /// Gives a contact what it lacks of others, and their groups, and deletes them. After a failure some may be left, and a
    /// repeat goes on. Others that are not there are passed over.
    async fn merge(
        &self,
        into: ContactId,
        others: &[ContactId],
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Edited, PortError>;

    /// A part of a list: at most `limit` contacts behind `after` (a [`ContactPage::next`]), after passing over `skip`.
    async fn list_contacts(
        &self,
        filter: &ContactFilter,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<ContactPage, PortError>;

    /// How many there are, exactly.
    async fn contact_counts(&self) -> Result<ContactCounts, PortError>;

    /// The groups of a contact, in order of their numbers.
    async fn groups_of(&self, id: ContactId) -> Result<Vec<GroupId>, PortError>;

    /// A part of a group: at most `limit` contacts behind `after`.
    async fn members(&self, group: GroupId, after: Option<ContactId>, limit: usize) -> Result<Members, PortError>;
}
