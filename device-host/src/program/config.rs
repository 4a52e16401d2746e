//! What the environment says. All of it is checked before anything is opened. An empty variable counts as absent.
//!
//! | Variable | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_AWS_REGION` | region of tables and queues | `AWS_REGION` |
//! | `HANTAR_AWS_ACCESS_KEY_ID`, `HANTAR_AWS_SECRET_ACCESS_KEY` | who asks | the task's role, by `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `…_FULL_URI` |
//! | `HANTAR_AWS_SESSION_TOKEN` | comes with temporary credentials | none |
//! | `HANTAR_AWS_ENDPOINT_URL` | an address that stands in for AWS | the region's own |
//! | `HANTAR_BUSINESS_TABLE`, `HANTAR_ENGINE_TABLE` | the tables | `hantar`, `hantar-engine` |
//! | `HANTAR_QUEUE_PREFIX` | what the queues' names begin with | `hantar` |
//! | `HANTAR_KMS_KEY` or `HANTAR_KEY_FILE` | what the accounts' keys are wrapped with | one of them must be given |
//! | `HANTAR_BUCKET` | the bucket of files that were uploaded to be sent | such messages fail |
//! | `HANTAR_BUCKET_ENDPOINT_URL`, `HANTAR_BUCKET_REGION`, `HANTAR_BUCKET_ACCESS_KEY_ID`, `HANTAR_BUCKET_SECRET_ACCESS_KEY` | a service that speaks like S3, such as R2 | the bucket is on AWS |
//! | `HANTAR_EGRESS_ALLOW` | networks from which messages may take files beyond the public internet | none |
//! | `HANTAR_SHARDS` | shards, if none are stored yet | 64 |
//! | `HANTAR_LISTEN` | where health and metrics are served | `0.0.0.0:9090` |
//! | `HANTAR_CONNECTS_PER_SECOND` | connections begun in a second | 20 |
//! | `HANTAR_CAMPAIGN_GAP` | seconds between two rows of campaigns on one device | 3 |
//! | `HANTAR_DEVICE_NAME` | what phones show | `Hantar` |
//! | `HANTAR_WHATSAPP_URL` | a server that speaks WhatsApp's protocol | WhatsApp |
//! | `HANTAR_WHATSAPP_VERSION` | the client version told to it | the one that it tells itself, else the pinned one |
//! | `HANTAR_WHATSAPP_CA` | PEM file with a further root certificate | none |
//! | `HANTAR_OTLP_URL` | a collector that takes traces over HTTP | no traces |
//! | `HANTAR_LOG` | what is logged | `info`, and warnings of the WhatsApp library |

use std::net::SocketAddr;

use hantar_domain::egress::AllowList;
use hantar_platform::aws::AwsEndpoint;
use hantar_platform::cloud::{ConfigError, KeySource, Variables};
use hantar_store::TableNames;

use super::credentials::Credentials;
use crate::{HostConfig, WhatsAppServer};

/// Where health and metrics are served unless somebody says otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 9090);
/// What the container agent sets for a task with a role.
const CONTAINER: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];

/// How this host runs.
#[derive(Debug)]
pub(super) struct Config {
    pub(super) endpoint_url: Option<String>,
    pub(super) region: String,
    pub(super) credentials: Credentials,
    pub(super) tables: TableNames,
    pub(super) queue_prefix: String,
    pub(super) bucket: Option<(AwsEndpoint, String)>,
    pub(super) egress_allow: AllowList,
    pub(super) keys: KeySource,
    pub(super) listen: SocketAddr,
    pub(super) otlp_url: Option<String>,
    pub(super) log: Option<String>,
    pub(super) host: HostConfig,
}

