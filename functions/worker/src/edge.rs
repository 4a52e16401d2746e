//! Between JavaScript's requests and the router's: what comes in is read, passed on or routed, and what comes out is
//! handed over whole.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use tower::ServiceExt as _;
use url::Url;
use worker::wasm_bindgen::JsCast as _;
use worker::{Fetch, Headers, ResponseBuilder, web_sys};

use crate::app::{Surroundings, router};
use crate::config::Config;
use crate::elsewhere::{self, BodyLength, Elsewhere, PASSED_ON};

/// More than any answer of ours: a page of a hundred messages of the longest kind, with their history.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// Serves one request.
pub(crate) async fn serve(config: &Config, request: web_sys::Request) -> worker::Result<web_sys::Response> {
    let url = Url::parse(&request.url())?;
    if let Some(why) = Elsewhere::of(&request.method(), url.path(), body_length(&request)?) {
        return pass_on(config, &request, &url, why).await;
    }
    let origin = url.origin().ascii_serialization();
    let router = router(config, Surroundings::of_worker(), &origin);
    let Ok(response) = router.oneshot(from_js(&request)?).await;
    to_js(response).await
}

fn body_length(request: &web_sys::Request) -> worker::Result<BodyLength> {
    if request.body().is_none() {
        return Ok(BodyLength::Known(0));
    }
    let declared = request.headers().get("content-length")?.and_then(|length| length.parse().ok());
    Ok(declared.map_or(BodyLength::Unknown, BodyLength::Known))
}

/// The same request to the API on AWS: its method, path, headers and body as they came, and its answer as it comes.
async fn pass_on(
    config: &Config,
    request: &web_sys::Request,
    url: &Url,
    why: Elsewhere,
) -> worker::Result<web_sys::Response> {
    let Some(api) = &config.aws_api else { return to_js(why.refusal()).await };
    if request.headers().has(PASSED_ON)? {
        tracing::error!("HANTAR_AWS_API_URL leads back here");
        return to_js(elsewhere::circle()).await;
    }
    let mut target = api.clone();
    target.set_path(&format!("{}{}", api.path().trim_end_matches('/'), url.path()));
    target.set_query(url.query());
    // A request is all that its successor is made from, its body unread (developers.cloudflare.com, "Modify a request").
    let passed = web_sys::Request::new_with_str_and_init(target.as_str(), request.unchecked_ref())?;
    passed.headers().set(PASSED_ON, "1")?;
    match Fetch::Request(passed.into()).send().await {
        Ok(response) => Ok(response.into()),
        Err(error) => {
            tracing::warn!(%error, "the API on AWS did not answer");
            to_js(elsewhere::unreachable()).await
        }
    }
}

fn from_js(request: &web_sys::Request) -> worker::Result<Request<Body>> {
    let body = request.body().map_or_else(Body::empty, |stream| Body::new(worker::Body::new(stream)));
    let mut converted = Request::new(body);
    *converted.method_mut() = request.method().parse().map_err(|_| wrong("method"))?;
    *converted.uri_mut() = request.url().parse::<Uri>().map_err(|_| wrong("address"))?;
    *converted.headers_mut() = headers(&Headers(request.headers()))?;
    Ok(converted)
}

/// JavaScript shows the bytes of a header as the characters of Latin-1 (fetch.spec.whatwg.org, "isomorphic decode").
fn headers(from: &Headers) -> worker::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in from.entries() {
        let name = name.parse::<HeaderName>().map_err(|_| wrong("header"))?;
        headers.append(name, latin_1(&value).ok_or_else(|| wrong("header"))?);
    }
    Ok(headers)
}

fn latin_1(text: &str) -> Option<HeaderValue> {
    let bytes = text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect::<Option<Vec<_>>>()?;
    HeaderValue::from_bytes(&bytes).ok()
}

fn wrong(what: &str) -> worker::Error {
    worker::Error::RustError(format!("a request has a {what} that cannot be read"))
}

/// An answer as JavaScript has it. Ours are small and at hand, so they go over as bytes and not as streams.
pub(crate) async fn to_js(response: Response<Body>) -> worker::Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        let value: String = value.as_bytes().iter().copied().map(char::from).collect();
        headers.append(name.as_str(), &value)?;
    }
    let bytes = to_bytes(body, MAX_ANSWER_BYTES).await.map_err(|error| worker::Error::RustError(error.to_string()))?;
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    let response = if bytes.is_empty() { builder.empty() } else { builder.fixed(bytes.into()) };
    Ok(response.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_of_a_header_arrives_as_it_was_sent() {
        assert_eq!(latin_1("caf\u{e9}").unwrap().as_bytes(), b"caf\xe9");
        assert_eq!(latin_1("\u{20ac}"), None, "no byte is shown as this character");
        assert_eq!(latin_1("a\nb"), None);
    }
}
