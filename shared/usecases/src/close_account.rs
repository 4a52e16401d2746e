//! An account is to be deleted: by its owner, with their password, and not before a week has passed.

use std::time::Duration;

use crate::authenticate::Caller;
use crate::passwords::prove;
use crate::people::{PeopleError, PeopleParts};
use crate::ports::Closing;

/// How many days the deletion can be taken back.
const GRACE_DAYS: u64 = 7;

/// Notes that the account is to be deleted, and sends a letter. Until then everything works as before. A repeat answers what
/// is noted already.
pub async fn close_account(with: &PeopleParts<'_>, caller: &Caller, password: &str) -> Result<Closing, PeopleError> {
    let user = prove(with, caller, password).await?;
    let tenant = with.tenants.for_account(caller.account);
    let account = tenant.account().await?.ok_or(PeopleError::Missing)?;
    let at = with.clock.now();
    let due_at = at + Duration::from_hours(24 * GRACE_DAYS);
    let wanted = Closing { by: user.id, email: user.email.clone(), at, due_at, begun_at: None };
    let closing = tenant.people().close(&wanted).await?;
    with.letter_of_closing(&user.email, &account.name, GRACE_DAYS).await?;
    Ok(closing)
}

/// Takes that back, as long as deleting has not begun.
pub async fn restore_account(with: &PeopleParts<'_>, caller: &Caller) -> Result<(), PeopleError> {
    let tenant = with.tenants.for_account(caller.account);
    if tenant.people().reopen().await? { Ok(()) } else { Err(PeopleError::State) }
}
