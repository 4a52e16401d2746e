//! Addresses under which one file of the folder may be put or fetched for a while by whoever knows them. An address begins
//! with a slash: it is on the server that the caller speaks to.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::Clock;
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use url::form_urlencoded;

/// Where files are served: `/blobs/{name}`.
pub const SERVED_AT: &str = "/blobs/";

/// Signs addresses and checks them.
#[derive(Clone)]
pub struct Signer {
    key: [u8; 32],
    clock: Arc<dyn Clock>,
}

/// What an address allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// To put a file of exactly so many bytes, once.
    Upload(u64),
    /// To fetch the file, and to save it under this name.
    Download(String),
}

impl Signer {
    /// Signs with a key that nobody else has.
    pub fn new(key: [u8; 32], clock: Arc<dyn Clock>) -> Self {
        Self { key, clock }
    }

    /// The address to put the file of this name to.
    pub fn upload(&self, name: &str, size: u64, valid_for: Duration) -> String {
        self.address("PUT", name, "size", &size.to_string(), valid_for)
    }

    /// The address to fetch the file of this name from.
    pub fn download(&self, name: &str, filename: &str, valid_for: Duration) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let filename: String = filename.chars().map(plain).collect();
        self.address("GET", name, "filename", &filename, valid_for)
    }

    /// What a request for the file of this name may do; `None` when its address was not signed here, for something else,
    /// or for a time that is over.
    pub fn allowed(&self, method: &str, name: &str, query: &str) -> Option<Allowed> {
        let value = |wanted: &str| {
            let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(field, _)| field == wanted);
            found.next().map(|(_, value)| value.into_owned())
        };
        let field = if method == "PUT" { "size" } else { "filename" };
        let (until, said) = (value("until")?, value(field)?);
        let signature = hex::decode(value("signature")?).ok()?;
        self.mac(method, name, &until, &said).verify_slice(&signature).ok()?;
        if self.clock.now() >= Timestamp::from_seconds(until.parse().ok()?) {
            return None;
        }
        match method {
            "PUT" => said.parse().ok().map(Allowed::Upload),
            "GET" => Some(Allowed::Download(said)),
            _ => None,
        }
    }

    fn address(&self, method: &str, name: &str, field: &str, said: &str, valid_for: Duration) -> String {
        let until = (self.clock.now() + valid_for).seconds().to_string();
        let signature = hex::encode(self.mac(method, name, &until, said).finalize().into_bytes());
        format!("{SERVED_AT}{name}?{field}={said}&until={until}&signature={signature}")
    }

    /// Over all that the address says; no part of it holds a line's end.
    fn mac(&self, method: &str, name: &str, until: &str, said: &str) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update([method, name, until, said].join("\n").as_bytes());
        mac
    }
}

/// Begins a check sum under this key. A key shorter than a block counts as one that is filled up with zeros.
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new(&block.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct At(i64);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            Timestamp::from_seconds(self.0)
        }

        fn running(&self) -> Duration {
            Duration::ZERO
        }
    }

    fn signer(key: u8, seconds: i64) -> Signer {
        Signer::new([key; 32], Arc::new(At(seconds)))
    }

    fn parts(address: &str) -> (&str, &str) {
        address.strip_prefix(SERVED_AT).unwrap().split_once('?').unwrap()
    }

    #[test]
    fn an_address_allows_what_it_was_signed_for_until_its_time_is_over() {
        let address = signer(1, 1_000).upload("7/imports/1.upload", 5, Duration::from_mins(1));
        let (name, query) = parts(&address);
        assert_eq!(name, "7/imports/1.upload");
        assert_eq!(signer(1, 1_059).allowed("PUT", name, query), Some(Allowed::Upload(5)));
        assert_eq!(signer(1, 1_060).allowed("PUT", name, query), None, "its time is over");
        assert_eq!(signer(2, 1_000).allowed("PUT", name, query), None, "another key");
        assert_eq!(signer(1, 1_000).allowed("GET", name, query), None, "another method");
        assert_eq!(signer(1, 1_000).allowed("PUT", "8/imports/1.upload", query), None, "another file");
        let longer = query.replace("size=5", "size=6");
        assert_eq!(signer(1, 1_000).allowed("PUT", name, &longer), None, "another size");
        let later = query.replace("until=1060", "until=9060");
        assert_eq!(signer(1, 1_000).allowed("PUT", name, &later), None, "another end");
        assert_eq!(signer(1, 1_000).allowed("PUT", name, ""), None, "no signature");
    }

    #[test]
    fn a_name_to_save_under_is_plain() {
        let address = signer(1, 0).download("7/exports/1.file", "a\"\r\nb ü.csv", Duration::from_mins(1));
        let (name, query) = parts(&address);
        let allowed = signer(1, 0).allowed("GET", name, query);
        assert_eq!(allowed, Some(Allowed::Download("a___b__.csv".into())));
    }
}
