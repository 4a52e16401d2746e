//! An account's money: every movement of its credits.

/// An account's money: every movement of its credits.
pub trait Ledger: Send + Sync {}
