//! An account's money: every movement of its credits.

use async_trait::async_trait;
use hantar_domain::ledger::Movement;

use super::PortError;

/// An account's money: every movement of its credits.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Movements that no message stands for, the latest first, at most `limit`: those before `before`, which was given out
    /// by an earlier call.
    async fn noted(&self, before: Option<&Movement>, limit: usize) -> Result<Vec<Movement>, PortError>;
}
