//! Callers' keys that are kept with changes which make nothing: of people, passwords, second factors, the account's end.

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{Earlier, Idempotency, Keep, PortError, Stands};

use crate::idempotency::{self, earlier};
use crate::items::Fields;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::Write;

/// What an idempotency key of such a change holds: the number that it came to.
const KIND: &str = "ch";

impl TenantStore {
    pub(crate) async fn key_stands_for(&self, key: &Idempotency, at: Timestamp) -> Result<Stands, PortError> {
        let Some(taken) = self.known_key(key, at).await? else { return Ok(Stands::Nothing) };
        Ok(match earlier(&taken, key, KIND)? {
            idempotency::Earlier::Same(number) => {
                let sealed = Fields(&taken).maybe_bytes("sl")?.unwrap_or_default().to_vec();
                Stands::Same(Earlier { number, sealed })
            }
            idempotency::Earlier::Other => Stands::Other,
        })
    }

    fn kept(&self, keep: &Keep) -> Write {
        self.put_key_with(&keep.idempotency, KIND, keep.number, keep.sealed.as_deref(), keep.at)
    }

    pub(crate) async fn keep_key(&self, keep: &Keep) -> Result<(), PortError> {
        self.store.write(self.kept(keep)).await.map(drop)
    }

    /// Carries writes out, with a key in the same transaction if there is one.
    pub(crate) async fn write_keeping(
        &self,
        writes: impl IntoIterator<Item = Write>,
        keep: Option<&Keep>,
    ) -> Result<Committed, PortError> {
        let writes = writes.into_iter().chain(keep.map(|keep| self.kept(keep)));
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        self.store.transact(&transaction).await
    }
}
