//! Who is looking: the link that signs a browser in, and the cookie that keeps it signed in.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::sign_in::{self, SESSION_VALID, by_cookie};
use url::form_urlencoded;

use crate::DashboardParts;
use crate::errors::PageError;
use crate::{layout, people};

const COOKIE: &str = "hantar_session";

type Parts = State<Arc<DashboardParts>>;

/// Who is signed in, if they may do what `ability` names.
pub(crate) async fn allowed(parts: &DashboardParts, headers: &HeaderMap, ability: &str) -> Result<Caller, PageError> {
    let caller = caller(parts, headers).await?;
    if caller.may(ability) { Ok(caller) } else { Err(PageError::Forbidden) }
}

/// Who is signed in.
pub(crate) async fn caller(parts: &DashboardParts, headers: &HeaderMap) -> Result<Caller, PageError> {
    let cookie = cookie(headers).ok_or(PageError::SignedOut)?;
    by_cookie(&*parts.fleet, &*parts.tenants, &*parts.clock, cookie).await?.ok_or(PageError::SignedOut)
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';')).find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

/// Uses a link's secret up and signs the browser in; without one shows the form to sign in by a password.
pub(crate) async fn sign_in(State(parts): Parts, request: Request) -> Response {
    if request.method() != Method::GET {
        // A preview must not use the link up.
        return StatusCode::NO_CONTENT.into_response();
    }
    let query = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    let secret = query.into_iter().find(|(name, _)| name == "secret").map(|(_, secret)| secret.into_owned());
    let Some(secret) = secret else { return people::sign_in_page(&parts).into_response() };
    match sign_in::sign_in(&*parts.fleet, &*parts.entropy, &*parts.clock, &secret).await {
        Ok(Some(value)) => signed_in(&parts, &value),
        Ok(None) => {
            let text = "This sign-in link was used before or is too old: each works once, for an hour. For a new one, run \
                        “hantar sign-in” on the machine where Hantar runs, or start Hantar again.";
            (StatusCode::GONE, layout::notice(&parts, "This link no longer works", text)).into_response()
        }
        Err(error) => PageError::from(error).page(&parts),
    }
}

pub(crate) fn signed_in(parts: &DashboardParts, value: &str) -> Response {
    let header = cookie_header(parts, value, SESSION_VALID.as_secs());
    ([(header::SET_COOKIE, header)], Redirect::to("/")).into_response()
}

/// Ends the session.
pub(crate) async fn sign_out(State(parts): Parts, headers: HeaderMap) -> Response {
    if let Some(cookie) = cookie(&headers)
        && let Err(error) = sign_in::sign_out(&*parts.fleet, &*parts.clock, cookie).await
    {
        return PageError::from(error).page(&parts);
    }
    ([(header::SET_COOKIE, cookie_header(&parts, "", 0))], Redirect::to("/")).into_response()
}

fn cookie_header(parts: &DashboardParts, value: &str, seconds: u64) -> String {
    let secure = if parts.https { "; Secure" } else { "" };
    format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}{secure}")
}
