//! Contacts: one item each, and entries in the engine table that they are found by. An item and its entries change in one
//! transaction, on condition that the item is as it was seen; so whoever holds the item's version has the entries, too.

mod batch;
mod change;
mod counts;
mod entries;
mod merging;
mod revise;
mod search;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use aws_sdk_dynamodb::types::AttributeValue;
use hantar_domain::contact::{Contact, ContactEdit, MAX_GROUPS_OF_CONTACT, OptIn};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::PhoneNumber;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{
    ContactCounts, ContactDraft, ContactFilter, ContactPage, Contacts, Deleted, Edited, Idempotency, Members,
    PortError, Saved, Upserted,
};

use crate::items::{Fields, Item, NewItem, number, text, texts, time};
use crate::places::{Place, Table};
use crate::tenant::TenantStore;

/// A contact as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) contact: Contact,
    pub(crate) groups: BTreeSet<GroupId>,
    /// Raised by each change.
    pub(crate) version: u64,
}

impl Record {
    /// The next version of `old`.
    fn moved_on(mut self, old: &Self, at: Timestamp) -> Self {
        self.version = old.version + 1;
        self.contact.updated_at = old.contact.updated_at.max(at);
        self
    }

    /// Whether it says the same of the contact, whenever that was written.
    fn says_as(&self, other: &Self) -> bool {
        let Contact { updated_at, .. } = other.contact;
        self.groups == other.groups && Contact { updated_at, ..self.contact.clone() } == other.contact
    }

    /// Puts it into groups, as many as it may be in.
    fn join(&mut self, groups: impl IntoIterator<Item = GroupId>) {
        for group in groups {
            if self.groups.len() < MAX_GROUPS_OF_CONTACT {
                self.groups.insert(group);
            }
        }
    }
}

fn item(record: &Record) -> Item {
    let Record { contact, groups, version } = record;
    let attributes = contact.attributes.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    NewItem::at(&Place::contact(contact.account, contact.id))
        .with("p", text(contact.phone.digits()))
        .maybe("n", contact.name.as_deref().map(text))
        .maybe("x", contact.external_id.as_deref().map(text))
        .maybe("av", (!contact.attributes.is_empty()).then_some(AttributeValue::M(attributes)))
        .flag("oo", contact.opted_out)
        .maybe("os", contact.opted_in.as_ref().map(|opted_in| text(&opted_in.source)))
        .maybe("oi", contact.opted_in.as_ref().map(|opted_in| time(opted_in.at)))
        .maybe("gs", (!groups.is_empty()).then(|| texts(groups.iter().map(ToString::to_string))))
        .with("t", time(contact.created_at))
        .with("u", time(contact.updated_at))
        .with("v", number(version))
        .done()
}

pub(crate) fn read(item: &Item) -> Result<Record, PortError> {
    let fields = Fields(item);
    let groups = fields.texts("gs")?;
    let groups = groups.iter().map(|group| group.parse().map_err(|_| fields.damaged("gs")));
    let opted_in = match (fields.owned("os")?, fields.maybe_time("oi")?) {
        (Some(source), Some(at)) => Some(OptIn { source, at }),
        _ => None,
    };
    let contact = Contact {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.strip_suffix("#K")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.parse().ok())?,
        phone: fields.word("p", PhoneNumber::from_e164)?,
        name: fields.owned("n")?,
        external_id: fields.owned("x")?,
        attributes: attributes(fields)?,
        opted_out: fields.flag("oo")?,
        opted_in,
        created_at: fields.time("t")?,
        updated_at: fields.time("u")?,
    };
    Ok(Record { contact, groups: groups.collect::<Result<_, _>>()?, version: fields.number("v")? })
}

fn attributes(fields: Fields<'_>) -> Result<BTreeMap<String, String>, PortError> {
    let Some(values) = fields.map("av")? else { return Ok(BTreeMap::new()) };
    let values = values.iter().map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())));
    values.collect::<Option<_>>().ok_or_else(|| fields.damaged("av"))
}

impl TenantStore {
    pub(crate) async fn contact_record(&self, id: ContactId) -> Result<Option<Record>, PortError> {
        self.store.get(&Place::contact(self.account, id)).await?.as_ref().map(read).transpose()
    }

    /// Those that are there.
    pub(crate) async fn contact_records(&self, ids: &[ContactId]) -> Result<HashMap<ContactId, Record>, PortError> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        let places: Vec<_> = ids.into_iter().map(|id| Place::contact(self.account, id)).collect();
        let items = self.store.get_all(Table::Business, &places).await?;
        let records = items.iter().map(|item| read(item).map(|record| (record.contact.id, record)));
        records.collect()
    }

    pub(crate) async fn records_by_phone(
        &self,
        phones: &[PhoneNumber],
    ) -> Result<HashMap<PhoneNumber, Record>, PortError> {
        let phones: BTreeSet<_> = phones.iter().collect();
        let places: Vec<_> = phones.into_iter().map(|phone| Place::contact_number(self.account, phone)).collect();
        let entries = self.store.get_all(Table::Engine, &places).await?;
        let ids = entries.iter().map(entries::named).collect::<Result<Vec<_>, _>>()?;
        let records = self.contact_records(&ids).await?;
        Ok(records.into_values().map(|record| (record.contact.phone.clone(), record)).collect())
    }
}

