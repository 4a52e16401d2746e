//! What the environment says. All of it is checked before anything is opened.
//!
//! | Variable | Meaning | When absent |
//! |---|---|---|
//! | `HANTAR_AWS_REGION` | region of tables and queues | must be given |
//! | `HANTAR_AWS_ACCESS_KEY_ID`, `HANTAR_AWS_SECRET_ACCESS_KEY` | who asks | must be given |
//! | `HANTAR_AWS_SESSION_TOKEN` | comes with temporary credentials | none |
//! | `HANTAR_AWS_ENDPOINT_URL` | an address that stands in for AWS | the region's own |
//! | `HANTAR_BUSINESS_TABLE`, `HANTAR_ENGINE_TABLE` | the tables | `hantar`, `hantar-engine` |
//! | `HANTAR_QUEUE_PREFIX` | what the queues' names begin with | `hantar` |
//! | `HANTAR_KEY_FILE` | the file under whose key the accounts' keys are wrapped | must be given |
//! | `HANTAR_SHARDS` | shards, if none are stored yet | 64 |
//! | `HANTAR_CONNECTS_PER_SECOND` | connections begun in a second | 20 |
//! | `HANTAR_DEVICE_NAME` | what phones show | `Hantar` |
//! | `HANTAR_WHATSAPP_URL` | a server that speaks WhatsApp's protocol | WhatsApp |
//! | `HANTAR_WHATSAPP_VERSION` | the client version told to it | the pinned one |
//! | `HANTAR_WHATSAPP_CA` | PEM file with a further root certificate | none |
//! | `HANTAR_LOG` | what is logged | `info` |

use std::path::PathBuf;
use std::str::FromStr;

use hantar_device_host::{HostConfig, WhatsAppServer};
use hantar_platform::aws::{AwsEndpoint, static_credentials};
use hantar_store::TableNames;

/// A variable is missing or wrong.
#[derive(Debug, thiserror::Error)]
#[error("{name}: expected {expected}")]
pub(crate) struct ConfigError {
    name: &'static str,
    expected: &'static str,
}

/// How this host runs.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) aws: AwsEndpoint,
    pub(crate) tables: TableNames,
    pub(crate) queue_prefix: String,
    pub(crate) key_file: PathBuf,
    pub(crate) host: HostConfig,
}

impl Config {
    /// Reads the variables by `get`. An empty one counts as absent.
    pub(crate) fn parse(get: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name| get(name).filter(|value| !value.is_empty());
        let needed = |name, expected| get(name).ok_or(ConfigError { name, expected });
        let or = |name, otherwise: &str| get(name).unwrap_or_else(|| otherwise.to_owned());
        let id = needed("HANTAR_AWS_ACCESS_KEY_ID", "an access key id")?;
        let secret = needed("HANTAR_AWS_SECRET_ACCESS_KEY", "a secret access key")?;
        let token = get("HANTAR_AWS_SESSION_TOKEN");
        let aws = AwsEndpoint {
            endpoint_url: get("HANTAR_AWS_ENDPOINT_URL")
                .map(|url| {
                    shaped(
                        "HANTAR_AWS_ENDPOINT_URL",
                        url,
                        &["http://", "https://"],
                        "a URL that begins with http:// or https://",
                    )
                })
                .transpose()?,
            region: needed("HANTAR_AWS_REGION", "a region such as eu-west-1")?,
            credentials: Some(static_credentials(&id, &secret, token.as_deref())),
        };
        let key_file = PathBuf::from(needed("HANTAR_KEY_FILE", "the path of the key file")?);
        // A new key would open nothing that is stored.
        if !key_file.is_file() {
            return Err(ConfigError {
                name: "HANTAR_KEY_FILE",
                expected: "a key file that is there: the one that the accounts' keys were wrapped with",
            });
        }
        let otherwise = HostConfig::default();
        let host = HostConfig {
            shards: number(get("HANTAR_SHARDS"), "HANTAR_SHARDS", "a number from 1 to 65535", otherwise.shards)?,
            connects_per_second: number(
                get("HANTAR_CONNECTS_PER_SECOND"),
                "HANTAR_CONNECTS_PER_SECOND",
                "a number, 1 or more",
                otherwise.connects_per_second,
            )?,
            device_name: or("HANTAR_DEVICE_NAME", &otherwise.device_name),
            server: server(get)?,
            ..otherwise
        };
        Ok(Self {
            aws,
            tables: TableNames {
                business: or("HANTAR_BUSINESS_TABLE", "hantar"),
                engine: or("HANTAR_ENGINE_TABLE", "hantar-engine"),
            },
            queue_prefix: or("HANTAR_QUEUE_PREFIX", "hantar"),
            key_file,
            host,
        })
    }
}

