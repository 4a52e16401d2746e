//! API tokens in Laravel Sanctum's format, so that clients and leak scanners know them.
//!
//! Shown once as `{id}|{plain}`, where plain is 40 random letters and digits and the CRC-32 of those as eight hex
//! digits. Only the SHA-256 of the plain part is kept: unsalted is right, because the secret is random.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ids::{AccountId, TokenId, UserId};
use crate::time::Timestamp;

const RANDOM_CHARS: usize = 40;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How many random bytes [`Secret::from_random`] needs. More than it keeps, since bytes that would favour some letters are passed over.
pub const RANDOM_BYTES: usize = 128;

/// The secret half of a token. Never logged, never stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// SHA-256 of a token's secret: what is stored and looked up.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl Secret {
    /// A new secret from random bytes; `None` in the practically impossible case that they do not suffice.
    pub fn from_random(random: &[u8; RANDOM_BYTES]) -> Option<Self> {
        // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
        let text: String = random
            .iter()
            .filter(|byte| **byte < 248)
            .take(RANDOM_CHARS)
            .map(|byte| char::from(ALPHABET[usize::from(byte % 62)]))
            .collect();
        if text.len() < RANDOM_CHARS {
            return None;
        }
        let checksum = crc32fast::hash(text.as_bytes());
        Some(Self(format!("{text}{checksum:08x}")))
    }

    /// What is stored.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.0.as_bytes()).into())
    }

    /// The secret itself, to be shown once.
    pub fn plain(&self) -> &str {
        &self.0
    }

    /// The text that its owner is shown once.
    pub fn shown(&self, id: TokenId) -> String {
        format!("{id}|{}", self.0)
    }
}

/// A token as a caller presents it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The number before the bar, where one was given.
    pub id: Option<TokenId>,
    /// The hash of the secret half.
    pub hash: TokenHash,
}

impl Presented {
    /// Reads `{id}|{plain}` or `{plain}`. `None` for what cannot be a token of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, plain) = match text.split_once('|') {
            Some((id, plain)) => (Some(id.parse().ok()?), plain),
            None => (None, text),
        };
        let shaped =
            (RANDOM_CHARS..=120).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_alphanumeric());
        shaped.then(|| Self { id, hash: Secret(plain.to_owned()).hash() })
    }
}

/// What a token may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abilities(Vec<String>);

/// The abilities that exist. A name before `:*` stands for its whole family.
pub const ABILITIES: [&str; 20] = [
    "*",
    "messages:read",
    "messages:send",
    "campaigns:read",
    "campaigns:send",
    "contacts:read",
    "contacts:write",
    "templates:read",
    "templates:write",
    "connection:read",
    "connection:write",
    "agents:*",
    "webhooks:*",
    "inbox:*",
    "billing:read",
    "account:*",
    "audit:read",
    "people:*",
    "profile:*",
    "tokens:*",
];

/// An ability that does not exist was named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no ability `{0}`")]
pub struct UnknownAbility(pub String);

impl Abilities {
    /// Everything.
    pub fn all() -> Self {
        Self(vec!["*".into()])
    }

    /// Nothing.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The named ones; every name must exist.
    pub fn from_names<I: IntoIterator<Item = String>>(names: I) -> Result<Self, UnknownAbility> {
        let names: Vec<String> = names.into_iter().collect();
        match names.iter().find(|name| !ABILITIES.contains(&name.as_str()) && name.as_str() != "gateway") {
            Some(name) => Err(UnknownAbility(name.clone())),
            None => Ok(Self(names)),
        }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether they allow nothing that `others` do not.
    pub fn within(&self, others: &Self) -> bool {
        self.0.iter().all(|name| others.allow(name))
    }

    /// Whether they allow `ability`.
    pub fn allow(&self, ability: &str) -> bool {
        let family = ability.split_once(':').map(|(family, _)| format!("{family}:*"));
        self.0.iter().any(|name| name == "*" || name == ability || Some(name) == family.as_ref())
    }
}

/// A token as the fleet keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub id: TokenId,
    /// The account that it opens.
    pub account: AccountId,
    /// The person it acts for.
    pub user: UserId,
    /// What its owner calls it.
    pub name: String,
    /// What it may do.
    pub abilities: Abilities,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within an hour.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it was made by signing in: then it ends when its owner is signed out everywhere.
    pub by_sign_in: bool,
}

impl Token {
    /// Whether it still opens the door at `now`.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_shown_token_is_recognised_with_and_without_its_number(random in prop::array::uniform32(any::<[u8; 4]>()), id: u32) {
            let random: [u8; RANDOM_BYTES] = random.concat().try_into().unwrap();
            prop_assume!(random.iter().filter(|byte| **byte < 248).count() >= RANDOM_CHARS);
            let secret = Secret::from_random(&random).unwrap();
            let id = TokenId(u64::from(id));
            let shown = secret.shown(id);
            prop_assert_eq!(Presented::parse(&shown), Some(Presented { id: Some(id), hash: secret.hash() }));
            let plain = shown.split_once('|').unwrap().1;
            prop_assert_eq!(plain.len(), 48);
            prop_assert_eq!(Presented::parse(plain).unwrap().hash, secret.hash());
        }
    }

    #[test]
    fn the_hash_is_that_of_the_plain_part_as_sanctum_stores_it() {
        let plain = "a".repeat(48);
        let presented = Presented::parse(&format!("7|{plain}")).unwrap();
        assert_eq!(hex::encode(presented.hash.0), hex::encode(Sha256::digest(plain.as_bytes())));
    }

    #[test]
    fn what_cannot_be_a_token_is_refused_before_any_look_up() {
        for text in
            ["", "1|", "x|aaaa", "1|short", "1|a b c d e f g h i j k l m n o p q r s t u v w x y z a", &"a".repeat(500)]
        {
            assert_eq!(Presented::parse(text), None, "{text}");
        }
    }

    #[test]
    fn abilities_allow_themselves_their_family_or_everything() {
        let some = Abilities::from_names(["messages:read".into(), "webhooks:*".into()]).unwrap();
        assert!(some.allow("messages:read") && some.allow("webhooks:write"));
        assert!(!some.allow("messages:send"));
        assert!(Abilities::all().allow("messages:send"));
        assert!(Abilities::from_names(["nonsense".into()]).is_err());
    }

    #[test]
    fn abilities_lie_within_others_that_allow_each_of_them() {
        let named = |names: &[&str]| Abilities::from_names(names.iter().map(|name| (*name).to_owned())).unwrap();
        let some = named(&["messages:read", "webhooks:*"]);
        assert!(some.within(&Abilities::all()) && some.within(&some) && named(&["messages:read"]).within(&some));
        assert!(!Abilities::all().within(&some) && !named(&["messages:send"]).within(&some));
        assert!(!named(&["webhooks:*"]).within(&named(&["messages:read"])));
    }
}
