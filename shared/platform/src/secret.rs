//! Secrets in variables that others may read (a deployment's state, a console): sealed under a data key of their own, which is
//! wrapped by the key of keys. What is not sealed is taken as it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hantar_domain::billing::{ApiKey, Billing, EventSecret};
use hantar_domain::sealed::{DataKey, NONCE_BYTES};
use hantar_usecases::ports::{Entropy, KeyWrap, PortError};

use crate::billing::{STRIPE_KEY, STRIPE_SIGNING_SECRET};

/// What a sealed value begins with.
const SEALED: &str = "sealed:";

/// Seals a value for the variable `name`: it opens for no other.
pub async fn seal_secret(
    wrap: &dyn KeyWrap,
    entropy: &dyn Entropy,
    name: &str,
    value: &str,
) -> Result<String, PortError> {
    let (mut key, mut nonce) = ([0; 32], [0; NONCE_BYTES]);
    entropy.fill(&mut key);
    entropy.fill(&mut nonce);
    let key = DataKey::from_bytes(key);
    let (wrapped, sealed) = (wrap.wrap(&key).await?, key.seal(nonce, name, value.as_bytes()));
    Ok(format!("{SEALED}{}:{}", STANDARD.encode(wrapped), STANDARD.encode(sealed)))
}

/// The value of the variable `name`, opened if it was sealed.
pub async fn open_secret(wrap: &dyn KeyWrap, name: &str, value: &str) -> Result<String, PortError> {
    let Some(sealed) = value.strip_prefix(SEALED) else { return Ok(value.to_owned()) };
    let damaged = || PortError::Corrupt(format!("{name} is sealed, and does not open"));
    let (wrapped, sealed) = sealed.split_once(':').ok_or_else(damaged)?;
    let decode = |text: &str| STANDARD.decode(text).map_err(|_| damaged());
    let key = wrap.unwrap(&decode(wrapped)?).await?;
    let plain = key.open(name, &decode(sealed)?).map_err(|_| damaged())?;
    String::from_utf8(plain).map_err(|_| damaged())
}

/// The same way of charging, with its secrets opened.
pub async fn open_billing(wrap: &dyn KeyWrap, billing: Billing) -> Result<Billing, PortError> {
    let Billing::Stripe(mut stripe) = billing else { return Ok(billing) };
    stripe.key = ApiKey::new(open_secret(wrap, STRIPE_KEY, stripe.key.text()).await?);
    for secret in &mut stripe.signing {
        *secret = EventSecret::new(open_secret(wrap, STRIPE_SIGNING_SECRET, secret.text()).await?);
    }
    Ok(Billing::Stripe(stripe))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;
    use crate::key_file::KeyFile;

    #[tokio::test]
    async fn a_sealed_value_opens_for_its_variable_alone_and_a_plain_one_is_itself() {
        let folder = tempfile::TempDir::new().unwrap();
        let wrap = KeyFile::open(&folder.path().join("master.key"), &SystemEntropy).unwrap();
        let sealed = seal_secret(&wrap, &SystemEntropy, "HANTAR_STRIPE_KEY", "sk_live_1").await.unwrap();
        assert!(!sealed.contains("sk_live"), "{sealed}");
        assert_eq!(open_secret(&wrap, "HANTAR_STRIPE_KEY", &sealed).await.unwrap(), "sk_live_1");
        assert!(open_secret(&wrap, "HANTAR_OTHER", &sealed).await.is_err());
        for damaged in ["sealed:", "sealed:x", "sealed:AAAA:AAAA", "sealed:%:%"] {
            assert!(open_secret(&wrap, "HANTAR_STRIPE_KEY", damaged).await.is_err(), "{damaged}");
        }
        assert_eq!(open_secret(&wrap, "HANTAR_STRIPE_KEY", "sk_live_1").await.unwrap(), "sk_live_1");
    }
}
