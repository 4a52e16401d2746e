//! Long work on contacts: those of a deleted group are taken out of it, and people who ask for it are forgotten.

use hantar_domain::ids::{AccountId, ErasureId, GroupId};
use hantar_usecases::forget_person::{Left, forget_step};
use hantar_usecases::ports::PortError;

use crate::work::{Next, Worker};

impl Worker {
    pub(crate) async fn clear_group(&self, account: AccountId, group: GroupId) -> Result<Next, PortError> {
        let tenant = self.tenants.for_account(account);
        let empty = tenant.contacts().clear_group(group, self.clock.now()).await?;
        Ok(if empty { Next::Never } else { Next::Now })
    }

    pub(crate) async fn forget_person(&self, account: AccountId, erasure: ErasureId) -> Result<Next, PortError> {
        let tenant = self.tenants.for_account(account);
        Ok(match forget_step(&*tenant, &*self.clock, erasure).await? {
            Left::Nothing => Next::Never,
            Left::More => Next::Now,
            Left::Waiting(span) => Next::At(self.clock.now() + span),
        })
    }
}
