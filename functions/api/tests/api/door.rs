//! Asking the real router, and holding its answers against files.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use hantar_api::{ApiParts, RateLimits, Readiness, router};
use hantar_platform::blobs::NoBlobs;
use hantar_platform::mail::LogMail;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{SHARDS, World};

/// The router over a small world.
pub(crate) struct Door {
    pub(crate) world: World,
    router: Router,
}

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

struct Ready(World);

#[async_trait]
impl Readiness for Ready {
    async fn obstacles(&self) -> Vec<String> {
        if self.0.state().busy { vec!["the business table does not answer".to_owned()] } else { vec![] }
    }
}

impl Door {
    pub(crate) fn new() -> Self {
        Self::with_limits(RateLimits::default())
    }

    pub(crate) fn with_limits(limits: RateLimits) -> Self {
        let world = World::new();
        world.found(1, true);
        let shared = Arc::new(world.clone());
        let parts = ApiParts {
            fleet: shared.clone(),
            tenants: shared.clone(),
            queue: shared.clone(),
            shards: SHARDS,
            account_keys: Arc::new(AccountKeys::new(shared.clone(), shared.clone(), shared.clone())),
            blobs: Arc::new(NoBlobs),
            mail: Arc::new(LogMail),
            numbers: Arc::new(Numbers::new(shared.clone(), 10)),
            clock: shared.clone(),
            entropy: shared.clone(),
            sleep: shared.clone(),
            allowed: "127.0.0.0/8".parse().unwrap(),
            ready: Arc::new(Ready(world.clone())),
            limits,
            public_url: None,
            pages_url: None,
            version: "0.0.0-test".into(),
        };
        Self { world, router: router(Arc::new(parts)) }
    }

    /// Asks with whatever headers and body.
    pub(crate) fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.ask(request.body(body.into()).unwrap())
    }

    pub(crate) fn ask(&self, request: Request<Body>) -> Answer {
        pollster::block_on(async {
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
            Answer { status: head.status, headers: head.headers, bytes }
        })
    }

    pub(crate) fn get(&self, token: &str, path: &str) -> Answer {
        self.raw("GET", path, &[("authorization", &format!("Bearer {token}"))], Body::empty())
    }

    pub(crate) fn delete(&self, token: &str, path: &str) -> Answer {
        self.raw("DELETE", path, &[("authorization", &format!("Bearer {token}"))], Body::empty())
    }

    /// Posts JSON.
    pub(crate) fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.post_text(token, path, &body.to_string(), &[])
    }

    /// Posts a text as JSON, with further headers.
    pub(crate) fn post_text(&self, token: &str, path: &str, body: &str, more: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("authorization", bearer.as_str()), ("content-type", "application/json")];
        headers.extend_from_slice(more);
        self.raw("POST", path, &headers, body.to_owned())
    }

    pub(crate) fn send(&self, token: &str, body: &Value) -> Answer {
        self.post(token, "/api/v1/messages/send", body)
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    pub(crate) fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// Holds the answer against a file: status, headers in order of their names, body. `UPDATE_GOLDEN=1` rewrites it.
    pub(crate) fn is(&self, name: &str) {
        let headers = self.headers.iter().filter(|(name, _)| *name != "content-length");
        let mut lines: Vec<String> =
            headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.insert(0, self.status.to_string());
        if !self.bytes.is_empty() {
            lines.push(format!("\n{}", serde_json::to_string_pretty(&self.json()).unwrap()));
        }
        let text = lines.join("\n") + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 accepts the new answer", path.display());
    }
}

/// A body that is accepted.
pub(crate) fn good() -> Value {
    json!({"phone": "0123456789", "body": "Hi {{name | default: \"there\"}}"})
}
