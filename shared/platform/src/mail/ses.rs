//! Letters by Amazon SES, with the role's own credentials.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::{BehaviorVersion, Region};
use aws_sdk_sesv2::error::ProvideErrorMetadata as _;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use hantar_usecases::ports::{Letter, Mail, PortError};

use crate::aws::{AwsEndpoint, retries, timeouts, tokio_sleep};

/// One call, one try.
const ATTEMPT: Duration = Duration::from_secs(3);
/// One call with all its tries.
const OPERATION: Duration = Duration::from_secs(10);

/// Amazon SES in a region.
pub struct SesMail {
    client: Client,
    from: String,
}

impl SesMail {
    /// Letters from `from`, whose address or domain SES has verified. Calls nobody yet.
    pub fn new(endpoint: &AwsEndpoint, from: String) -> Self {
        let mut config = aws_sdk_sesv2::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(endpoint.provider())
            .sleep_impl(tokio_sleep())
            .time_source(SharedTimeSource::new(SystemTimeSource::new()))
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION));
        if let Some(url) = &endpoint.endpoint_url {
            config = config.endpoint_url(url);
        }
        Self { client: Client::from_conf(config.build()), from }
    }
}

fn unavailable(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PortError {
    PortError::Unavailable { what: "mail service", source: source.into() }
}

fn content(text: &str) -> Result<Content, PortError> {
    Content::builder().data(text).charset("UTF-8").build().map_err(unavailable)
}

#[async_trait]
impl Mail for SesMail {
    async fn send(&self, letter: &Letter) -> Result<(), PortError> {
        let body = Body::builder().text(content(&letter.text)?).build();
        let message = Message::builder().subject(content(&letter.subject)?).body(body).build();
        let call = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(letter.to.as_str()).build())
            .content(EmailContent::builder().simple(message).build());
        match call.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(match error.code() {
                Some("TooManyRequestsException" | "LimitExceededException" | "ThrottlingException") => {
                    PortError::Throttled { retry_after: Duration::from_secs(1) }
                }
                _ => unavailable(error),
            }),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "where the emulator is, the environment says")]
mod tests {
    use hantar_domain::user::Email;

    use super::*;
    use crate::aws::static_credentials;

    fn at(url: &str) -> SesMail {
        let credentials = Some(static_credentials("test", "test", None));
        let endpoint = AwsEndpoint { endpoint_url: Some(url.to_owned()), region: "eu-west-1".into(), credentials };
        SesMail::new(&endpoint, "Hantar <hantar@example.com>".into())
    }

    fn letter() -> Letter {
        let to = Email::parse("ali@example.com").unwrap();
        Letter { to, subject: "Grüße".into(), text: "Selamat datang".into() }
    }

    /// In the emulator that `HANTAR_EMULATOR_URL` names; nothing without one, unless the run insists on it.
    #[tokio::test]
    async fn a_letter_is_taken_from_a_verified_address_and_refused_from_another() {
        let Ok(url) = std::env::var("HANTAR_EMULATOR_URL") else {
            assert!(std::env::var("HANTAR_REQUIRE_EMULATOR").is_err(), "HANTAR_EMULATOR_URL is not set");
            return;
        };
        let mail = at(&url);
        mail.client.create_email_identity().email_identity("hantar@example.com").send().await.ok();
        mail.send(&letter()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_cannot_be_reached_is_unavailable() {
        let sent = at("http://127.0.0.1:9").send(&letter()).await;
        assert!(matches!(sent, Err(PortError::Unavailable { what: "mail service", .. })), "{sent:?}");
    }
}
