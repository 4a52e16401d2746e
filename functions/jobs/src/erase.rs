//! An account that is to be deleted is deleted, step by step, once its grace period is over.
//!
//! First everybody is shut out, hosts too, and then waited for: what was under way writes nothing anew once the records go.
//! The account itself goes last, with the key under which its secrets were sealed.

use std::time::Duration;

use hantar_domain::ids::AccountId;
use hantar_usecases::ports::PortError;

use crate::work::{Next, Worker};

/// How long requests may be under way, and how soon hosts let go of a device that is in no shard's list.
const SETTLES: Duration = Duration::from_mins(2);
/// How many items one step deletes.
const AT_A_TIME: usize = 1_000;

impl Worker {
    /// One step. Two may do it at a time.
    pub(crate) async fn erase(&self, account: AccountId) -> Result<Next, PortError> {
        let tenant = self.tenants.for_account(account);
        let people = tenant.people();
        let now = self.clock.now();
        match people.closing().await? {
            Some(closing) if closing.begun_at.is_none() && closing.due_at > now => return Ok(Next::At(closing.due_at)),
            Some(_) => {}
            None => return Ok(Next::Never),
        }
        let Some(begun) = people.begin_erasing(now).await? else { return Ok(Next::Never) };
        people.shut_out().await?;
        if now < begun + SETTLES {
            return Ok(Next::At(begun + SETTLES));
        }
        if !people.erase_some(AT_A_TIME).await? {
            return Ok(Next::Now);
        }
        self.blobs.delete_all(account).await?;
        people.erase_account().await?;
        tracing::info!(account.id = account.0, "an account was deleted");
        Ok(Next::Never)
    }
}
