//! Message secrets decrypt votes, reactions to channels and encrypted edits. None of these is read yet, so none is kept:
//! one write less per message, each way. The client is told the same by its policy.

use async_trait::async_trait;
use wacore::store::traits::{MsgSecretEntry, MsgSecretStore};

use super::{Result, Store};

#[async_trait]
impl MsgSecretStore for Store {
    async fn put_msg_secrets(&self, _entries: Vec<MsgSecretEntry>) -> Result<usize> {
        Ok(0)
    }

    async fn get_msg_secret(&self, _chat: &str, _sender: &str, _id: &str) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }

    async fn delete_expired_msg_secrets(&self, _cutoff: i64) -> Result<u32> {
        Ok(0)
    }
}
