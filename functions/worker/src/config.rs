//! What the bindings say, all of it checked before anything is called.
//!
//! | Binding | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_AWS_REGION` | region of the tables | must be given |
//! | `HANTAR_AWS_ACCESS_KEY_ID`, `HANTAR_AWS_SECRET_ACCESS_KEY` | who asks; secrets | must be given |
//! | `HANTAR_AWS_SESSION_TOKEN` | comes with temporary credentials; a secret | none |
//! | `HANTAR_AWS_ENDPOINT_URL` | an address that stands in for AWS | the region's own |
//! | `HANTAR_BUSINESS_TABLE`, `HANTAR_ENGINE_TABLE` | the tables | must be given |
//! | `HANTAR_QUEUE_PREFIX` | how the names of the queues begin | must be given |
//! | `HANTAR_SHARDS` | shards, held against what is stored | whatever is stored |
//! | `HANTAR_CAMPAIGN_GAP` | seconds between two rows of campaigns on one device, as the hosts have it | 3 |
//! | `HANTAR_BUCKET` | the bucket of large things | imports and exports are refused |
//! | `HANTAR_BUCKET_ENDPOINT_URL`, `HANTAR_BUCKET_REGION`, `HANTAR_BUCKET_ACCESS_KEY_ID`, `HANTAR_BUCKET_SECRET_ACCESS_KEY` | a service that speaks like S3, such as R2 | the bucket is on AWS |
//! | `HANTAR_AWS_API_URL` | who serves what a Worker cannot | such requests are refused |
//! | `HANTAR_PUBLIC_URL` | the address that clients know this Worker by | the one that each request names |
//! | `HANTAR_BILLING`, `HANTAR_PRICES`, `HANTAR_STRIPE_…` | how messages are charged for (`hantar_platform`, module `billing`) | by credits |
//! | `HANTAR_EGRESS_ALLOW` | networks from which messages may take files beyond the public internet, as the hosts have it | none |
//! | `HANTAR_LOG` | `error`, `warn`, `info`, `debug` or `trace` | `info` |

use hantar_domain::billing::Billing;
use hantar_domain::egress::AllowList;
use hantar_domain::pacing::Pacing;
use hantar_platform::aws::AwsEndpoint;
pub use hantar_platform::variables::ConfigError;
use hantar_platform::variables::Variables;
use hantar_store::TableNames;
use tracing::Level;
use url::Url;

/// How this Worker runs.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the tables are, and who asks.
    pub aws: AwsEndpoint,
    /// Their names.
    pub tables: TableNames,
    /// How the names of the queues begin.
    pub queue_prefix: String,
    /// The bucket of large things, and where it is.
    pub bucket: Option<(AwsEndpoint, String)>,
    /// How many shards there should be.
    pub shards: Option<u16>,
    /// How fast devices send campaigns.
    pub pacing: Pacing,
    /// Who serves what a Worker cannot.
    pub aws_api: Option<Url>,
    /// The address that clients know this Worker by.
    pub public_url: Option<Url>,
    /// Networks that addresses in requests may name beyond the public internet.
    pub allowed: AllowList,
    /// How messages are charged for.
    pub billing: Billing,
    /// The least that is logged.
    pub log: Level,
}

impl Config {
    /// Reads the bindings by `get`. An empty one counts as absent.
    ///
    /// # Errors
    /// The first that is missing or wrong.
    pub fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let from = Variables(get);
        let aws = from.aws()?;
        Ok(Self {
            bucket: from.bucket(&aws)?,
            aws,
            tables: TableNames {
                business: from.needed("HANTAR_BUSINESS_TABLE", "the name of a table")?,
                engine: from.needed("HANTAR_ENGINE_TABLE", "the name of a table")?,
            },
            queue_prefix: from.needed("HANTAR_QUEUE_PREFIX", "how the names of the queues begin")?,
            shards: from.positive("HANTAR_SHARDS", "a number from 1 to 65535")?,
            pacing: from.parsed("HANTAR_CAMPAIGN_GAP", "seconds, such as 3 or 0.5")?.unwrap_or_default(),
            aws_api: from.web_address("HANTAR_AWS_API_URL")?,
            public_url: from.web_address("HANTAR_PUBLIC_URL")?,
            allowed: from
                .parsed("HANTAR_EGRESS_ALLOW", "networks such as 10.0.0.0/8, separated by commas")?
                .unwrap_or_default(),
            billing: from.billing(&AllowList::default())?,
            log: level(&from.get("HANTAR_LOG").unwrap_or_default())?,
        })
    }
}