#[async_trait]
impl Contacts for TenantStore {
    async fn contact(&self, id: ContactId) -> Result<Option<Contact>, PortError> {
        Ok(self.contact_record(id).await?.map(|record| record.contact))
    }

    async fn contact_by_phone(&self, phone: &PhoneNumber) -> Result<Option<Contact>, PortError> {
        Ok(self.record_by_phone(phone).await?.map(|record| record.contact))
    }

    async fn contacts_by_id(&self, ids: &[ContactId]) -> Result<Vec<Contact>, PortError> {
        let records = self.contact_records(ids).await?;
        Ok(ids.iter().filter_map(|id| records.get(id)).map(|record| record.contact.clone()).collect())
    }

    async fn contacts_by_phone(&self, phones: &[PhoneNumber]) -> Result<Vec<Contact>, PortError> {
        Ok(self.records_by_phone(phones).await?.into_values().map(|record| record.contact).collect())
    }

    async fn upsert(&self, drafts: &[ContactDraft]) -> Result<Vec<Upserted>, PortError> {
        self.put_drafts(drafts).await
    }

    async fn save(&self, draft: &ContactDraft, idempotency: &Idempotency) -> Result<Saved, PortError> {
        self.put_draft_once(draft, idempotency).await
    }

    async fn edit(
        &self,
        id: ContactId,
        edit: &ContactEdit,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Edited, PortError> {
        self.edit_contact(id, edit, idempotency, at).await
    }

    async fn mark_opted_out(&self, phone: &PhoneNumber, opted_out: bool, at: Timestamp) -> Result<(), PortError> {
        self.note_opted_out(phone, opted_out, at).await
    }

    async fn delete_contact(
        &self,
        id: ContactId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        self.remove_contact(id, idempotency, at).await
    }

    async fn merge(
        &self,
        into: ContactId,
        others: &[ContactId],
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Edited, PortError> {
        self.merge_contacts(into, others, idempotency, at).await
    }

    async fn list_contacts(
        &self,
        filter: &ContactFilter,
        after: Option<&str>,
        skip: usize,
        limit: usize,
    ) -> Result<ContactPage, PortError> {
        self.page_of_contacts(filter, after, skip, limit).await
    }

    async fn contact_counts(&self) -> Result<ContactCounts, PortError> {
        self.read_contact_counts().await
    }

    async fn groups_of(&self, id: ContactId) -> Result<Vec<GroupId>, PortError> {
        let groups: Vec<_> =
            self.contact_record(id).await?.map(|record| record.groups).unwrap_or_default().into_iter().collect();
        let known = self.known_groups(&groups).await?;
        Ok(groups.into_iter().filter(|group| known.contains(group)).collect())
    }

    async fn members(&self, group: GroupId, after: Option<ContactId>, limit: usize) -> Result<Members, PortError> {
        self.part_of_group(group, after, limit).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use hantar_domain::ids::AccountId;

    use super::*;

    pub(crate) fn record() -> Record {
        let at = Timestamp(1_752_000_000_123_456);
        let contact = Contact {
            account: AccountId(7),
            id: ContactId(42),
            phone: PhoneNumber::from_e164("60123456789").unwrap(),
            name: Some("Ali bin Abu".into()),
            external_id: Some("crm-1".into()),
            attributes: [("plan".to_owned(), "gold".to_owned()), ("city".to_owned(), String::new())].into(),
            opted_out: true,
            opted_in: Some(OptIn { source: "web form".into(), at }),
            created_at: at,
            updated_at: at,
        };
        Record { contact, groups: [GroupId(3), GroupId(10)].into(), version: 5 }
    }

    #[test]
    fn a_contact_is_read_back_as_it_was_written() {
        let whole = record();
        assert_eq!(read(&item(&whole)).unwrap(), whole);
        let bare = Contact {
            name: None,
            external_id: None,
            attributes: BTreeMap::new(),
            opted_out: false,
            opted_in: None,
            ..whole.contact
        };
        let bare = Record { contact: bare, groups: BTreeSet::new(), version: 1 };
        assert_eq!(read(&item(&bare)).unwrap(), bare);
    }

    #[test]
    fn an_item_of_another_release_is_readable() {
        let mut item = item(&record());
        item.insert("future".into(), text("x"));
        for name in ["n", "x", "av", "oo", "os", "oi", "gs"] {
            item.remove(name);
        }
        let record = read(&item).unwrap();
        assert_eq!((record.contact.name, record.contact.opted_out, record.groups), (None, false, BTreeSet::new()));
    }
}
