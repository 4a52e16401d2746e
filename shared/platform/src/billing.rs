//! What the environment says about charging for messages, read the same way by all forms.
//!
//! | Variable | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_BILLING` | `off`: messages cost nothing; `credits`: the administrator puts credits in; `stripe`: they are also bought | `credits` |
//! | `HANTAR_PRICES` | what credits cost, as `MYR 1:10, 1000:8.5`; an account may have prices of its own | must be given for `stripe` |
//! | `HANTAR_STRIPE_KEY` | a secret or restricted key of Stripe's API; a secret | must be given for `stripe` |
//! | `HANTAR_STRIPE_SIGNING_SECRET` | what Stripe signs its calls to `/api/v1/billing/stripe` with; a secret; two, separated by a comma, while one takes the other's place | must be given for `stripe` |
//! | `HANTAR_STRIPE_URL` | an address that stands in for Stripe | Stripe's own |
//!
//! Where a key of keys is at hand (not in a Worker), the two secrets may be sealed: `hantar secret seal NAME` says how they are
//! written then.

use hantar_domain::billing::{ApiKey, Billing, EventSecret, Stripe};
use hantar_domain::egress::{AllowList, Target};
use hantar_domain::price::NotAPriceList;

use crate::variables::{ConfigError, Variables};

/// The two variables that hold secrets.
pub(crate) const STRIPE_KEY: &str = "HANTAR_STRIPE_KEY";
pub(crate) const STRIPE_SIGNING_SECRET: &str = "HANTAR_STRIPE_SIGNING_SECRET";
/// Stripe's API.
const STRIPE: &str = "https://api.stripe.com";

impl<G: Fn(&'static str) -> Option<String>> Variables<G> {
    /// How messages are charged for. `allowed` are networks that may be called although they are not public.
    pub fn billing(&self, allowed: &AllowList) -> Result<Billing, ConfigError> {
        match self.get("HANTAR_BILLING").as_deref() {
            Some("off") => Ok(Billing::Off),
            None | Some("credits") => Ok(Billing::Credits),
            Some("stripe") => Ok(Billing::Stripe(Box::new(self.stripe(allowed)?))),
            Some(_) => Err(ConfigError::new("HANTAR_BILLING", "off, credits or stripe")),
        }
    }

    /// Whether messages cost anything.
    pub fn charges(&self) -> bool {
        self.get("HANTAR_BILLING").as_deref() != Some("off")
    }

    fn stripe(&self, allowed: &AllowList) -> Result<Stripe, ConfigError> {
        let prices = self.needed("HANTAR_PRICES", "prices such as MYR 1:10, 1000:8.5")?;
        let prices = prices.parse().map_err(|_: NotAPriceList| {
            ConfigError::new(
                "HANTAR_PRICES",
                "a currency and rising quantities with prices, such as MYR 1:10, 1000:8.5",
            )
        })?;
        let key = self.needed(STRIPE_KEY, "a secret or restricted key of Stripe's API")?;
        let secrets = self.needed(STRIPE_SIGNING_SECRET, "the signing secret of the webhook endpoint at Stripe")?;
        let signing = secrets.split(',').map(str::trim).filter(|secret| !secret.is_empty()).map(EventSecret::new);
        let url = self.get("HANTAR_STRIPE_URL").unwrap_or_else(|| STRIPE.to_owned());
        let api = Target::parse(&url, allowed)
            .map_err(|refusal| ConfigError::new("HANTAR_STRIPE_URL", format!("an address that {refusal}")))?;
        Ok(Stripe { api, key: ApiKey::new(key.trim()), signing: signing.collect(), prices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 4] = [
        ("HANTAR_BILLING", "stripe"),
        ("HANTAR_PRICES", "MYR 1:10, 1000:8.5"),
        ("HANTAR_STRIPE_KEY", "sk_test_1"),
        ("HANTAR_STRIPE_SIGNING_SECRET", "whsec_1, whsec_2"),
    ];

    fn read(changed: &[(&str, &str)]) -> Result<Billing, ConfigError> {
        let value = |name: &'static str| {
            let found = changed.iter().chain(&WHOLE).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Variables(value).billing(&"127.0.0.0/8".parse().unwrap())
    }

    #[test]
    fn credits_are_the_rule_and_the_rest_is_said() {
        assert_eq!(read(&[("HANTAR_BILLING", "")]), Ok(Billing::Credits));
        assert_eq!(read(&[("HANTAR_BILLING", "credits")]), Ok(Billing::Credits));
        assert_eq!(read(&[("HANTAR_BILLING", "off")]), Ok(Billing::Off));
        let billing = read(&[]).unwrap();
        let stripe = billing.stripe().unwrap();
        assert_eq!((stripe.api.url.as_str(), stripe.signing.len()), ("https://api.stripe.com/", 2));
        assert_eq!(stripe.prices.to_string(), "MYR 1:10, 1000:8.5");
        let elsewhere = read(&[("HANTAR_STRIPE_URL", "http://127.0.0.1:9/stripe")]).unwrap();
        assert_eq!(elsewhere.stripe().unwrap().api.url.path(), "/stripe");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (name, value) in [
            ("HANTAR_BILLING", "free"),
            ("HANTAR_PRICES", ""),
            ("HANTAR_PRICES", "10 sen"),
            ("HANTAR_STRIPE_KEY", ""),
            ("HANTAR_STRIPE_SIGNING_SECRET", ""),
            ("HANTAR_STRIPE_URL", "http://stripe.example.com"),
            ("HANTAR_STRIPE_URL", "https://10.0.0.1"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{name}: expected ")), "{error}");
        }
    }
}