impl Config {
    /// Reads the variables by `get`.
    pub(super) fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let from = Variables(get);
        let or = |name, otherwise: &str| from.get(name).unwrap_or_else(|| otherwise.to_owned());
        let otherwise = HostConfig::default();
        let host = HostConfig {
            shards: from.positive("HANTAR_SHARDS", "a number from 1 to 65535")?.unwrap_or(otherwise.shards),
            connects_per_second: from
                .positive("HANTAR_CONNECTS_PER_SECOND", "a number, 1 or more")?
                .unwrap_or(otherwise.connects_per_second),
            device_name: or("HANTAR_DEVICE_NAME", &otherwise.device_name),
            server: server(&from)?,
            pacing: from.parsed("HANTAR_CAMPAIGN_GAP", "seconds, such as 3 or 0.5")?.unwrap_or(otherwise.pacing),
            ..otherwise
        };
        let region = from.get("HANTAR_AWS_REGION").or_else(|| from.get("AWS_REGION"));
        let mut config = Self {
            endpoint_url: address(&from, "HANTAR_AWS_ENDPOINT_URL")?,
            region: region.ok_or_else(|| ConfigError::new("HANTAR_AWS_REGION", "a region such as eu-west-1"))?,
            credentials: credentials(&from)?,
            tables: TableNames {
                business: or("HANTAR_BUSINESS_TABLE", "hantar"),
                engine: or("HANTAR_ENGINE_TABLE", "hantar-engine"),
            },
            queue_prefix: or("HANTAR_QUEUE_PREFIX", "hantar"),
            bucket: None,
            egress_allow: from
                .parsed("HANTAR_EGRESS_ALLOW", "networks such as 10.0.0.0/8, separated by commas")?
                .unwrap_or_default(),
            keys: KeySource::parse(&from)?,
            listen: from.parsed("HANTAR_LISTEN", "an address such as 0.0.0.0:9090")?.unwrap_or(LISTEN),
            otlp_url: address(&from, "HANTAR_OTLP_URL")?,
            log: from.get("HANTAR_LOG"),
            host,
        };
        config.bucket = from.bucket(&config.endpoint())?;
        Ok(config)
    }

    /// Where AWS is, and who asks.
    pub(super) fn endpoint(&self) -> AwsEndpoint {
        AwsEndpoint {
            endpoint_url: self.endpoint_url.clone(),
            region: self.region.clone(),
            credentials: Some(self.credentials.provider()),
        }
    }
}

fn address<G: Fn(&'static str) -> Option<String>>(
    from: &Variables<G>,
    name: &'static str,
) -> Result<Option<String>, ConfigError> {
    Ok(from.web_address(name)?.map(|url| url.as_str().trim_end_matches('/').to_owned()))
}

fn credentials<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<Credentials, ConfigError> {
    let id = from.get("HANTAR_AWS_ACCESS_KEY_ID");
    if id.is_none() && CONTAINER.iter().any(|name| from.get(name).is_some()) {
        return Ok(Credentials::Container);
    }
    let id = id.ok_or_else(|| ConfigError::new("HANTAR_AWS_ACCESS_KEY_ID", "an access key id, or a task's role"))?;
    let secret = from.needed("HANTAR_AWS_SECRET_ACCESS_KEY", "a secret access key")?;
    Ok(Credentials::Fixed { id, secret, token: from.get("HANTAR_AWS_SESSION_TOKEN") })
}

