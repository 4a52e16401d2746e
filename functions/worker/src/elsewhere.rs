//! What a Worker cannot serve: requests that need an account's key unwrapped or a file written, and bodies that its memory
//! cannot bear. They are passed on to the form on AWS, or refused where nobody said where that is.

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hantar_wire::v1::error::ErrorBody;

use crate::config::ConfigError;

/// The header that a request passed on bears: one that comes back means that two Workers pass on to each other.
pub(crate) const PASSED_ON: &str = "x-hantar-passed-on";

/// Routes, exactly as the router knows them. A new webhook's secret is sealed under the account's key, and so is the text of a
/// token that an idempotency key gives again; a second factor is opened by it.
const ROUTES: [(Method, &str); 13] = [
    (Method::POST, "/api/v1/webhooks"),
    (Method::POST, "/api/v1/tokens"),
    (Method::DELETE, "/api/v1/account"),
    (Method::POST, "/api/v1/invitations"),
    // Their recipients are kept as a file until they are written out.
    (Method::POST, "/api/v1/messages/bulk"),
    (Method::POST, "/api/v1/campaigns"),
    // Pages that hash a password, which takes more work than an isolate may do at a time, or send a letter.
    (Method::POST, "/sign-in"),
    (Method::POST, "/second-factor"),
    (Method::POST, "/sign-up"),
    (Method::POST, "/forgot-password"),
    (Method::POST, "/verify-email"),
    (Method::POST, "/reset-password"),
    (Method::POST, "/accept-invitation"),
];

/// A webhook's new secret is sealed as its first one was.
const CHANGES: [(Method, &str); 1] = [(Method::PUT, "/api/v1/webhooks/")];
/// What begins so hashes passwords, opens second factors and sends letters.
const BEGINNINGS: [&str; 1] = ["/api/v1/auth/"];
/// What begins and ends so asks for a password, or sends a letter.
const ENDINGS: [(&str, &str); 2] = [("/api/v1/users/", "/make-owner"), ("/api/v1/invitations/", "/resend")];

/// The longest body that is read here. Read as JSON it may grow to forty times its length, and an isolate may have 128 MB
/// for all that it does at a time.
const MAX_BODY_BYTES: u64 = 1024 * 1024;

/// Why a request is served elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// It needs an account's key.
    Key,
    /// Its body is too long, or does not say how long it is.
    Body,
}

/// What is known of a body before it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// So many bytes; none where there is no body.
    Known(u64),
    /// It ends when it ends.
    Unknown,
}

impl Elsewhere {
    /// Why this request is; `None` for what is served here.
    pub fn of(method: &str, path: &str, body: BodyLength) -> Option<Self> {
        let named = ROUTES.iter().any(|(taken, known)| taken.as_str() == method && *known == path);
        let changes = CHANGES.iter().any(|(taken, beginning)| taken.as_str() == method && path.starts_with(beginning));
        let begins = BEGINNINGS.iter().any(|beginning| path.starts_with(beginning));
        let ends = ENDINGS.iter().any(|(beginning, ending)| path.starts_with(beginning) && path.ends_with(ending));
        let keyed = named || changes || begins || ends;
        match body {
            _ if keyed => Some(Self::Key),
            BodyLength::Known(length) if length <= MAX_BODY_BYTES => None,
            _ => Some(Self::Body),
        }
    }

    /// The answer where nobody serves it.
    pub fn refusal(self) -> Response {
        let (status, code, why) = match self {
            Self::Key => (StatusCode::NOT_IMPLEMENTED, "served_on_aws", "This is served by the API on AWS."),
            Self::Body => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_large",
                "A request body larger than 1 MiB, or of a length that is not declared, is served by the API on AWS.",
            ),
        };
        problem(status, format!("{why} This address was not told where that is."), code)
    }
}

/// The answer where the API on AWS does not answer.
pub(crate) fn unreachable() -> Response {
    let text = "Service temporarily unavailable. Try again in a moment.";
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, text.to_owned(), "busy");
    response.headers_mut().insert("retry-after", axum::http::HeaderValue::from_static("1"));
    response
}

/// The answer to a request that was passed on to where it came from.
pub(crate) fn circle() -> Response {
    let text = "HANTAR_AWS_API_URL leads back here: it must name the API on AWS.";
    problem(StatusCode::LOOP_DETECTED, text.to_owned(), "misconfigured")
}

/// The answer to everything while a binding is missing or wrong.
pub(crate) fn unconfigured(error: &ConfigError) -> Response {
    problem(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "misconfigured")
}

fn problem(status: StatusCode, message: String, code: &'static str) -> Response {
    (status, Json(ErrorBody::new(message, code))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NO_BODY: BodyLength = BodyLength::Known(0);

    #[test]
    fn whatever_asks_for_passwords_keys_letters_or_files_is_served_elsewhere() {
        for (method, path) in [
            ("POST", "/api/v1/auth/sign-in"),
            ("GET", "/api/v1/auth/me"),
            ("POST", "/api/v1/users/7/make-owner"),
            ("POST", "/api/v1/invitations"),
            ("POST", "/api/v1/invitations/7/resend"),
            ("DELETE", "/api/v1/account"),
            ("POST", "/api/v1/tokens"),
            ("POST", "/sign-in"),
            ("PUT", "/api/v1/webhooks/7"),
            ("POST", "/api/v1/messages/bulk"),
            ("POST", "/api/v1/campaigns"),
        ] {
            assert_eq!(Elsewhere::of(method, path, NO_BODY), Some(Elsewhere::Key), "{method} {path}");
        }
        for (method, path) in [
            ("GET", "/sign-in"),
            ("GET", "/api/v1/tokens"),
            ("GET", "/api/v1/invitations"),
            ("DELETE", "/api/v1/tokens/7"),
            ("PUT", "/api/v1/users/7"),
            ("POST", "/api/v1/account/restore"),
            ("GET", "/api/v1/campaigns"),
            ("POST", "/api/v1/campaigns/7/pause"),
            ("POST", "/api/v1/campaigns/preview"),
        ] {
            assert_eq!(Elsewhere::of(method, path, NO_BODY), None, "{method} {path}");
        }
    }

    #[test]
    fn giving_a_webhook_a_secret_needs_a_key_and_nothing_beside_it_does() {
        assert_eq!(Elsewhere::of("POST", "/api/v1/webhooks", NO_BODY), Some(Elsewhere::Key));
        for (method, path) in [
            ("GET", "/api/v1/webhooks"),
            ("DELETE", "/api/v1/webhooks/1"),
            ("POST", "/api/v1/webhooks/"),
            ("POST", "/api/v1/messages/send"),
            ("post", "/api/v1/webhooks"),
        ] {
            assert_eq!(Elsewhere::of(method, path, NO_BODY), None, "{method} {path}");
        }
    }

    #[test]
    fn a_body_is_read_here_if_it_says_that_it_is_short() {
        let of = |body| Elsewhere::of("POST", "/api/v1/messages/send", body);
        assert_eq!(of(BodyLength::Known(MAX_BODY_BYTES)), None);
        assert_eq!(of(BodyLength::Known(MAX_BODY_BYTES + 1)), Some(Elsewhere::Body));
        assert_eq!(of(BodyLength::Unknown), Some(Elsewhere::Body));
    }

    #[test]
    fn a_refusal_says_what_kind_it_is_by_its_status() {
        assert_eq!(Elsewhere::Key.refusal().status(), StatusCode::NOT_IMPLEMENTED);
        assert_eq!(Elsewhere::Body.refusal().status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(unreachable().headers()["retry-after"], "1");
    }
}
