//! What the environment says to a process in the cloud: one reading of the variables that all forms share. All of it is
//! read before anything is opened; what a process alone needs it reads by the same [`Variables`].
//!
//! | Variable | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_AWS_REGION` | region | `AWS_REGION`, which Lambda and ECS set |
//! | `HANTAR_AWS_ACCESS_KEY_ID`, `HANTAR_AWS_SECRET_ACCESS_KEY`, `HANTAR_AWS_SESSION_TOKEN` | fixed credentials | `AWS_…`, which Lambda sets to the role's |
//! | `HANTAR_AWS_ENDPOINT_URL` | an address that stands in for AWS | the region's own |
//! | `HANTAR_BUSINESS_TABLE`, `HANTAR_ENGINE_TABLE` | the tables | must be given |
//! | `HANTAR_QUEUE_PREFIX` | what the queues' names begin with | must be given |
//! | `HANTAR_SHARDS` | how many shards there are | 64 |
//! | `HANTAR_MAIL`, `HANTAR_MAIL_FROM` | how letters are sent (`mail.rs`) | to the log |
//! | `HANTAR_KMS_KEY` or `HANTAR_KEY_FILE` | what the accounts' keys are wrapped with | where keys are needed, one of them must be given |

use std::path::PathBuf;
use std::sync::Arc;

use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_usecases::ports::KeyWrap;

use crate::aws::{AwsEndpoint, Connector, tokio_sleep};
use crate::entropy::SystemEntropy;
use crate::key_file::{KeyFile, KeyFileError};
use crate::kms::KmsWrap;
pub use crate::variables::{ConfigError, Variables};

/// How many shards a fleet has unless somebody chose otherwise before its first start.
const SHARDS: u16 = 64;

/// What every process on the cloud's tables needs.
#[derive(Clone, Debug)]
pub struct Cloud {
    /// Where AWS is, and who asks.
    pub aws: AwsEndpoint,
    /// The table with the stream.
    pub business_table: String,
    /// The table without one.
    pub engine_table: String,
    /// What the queues' names begin with.
    pub queue_prefix: String,
    /// How many shards there should be.
    pub shards: u16,
}

impl Cloud {
    /// Reads it.
    pub fn parse<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<Self, ConfigError> {
        Ok(Self {
            aws: from.aws()?,
            business_table: from.needed("HANTAR_BUSINESS_TABLE", "the name of a table")?,
            engine_table: from.needed("HANTAR_ENGINE_TABLE", "the name of a table")?,
            queue_prefix: from.needed("HANTAR_QUEUE_PREFIX", "what the queues' names begin with")?,
            shards: from.positive("HANTAR_SHARDS", "a number from 1 to 65535")?.unwrap_or(SHARDS),
        })
    }

    /// Compares the number of shards with the stored one. Doorbells would ring where nobody listens.
    pub fn check_shards(&self, stored: u16) -> Result<u16, ConfigError> {
        if stored == self.shards {
            return Ok(stored);
        }
        Err(ConfigError::new("HANTAR_SHARDS", format!("{stored}, the number that the tables were begun with")))
    }
}

/// What wraps the accounts' keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// This key of AWS KMS, by id, ARN or alias.
    Kms(String),
    /// This key file, which is there.
    File(PathBuf),
}

impl KeySource {
    /// Reads it: exactly one must be named.
    pub fn parse<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<Self, ConfigError> {
        match (from.get("HANTAR_KMS_KEY"), from.get("HANTAR_KEY_FILE").map(PathBuf::from)) {
            (Some(key), None) => Ok(Self::Kms(key)),
            // A new key would open nothing that is stored.
            (None, Some(path)) if path.is_file() => Ok(Self::File(path)),
            (None, Some(_)) => Err(ConfigError::new("HANTAR_KEY_FILE", "a key file that is there")),
            (Some(_), Some(_)) => Err(ConfigError::new("HANTAR_KEY_FILE", "nothing, because HANTAR_KMS_KEY is given")),
            (None, None) => Err(ConfigError::new("HANTAR_KMS_KEY", "the id or ARN of a KMS key (or HANTAR_KEY_FILE)")),
        }
    }

