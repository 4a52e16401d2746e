//! Groups of contacts: an item for each, and one that holds its name. Who is in a group is kept with the contacts.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::contact::{Group, MAX_GROUPS_OF_CONTACT};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Deleted, Groups, Idempotency, Moved, Named, PortError, Work};

use crate::idempotency::{Earlier, earlier};
use crate::items::{Fields, Item, NewItem, number, text, time};
use crate::places::{GROUP, Place, Table, of_account};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Refusal, Transaction};
use crate::work;
use crate::writing::Write;

/// How many are listed: more than an account may have.
const LISTED: usize = 2_000;
/// How many contacts one step takes out of a deleted group.
const CLEARED: usize = 200;
/// How often a change begins again that others are faster than.
const TRIES: usize = 4;
/// What kinds of request a key stands for.
const MADE: &str = "gn";
const DELETED: &str = "gd";
const MOVED: &str = "gm";

fn item(group: &Group) -> Item {
    NewItem::at(&Place::group(group.account, group.id))
        .with("n", text(&group.name))
        .with("t", time(group.created_at))
        .done()
}

fn read(item: &Item) -> Result<Group, PortError> {
    let fields = Fields(item);
    Ok(Group {
        account: fields.word("pk", |pk| pk.strip_prefix("A#")?.parse().ok())?,
        id: fields.word("sk", |sk| sk.strip_prefix(GROUP)?.parse().ok())?,
        name: fields.text("n")?.to_owned(),
        created_at: fields.time("t")?,
    })
}

/// Holds a name for a group, unless another one has it.
fn hold_name(group: &Group) -> Write {
    let place = Place::group_name(group.account, &group.name);
    Write::put(&place, NewItem::at(&place).with("gr", number(group.id)).done())
        .when("attribute_not_exists(pk) OR gr = :gr")
        .with(":gr", number(group.id))
}

impl TenantStore {
    /// Those of these groups that there are.
    pub(crate) async fn known_groups(&self, groups: &[GroupId]) -> Result<BTreeSet<GroupId>, PortError> {
        if groups.is_empty() {
            return Ok(BTreeSet::new());
        }
        let places: Vec<_> = groups.iter().map(|group| Place::group(self.account, *group)).collect();
        let items = self.store.get_all(Table::Business, &places).await?;
        items.iter().map(|item| read(item).map(|group| group.id)).collect()
    }

    async fn named_before(&self, taken: &Item, wanted: &Idempotency) -> Result<Named, PortError> {
        let Earlier::Same(id) = earlier(taken, wanted, MADE)? else { return Ok(Named::KeyReused) };
        Ok(self.group(GroupId(id)).await?.map_or(Named::KeyReused, Named::Done))
    }

    /// Writes a group under its name, with the key last.
    async fn name_group(
        &self,
        group: &Group,
        writes: Vec<Write>,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Result<Group, Vec<Refusal>>, PortError> {
        let key = idempotency.map(|key| self.put_key(key, MADE, group.id.0, at));
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes.into_iter().chain(key))?;
        Ok(match self.store.transact(&transaction).await? {
            Committed::Done => Ok(group.clone()),
            Committed::Refused(refusals) => Err(refusals),
        })
    }
}

#[async_trait]
impl Groups for TenantStore {
    async fn groups(&self) -> Result<Vec<Group>, PortError> {
        let query = Query::beginning(Table::Business, of_account(self.account), GROUP);
        self.store.first(&query, LISTED).await?.iter().map(read).collect()
    }

    async fn group(&self, id: GroupId) -> Result<Option<Group>, PortError> {
        self.store.get(&Place::group(self.account, id)).await?.as_ref().map(read).transpose()
    }

