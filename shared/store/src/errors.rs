//! What a failed call to DynamoDB means, decided in one place.

use std::time::Duration;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use hantar_usecases::ports::PortError;

/// How long somebody should wait after DynamoDB said "too much": its partitions split within seconds, but a
/// second's pause already lets most bursts pass.
const BREATH: Duration = Duration::from_secs(1);

/// A call failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It met a transaction under way: nothing happened, and a pause helps.
    Conflict,
    /// Whether it happened is not known.
    Lost(PortError),
    /// It did not happen.
    Port(PortError),
}

impl From<Failure> for PortError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Conflict => Self::Conflict,
            Failure::Lost(error) | Failure::Port(error) => error,
        }
    }
}

/// Whether DynamoDB's error code says "too much".
pub(crate) fn is_throttle(code: &str) -> bool {
    matches!(
        code,
        "ProvisionedThroughputExceededException"
            | "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
            | "ThrottlingException"
            | "ThrottlingError"
    )
}

pub(crate) fn throttled() -> PortError {
    PortError::Throttled { retry_after: BREATH }
}

/// Reads an SDK error that is no answer of the operation's own.
pub(crate) fn failure<E, R>(error: SdkError<E, R>) -> Failure
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    if is_throttle(code) {
        return Failure::Port(throttled());
    }
    if matches!(code, "TransactionConflictException" | "TransactionInProgressException") {
        return Failure::Conflict;
    }
    let lost = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => true,
        SdkError::ServiceError(_) => code == "InternalServerError" || code.is_empty(),
        _ => false,
    };
    let error = PortError::Unavailable { what: "table", source: Box::new(error) };
    if lost { Failure::Lost(error) } else { Failure::Port(error) }
}

/// The same error once more, for another who waited for the same call.
pub(crate) fn again(error: &PortError) -> PortError {
    match error {
        PortError::Conflict => PortError::Conflict,
        PortError::Throttled { retry_after } => PortError::Throttled { retry_after: *retry_after },
        PortError::Unavailable { what, source } => {
            PortError::Unavailable { what, source: DisplayErrorContext(source.as_ref()).to_string().into() }
        }
        PortError::Corrupt(text) => PortError::Corrupt(text.clone()),
    }
}
