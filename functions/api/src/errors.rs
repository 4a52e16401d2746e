//! What goes wrong, as the dialect says it: Laravel's texts and statuses, and a stable code beside them.

use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hantar_domain::billing::Disbelief;
use hantar_domain::ids::CommandId;
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;
use hantar_wire::v1::error::{ErrorBody, FieldErrors};

/// How long to wait after an answer of "busy" that says no time of its own.
const BUSY: Duration = Duration::from_secs(1);
/// How long to wait for a QR code that is not there yet.
const NEXT_LOOK: Duration = Duration::from_secs(2);

/// Why a request is not served. Nothing is written then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// No valid token: get one.
    #[error("unauthenticated")]
    Unauthenticated,
    /// The token may not do this: make another one.
    #[error("the token lacks the ability")]
    MissingAbility,
    /// The token's owner may not do this: somebody who runs the account may.
    #[error("the role does not allow this")]
    Role,
    /// The token's owner has to verify the address first.
    #[error("the e-mail address is not verified")]
    Unverified,
    /// There is no such thing in this account.
    #[error("no {model} {id}")]
    NotFound {
        /// Laravel's class of it.
        model: &'static str,
        /// The number asked for; empty for a default one.
        id: String,
    },
    /// There is no such address.
    #[error("no such route")]
    NoRoute(String),
    /// The address does not take this method.
    #[error("no such method")]
    WrongMethod {
        /// The one used.
        method: String,
        /// The address.
        path: String,
        /// Those that it takes.
        takes: &'static str,
    },
    /// The thing is past this.
    #[error("{message}")]
    Conflict {
        /// In words.
        message: &'static str,
        /// As a code.
        code: &'static str,
    },
    /// The body is larger than is read.
    #[error("the body is too large")]
    TooLarge,
    /// The body is of a kind that is not read.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The body cannot be read.
    #[error("malformed body: {0}")]
    Malformed(String),
    /// Fields are wrong.
    #[error("invalid fields")]
    Invalid(FieldErrors),
    /// Top up.
    #[error("insufficient credits")]
    Credits {
        /// What it costs.
        required: i64,
        /// What is left.
        balance: i64,
    },
    /// Wait.
    #[error("too many requests")]
    TooManyAttempts {
        /// How long.
        retry_after: Duration,
        /// Until when.
        reset: Timestamp,
    },
    /// The call does not come from whom it says, or not now.
    #[error(transparent)]
    Disbelieved(Disbelief),
    /// The host has shown no QR code yet: ask again.
    #[error("no QR code yet")]
    NoCodeYet,
    /// The device asks WhatsApp about numbers too often: wait a second.
    #[error("too many look-ups")]
    TooManyLookUps,
    /// WhatsApp refused what a device asked for.
    #[error("WhatsApp refused: {0}")]
    Refused(String),
    /// The device's host is of a release that cannot do this yet: update it.
    #[error("the host is too old")]
    HostTooOld,
    /// No host answered: see how the device stands, and ask again.
    #[error("nobody answered the command {0}")]
    NoHostAnswered(CommandId),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl ApiError {
    /// One wrong field.
    pub(crate) fn field(field: &str, text: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, text);
        Self::Invalid(errors)
    }

    /// No such message.
    pub(crate) fn no_message(id: String) -> Self {
        Self::NotFound { model: "Message", id }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        use StatusCode as Code;
        match self {
            Self::Unauthenticated => {
                let body = ErrorBody::new("Unauthenticated.", "unauthenticated");
                with(answer(Code::UNAUTHORIZED, body), header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            Self::MissingAbility => simple(Code::FORBIDDEN, "Invalid ability provided.", "missing_ability"),
            Self::Role => simple(Code::FORBIDDEN, "This action is unauthorized.", "role_not_allowed"),
            Self::Unverified => simple(Code::FORBIDDEN, "Your email address is not verified.", "email_not_verified"),
            Self::NotFound { model, id } => {
                let message = format!("No query results for model [App\\Models\\{model}] {id}");
                simple(Code::NOT_FOUND, message.trim_end(), "not_found")
            }
            Self::NoRoute(path) => {
                simple(Code::NOT_FOUND, &format!("The route {path} could not be found."), "route_not_found")
            }
            Self::WrongMethod { method, path, takes } => {
                let text =
                    format!("The {method} method is not supported for route {path}. Supported methods: {takes}.");
                simple(Code::METHOD_NOT_ALLOWED, &text, "method_not_allowed")
            }
            Self::Conflict { message, code } => simple(Code::CONFLICT, message, code),
            Self::TooLarge => {
                simple(Code::PAYLOAD_TOO_LARGE, "The request body is larger than 5 MiB.", "body_too_large")
            }
            Self::UnsupportedMediaType => {
                let text = "The request body must be JSON: send it with the header Content-Type: application/json.";
                simple(Code::UNSUPPORTED_MEDIA_TYPE, text, "unsupported_media_type")
            }
            Self::Malformed(text) => simple(Code::BAD_REQUEST, &text, "malformed_body"),
            Self::Invalid(errors) => answer(Code::UNPROCESSABLE_ENTITY, ErrorBody::invalid(errors)),
            Self::Credits { required, balance } => {
                let body = ErrorBody::new("Insufficient credits.", "insufficient_credits");
                let body = ErrorBody { required: Some(required), balance: Some(balance), ..body };
                answer(Code::PAYMENT_REQUIRED, body)
            }
            Self::TooManyAttempts { retry_after, reset } => {
                let response = simple(Code::TOO_MANY_REQUESTS, "Too Many Attempts.", "too_many_attempts");
                let response = with(response, header::RETRY_AFTER, whole_seconds(retry_after));
                with(response, header::HeaderName::from_static("x-ratelimit-reset"), reset.seconds())
            }
            Self::Disbelieved(why) => {
                let text = format!("The call is not believed: {why}. Compare the signing secret and the clock.");
                simple(Code::BAD_REQUEST, &text, "signature_refused")
            }
            Self::NoCodeYet => {
                let text = "The QR code is being prepared. Ask again in two seconds.";
                let response = simple(Code::SERVICE_UNAVAILABLE, text, "qr_not_ready");
                with(response, header::RETRY_AFTER, whole_seconds(NEXT_LOOK))
            }
            Self::TooManyLookUps => {
                let text = "This device looks up too many numbers, which WhatsApp may punish. Ask again in a second.";
                let response = simple(Code::TOO_MANY_REQUESTS, text, "too_many_look_ups");
                with(response, header::RETRY_AFTER, whole_seconds(BUSY))
            }
            Self::Refused(code) => {
                let text = format!("WhatsApp refused the question ({code}). Ask again later, and not often.");
                simple(Code::BAD_GATEWAY, &text, "whatsapp_refused")
            }
            Self::HostTooOld => {
                let text = "The host of this device is of a release that cannot do this. Update the device hosts.";
                simple(Code::NOT_IMPLEMENTED, text, "host_outdated")
            }
            Self::NoHostAnswered(id) => {
                let text = "No host answered for this device within 10 seconds. See how it stands \
                            (GET /api/v1/connection/status) and ask again. If that does not help, look for the \
                            command's id in the hosts' logs.";
                let body = ErrorBody::new(text, "no_host_answered");
                answer(Code::GATEWAY_TIMEOUT, ErrorBody { command: Some(id.to_string()), ..body })
            }
            Self::Port(error) => port(&error),
        }
    }
}

fn port(error: &PortError) -> Response {
    let retry_after = match error {
        PortError::Corrupt(_) => {
            tracing::error!(%error, "a request failed on damaged data");
            return simple(StatusCode::INTERNAL_SERVER_ERROR, "Server Error", "server_error");
        }
        PortError::Throttled { retry_after } => *retry_after,
        PortError::Conflict | PortError::Unavailable { .. } => BUSY,
    };
    tracing::warn!(error = error as &dyn std::error::Error, "a request was put off because a part was busy");
    let text = "Service temporarily unavailable. Try again in a moment.";
    with(simple(StatusCode::SERVICE_UNAVAILABLE, text, "busy"), header::RETRY_AFTER, whole_seconds(retry_after))
}

/// Rounded up, and never "at once".
fn whole_seconds(span: Duration) -> u64 {
    let part = u64::from(span.subsec_nanos() > 0);
    (span.as_secs() + part).max(1)
}

fn simple(status: StatusCode, message: &str, code: &'static str) -> Response {
    answer(status, ErrorBody::new(message, code))
}

fn answer(status: StatusCode, body: ErrorBody) -> Response {
    (status, Json(body)).into_response()
}

fn with(mut response: Response, name: header::HeaderName, value: impl Into<HeaderValue>) -> Response {
    response.headers_mut().insert(name, value.into());
    response
}

/// Answers addresses under `/api` that lead nowhere.
pub(crate) async fn no_route(request: Request) -> ApiError {
    ApiError::NoRoute(request.uri().path().trim_start_matches('/').to_owned())
}

/// Answers methods that an address does not take. The router itself adds `Allow`.
pub(crate) fn wrong_method(request: &Request, takes: &'static str) -> ApiError {
    let path = request.uri().path().trim_start_matches('/').to_owned();
    ApiError::WrongMethod { method: request.method().to_string(), path, takes }
}
