//! A caller's idempotency key: what it stands for, and for how long.

use std::time::Duration;

use hantar_domain::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::ports::Idempotency;

/// How long a key counts.
const VALID: Duration = Duration::from_hours(24);
/// The longest key.
pub const MAX_KEY_CHARS: usize = 255;

/// What is stored for the key `key` of a request of kind `kind` (a word such as `send`) with this content.
pub fn idempotency(kind: &str, key: &str, content: &[u8], now: Timestamp) -> Idempotency {
    let hash = |bytes: &[u8]| -> [u8; 32] {
        Sha256::new().chain_update(kind).chain_update([0]).chain_update(bytes).finalize().into()
    };
    Idempotency { key: hash(key.as_bytes()), request: hash(content), expires_at: now + VALID }
}
