//! Who may be written to: an account's consent ledger.

use std::collections::BTreeSet;

use async_trait::async_trait;
use hantar_domain::phone::PhoneNumber;

use super::PortError;

/// An account's consent ledger.
#[async_trait]
pub trait Consents: Send + Sync {
    /// Which of these numbers asked not to be written to, strongly consistent. At most 1,000.
    async fn suppressed(&self, phones: &[PhoneNumber]) -> Result<BTreeSet<PhoneNumber>, PortError>;
}