fn server(get: impl Fn(&'static str) -> Option<String>) -> Result<WhatsAppServer, ConfigError> {
    let otherwise = WhatsAppServer::default();
    let url = match get("HANTAR_WHATSAPP_URL") {
        Some(url) => {
            shaped("HANTAR_WHATSAPP_URL", url, &["ws://", "wss://"], "a URL that begins with ws:// or wss://")?
        }
        None => otherwise.url,
    };
    let version = match get("HANTAR_WHATSAPP_VERSION") {
        Some(text) => Some(version(&text).ok_or(ConfigError {
            name: "HANTAR_WHATSAPP_VERSION",
            expected: "three numbers such as 2.3000.1042742319",
        })?),
        None => None,
    };
    let extra_root_pem = match get("HANTAR_WHATSAPP_CA") {
        Some(path) => Some(
            std::fs::read(path)
                .map_err(|_| ConfigError { name: "HANTAR_WHATSAPP_CA", expected: "a PEM file that can be read" })?,
        ),
        None => None,
    };
    Ok(WhatsAppServer { url, version, extra_root_pem })
}

fn shaped(
    name: &'static str,
    value: String,
    beginnings: &[&str],
    expected: &'static str,
) -> Result<String, ConfigError> {
    if beginnings.iter().any(|beginning| value.starts_with(beginning)) {
        Ok(value)
    } else {
        Err(ConfigError { name, expected })
    }
}

/// A number, not zero.
fn number<N: FromStr + PartialOrd + From<u8>>(
    value: Option<String>,
    name: &'static str,
    expected: &'static str,
    otherwise: N,
) -> Result<N, ConfigError> {
    let Some(text) = value else { return Ok(otherwise) };
    text.parse().ok().filter(|number| *number >= N::from(1)).ok_or(ConfigError { name, expected })
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
        let least = [
            ("HANTAR_AWS_REGION", "eu-west-1"),
            ("HANTAR_AWS_ACCESS_KEY_ID", "id"),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", "secret"),
            ("HANTAR_KEY_FILE", file!()),
        ];
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/config.rs");
        Config::parse(|name| {
            let found = changed.iter().chain(&least).find(|(known, _)| *known == name);
            found.map(|(_, value)| if *value == file!() { file.to_owned() } else { (*value).to_owned() })
        })
    }

    #[test]
    fn the_rest_has_defaults() {
        let config = parsed(&[]).unwrap();
        assert_eq!((config.tables.business.as_str(), config.tables.engine.as_str()), ("hantar", "hantar-engine"));
        assert_eq!((config.host.shards, config.host.server.url.as_str()), (64, "wss://web.whatsapp.com/ws/chat"));
        assert_eq!(config.aws.endpoint_url, None);
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        for (name, value) in [
            ("HANTAR_AWS_REGION", ""),
            ("HANTAR_AWS_ACCESS_KEY_ID", ""),
            ("HANTAR_AWS_SECRET_ACCESS_KEY", ""),
            ("HANTAR_AWS_ENDPOINT_URL", "localhost:4566"),
            ("HANTAR_KEY_FILE", ""),
            ("HANTAR_KEY_FILE", "/nowhere"),
            ("HANTAR_SHARDS", "0"),
            ("HANTAR_SHARDS", "70000"),
            ("HANTAR_CONNECTS_PER_SECOND", "many"),
            ("HANTAR_WHATSAPP_URL", "https://example.com"),
            ("HANTAR_WHATSAPP_VERSION", "2.3000"),
            ("HANTAR_WHATSAPP_CA", "/nowhere"),
        ] {
            let error = parsed(&[(name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{name}: expected ")), "{error}");
        }
    }

    #[test]
    fn another_server_may_be_named_in_every_build() {
        let changed = [("HANTAR_WHATSAPP_URL", "ws://127.0.0.1:1/ws/chat"), ("HANTAR_WHATSAPP_VERSION", "2.3000.1")];
        let server = parsed(&changed).unwrap().host.server;
        assert_eq!((server.url.as_str(), server.version), ("ws://127.0.0.1:1/ws/chat", Some((2, 3000, 1))));
    }
}
