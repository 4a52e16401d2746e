//! An account's groups of contacts: made, renamed, deleted, filled and emptied.

use hantar_domain::contact::{Group, MAX_GROUPS};
use hantar_domain::ids::{AccountId, ContactId, GroupId};

use crate::idempotency::idempotency;
use crate::numbers::Numbers;
use crate::ports::{Clock, Deleted, Moved, Named, PortError, Sequence, Tenant};

/// Makes a group of this name. With an idempotency key a repeat answers the same one.
pub async fn create_group(
    tenant: &dyn Tenant,
    numbers: &Numbers,
    clock: &dyn Clock,
    account: AccountId,
    name: String,
    key: Option<(String, Vec<u8>)>,
) -> Result<Named, PortError> {
    let id = GroupId(numbers.next(Sequence::Groups(account)).await?);
    let now = clock.now();
    let group = Group { account, id, name, created_at: now };
    let idempotency = key.map(|(key, content)| idempotency("group", &key, &content, now));
    tenant.contacts().add_group(&group, MAX_GROUPS, idempotency.as_ref()).await
}

/// Gives a group another name.
pub async fn rename_group(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: GroupId,
    name: &str,
    key: Option<(String, Vec<u8>)>,
) -> Result<Named, PortError> {
    let now = clock.now();
    let idempotency = key.map(|(key, content)| idempotency("group", &key, &content, now));
    tenant.contacts().rename_group(id, name, idempotency.as_ref(), now).await
}

/// Deletes a group; its contacts stay, and are taken out of it by long work. A repeat under the same key answers the same.
pub async fn delete_group(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: GroupId,
    key: Option<&str>,
) -> Result<Deleted, PortError> {
    let now = clock.now();
    let idempotency = key.map(|key| idempotency("delete group", key, &id.0.to_be_bytes(), now));
    tenant.contacts().delete_group(id, idempotency.as_ref(), now).await
}

/// Puts contacts into a group or takes them out; who does not exist is passed over. `None` when there is no such group.
pub async fn move_contacts(
    tenant: &dyn Tenant,
    clock: &dyn Clock,
    id: GroupId,
    contacts: &[ContactId],
    into: bool,
    key: Option<(String, Vec<u8>)>,
) -> Result<Option<(Group, Moved)>, PortError> {
    let Some(group) = tenant.contacts().group(id).await? else { return Ok(None) };
    let now = clock.now();
    let idempotency = key.map(|(key, content)| idempotency("group contacts", &key, &content, now));
    let moved = tenant.contacts().move_contacts(id, contacts, into, idempotency.as_ref(), now).await?;
    Ok(Some((group, moved)))
}
