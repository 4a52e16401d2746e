//! What the environment says, read and checked before anything is opened.

use std::path::PathBuf;

use hantar_device_host::WhatsAppServer;

/// A checked configuration.
pub(crate) struct Config {
    pub(crate) region: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) dynamodb_url: Option<String>,
    pub(crate) sqs_url: Option<String>,
    pub(crate) table_prefix: String,
    pub(crate) queue_prefix: String,
    pub(crate) key_file: PathBuf,
    pub(crate) whatsapp: WhatsAppServer,
    pub(crate) shards: u16,
    pub(crate) connects_per_second: u32,
    pub(crate) log: String,
}

/// A variable is missing or wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} {problem}")]
pub(crate) struct Wrong {
    name: &'static str,
    problem: String,
}

impl Config {
    /// Reads the variables; an empty one counts as absent.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Wrong> {
        let get = |name: &'static str| variable(name).filter(|value| !value.is_empty());
        let required = |name| get(name).ok_or_else(|| wrong(name, "is not set"));
        Ok(Self {
            region: required("HANTAR_REGION")?,
            access_key: required("AWS_ACCESS_KEY_ID")?,
            secret_key: required("AWS_SECRET_ACCESS_KEY")?,
            session_token: get("AWS_SESSION_TOKEN"),
            dynamodb_url: url("HANTAR_DYNAMODB_URL", get("HANTAR_DYNAMODB_URL"))?,
            sqs_url: url("HANTAR_SQS_URL", get("HANTAR_SQS_URL"))?,
            table_prefix: get("HANTAR_TABLE_PREFIX").unwrap_or_else(|| "hantar".into()),
            queue_prefix: get("HANTAR_QUEUE_PREFIX").unwrap_or_else(|| "hantar".into()),
            key_file: required("HANTAR_KEY_FILE")?.into(),
            whatsapp: whatsapp(get)?,
            shards: number("HANTAR_SHARDS", get("HANTAR_SHARDS"), 64)?,
            connects_per_second: number("HANTAR_CONNECTS_PER_SECOND", get("HANTAR_CONNECTS_PER_SECOND"), 20)?,
            log: get("HANTAR_LOG").unwrap_or_else(|| "info".into()),
        })
    }
}

fn whatsapp(get: impl Fn(&'static str) -> Option<String>) -> Result<WhatsAppServer, Wrong> {
    let mut server = WhatsAppServer::default();
    if let Some(url) = get("HANTAR_WHATSAPP_URL") {
        if !url.starts_with("wss://") && !url.starts_with("ws://") {
            return Err(wrong("HANTAR_WHATSAPP_URL", "must begin with wss:// or ws://"));
        }
        server.url = url;
    }
    if let Some(text) = get("HANTAR_WHATSAPP_VERSION") {
        let version =
            version(&text).ok_or_else(|| wrong("HANTAR_WHATSAPP_VERSION", "must be three numbers such as 2.3000.1"))?;
        server.version = Some(version);
    }
    if let Some(path) = get("HANTAR_WHATSAPP_CA") {
        let pem =
            std::fs::read(&path).map_err(|error| wrong("HANTAR_WHATSAPP_CA", &format!("cannot be read: {error}")))?;
        server.extra_root_pem = Some(pem);
    }
    Ok(server)
}

fn version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    let version = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some(version)
}

fn url(name: &'static str, value: Option<String>) -> Result<Option<String>, Wrong> {
    match value {
        Some(value) if !value.starts_with("https://") && !value.starts_with("http://") => {
            Err(wrong(name, "must begin with https:// or http://"))
        }
        value => Ok(value),
    }
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(
    name: &'static str,
    value: Option<String>,
    default: T,
) -> Result<T, Wrong> {
    match value.map(|value| value.parse::<T>()) {
        None => Ok(default),
        Some(Ok(value)) if value > T::from(0) => Ok(value),
        Some(_) => Err(wrong(name, "must be a number above 0")),
    }
}

fn wrong(name: &'static str, problem: &str) -> Wrong {
    Wrong { name, problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const GOOD: [(&str, &str); 4] = [
        ("HANTAR_REGION", "ap-southeast-5"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("HANTAR_KEY_FILE", "/run/master.key"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<Config, String> {
        let value = |name: &str| {
            let changed = changes.iter().chain(&GOOD).find(|(known, _)| *known == name);
            changed.map(|(_, value)| (*value).to_owned())
        };
        Config::read(value).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn what_is_not_said_is_sensible() {
        let config = read(&[]).ok().unwrap();
        assert_eq!((config.shards, config.connects_per_second), (64, 20));
        assert_eq!(config.whatsapp.url, "wss://web.whatsapp.com/ws/chat");
        assert_eq!(config.whatsapp.version, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, value) in [
            ("HANTAR_REGION", ""),
            ("AWS_ACCESS_KEY_ID", ""),
            ("HANTAR_KEY_FILE", ""),
            ("HANTAR_DYNAMODB_URL", "localhost:8000"),
            ("HANTAR_SQS_URL", "sqs"),
            ("HANTAR_WHATSAPP_URL", "https://x"),
            ("HANTAR_WHATSAPP_VERSION", "2.3000"),
            ("HANTAR_WHATSAPP_VERSION", "2.3000.1.1"),
            ("HANTAR_WHATSAPP_CA", "/no/such/file"),
            ("HANTAR_SHARDS", "0"),
            ("HANTAR_SHARDS", "many"),
            ("HANTAR_CONNECTS_PER_SECOND", "-1"),
        ] {
            let wrong = read(&[(name, value)]).err().unwrap();
            assert!(wrong.starts_with(name), "{name}={value}: {wrong}");
        }
    }

    #[test]
    fn another_server_can_be_named() {
        let config =
            read(&[("HANTAR_WHATSAPP_URL", "ws://127.0.0.1:9/ws/chat"), ("HANTAR_WHATSAPP_VERSION", "2.3000.7")])
                .ok()
                .unwrap();
        assert_eq!(
            (config.whatsapp.url.as_str(), config.whatsapp.version),
            ("ws://127.0.0.1:9/ws/chat", Some((2, 3000, 7)))
        );
    }
}
