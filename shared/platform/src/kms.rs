//! Data keys wrapped by AWS KMS. The key of keys never leaves KMS; each wrapping and unwrapping is a call there, allowed by
//! the role and told in CloudTrail.
//!
//! A wrapped data key is `format (1 byte) | what KMS makes`. The format differs from the key file's, so that one is never
//! taken for the other. The encryption context binds what KMS makes to its purpose.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{BehaviorVersion, Region};
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::primitives::Blob;
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use hantar_domain::sealed::DataKey;
use hantar_usecases::ports::{KeyWrap, PortError};

use crate::aws::{AwsEndpoint, Connector, retries, timeouts};

/// The format of wrapped keys that this release writes. The key file's is 1.
const FORMAT: u8 = 2;
/// What KMS is told the wrapped thing is for, and must be told again to unwrap it.
const CONTEXT: (&str, &str) = ("hantar", "data-key");
/// One call, one try.
const ATTEMPT: Duration = Duration::from_secs(3);
/// One call with all its tries.
const OPERATION: Duration = Duration::from_secs(10);

/// A KMS key that wraps data keys.
#[derive(Clone, Debug)]
pub struct KmsWrap {
    client: Client,
    key: String,
}

impl KmsWrap {
    /// The key with this id, ARN or alias. Calls nobody yet.
    pub fn new(
        endpoint: &AwsEndpoint,
        connector: Connector,
        sleep: SharedAsyncSleep,
        time: SharedTimeSource,
        key: String,
    ) -> Self {
        let mut config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(endpoint.region.clone()))
            .credentials_provider(endpoint.provider())
            .sleep_impl(sleep)
            .time_source(time)
            .retry_config(retries())
            .timeout_config(timeouts(ATTEMPT, OPERATION));
        if let Some(url) = &endpoint.endpoint_url {
            config = config.endpoint_url(url);
        }
        config = match connector {
            Connector::InProcess(client) => config.http_client(client),
            Connector::Https => config,
        };
        Self { client: Client::from_conf(config.build()), key }
    }
}

#[async_trait]
impl KeyWrap for KmsWrap {
    async fn wrap(&self, key: &DataKey) -> Result<Vec<u8>, PortError> {
        let call = self.client.encrypt().key_id(&self.key).encryption_context(CONTEXT.0, CONTEXT.1);
        let answer = call.plaintext(Blob::new(key.bytes())).send().await.map_err(failure)?;
        let sealed = answer.ciphertext_blob.ok_or_else(|| unavailable("it answered without a ciphertext"))?;
        Ok([&[FORMAT], sealed.as_ref()].concat())
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<DataKey, PortError> {
        let damaged = |why: &str| PortError::Corrupt(format!("a data key {why}"));
        let (format, sealed) = wrapped.split_first().ok_or_else(|| damaged("is empty"))?;
        if *format != FORMAT {
            return Err(damaged("is not wrapped by KMS"));
        }
        // Named, so that KMS refuses what another key made.
        let call = self.client.decrypt().key_id(&self.key).encryption_context(CONTEXT.0, CONTEXT.1);
        let answer = call.ciphertext_blob(Blob::new(sealed)).send().await.map_err(|error| {
            let not_ours =
                |error: &DecryptError| error.is_invalid_ciphertext_exception() || error.is_incorrect_key_exception();
            if error.as_service_error().is_some_and(not_ours) {
                damaged("does not open under this KMS key")
            } else {
                failure(error)
            }
        })?;
        let plain = answer.plaintext.ok_or_else(|| unavailable("it answered without a plaintext"))?;
        let bytes = plain.into_inner().try_into().map_err(|_| damaged("is not 32 bytes long"))?;
        Ok(DataKey::from_bytes(bytes))
    }
}

fn unavailable(why: &str) -> PortError {
    PortError::Unavailable { what: "key service", source: why.into() }
}

fn failure<E, R>(error: SdkError<E, R>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some("ThrottlingException" | "LimitExceededException") => {
            PortError::Throttled { retry_after: Duration::from_secs(1) }
        }
        _ => PortError::Unavailable { what: "key service", source: Box::new(error) },
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "where the emulator is, the environment says")]
mod tests {
    use aws_smithy_async::time::SystemTimeSource;
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::aws::{static_credentials, tokio_sleep};

    const KEY: [u8; 32] = [5; 32];

