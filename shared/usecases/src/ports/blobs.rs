//! Large things: imports, exports, bodies of bulks, media. Never items of a table.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::AccountId;

use super::PortError;

/// The name of a blob. Begins with its account, so that no name leads to another's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlobKey(String);

impl BlobKey {
    /// `kind` is a word such as `imports`, `name` letters, digits, dots, dashes and underscores; others become underscores.
    pub fn new(account: AccountId, kind: &'static str, name: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
        let name: String = name.trim_start_matches('.').chars().map(plain).collect();
        Self(format!("{account}/{kind}/{name}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address to put a file to, or to fetch it from, for whoever knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    /// `PUT` or `GET`.
    pub method: &'static str,
    /// Where.
    pub url: String,
    /// Headers that have to be sent, in lower case.
    pub headers: Vec<(String, String)>,
}

/// The least that a blob must have to be joined with another behind it.
pub const PIECE_BYTES: usize = 5 * 1024 * 1024;

/// Large things.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Stores a blob, whole or not at all. A repeat replaces it.
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), PortError>;

    /// A part of a blob from `from` on, at most `most` bytes; empty at its end. `None` when there is no such blob.
    async fn read(&self, key: &BlobKey, from: u64, most: usize) -> Result<Option<Vec<u8>>, PortError>;

    /// How long a blob is, in bytes.
    async fn size(&self, key: &BlobKey) -> Result<Option<u64>, PortError>;

    /// Makes a blob of others, in their order; they stay. Each but the last has at least [`PIECE_BYTES`]; there is at
    /// least one, and at most 10,000. Whole or not at all; a repeat replaces it. `false` when one of them is not there.
    async fn join(&self, key: &BlobKey, pieces: &[BlobKey]) -> Result<bool, PortError>;

    /// Deletes a blob. Repeatable.
    async fn delete(&self, key: &BlobKey) -> Result<(), PortError>;

    /// Deletes all blobs of an account. Repeatable.
    async fn delete_all(&self, account: AccountId) -> Result<(), PortError>;

    /// Where one file of exactly `size` bytes may be put once, for so long. An address that begins with a slash is on the
    /// server that the caller speaks to.
    async fn upload(&self, key: &BlobKey, size: u64, valid_for: Duration) -> Result<Presigned, PortError>;

    /// Where a blob may be fetched from, for so long, to be saved under `filename`.
    async fn download(&self, key: &BlobKey, filename: &str, valid_for: Duration) -> Result<Presigned, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leads_out_of_its_account() {
        assert_eq!(BlobKey::new(AccountId(7), "imports", "../../8/x y.csv").as_str(), "7/imports/_.._8_x_y.csv");
    }
}
