//! How AWS clients are made, on every target alike: the SDK is the only client there is, and what differs is the
//! connector under it. Nothing here reads the environment, files or instance metadata.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// The endpoint that in-process clients are built with; no name look-up ever happens for it.
pub const IN_PROCESS_ENDPOINT: &str = "http://in.process";

/// The region that in-process clients name. One that exists: for others the SDK tries its patterns at every call.
const IN_PROCESS_REGION: &str = "us-east-1";

/// One call to DynamoDB, one try. Its 99.9th percentile is far below; beyond this a repeat is cheaper than waiting.
const DYNAMODB_ATTEMPT: Duration = Duration::from_secs(3);
/// One call to DynamoDB with all its tries and the pauses between them.
const DYNAMODB_OPERATION: Duration = Duration::from_secs(10);
/// One call to SQS, one try: the longest long poll is 20 seconds.
const SQS_ATTEMPT: Duration = Duration::from_secs(25);
/// One call to SQS with all its tries.
const SQS_OPERATION: Duration = Duration::from_mins(1);
/// Tries of one call, the first included (the SDK's standard mode).
const ATTEMPTS: u32 = 3;

/// What carries the SDK's requests.
#[derive(Debug, Clone)]
pub enum Connector {
    /// A connector of our own: an embedded engine, a fault injector, or a Worker's `fetch`.
    InProcess(SharedHttpClient),
    /// The SDK's HTTPS client.
    #[cfg(all(feature = "https", not(target_arch = "wasm32")))]
    Https,
}

/// Where an AWS service is, and who asks.
#[derive(Debug, Clone)]
pub struct AwsEndpoint {
    /// An address that stands in for AWS (an emulator, an embedded engine). `None`: the region's own address.
    pub endpoint_url: Option<String>,
    /// The region's name, as `eu-west-1`.
    pub region: String,
    /// Who asks; see [`static_credentials`]. `None` only where nobody checks: on embedded engines.
    pub credentials: Option<SharedCredentialsProvider>,
}

impl AwsEndpoint {
    /// The endpoint of an embedded engine: no address, no real credentials.
    pub fn in_process() -> Self {
        Self {
            endpoint_url: Some(IN_PROCESS_ENDPOINT.to_owned()),
            region: IN_PROCESS_REGION.to_owned(),
            credentials: None,
        }
    }

    #[cfg(all(any(feature = "kms", feature = "s3"), not(target_arch = "wasm32")))]
    pub(crate) fn provider(&self) -> SharedCredentialsProvider {
        self.credentials.clone().unwrap_or_else(|| static_credentials("embedded", "embedded", None))
    }
}

/// Fixed credentials, as a Lambda or a Worker is handed at start. `session_token` comes with temporary ones.
pub fn static_credentials(access_key: &str, secret: &str, session_token: Option<&str>) -> SharedCredentialsProvider {
    let token = session_token.map(str::to_owned);
    SharedCredentialsProvider::new(Credentials::new(access_key, secret, token, None, "hantar"))
}

/// The sleep that native targets pass to [`dynamodb`] and [`sqs`]: Tokio's timer.
#[cfg(any(feature = "https", feature = "embedded"))]
pub fn tokio_sleep() -> SharedAsyncSleep {
    SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new())
}

/// A DynamoDB client: three tries, 3 s for a try, 10 s for a call.
///
/// `TransactionCanceledException` and `TransactionConflictException` are not repeated by the SDK; throttling, 5xx,
/// time-outs and broken connections are. So a conditional write may answer "condition failed" to its own second try.
pub fn dynamodb(
    endpoint: &AwsEndpoint,
    connector: Connector,
    sleep: SharedAsyncSleep,
    time: SharedTimeSource,
) -> aws_sdk_dynamodb::Client {
    let mut config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(endpoint.region.clone()))
        .sleep_impl(sleep)
        .time_source(time)
        .retry_config(retries())
        .timeout_config(timeouts(DYNAMODB_ATTEMPT, DYNAMODB_OPERATION))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config = match &endpoint.credentials {
        Some(credentials) => config.credentials_provider(credentials.clone()),
        // Nobody reads the signature, and making it is a tenth of a call's work.
        None => config.allow_no_auth(),
    };
    if let Some(url) = &endpoint.endpoint_url {
        config = config.endpoint_url(url);
    }
    config = match connector {
        Connector::InProcess(client) => config.http_client(client),
        #[cfg(all(feature = "https", not(target_arch = "wasm32")))]
        Connector::Https => config,
    };
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// An SQS client: three tries, 25 s for a try (a long poll takes up to 20), 60 s for a call.
pub fn sqs(
    endpoint: &AwsEndpoint,
    connector: Connector,
    sleep: SharedAsyncSleep,
    time: SharedTimeSource,
) -> aws_sdk_sqs::Client {
    let mut config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(endpoint.region.clone()))
        .sleep_impl(sleep)
        .time_source(time)
        .retry_config(retries())
        .timeout_config(timeouts(SQS_ATTEMPT, SQS_OPERATION))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config = match &endpoint.credentials {
        Some(credentials) => config.credentials_provider(credentials.clone()),
        // Nobody reads the signature, and making it is a tenth of a call's work.
        None => config.allow_no_auth(),
    };
    if let Some(url) = &endpoint.endpoint_url {
        config = config.endpoint_url(url);
    }
    config = match connector {
        Connector::InProcess(client) => config.http_client(client),
        #[cfg(all(feature = "https", not(target_arch = "wasm32")))]
        Connector::Https => config,
    };
    aws_sdk_sqs::Client::from_conf(config.build())
}

pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

pub(crate) fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(operation).build()
}
