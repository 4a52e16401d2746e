//! What the environment (or a Worker's bindings) says, read the same way by all forms.

use std::str::FromStr;

use url::Url;

use crate::aws::{AwsEndpoint, static_credentials};

/// A variable is missing or wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: expected {expected}")]
pub struct ConfigError {
    /// Which.
    pub name: &'static str,
    /// What it must be.
    pub expected: String,
}

impl ConfigError {
    /// `name` should be `expected`.
    pub fn new(name: &'static str, expected: impl Into<String>) -> Self {
        Self { name, expected: expected.into() }
    }
}

/// The environment, as a function of the variable's name. An empty variable counts as absent.
pub struct Variables<G>(pub G);

impl<G: Fn(&'static str) -> Option<String>> Variables<G> {
    /// A variable, if it is there.
    pub fn get(&self, name: &'static str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable that must be there.
    pub fn needed(&self, name: &'static str, expected: &str) -> Result<String, ConfigError> {
        self.get(name).ok_or_else(|| ConfigError::new(name, expected))
    }

    /// A variable of some type, if it is there.
    pub fn parsed<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<Option<T>, ConfigError> {
        let parse = |text: String| text.parse().map_err(|_| ConfigError::new(name, expected));
        self.get(name).map(parse).transpose()
    }

    /// A number that is not zero, if it is there.
    pub fn positive<N: FromStr + PartialEq + Default>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<N>, ConfigError> {
        match self.parsed(name, expected)? {
            Some(number) if number == N::default() => Err(ConfigError::new(name, expected)),
            number => Ok(number),
        }
    }

    /// The address of a server, if it is there.
    pub fn web_address(&self, name: &'static str) -> Result<Option<Url>, ConfigError> {
        let expected = "a URL that begins with http:// or https:// and has no query";
        let Some(url) = self.parsed::<Url>(name, expected)? else { return Ok(None) };
        let fits = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if fits { Ok(Some(url)) } else { Err(ConfigError::new(name, expected)) }
    }

    /// Where AWS is, and who asks: by fixed credentials of ours, or by those that Lambda sets.
    pub fn aws(&self) -> Result<AwsEndpoint, ConfigError> {
        let endpoint_url = self.web_address("HANTAR_AWS_ENDPOINT_URL")?;
        let region = self.get("HANTAR_AWS_REGION").or_else(|| self.get("AWS_REGION"));
        // Never one half of each: a session token belongs to its key.
        let fixed = ["HANTAR_AWS_ACCESS_KEY_ID", "HANTAR_AWS_SECRET_ACCESS_KEY", "HANTAR_AWS_SESSION_TOKEN"];
        let roles = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
        let is_there = |names: [&'static str; 3]| names.iter().any(|name| self.get(name).is_some());
        let [id, secret, token] = if is_there(roles) && !is_there(fixed) { roles } else { fixed };
        let (id, secret) = (self.needed(id, "an access key id")?, self.needed(secret, "a secret access key")?);
        Ok(AwsEndpoint {
            endpoint_url: endpoint_url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
            region: region.ok_or_else(|| ConfigError::new("HANTAR_AWS_REGION", "a region such as eu-west-1"))?,
            credentials: Some(static_credentials(&id, &secret, self.get(token).as_deref())),
        })
    }

    /// The bucket of large things and where it is, if one is named: AWS's own, or one of a service that speaks like S3.
    pub fn bucket(&self, aws: &AwsEndpoint) -> Result<Option<(AwsEndpoint, String)>, ConfigError> {
        let Some(name) = self.get("HANTAR_BUCKET") else { return Ok(None) };
        let Some(url) = self.web_address("HANTAR_BUCKET_ENDPOINT_URL")? else { return Ok(Some((aws.clone(), name))) };
        let id = self.needed("HANTAR_BUCKET_ACCESS_KEY_ID", "an access key id of the bucket's service")?;
        let secret = self.needed("HANTAR_BUCKET_SECRET_ACCESS_KEY", "a secret access key of the bucket's service")?;
        let endpoint = AwsEndpoint {
            endpoint_url: Some(url.as_str().trim_end_matches('/').to_owned()),
            region: self.get("HANTAR_BUCKET_REGION").unwrap_or_else(|| "auto".to_owned()),
            credentials: Some(static_credentials(&id, &secret, None)),
        };
        Ok(Some((endpoint, name)))
    }
}
