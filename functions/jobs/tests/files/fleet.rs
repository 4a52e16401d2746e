//! The fleet's records: numbers and work.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::*;
use hantar_domain::time::Timestamp;
use hantar_domain::token::{Token, TokenHash};
use hantar_domain::user::{Email, User};
use hantar_usecases::ports::*;

use crate::office::{Office, here, nobody_asks_this};

#[async_trait]
impl Fleet for Office {
    async fn reserve(&self, _: Sequence, count: u64) -> Result<u64, PortError> {
        Ok(self.0.numbers.fetch_add(count, Ordering::SeqCst) + 1)
    }

    async fn arm_work(&self, _: AccountId, work: Work, due_at: Timestamp) -> Result<(), PortError> {
        here().await;
        self.arm(work, due_at);
        Ok(())
    }

    async fn claim_work(&self, _: AccountId, work: Work, now: Timestamp, until: Timestamp) -> Result<bool, PortError> {
        here().await;
        let mut all = self.0.work.lock().unwrap();
        let Some(due) = all.get_mut(&work).filter(|due| **due <= now) else { return Ok(false) };
        *due = until;
        Ok(true)
    }

    async fn end_work(&self, _: AccountId, work: Work) -> Result<(), PortError> {
        here().await;
        self.0.work.lock().unwrap().remove(&work);
        Ok(())
    }

    async fn prepare(&self) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn shard_count(&self, _: u16) -> Result<u16, PortError> {
        nobody_asks_this()
    }

    async fn found(&self, _: &Founding) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn add_user(&self, _: &User) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn user_by_email(&self, _: &Email) -> Result<Option<(AccountId, UserId)>, PortError> {
        nobody_asks_this()
    }

    async fn accounts(&self) -> Result<Vec<AccountId>, PortError> {
        nobody_asks_this()
    }

    async fn put_token(&self, _: &Token, _: &TokenHash) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn token(&self, _: &TokenHash) -> Result<Option<Token>, PortError> {
        nobody_asks_this()
    }

    async fn note_token_use(&self, _: &TokenHash, _: Timestamp, _: Timestamp) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn put_sign_in(&self, _: &TokenHash, _: &WebSession) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn take_sign_in(&self, _: &TokenHash) -> Result<Option<WebSession>, PortError> {
        nobody_asks_this()
    }

    async fn put_web_session(&self, _: &TokenHash, _: &WebSession) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn web_session(&self, _: &TokenHash) -> Result<Option<WebSession>, PortError> {
        nobody_asks_this()
    }

    async fn devices_of(&self, _: Shard) -> Result<Vec<(AccountId, DeviceId)>, PortError> {
        nobody_asks_this()
    }

    async fn due_deliveries(&self, _: Timestamp, _: usize) -> Result<Vec<DueDelivery>, PortError> {
        nobody_asks_this()
    }

    async fn forget_due(&self, _: &DueDelivery) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn due_work(&self, _: Timestamp, _: usize) -> Result<Vec<DueWork>, PortError> {
        nobody_asks_this()
    }

    async fn put_link(&self, _: &TokenHash, _: &Link) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn link(&self, _: &TokenHash) -> Result<Option<Link>, PortError> {
        nobody_asks_this()
    }

    async fn take_link(&self, _: &TokenHash) -> Result<Option<Link>, PortError> {
        nobody_asks_this()
    }

    async fn count_guess(
        &self,
        _: &[u8; 32],
        _: u32,
        _: Duration,
        _: Timestamp,
    ) -> Result<Option<Duration>, PortError> {
        nobody_asks_this()
    }

    async fn forget_guesses(&self, _: &[u8; 32]) -> Result<(), PortError> {
        nobody_asks_this()
    }

    async fn client_version(&self) -> Result<Option<FoundVersion>, PortError> {
        nobody_asks_this()
    }

    async fn claim_version_look(&self, _: Timestamp, _: Duration) -> Result<bool, PortError> {
        nobody_asks_this()
    }

    async fn keep_client_version(&self, _: &FoundVersion) -> Result<(), PortError> {
        nobody_asks_this()
    }
}
