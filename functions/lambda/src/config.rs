//! What the environment says to each function, beyond what all processes in the cloud read (`hantar_platform::cloud`).
//! All of it is read before anything is opened.
//!
//! | Variable | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_KMS_KEY` or `HANTAR_KEY_FILE` | what the accounts' keys are wrapped with; `api` and `webhooks` alone | one of them must be given |
//! | `HANTAR_EGRESS_ALLOW` | networks that webhooks and addresses of files may lead to beyond the public internet | none |
//! | `HANTAR_MAIL`, `HANTAR_MAIL_FROM` | how letters are sent (`hantar_platform::mail`) | to the log |
//! | `HANTAR_CLIENT_ADDRESS_HEADER` | which header says where a request comes from, behind a proxy that is the only way in; `none` where none does | the address that called the gateway |
//! | `HANTAR_PUBLIC_URL` | where clients reach the API; with it the pages are served, too | taken from each request, and no pages |
//! | `HANTAR_PRICES`, `HANTAR_STRIPE_…` | how credits are bought, for `HANTAR_BILLING=stripe`; `api` alone (`hantar_platform`, module `billing`) | |
//! | `HANTAR_READS_PER_MINUTE`, `HANTAR_WRITES_PER_MINUTE` | what a token may ask of one process | 600, 300 |
//! | `HANTAR_LOG` | what is logged, as `info,hantar_store=debug` | `info` |

use axum::http::HeaderName;
use hantar_api::RateLimits;
use hantar_domain::billing::Billing;
use hantar_domain::egress::AllowList;
use hantar_platform::cloud::{Cloud, ConfigError, KeySource, Variables};
use hantar_platform::mail::MailSettings;
use tracing_subscriber::filter::Targets;
use url::Url;

/// What every function needs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Tables and queues.
    pub cloud: Cloud,
    /// How letters are sent.
    pub mail: MailSettings,
    /// What is logged.
    pub log: Targets,
}

/// What `api` needs.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// As every function.
    pub common: Config,
    /// For webhook secrets.
    pub keys: KeySource,
    /// Addresses that webhooks may call although they are not public.
    pub allowed: AllowList,
    /// How messages are charged for.
    pub billing: Billing,
    /// What a token may ask of one process.
    pub limits: RateLimits,
    /// Where clients reach the API.
    pub public_url: Option<Url>,
    /// Which header says where a request comes from.
    pub address_header: Option<HeaderName>,
}

/// What `webhooks` needs.
#[derive(Clone, Debug)]
pub struct WebhooksConfig {
    /// As every function.
    pub common: Config,
    /// For webhook secrets.
    pub keys: KeySource,
    /// Addresses that webhooks may call although they are not public.
    pub allowed: AllowList,
}

impl Config {
    /// Reads the variables by `get`.
    pub fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        common(&Variables(get))
    }
}

impl ApiConfig {
    /// Reads the variables by `get`.
    pub fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let from = Variables(get);
        let per_minute = |name, otherwise| Ok(from.positive(name, "a number, 1 or more")?.unwrap_or(otherwise));
        let allowed = allowed(&from)?;
        Ok(Self {
            common: common(&from)?,
            keys: KeySource::parse(&from)?,
            billing: from.billing(&allowed)?,
            allowed,
            limits: RateLimits {
                reads_per_minute: per_minute("HANTAR_READS_PER_MINUTE", 600)?,
                writes_per_minute: per_minute("HANTAR_WRITES_PER_MINUTE", 300)?,
            },
            public_url: from.web_address("HANTAR_PUBLIC_URL")?,
            address_header: from.parsed("HANTAR_CLIENT_ADDRESS_HEADER", "the name of a header")?,
        })
    }
}

impl WebhooksConfig {
    /// Reads the variables by `get`.
    pub fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let from = Variables(get);
        Ok(Self { common: common(&from)?, keys: KeySource::parse(&from)?, allowed: allowed(&from)? })
    }
}

fn common<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<Config, ConfigError> {
    let log = from.parsed("HANTAR_LOG", "a filter such as info,hantar_store=debug")?;
    let log = log.unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    Ok(Config { cloud: Cloud::parse(from)?, mail: MailSettings::parse(from)?, log })
}

fn allowed<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<AllowList, ConfigError> {
    Ok(from.parsed("HANTAR_EGRESS_ALLOW", "networks such as 10.0.0.0/8, separated by commas")?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Lambda and a deployment give at least.
    const LEAST: [(&str, &str); 8] = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "role-id"),
        ("AWS_SECRET_ACCESS_KEY", "role-secret"),
        ("HANTAR_BUSINESS_TABLE", "business"),
        ("HANTAR_ENGINE_TABLE", "engine"),
        ("HANTAR_QUEUE_PREFIX", "hantar"),
        ("HANTAR_KMS_KEY", "alias/hantar"),
        ("HANTAR_MAIL_FROM", "hantar@example.com"),
    ];

    /// The least, with `changed` in its place.
    fn with(changed: &[(&str, &str)]) -> impl Fn(&'static str) -> Option<String> {
        move |name| {
            let found = changed.iter().chain(&LEAST).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (name, value) in [
            ("HANTAR_BUSINESS_TABLE", ""),
            ("HANTAR_SHARDS", "0"),
            ("HANTAR_KMS_KEY", ""),
            ("HANTAR_LOG", "hantar=loudly"),
            ("HANTAR_EGRESS_ALLOW", "everywhere"),
            ("HANTAR_PUBLIC_URL", "api.example.com"),
            ("HANTAR_PUBLIC_URL", "https://api.example.com/?a=b"),
            ("HANTAR_CLIENT_ADDRESS_HEADER", "two words"),
            ("HANTAR_MAIL", "pigeon"),
            ("HANTAR_READS_PER_MINUTE", "0"),
            ("HANTAR_WRITES_PER_MINUTE", "-1"),
            ("HANTAR_BILLING", "free"),
        ] {
            let error = ApiConfig::parse(with(&[(name, value)])).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{name}: expected ")), "{error}");
        }
    }

    #[test]
    fn only_those_who_open_secrets_need_a_key() {
        let none = [("HANTAR_KMS_KEY", "")];
        Config::parse(with(&none)).unwrap();
        assert_eq!(WebhooksConfig::parse(with(&none)).unwrap_err().name, "HANTAR_KMS_KEY");
    }

    #[test]
    fn the_rest_has_defaults_and_all_that_may_be_said_is_taken() {
        let config = ApiConfig::parse(with(&[])).unwrap();
        assert_eq!(config.limits, RateLimits { reads_per_minute: 600, writes_per_minute: 300 });
        assert_eq!((config.public_url, config.common.log.to_string()), (None, "info".to_owned()));
        let changed = [
            ("HANTAR_LOG", "warn,hantar_store=debug"),
            ("HANTAR_EGRESS_ALLOW", "127.0.0.0/8"),
            ("HANTAR_PUBLIC_URL", "https://api.example.com"),
            ("HANTAR_READS_PER_MINUTE", "10"),
            ("HANTAR_WRITES_PER_MINUTE", "5"),
        ];
        let config = ApiConfig::parse(with(&changed)).unwrap();
        assert_eq!(config.limits, RateLimits { reads_per_minute: 10, writes_per_minute: 5 });
        assert_eq!(config.public_url.unwrap().host_str(), Some("api.example.com"));
        assert!(config.allowed.allows([127, 0, 0, 1].into()));
    }
}
