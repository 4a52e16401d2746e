//! An account is to be deleted: by its owner, with their password, and not before a week has passed.

use std::time::Duration;

use hantar_domain::time::Timestamp;

use crate::authenticate::Caller;
use crate::passwords::prove;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::Closing;

/// How many days the deletion can be taken back.
const GRACE_DAYS: u64 = 7;

/// Notes that the account is to be deleted, sends a letter, and answers when that is due. Until then everything works as
/// before. A repeat answers what is noted already. With an idempotency key a repeat sends no letter either, and does not undo
/// that it was taken back since.
pub async fn close_account(
    with: &PeopleParts<'_>,
    caller: &Caller,
    password: &str,
    key: Option<&str>,
) -> Result<Timestamp, PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let keep = with.keep(key, "close account", &[]);
    if let Some(earlier) = with.earlier(&*tenant, keep.as_ref()).await? {
        return Ok(Timestamp(i64::try_from(earlier.number).unwrap_or(i64::MAX)));
    }
    let account = tenant.account().await?.ok_or(PeopleError::Missing)?;
    let at = with.clock.now();
    let due_at = at + Duration::from_hours(24 * GRACE_DAYS);
    let wanted = Closing { by: user.id, email: user.email.clone(), at, due_at, begun_at: None };
    let closing = tenant.people().close(&wanted, keep.as_ref().map(|keep| &keep.idempotency)).await?;
    with.letter_of_closing(&user.email, &account.name, GRACE_DAYS).await?;
    Ok(closing.due_at)
}

/// Takes that back, as long as deleting has not begun. With an idempotency key a repeat answers the same.
pub async fn restore_account(with: &PeopleParts<'_>, caller: &Caller, key: Option<&str>) -> Result<(), PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    let keep = with.keep(key, "restore account", &[]);
    if with.earlier(&*tenant, keep.as_ref()).await?.is_some() {
        return Ok(());
    }
    if tenant.people().reopen(keep.as_ref()).await? { Ok(()) } else { Err(PeopleError::State) }
}
