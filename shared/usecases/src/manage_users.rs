//! Roles change, people leave, an account is handed over.

use hantar_domain::ids::UserId;
use hantar_domain::user::{Role, User};

use crate::authenticate::Caller;
use crate::idempotency::idempotency;
use crate::passwords::prove;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::Deleted;

/// Gives somebody another role. With an idempotency key a repeat answers the person as they are.
pub async fn change_role(
    with: &PeopleParts<'_>,
    caller: &Caller,
    id: UserId,
    role: Role,
    key: Option<&str>,
) -> Result<User, PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let user = tenant.user(id).await?.ok_or(PeopleError::Missing)?;
    let keep = with.keep(key, "role", format!("{id}\0{}", role.word()).as_bytes());
    if with.earlier(&*tenant, keep.as_ref()).await?.is_some() {
        return Ok(user);
    }
    if user.role == Role::Owner || role == Role::Owner {
        return Err(PeopleError::Owner);
    }
    if !tenant.people().change_role(id, user.role, role, keep.as_ref()).await? {
        return Err(PeopleError::Changed);
    }
    Ok(User { role, ..user })
}

/// Makes somebody else the owner, and the caller, who is the owner, an administrator. With an idempotency key a repeat, late
/// as it may be, does not do it again.
pub async fn hand_over(
    with: &PeopleParts<'_>,
    caller: &Caller,
    id: UserId,
    password: &str,
    key: Option<&str>,
) -> Result<User, PeopleError> {
    prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let user = tenant.user(id).await?.ok_or(PeopleError::Missing)?;
    let keep = with.keep(key, "owner", &id.0.to_be_bytes());
    if with.earlier(&*tenant, keep.as_ref()).await?.is_some() {
        return Ok(user);
    }
    if user.verified_at.is_none() {
        return Err(PeopleError::State);
    }
    if id == caller.user || !tenant.people().hand_over(caller.user, id, keep.as_ref()).await? {
        return Err(PeopleError::Changed);
    }
    Ok(User { role: Role::Owner, ..user })
}

/// Removes somebody from the account: their tokens and sessions open nothing from this moment on.
pub async fn remove_user(
    with: &PeopleParts<'_>,
    caller: &Caller,
    id: UserId,
    key: Option<&str>,
) -> Result<Deleted, PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    if tenant.user(id).await?.is_some_and(|user| user.role == Role::Owner) {
        return Err(PeopleError::Owner);
    }
    let now = with.clock.now();
    let idempotency = key.map(|key| idempotency("delete user", key, &id.0.to_be_bytes(), now));
    Ok(tenant.people().remove_user(id, idempotency.as_ref(), now).await?)
}
