//! What is kept secret in the tables: AES-256-GCM under one data key per account.
//!
//! The stored form is `version (1) | nonce (12) | ciphertext and tag`. The place where a secret is kept goes in as
//! associated data, so that a sealed value moved to another item does not open.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

const VERSION: u8 = 1;
const NONCE: usize = 12;

/// How many random bytes sealing needs.
pub const NONCE_BYTES: usize = NONCE;

/// The key of one account's secrets. Never logged; stored only wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey([u8; 32]);

/// A sealed value does not open: another key, another place, or damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open with this key at this place")]
pub struct DoesNotOpen;

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

impl DataKey {
    /// From 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be wrapped.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `plain` for `place`. `nonce` must be fresh random bytes.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], place: &str, plain: &[u8]) -> Vec<u8> {
        let cipher = Aes256Gcm::new(&self.0.into());
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        // AES-GCM refuses only plaintexts of many gigabytes, which no item can hold.
        let sealed = cipher.encrypt(Nonce::from_slice(&nonce), payload).unwrap_or_default();
        [&[VERSION][..], &nonce, &sealed].concat()
    }

    /// Opens what was sealed for `place`.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, DoesNotOpen> {
        let (head, sealed) = sealed.split_at_checked(1 + NONCE).ok_or(DoesNotOpen)?;
        if head[0] != VERSION {
            return Err(DoesNotOpen);
        }
        let cipher = Aes256Gcm::new(&self.0.into());
        let payload = Payload { msg: sealed, aad: place.as_bytes() };
        cipher.decrypt(Nonce::from_slice(&head[1..]), payload).map_err(|_| DoesNotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_with_its_key_at_its_place_alone() {
        let key = DataKey::from_bytes([1; 32]);
        let sealed = key.seal([2; 12], "A#1/dev", b"secret");
        assert_eq!(key.open("A#1/dev", &sealed), Ok(b"secret".to_vec()));
        assert_eq!(key.open("A#2/dev", &sealed), Err(DoesNotOpen));
        assert_eq!(DataKey::from_bytes([9; 32]).open("A#1/dev", &sealed), Err(DoesNotOpen));
    }

    #[test]
    fn damage_is_seen() {
        let key = DataKey::from_bytes([1; 32]);
        let sealed = key.seal([2; 12], "x", b"secret");
        for index in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[index] ^= 1;
            assert_eq!(key.open("x", &broken), Err(DoesNotOpen), "byte {index}");
        }
        assert_eq!(key.open("x", &sealed[..5]), Err(DoesNotOpen));
    }
}