    async fn add_group(
        &self,
        group: &Group,
        most: usize,
        idempotency: Option<&Idempotency>,
    ) -> Result<Named, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, group.created_at).await?
        {
            return self.named_before(&taken, wanted).await;
        }
        if self.groups().await?.len() >= most {
            return Ok(Named::Full);
        }
        let put = Write::put(&Place::group(self.account, group.id), item(group)).if_new();
        let refusals = match self.name_group(group, vec![put, hold_name(group)], idempotency, group.created_at).await? {
            Ok(group) => return Ok(Named::Done(group)),
            Err(refusals) => refusals,
        };
        match (refusals.as_slice(), idempotency) {
            ([_, _, Refusal::Condition(Some(taken))], Some(wanted)) => self.named_before(taken, wanted).await,
            ([_, Refusal::Condition(_), ..], _) => Ok(Named::Taken),
            _ => Err(PortError::Corrupt(format!("group number {} is taken", group.id))),
        }
    }

    async fn rename_group(
        &self,
        id: GroupId,
        name: &str,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Named, PortError> {
        for _ in 0..TRIES {
            if let Some(wanted) = idempotency
                && let Some(taken) = self.known_key(wanted, at).await?
            {
                return self.named_before(&taken, wanted).await;
            }
            let Some(old) = self.group(id).await? else { return Ok(Named::Missing) };
            let new = Group { name: name.to_owned(), ..old.clone() };
            let put =
                Write::put(&Place::group(self.account, id), item(&new)).when("n = :n").with(":n", text(&old.name));
            let release = (new.name != old.name).then(|| Write::delete(&Place::group_name(self.account, &old.name)));
            let writes = [Some(put), Some(hold_name(&new)), release].into_iter().flatten().collect();
            match self.name_group(&new, writes, idempotency, at).await? {
                Ok(group) => return Ok(Named::Done(group)),
                Err(refusals) if matches!(refusals.get(1), Some(Refusal::Condition(_))) => return Ok(Named::Taken),
                // Renamed or deleted by somebody else at this moment, or the key was used.
                Err(_) => {}
            }
        }
        Err(PortError::Conflict)
    }

    async fn delete_group(
        &self,
        id: GroupId,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Deleted, PortError> {
        for _ in 0..TRIES {
            if let Some(wanted) = idempotency
                && let Some(taken) = self.known_key(wanted, at).await?
            {
                return Ok(match earlier(&taken, wanted, DELETED)? {
                    Earlier::Same(_) => Deleted::Done,
                    Earlier::Other => Deleted::KeyReused,
                });
            }
            let Some(group) = self.group(id).await? else { return Ok(Deleted::Missing) };
            let delete = Write::delete(&Place::group(self.account, id)).when("n = :n").with(":n", text(&group.name));
            let release = Write::delete(&Place::group_name(self.account, &group.name));
            let clear = work::arm(self.account, Work::Ungroup(id), at);
            let key = idempotency.map(|key| self.put_key(key, DELETED, id.0, at));
            let writes = [delete, release, clear].into_iter().chain(key);
            let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
            if matches!(self.store.transact(&transaction).await?, Committed::Done) {
                return Ok(Deleted::Done);
            }
        }
        Err(PortError::Conflict)
    }

    async fn move_contacts(
        &self,
        group: GroupId,
        contacts: &[ContactId],
        into: bool,
        idempotency: Option<&Idempotency>,
        at: Timestamp,
    ) -> Result<Moved, PortError> {
        if let Some(wanted) = idempotency
            && let Some(taken) = self.known_key(wanted, at).await?
        {
            return Ok(match earlier(&taken, wanted, MOVED)? {
                Earlier::Same(_) => Moved::Done,
                Earlier::Other => Moved::KeyReused,
            });
        }
        let change = |groups: &mut BTreeSet<GroupId>| {
            if !into {
                groups.remove(&group);
            } else if groups.len() < MAX_GROUPS_OF_CONTACT {
                groups.insert(group);
            }
        };
        self.regroup(contacts, change, at).await?;
        let Some(wanted) = idempotency else { return Ok(Moved::Done) };
        // Last: after a death before it a repeat moves again who is moved, which changes nothing.
        let key = self.put_key(wanted, MOVED, group.0, at);
        self.store.write(key).await?;
        Ok(Moved::Done)
    }

    async fn clear_group(&self, id: GroupId, at: Timestamp) -> Result<bool, PortError> {
        let part = self.part_of_group(id, None, CLEARED).await?;
        let ids: Vec<_> = part.contacts.iter().map(|contact| contact.id).collect();
        self.regroup(&ids, |groups| groups.retain(|group| *group != id), at).await?;
        if part.next.is_some() {
            return Ok(false);
        }
        self.forget_group_counts(id).await?;
        Ok(true)
    }
}
