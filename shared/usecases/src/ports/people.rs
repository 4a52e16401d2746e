//! The people of an account, and what they did.

/// The people of an account, and what they did.
pub trait People: Send + Sync {}
