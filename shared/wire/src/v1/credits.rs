//! Credits.

use hantar_domain::credits::Balance;
use serde::Serialize;
use utoipa::ToSchema;

/// What `GET balance` answers: balance = granted − charged + refunded.
#[derive(Debug, Serialize, ToSchema)]
pub struct BalanceBody {
    /// What may still be spent.
    pub balance: i64,
    /// All that was ever put in.
    pub granted: i64,
    /// All that was ever charged.
    pub charged: i64,
    /// All that was ever given back.
    pub refunded: i64,
}

impl From<Balance> for BalanceBody {
    fn from(balance: Balance) -> Self {
        let Balance { available, granted, charged, refunded } = balance;
        Self { balance: available, granted, charged, refunded }
    }
}
