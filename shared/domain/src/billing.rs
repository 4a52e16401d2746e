//! How an installation charges for messages, and how its payment provider's calls are known to be its own.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::egress::Target;
use crate::price::PriceList;
use crate::time::Timestamp;

/// How far the time in a signature may be from ours: as long as a recorded call is good for.
pub const TOLERANCE: Duration = Duration::from_mins(5);
/// How many signatures of one call are looked at.
const MAX_SIGNATURES: usize = 8;

/// How an installation charges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Billing {
    /// Not at all: it is its users' own.
    Off,
    /// By credits that the administrator puts in.
    #[default]
    Credits,
    /// By credits that are also bought through Stripe.
    Stripe(Box<Stripe>),
}

impl Billing {
    /// Whether messages cost anything.
    pub const fn charges(&self) -> bool {
        !matches!(self, Self::Off)
    }

    /// The shop, where there is one.
    pub fn stripe(&self) -> Option<&Stripe> {
        match self {
            Self::Stripe(stripe) => Some(stripe),
            Self::Off | Self::Credits => None,
        }
    }
}

/// What selling through Stripe needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// Where its API is.
    pub api: Target,
    /// What our calls are let in by.
    pub key: ApiKey,
    /// What its calls are signed with; two while one takes the other's place.
    pub signing: Vec<EventSecret>,
    /// What credits cost an account that has no prices of its own.
    pub prices: PriceList,
}

/// A key to an API. Never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// The key with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one header that it belongs into.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// What Stripe signs its calls with (`whsec_…`, the whole text is the key). Never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct EventSecret(String);

impl fmt::Debug for EventSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSecret(..)")
    }
}

/// Why a call is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disbelief {
    /// There is no signature, or none that can be read.
    #[error("there is no signature")]
    Unsigned,
    /// No signature is of our secret and this body.
    #[error("the signature does not fit")]
    WrongSignature,
    /// It was signed too long ago, or in the future.
    #[error("the signature is not of now")]
    WrongTime,
}

impl EventSecret {
    /// The secret with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    fn mac(&self, at: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        Some(mac)
    }
}

/// Checks the header `Stripe-Signature` (`t=…,v1=…[,v1=…]`) of a call with this body: HMAC-SHA256 over `{t}.{body}`.
pub fn check_signature(secrets: &[EventSecret], header: &str, body: &[u8], now: Timestamp) -> Result<(), Disbelief> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let at = parts().find(|(name, _)| *name == "t").and_then(|(_, value)| value.parse::<i64>().ok());
    let at = at.ok_or(Disbelief::Unsigned)?;
    let mut signed = false;
    for (_, value) in parts().filter(|(name, _)| *name == "v1").take(MAX_SIGNATURES) {
        let Ok(signature) = hex::decode(value) else { continue };
        signed = true;
        // Takes the same time whatever the signature.
        let fits = |secret: &EventSecret| secret.mac(at, body).is_some_and(|mac| mac.verify_slice(&signature).is_ok());
        if secrets.iter().any(fits) {
            let signed_at = Timestamp::from_seconds(at);
            let apart = now.since(signed_at).max(signed_at.since(now));
            return if apart <= TOLERANCE { Ok(()) } else { Err(Disbelief::WrongTime) };
        }
    }
    Err(if signed { Disbelief::WrongSignature } else { Disbelief::Unsigned })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_169_053);

    fn signed(secret: &str, at: i64, body: &[u8]) -> String {
        let mac = EventSecret::new(secret).mac(at, body).unwrap();
        format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
    }

    fn check(header: &str, body: &[u8]) -> Result<(), Disbelief> {
        let secrets = [EventSecret::new("whsec_old"), EventSecret::new("whsec_new")];
        check_signature(&secrets, header, body, NOW)
    }

    #[test]
    fn a_call_that_one_of_our_secrets_signed_now_is_believed() {
        for secret in ["whsec_old", "whsec_new"] {
            for apart in [-300, 0, 300] {
                assert_eq!(check(&signed(secret, NOW.seconds() + apart, b"{}"), b"{}"), Ok(()), "{secret} {apart}");
            }
        }
        let (good, at) = (signed("whsec_new", NOW.seconds(), b"{}"), NOW.seconds());
        let signature = good.split_once("v1=").unwrap().1;
        let several = format!("t={at}, v0=00,v1={},v1={signature}", "0".repeat(64));
        assert_eq!(check(&several, b"{}"), Ok(()));
    }

    #[test]
    fn what_is_not_signed_signed_otherwise_or_old_is_not_believed() {
        let at = NOW.seconds();
        let good = signed("whsec_new", at, b"{}");
        for (header, body, why) in [
            (String::new(), b"{}".as_slice(), Disbelief::Unsigned),
            (format!("t={at}"), b"{}", Disbelief::Unsigned),
            (format!("t={at},v1=nonsense"), b"{}", Disbelief::Unsigned),
            (good.replace("t=", "x="), b"{}", Disbelief::Unsigned),
            (good.replace("v1=", "v0="), b"{}", Disbelief::Unsigned),
            (good.clone(), b"{ }", Disbelief::WrongSignature),
            (signed("whsec_foreign", at, b"{}"), b"{}", Disbelief::WrongSignature),
            (good.replace(&at.to_string(), &(at + 1).to_string()), b"{}", Disbelief::WrongSignature),
            (signed("whsec_new", at - 301, b"{}"), b"{}", Disbelief::WrongTime),
            (signed("whsec_new", at + 301, b"{}"), b"{}", Disbelief::WrongTime),
        ] {
            assert_eq!(check(&header, body), Err(why), "{header}");
        }
    }

    #[test]
    fn secrets_are_not_written_to_logs() {
        let shown = format!("{:?} {:?}", ApiKey::new("sk_live_1"), EventSecret::new("whsec_1"));
        assert_eq!(shown, "ApiKey(..) EventSecret(..)");
    }
}