fn server<G: Fn(&'static str) -> Option<String>>(from: &Variables<G>) -> Result<WhatsAppServer, ConfigError> {
    let otherwise = WhatsAppServer::default();
    let url = match from.get("HANTAR_WHATSAPP_URL") {
        Some(url) if ["ws://", "wss://"].iter().any(|beginning| url.starts_with(beginning)) => url,
        Some(_) => return Err(ConfigError::new("HANTAR_WHATSAPP_URL", "a URL that begins with ws:// or wss://")),
        None => otherwise.url,
    };
    let version = from.get("HANTAR_WHATSAPP_VERSION").map(|text| {
        let wrong = || ConfigError::new("HANTAR_WHATSAPP_VERSION", "three numbers such as 2.3000.1042742319");
        version(&text).ok_or_else(wrong)
    });
    let extra_root_pem = from.get("HANTAR_WHATSAPP_CA").map(|path| {
        std::fs::read(path).map_err(|_| ConfigError::new("HANTAR_WHATSAPP_CA", "a PEM file that can be read"))
    });
    Ok(WhatsAppServer { url, version: version.transpose()?, extra_root_pem: extra_root_pem.transpose()? })
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    match numbers?.as_slice() {
        [a, b, c] => Some((*a, *b, *c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a host needs at least, with `changed` in front.
    fn parsed(changed: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/program/config.rs");
        let least = [
            ("HANTAR_AWS_REGION", "eu-west-1"),
            ("HANTAR_AWS_ACCESS_KEY_ID", "id"),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", "secret"),
            ("HANTAR_KEY_FILE", file),
        ];
        Config::parse(|name| {
            let found = changed.iter().chain(&least).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = parsed(&[]).unwrap();
        assert_eq!((config.tables.business.as_str(), config.tables.engine.as_str()), ("hantar", "hantar-engine"));
        assert_eq!((config.host.shards, config.host.server.url.as_str()), (64, "wss://web.whatsapp.com/ws/chat"));
        assert_eq!((config.endpoint_url, config.otlp_url, config.host.server.version), (None, None, None));
        assert_eq!(config.listen.to_string(), "0.0.0.0:9090");
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (name, value) in [
            ("HANTAR_AWS_REGION", ""),
            ("HANTAR_AWS_ACCESS_KEY_ID", ""),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", ""),
            ("HANTAR_AWS_ENDPOINT_URL", "localhost:4566"),
            ("HANTAR_KEY_FILE", "/nowhere"),
            ("HANTAR_SHARDS", "0"),
            ("HANTAR_SHARDS", "70000"),
            ("HANTAR_CAMPAIGN_GAP", "soon"),
            ("HANTAR_CONNECTS_PER_SECOND", "many"),
            ("HANTAR_EGRESS_ALLOW", "everywhere"),
            ("HANTAR_LISTEN", "9090"),
            ("HANTAR_OTLP_URL", "localhost:4318"),
            ("HANTAR_WHATSAPP_URL", "https://example.com"),
            ("HANTAR_WHATSAPP_VERSION", "2.3000"),
            ("HANTAR_WHATSAPP_CA", "/nowhere"),
        ] {
            let error = parsed(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{name}: expected ")), "{error}");
        }
        let error = parsed(&[("HANTAR_KEY_FILE", "")]).unwrap_err();
        assert!(error.to_string().contains("HANTAR_KEY_FILE"), "either of them: {error}");
    }

    #[test]
    fn a_task_with_a_role_needs_no_keys_and_fixed_ones_go_before_it() {
        let role = [
            ("HANTAR_AWS_ACCESS_KEY_ID", ""),
            ("HANTAR_AWS_REGION", ""),
            ("AWS_REGION", "eu-west-2"),
            ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1"),
            ("HANTAR_KMS_KEY", "alias/hantar"),
            ("HANTAR_KEY_FILE", ""),
        ];
        let config = parsed(&role).unwrap();
        assert_eq!((config.credentials, config.region.as_str()), (Credentials::Container, "eu-west-2"));
        assert_eq!(config.keys, KeySource::Kms("alias/hantar".into()));
        let fixed = parsed(&[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x")]).unwrap().credentials;
        assert_eq!(fixed, Credentials::Fixed { id: "id".into(), secret: "secret".into(), token: None });
    }

    #[test]
    fn another_server_may_be_named_in_every_build() {
        let changed = [("HANTAR_WHATSAPP_URL", "ws://127.0.0.1:1/ws/chat"), ("HANTAR_WHATSAPP_VERSION", "2.3000.1")];
        let server = parsed(&changed).unwrap().host.server;
        assert_eq!((server.url.as_str(), server.version), ("ws://127.0.0.1:1/ws/chat", Some((2, 3000, 1))));
    }
}
