//! An account's bulks: many messages accepted in one request.

/// An account's bulks: many messages accepted in one request.
pub trait Bulks: Send + Sync {}
