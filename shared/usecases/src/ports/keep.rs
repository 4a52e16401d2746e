//! Callers' keys that are kept with changes which make nothing, and what they stand for afterwards.

use hantar_domain::time::Timestamp;

use super::Idempotency;

/// A caller's key to be kept with what is written under it, in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// The key.
    pub idempotency: Idempotency,
    /// What the request came to, as far as a number says it.
    pub number: u64,
    /// What a repeat is shown again, sealed.
    pub sealed: Option<Vec<u8>>,
    /// When it is kept: a key that has ended by then makes room.
    pub at: Timestamp,
}

/// What a caller's key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    /// Nothing yet, or no more.
    Nothing,
    /// The same request, which was carried out.
    Same(Earlier),
    /// Another request.
    Other,
}

/// What a request came to that was carried out under a caller's key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// As a number.
    pub number: u64,
    /// What a repeat is shown again, sealed; empty where there is no such thing.
    pub sealed: Vec<u8>,
}
