//! What every request to the pages must pass, on loopback too: the host that it names, and where it comes from.
//!
//! A cookie comes along with whatever makes the browser send a request. So a page of another site must neither reach these
//! pages under a name of its own (DNS rebinding), nor post to them.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use url::{Host, Url};

use crate::DashboardParts;
use crate::layout;

/// No foreign scripts, styles, pictures or frames; forms lead here alone.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Answers 421 for a foreign host and 403 for a foreign origin.
pub(crate) async fn check(State(parts): State<Arc<DashboardParts>>, request: Request, next: Next) -> Response {
    let Some(host) = named_host(&request).filter(|host| is_ours(&parts, host)) else {
        let text = "This address is not one that these pages answer to. Open them by the address that Hantar printed.";
        return (StatusCode::MISDIRECTED_REQUEST, layout::notice(&parts, "Wrong address", text)).into_response();
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !from_here(request.headers(), &host) {
        let text =
            "The request came from another site, and was not carried out. Go back to the start page and try again.";
        return (StatusCode::FORBIDDEN, layout::notice(&parts, "Not carried out", text)).into_response();
    }
    next.run(request).await
}

/// The one host that a request names, with its port.
fn named_host(request: &Request) -> Option<String> {
    let mut all = request.headers().get_all(header::HOST).iter();
    let named = match (all.next(), all.next()) {
        (Some(host), None) => host.to_str().ok()?.to_owned(),
        (None, None) => request.uri().authority()?.to_string(),
        _ => return None,
    };
    (!named.is_empty() && !named.contains(['@', '/', '\\'])).then(|| named.to_ascii_lowercase())
}

fn is_ours(parts: &DashboardParts, named: &str) -> bool {
    let Some(name) = without_port(named) else { return false };
    let loopback = ["localhost", "127.0.0.1", "[::1]"];
    let listed = |host: &String| without_port(&host.to_ascii_lowercase()).is_some_and(|host| host == name);
    loopback.contains(&name.as_str()) || parts.hosts.iter().any(listed)
}

fn without_port(named: &str) -> Option<String> {
    let url = Url::parse(&format!("http://{named}/")).ok()?;
    url.host().map(|host: Host<&str>| host.to_string())
}

/// Whether the browser says that our own page asked. It says so by `Sec-Fetch-Site` where it trusts the address, and by
/// `Origin` everywhere; a request with neither is no form of ours.
fn from_here(headers: &HeaderMap, host: &str) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site.as_bytes() == b"same-origin";
    }
    let mut all = headers.get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (all.next(), all.next()) else { return false };
    let Some(origin) = origin.to_str().ok().map(str::to_ascii_lowercase) else { return false };
    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://")) == Some(host)
}

/// Headers that keep a page from being framed, guessed at, kept, or told of elsewhere.
pub(crate) async fn harden(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // Not `no-referrer`: browsers then call the origin of our own forms "null".
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