/// The other forms take whole filters. Of those a Worker follows the level that is named for everything.
fn level(text: &str) -> Result<Level, ConfigError> {
    let expected = "error, warn, info, debug or trace";
    let everything = text.split(',').find(|part| !part.contains('=')).unwrap_or_default();
    let everything = if everything.is_empty() { "info" } else { everything.trim() };
    everything.parse().map_err(|_| ConfigError::new("HANTAR_LOG", expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDED: [(&str, &str); 6] = [
        ("HANTAR_AWS_REGION", "eu-west-1"),
        ("HANTAR_AWS_ACCESS_KEY_ID", "id"),
        ("HANTAR_AWS_SECRET_ACCESS_KEY", "secret"),
        ("HANTAR_BUSINESS_TABLE", "business"),
        ("HANTAR_ENGINE_TABLE", "engine"),
        ("HANTAR_QUEUE_PREFIX", "hantar"),
    ];

    fn parse(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::parse(|name| {
            let given = changes.iter().chain(&NEEDED).find(|(known, _)| *known == name);
            given.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn six_bindings_are_all_it_needs() {
        let config = parse(&[]).unwrap();
        assert_eq!((config.tables.business.as_str(), config.tables.engine.as_str()), ("business", "engine"));
        assert_eq!((config.aws.endpoint_url, config.aws_api, config.public_url), (None, None, None));
        assert_eq!((config.shards, config.log), (None, Level::INFO));
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_what_was_expected() {
        for (name, _) in NEEDED {
            assert_eq!(parse(&[(name, "")]).unwrap_err().name, name);
        }
        for (name, wrong) in [
            ("HANTAR_AWS_ENDPOINT_URL", "localhost:4566"),
            ("HANTAR_AWS_API_URL", "api.example.com"),
            ("HANTAR_PUBLIC_URL", "ftp://example.com"),
            ("HANTAR_SHARDS", "0"),
            ("HANTAR_SHARDS", "many"),
            ("HANTAR_BILLING", "free"),
            ("HANTAR_LOG", "loud"),
        ] {
            let error = parse(&[(name, wrong)]).unwrap_err();
            assert_eq!(error.name, name, "{wrong}");
            assert!(error.to_string().starts_with(&format!("{name}: expected ")), "{error}");
        }
    }

    #[test]
    fn without_credentials_the_first_binding_to_give_is_named() {
        let error = parse(&[("HANTAR_AWS_ACCESS_KEY_ID", ""), ("HANTAR_AWS_SECRET_ACCESS_KEY", "")]).unwrap_err();
        assert_eq!(error.name, "HANTAR_AWS_ACCESS_KEY_ID");
    }

    #[test]
    fn of_a_filter_the_level_for_everything_counts() {
        for (filter, level) in
            [("warn", Level::WARN), ("hantar=trace,error", Level::ERROR), ("hantar=trace", Level::INFO)]
        {
            assert_eq!(parse(&[("HANTAR_LOG", filter)]).unwrap().log, level, "{filter}");
        }
    }

    #[test]
    fn an_endpoint_has_no_slash_at_its_end() {
        let config = parse(&[("HANTAR_AWS_ENDPOINT_URL", "http://127.0.0.1:4566")]).unwrap();
        assert_eq!(config.aws.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
    }
}