    /// A new key in the emulator that `HANTAR_EMULATOR_URL` names; `None` without one, unless the run insists on it.
    async fn fresh_key() -> Option<KmsWrap> {
        let Ok(url) = std::env::var("HANTAR_EMULATOR_URL") else {
            assert!(std::env::var("HANTAR_REQUIRE_EMULATOR").is_err(), "HANTAR_EMULATOR_URL is not set");
            return None;
        };
        let mut kms = at(&url);
        let made = kms.client.create_key().send().await.unwrap();
        kms.key = made.key_metadata.unwrap().key_id;
        Some(kms)
    }

    fn at(url: &str) -> KmsWrap {
        let credentials = Some(static_credentials("test", "test", None));
        let endpoint = AwsEndpoint { endpoint_url: Some(url.to_owned()), region: "eu-west-1".into(), credentials };
        let time = SharedTimeSource::new(SystemTimeSource::new());
        KmsWrap::new(&endpoint, Connector::Https, tokio_sleep(), time, String::new())
    }

    #[tokio::test]
    async fn a_wrapped_key_comes_back_under_its_own_kms_key_alone() {
        let (Some(ours), Some(other)) = (fresh_key().await, fresh_key().await) else { return };
        let key = DataKey::from_bytes(KEY);
        let wrapped = ours.wrap(&key).await.unwrap();
        assert_eq!(wrapped[0], FORMAT);
        assert!(!wrapped.windows(KEY.len()).any(|window| window == KEY), "the key itself is stored");
        assert_eq!(ours.unwrap(&wrapped).await.unwrap(), key);
        // KMS refuses what another key made; the emulator opens it to something else.
        assert_ne!(other.unwrap(&wrapped).await.ok(), Some(key));
    }

    #[tokio::test]
    async fn what_was_wrapped_for_another_purpose_does_not_open() {
        let Some(ours) = fresh_key().await else { return };
        let call = ours.client.encrypt().key_id(&ours.key).encryption_context("hantar", "something else");
        let sealed = call.plaintext(Blob::new(KEY)).send().await.unwrap().ciphertext_blob.unwrap();
        let wrapped = [&[FORMAT], sealed.as_ref()].concat();
        assert!(matches!(ours.unwrap(&wrapped).await, Err(PortError::Corrupt(_))));
    }

    /// A key service that refuses everything with this code.
    #[derive(Clone, Debug)]
    struct Refusing(&'static str);

    impl HttpConnector for Refusing {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let asked = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
            assert!(asked.contains(r#""KeyId":"ours""#) && asked.contains(r#"{"hantar":"data-key"}"#), "{asked}");
            let body = format!(r#"{{"__type":"{}","message":"no"}}"#, self.0);
            let mut response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body));
            response.headers_mut().insert("content-type", "application/x-amz-json-1.1");
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    impl HttpClient for Refusing {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_of_kms_say_what_the_caller_can_do() {
        let refused = async |code| {
            let connector = Connector::InProcess(SharedHttpClient::new(Refusing(code)));
            let time = SharedTimeSource::new(SystemTimeSource::new());
            let kms = KmsWrap::new(&AwsEndpoint::in_process(), connector, tokio_sleep(), time, "ours".into());
            kms.unwrap(&[FORMAT, 1, 2, 3]).await.unwrap_err()
        };
        for code in ["IncorrectKeyException", "InvalidCiphertextException"] {
            assert!(matches!(refused(code).await, PortError::Corrupt(_)), "{code}");
        }
        assert!(matches!(refused("ThrottlingException").await, PortError::Throttled { .. }));
        // A key that is switched off, or a role that lacks a right, is for the operator to mend: nothing is damaged.
        for code in ["DisabledException", "AccessDeniedException", "NotFoundException"] {
            assert!(matches!(refused(code).await, PortError::Unavailable { .. }), "{code}");
        }
    }

    #[tokio::test]
    async fn what_kms_did_not_wrap_is_damaged_and_kms_is_not_asked() {
        let nowhere = at("http://127.0.0.1:9");
        for wrapped in [&[][..], &[1, 2, 3]] {
            assert!(matches!(nowhere.unwrap(wrapped).await, Err(PortError::Corrupt(_))), "{wrapped:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_service_that_cannot_be_reached_is_unavailable() {
        let answer = at("http://127.0.0.1:9").wrap(&DataKey::from_bytes(KEY)).await;
        assert!(matches!(answer, Err(PortError::Unavailable { what: "key service", .. })), "{answer:?}");
    }
}
