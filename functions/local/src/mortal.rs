//! Sudden death at a chosen point, for the tests that prove that nothing is lost by it. Only in builds with the feature
//! `simulator`.
//!
//! `HANTAR_DIE_AT='after|UpdateItem|dispatched|2'` kills the process, as `kill -9` does, right after the second request
//! of this operation whose text holds this word was executed; `before` kills it instead of executing it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

#[derive(Debug)]
struct Point {
    after: bool,
    operation: String,
    word: String,
    left: AtomicU64,
}

/// The point of death, if one is set.
fn point() -> Option<Arc<Point>> {
    static POINT: std::sync::OnceLock<Option<Arc<Point>>> = std::sync::OnceLock::new();
    POINT.get_or_init(|| parse(&environment()?)).clone()
}

#[expect(clippy::disallowed_methods, reason = "a test's own switch, beside the configuration")]
fn environment() -> Option<String> {
    std::env::var("HANTAR_DIE_AT").ok()
}

fn parse(text: &str) -> Option<Arc<Point>> {
    let mut parts = text.splitn(4, '|');
    let after = match parts.next()? {
        "after" => true,
        "before" => false,
        _ => return None,
    };
    let (operation, word) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let left = AtomicU64::new(parts.next().unwrap_or("1").parse().ok()?);
    Some(Arc::new(Point { after, operation, word, left }))
}

impl Point {
    /// Whether this request is the one; each match counts down.
    fn is_reached_by(&self, operation: &str, text: &[u8]) -> bool {
        let word = self.word.as_bytes();
        let named =
            operation == self.operation && (word.is_empty() || text.windows(word.len()).any(|part| part == word));
        named && self.left.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// Dies here when `HANTAR_DIE_AT` names this point of our own, such as `before|consume||1`.
pub(crate) fn pass(when: &str, name: &str) {
    if let Some(point) = point()
        && point.after == (when == "after")
        && point.is_reached_by(name, b"")
    {
        die();
    }
}

fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort()
}

/// Puts the point of death in front of a connector.
pub(crate) fn wrap(inner: SharedHttpClient) -> SharedHttpClient {
    match point() {
        Some(point) => SharedHttpClient::new(Mortal { inner, point }),
        None => inner,
    }
}

#[derive(Debug)]
struct Mortal {
    inner: SharedHttpClient,
    point: Arc<Point>,
}

impl HttpClient for Mortal {
    fn http_connector(&self, settings: &HttpConnectorSettings, parts: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, parts);
        SharedHttpConnector::new(MortalConnector { inner, point: self.point.clone() })
    }
}

#[derive(Debug)]
struct MortalConnector {
    inner: SharedHttpConnector,
    point: Arc<Point>,
}

impl HttpConnector for MortalConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let operation =
            request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or_default();
        let reached = self.point.is_reached_by(operation, request.body().bytes().unwrap_or_default());
        if reached && !self.point.after {
            die();
        }
        let call = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = call.await;
            if reached {
                die();
            }
            answer
        })
    }
}
