//! Bulks that were accepted and not finished by whoever accepted them.

use hantar_domain::ids::{AccountId, BulkId};
use hantar_usecases::ports::PortError;
use hantar_usecases::send_bulk::{StoreParts, store_bulk};
use hantar_wire::bulk;

use crate::work::{Next, Worker};

impl Worker {
    pub(crate) async fn bulk(&self, account: AccountId, id: BulkId) -> Result<Next, PortError> {
        let tenant = self.tenants.for_account(account);
        let with = StoreParts { tenant: &*tenant, numbers: &self.numbers, blobs: &*self.blobs, read: bulk::read };
        store_bulk(&with, account, id).await?;
        Ok(Next::Never)
    }
}
