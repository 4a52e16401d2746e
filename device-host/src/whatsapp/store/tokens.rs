//! Privacy tokens: asked for at each send to a person and not cached by the library, so they are kept in memory, with
//! the knowledge that there is none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wacore::store::traits::TcTokenEntry;

use super::keys::unpack;
use super::{Result, Store};

/// How many are kept in memory; beyond that all are forgotten and read again.
const MAX_KNOWN: usize = 512;
const TOKENS: &str = "tc#";

#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<String, Option<TcTokenEntry>>>);

impl Known {
    #[expect(clippy::option_option, reason = "not known, or known to have none")]
    fn get(&self, user: &str) -> Option<Option<TcTokenEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned()
    }

    fn set(&self, user: &str, token: Option<TcTokenEntry>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN && !known.contains_key(user) {
            known.clear();
        }
        known.insert(user.to_owned(), token);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn name(user: &str) -> String {
    format!("{TOKENS}{user}")
}

impl Store {
    pub(super) async fn token(&self, user: &str) -> Result<Option<TcTokenEntry>> {
        if let Some(known) = self.tokens.get(user) {
            return Ok(known);
        }
        let token: Option<TcTokenEntry> = self.keys.read(&name(user)).await?;
        self.tokens.set(user, token.clone());
        Ok(token)
    }

    pub(super) async fn put_token(&self, user: &str, token: &TcTokenEntry) -> Result<()> {
        self.keys.write(&name(user), token).await?;
        self.tokens.set(user, Some(token.clone()));
        Ok(())
    }

    pub(super) async fn delete_token(&self, user: &str) -> Result<()> {
        self.keys.delete(&name(user)).await?;
        self.tokens.set(user, None);
        Ok(())
    }

    /// Reads, changes and writes one token with nobody between.
    pub(super) async fn change_token(
        &self,
        user: &str,
        change: impl FnOnce(Option<TcTokenEntry>) -> Option<TcTokenEntry> + Send,
    ) -> Result<()> {
        let _packing = self.packing.lock().await;
        match change(self.token(user).await?) {
            Some(changed) => self.put_token(user, &changed).await,
            None => Ok(()),
        }
    }

    pub(super) async fn all_tokens(&self) -> Result<Vec<(String, TcTokenEntry)>> {
        let found = self.keys.list(TOKENS).await?;
        found
            .into_iter()
            .map(|(name, value)| Ok((name.strip_prefix(TOKENS).unwrap_or_default().to_owned(), unpack(&value)?)))
            .collect()
    }
}
