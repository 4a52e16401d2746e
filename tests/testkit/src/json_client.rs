//! A client for JSON APIs on loopback addresses: no redirects, no proxies, and every status is an answer.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

/// How long a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls one API, with the same headers each time.
#[derive(Clone, Debug)]
pub struct JsonClient {
    base: String,
    headers: HeaderMap,
    client: reqwest::Client,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct JsonAnswer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body: `Null` when it is empty, a string when it is no JSON.
    pub body: Value,
}

impl JsonClient {
    /// Calls paths below `base` (`http://127.0.0.1:8080`).
    ///
    /// # Panics
    /// When no client can be made.
    pub fn new(base: &str) -> Self {
        let builder = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = builder.timeout(CALL_TIMEOUT).build().expect("a client without TLS");
        Self { base: base.to_owned(), headers: HeaderMap::new(), client }
    }

    /// The same with a header (its name in lower case) on each call.
    ///
    /// # Panics
    /// When the value is none that a header can have.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_str(value).expect("a header's value");
        self.headers.insert(HeaderName::from_static(name), value);
        self
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> reqwest::Result<JsonAnswer> {
        self.call(Method::GET, path, None).await
    }

    /// POST of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> reqwest::Result<JsonAnswer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// PUT of a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> reqwest::Result<JsonAnswer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> reqwest::Result<JsonAnswer> {
        self.call(Method::DELETE, path, None).await
    }

    /// Any call. An error means that there was no whole answer.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<JsonAnswer> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).headers(self.headers.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        };
        Ok(JsonAnswer { status, headers, body })
    }
}