    /// Opens it. A KMS key is not asked for yet.
    pub fn open(&self, aws: &AwsEndpoint) -> Result<Arc<dyn KeyWrap>, KeyFileError> {
        Ok(match self {
            Self::Kms(key) => {
                let time = SharedTimeSource::new(SystemTimeSource::new());
                Arc::new(KmsWrap::new(aws, Connector::Https, tokio_sleep(), time, key.clone()))
            }
            Self::File(path) => Arc::new(KeyFile::open(path, &SystemEntropy)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::ProvideCredentials as _;

    use super::*;

    /// What Lambda and a deployment give at least.
    const LEAST: [(&str, &str); 8] = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "role-id"),
        ("AWS_SECRET_ACCESS_KEY", "role-secret"),
        ("AWS_SESSION_TOKEN", "role-token"),
        ("HANTAR_BUSINESS_TABLE", "business"),
        ("HANTAR_ENGINE_TABLE", "engine"),
        ("HANTAR_QUEUE_PREFIX", "hantar"),
        ("HANTAR_KMS_KEY", "alias/hantar"),
    ];

    /// The least, with `changed` in its place.
    fn with(changed: &[(&str, &str)]) -> Variables<impl Fn(&'static str) -> Option<String>> {
        Variables(|name| {
            let found = changed.iter().chain(&LEAST).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    async fn who(cloud: &Cloud) -> (String, Option<String>) {
        let key = cloud.aws.credentials.as_ref().unwrap().provide_credentials().await.unwrap();
        (key.access_key_id().to_owned(), key.session_token().map(str::to_owned))
    }

    #[tokio::test]
    async fn where_nothing_else_is_said_the_region_and_the_credentials_are_the_roles() {
        let cloud = Cloud::parse(&with(&[])).unwrap();
        assert_eq!((cloud.aws.region.as_str(), &cloud.aws.endpoint_url), ("eu-west-1", &None));
        assert_eq!(who(&cloud).await, ("role-id".into(), Some("role-token".into())));
        assert_eq!((cloud.business_table.as_str(), cloud.engine_table.as_str()), ("business", "engine"));
        assert_eq!((cloud.queue_prefix.as_str(), cloud.shards), ("hantar", 64));
        assert_eq!(KeySource::parse(&with(&[])), Ok(KeySource::Kms("alias/hantar".into())));
    }

    #[tokio::test]
    async fn fixed_credentials_go_before_the_roles_and_are_never_mixed_with_them() {
        let fixed = [
            ("HANTAR_AWS_REGION", "us-east-2"),
            ("HANTAR_AWS_ACCESS_KEY_ID", "fixed-id"),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", "fixed-secret"),
            ("HANTAR_AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("HANTAR_SHARDS", "4"),
        ];
        let cloud = Cloud::parse(&with(&fixed)).unwrap();
        assert_eq!((cloud.aws.region.as_str(), cloud.shards), ("us-east-2", 4));
        assert_eq!(cloud.aws.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(who(&cloud).await, ("fixed-id".into(), None), "the role's token belongs to the role's key");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_with_what_was_expected() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("HANTAR_AWS_REGION", &[("AWS_REGION", "")]),
            ("AWS_ACCESS_KEY_ID", &[("AWS_ACCESS_KEY_ID", "")]),
            ("AWS_SECRET_ACCESS_KEY", &[("AWS_SECRET_ACCESS_KEY", "")]),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", &[("HANTAR_AWS_ACCESS_KEY_ID", "id")]),
            ("HANTAR_AWS_ACCESS_KEY_ID", &[("HANTAR_AWS_SECRET_ACCESS_KEY", "secret")]),
            ("HANTAR_AWS_ACCESS_KEY_ID", &[("HANTAR_AWS_SESSION_TOKEN", "token")]),
            ("HANTAR_AWS_ENDPOINT_URL", &[("HANTAR_AWS_ENDPOINT_URL", "localhost:4566")]),
            ("HANTAR_AWS_ENDPOINT_URL", &[("HANTAR_AWS_ENDPOINT_URL", "ftp://localhost")]),
            ("HANTAR_AWS_ENDPOINT_URL", &[("HANTAR_AWS_ENDPOINT_URL", "http://localhost/?a=b")]),
            ("HANTAR_BUSINESS_TABLE", &[("HANTAR_BUSINESS_TABLE", "")]),
            ("HANTAR_ENGINE_TABLE", &[("HANTAR_ENGINE_TABLE", "")]),
            ("HANTAR_QUEUE_PREFIX", &[("HANTAR_QUEUE_PREFIX", "")]),
            ("HANTAR_SHARDS", &[("HANTAR_SHARDS", "0")]),
            ("HANTAR_SHARDS", &[("HANTAR_SHARDS", "65536")]),
            ("HANTAR_SHARDS", &[("HANTAR_SHARDS", "four")]),
            ("HANTAR_KMS_KEY", &[("HANTAR_KMS_KEY", "")]),
            ("HANTAR_KEY_FILE", &[("HANTAR_KMS_KEY", ""), ("HANTAR_KEY_FILE", "/nowhere/master.key")]),
            ("HANTAR_KEY_FILE", &[("HANTAR_KEY_FILE", "/also")]),
        ];
        for (name, changed) in table {
            let variables = with(changed);
            let parsed = Cloud::parse(&variables).map(drop).and_then(|()| KeySource::parse(&variables).map(drop));
            let error = parsed.unwrap_err();
            assert!(error.to_string().starts_with(&format!("{name}: expected ")), "{changed:?}: {error}");
            assert!(error.expected.len() > 5, "{error}");
        }
    }

    #[test]
    fn a_key_file_that_is_there_may_be_named_instead_of_a_kms_key() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let changed = [("HANTAR_KMS_KEY", ""), ("HANTAR_KEY_FILE", file)];
        assert_eq!(KeySource::parse(&with(&changed)), Ok(KeySource::File(file.into())));
    }

    #[test]
    fn another_number_of_shards_than_the_stored_one_is_refused() {
        let cloud = Cloud::parse(&with(&[("HANTAR_SHARDS", "4")])).unwrap();
        assert_eq!(cloud.check_shards(4), Ok(4));
        let error = cloud.check_shards(64).unwrap_err();
        assert_eq!(error.to_string(), "HANTAR_SHARDS: expected 64, the number that the tables were begun with");
    }
}
