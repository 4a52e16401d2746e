//! The data keys of accounts: made at founding, kept wrapped with the account, unwrapped once per process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hantar_domain::ids::AccountId;
use hantar_domain::sealed::{DataKey, NONCE_BYTES};

use crate::ports::{Entropy, KeyWrap, PortError, Tenants};

/// How many unwrapped keys a process keeps; beyond that it forgets them all.
const MAX_KEYS: usize = 10_000;

/// Seals and opens accounts' secrets.
pub struct AccountKeys {
    tenants: Arc<dyn Tenants>,
    wrap: Arc<dyn KeyWrap>,
    entropy: Arc<dyn Entropy>,
    known: Mutex<HashMap<AccountId, DataKey>>,
}

impl AccountKeys {
    /// With keys from `tenants`, unwrapped by `wrap`.
    pub fn new(tenants: Arc<dyn Tenants>, wrap: Arc<dyn KeyWrap>, entropy: Arc<dyn Entropy>) -> Self {
        Self { tenants, wrap, entropy, known: Mutex::default() }
    }

    /// The data key of `account`.
    pub async fn of(&self, account: AccountId) -> Result<DataKey, PortError> {
        if let Some(key) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&account) {
            return Ok(key.clone());
        }
        let wrapped = self.tenants.for_account(account).wrapped_key().await?;
        let wrapped = wrapped.ok_or_else(|| PortError::Corrupt(format!("account {account} has no data key")))?;
        let key = self.wrap.unwrap(&wrapped).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KEYS {
            known.clear();
        }
        known.insert(account, key.clone());
        Ok(key)
    }

    /// What wraps the keys of new accounts.
    pub fn wrap(&self) -> &dyn KeyWrap {
        &*self.wrap
    }

    /// Seals `plain` for `place` under the key of `account`.
    pub async fn seal(&self, account: AccountId, place: &str, plain: &[u8]) -> Result<Vec<u8>, PortError> {
        let key = self.of(account).await?;
        let mut nonce = [0; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        Ok(key.seal(nonce, place, plain))
    }

    /// Opens what was sealed for `place`.
    pub async fn open(&self, account: AccountId, place: &str, sealed: &[u8]) -> Result<Vec<u8>, PortError> {
        let key = self.of(account).await?;
        key.open(place, sealed).map_err(|_| PortError::Corrupt(format!("the secret at {place} does not open")))
    }
}
