//! `ClientRequestToken`: a transaction repeated under its token within ten minutes is answered, not applied again.
//!
//! The memory is this process's. After a restart, or from another process on the same file, a repeat is applied anew,
//! so a transaction that must not happen twice also carries a condition (ours put an idempotency item).

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use dynoxide::DynoxideError;
use serde_json::Value;

/// How long AWS remembers a token.
const LIFE: Duration = Duration::from_mins(10);
/// How many tokens are remembered at most: 160 transactions a second over the whole life.
const CAPACITY: usize = 100_000;

/// What was asked under which token.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    digests: HashMap<String, u64>,
    /// Oldest first, so that forgetting costs nothing per call.
    order: VecDeque<(Instant, String)>,
}

/// One transaction's token and the digest of its items.
#[derive(Debug)]
pub(super) struct Claim {
    token: String,
    digest: u64,
}

impl Claim {
    /// The claim of a `TransactWriteItems` request; `None` if it carries no token or cannot be read.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let request: Value = serde_json::from_slice(body).ok()?;
        let token = request.get("ClientRequestToken")?.as_str()?.to_owned();
        let mut hasher = DefaultHasher::new();
        hash(request.get("TransactItems")?, &mut hasher);
        Some(Self { token, digest: hasher.finish() })
    }
}

impl Tokens {
    /// Whether the very transaction was applied before; an error if the token stood for other items.
    pub(super) fn applied(&mut self, claim: &Claim) -> Result<bool, DynoxideError> {
        self.forget(now());
        match self.digests.get(&claim.token) {
            None => Ok(false),
            Some(digest) if *digest == claim.digest => Ok(true),
            Some(_) => Err(DynoxideError::IdempotentParameterMismatchException(
                "The token was used with other parameters in the last ten minutes".to_owned(),
            )),
        }
    }

    /// Remembers an applied transaction. A refused one is not remembered: it may be tried again under its token.
    pub(super) fn record(&mut self, claim: Claim) {
        self.order.push_back((now(), claim.token.clone()));
        self.digests.insert(claim.token, claim.digest);
    }

    fn forget(&mut self, now: Instant) {
        while let Some((since, _)) = self.order.front() {
            if self.order.len() < CAPACITY && now.duration_since(*since) < LIFE {
                break;
            }
            if let Some((_, token)) = self.order.pop_front() {
                self.digests.remove(&token);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the engine stands for AWS, which has a clock of its own")]
fn now() -> Instant {
    Instant::now()
}

/// Hashes by content: the order of an object's fields changes between two requests for the same thing.
fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields.len().hash(hasher);
            for (name, value) in fields {
                name.hash(hasher);
                hash(value, hasher);
            }
        }
        Value::Array(values) => {
            values.len().hash(hasher);
            for value in values {
                hash(value, hasher);
            }
        }
        other => other.hash(hasher),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(body: &str) -> Claim {
        Claim::of(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_order_of_fields_makes_no_other_request() {
        let one = claim(r#"{"ClientRequestToken":"t","TransactItems":[{"Put":{"TableName":"x","Item":{}}}]}"#);
        let two = claim(r#"{"TransactItems":[{"Put":{"Item":{},"TableName":"x"}}],"ClientRequestToken":"t"}"#);
        assert_eq!(one.digest, two.digest);
    }

    #[test]
    fn a_token_is_bound_to_its_items_for_ten_minutes() {
        let mut tokens = Tokens::default();
        let other = claim(r#"{"ClientRequestToken":"t","TransactItems":[1]}"#);
        assert!(!tokens.applied(&other).unwrap());
        tokens.record(claim(r#"{"ClientRequestToken":"t","TransactItems":[]}"#));
        assert!(tokens.applied(&other).is_err());
        assert!(tokens.applied(&claim(r#"{"ClientRequestToken":"t","TransactItems":[]}"#)).unwrap());
        tokens.forget(now() + LIFE);
        assert!(tokens.digests.is_empty() && tokens.order.is_empty());
    }
}
