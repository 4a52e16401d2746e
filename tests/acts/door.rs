//! The HTTP router of one process, asked as a client asks, and its answers held against files.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use hantar_api::{ApiParts, RateLimits, Readiness, router};
use hantar_domain::billing::Billing;
use hantar_domain::pacing::Pacing;
use hantar_domain::token::Abilities;
use hantar_testkit::clock::FrozenClock;
use hantar_usecases::create_token::{NewToken, create_token};
use hantar_usecases::ports::Sleep;
use serde_json::Value;
use tower::ServiceExt as _;

use crate::home::Home;
use crate::world::{LOOPBACK, Process, SHARDS, guarded};

struct Ready;

#[async_trait]
impl Readiness for Ready {
    async fn obstacles(&self) -> Vec<String> {
        vec![]
    }
}

/// Long waits are over at once, and the clock says that they took their time.
struct Leap(FrozenClock);

#[async_trait]
impl Sleep for Leap {
    async fn sleep(&self, span: Duration) {
        self.0.advance(span);
    }
}

/// Where letters say that the pages are.
pub(crate) const PAGES: &str = "https://hantar.example.com";

/// The routes as one process serves them.
pub(crate) fn served_by(process: &Process) -> Router {
    served_with(process, Billing::Credits)
}

/// The same where messages are charged for like this.
pub(crate) fn served_with(process: &Process, billing: Billing) -> Router {
    let parts = ApiParts {
        fleet: process.fleet.clone(),
        tenants: process.tenants.clone(),
        queue: process.queue.clone(),
        shards: SHARDS,
        account_keys: process.keys.clone(),
        blobs: process.blobs.clone(),
        mail: Arc::new(process.mailbox.clone()),
        billing,
        egress: Arc::new(guarded(LOOPBACK)),
        numbers: process.numbers.clone(),
        clock: Arc::new(process.clock.clone()),
        entropy: Arc::new(process.entropy.clone()),
        sleep: Arc::new(Leap(process.clock.clone())),
        pacing: Pacing::default(),
        allowed: "".parse().unwrap(),
        ready: Arc::new(Ready),
        limits: RateLimits { reads_per_minute: 1_000_000, writes_per_minute: 1_000_000 },
        public_url: None,
        pages_url: Some(PAGES.into()),
        version: "test".into(),
    };
    router(Arc::new(parts))
}

/// The token of the account's owner.
pub(crate) async fn token(home: &Home) -> String {
    token_with(home, Abilities::all()).await
}

/// A token of the account's owner that may do these things.
pub(crate) async fn token_with(home: &Home, abilities: Abilities) -> String {
    let (process, account, user) = (&home.process, home.account, home.owner);
    let new = NewToken { account, user, name: "test".into(), abilities, expires_at: None };
    create_token(process.fleet.as_ref(), &process.numbers, &process.entropy, &process.clock, new).await.unwrap().1
}

/// Somebody with a token before the router.
pub(crate) struct Door {
    router: Router,
    token: String,
}

/// One answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Door {
    /// The owner of an account, at the process that the account is seen by.
    pub(crate) async fn of(home: &Home) -> Self {
        Self { router: served_by(&home.process), token: token(home).await }
    }

    /// The same where messages are charged for like this.
    pub(crate) async fn charging(home: &Home, billing: Billing) -> Self {
        Self { router: served_with(&home.process, billing), token: token(home).await }
    }

    /// The same process, with another token.
    pub(crate) fn with_token(&self, token: String) -> Self {
        Self { router: self.router.clone(), token }
    }

    /// Asks with whatever headers and body.
    pub(crate) async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: head.status, headers: head.headers, bytes }
    }

    /// Asks with the token and perhaps a JSON body, under an idempotency key if one is given.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: Option<&Value>, key: Option<&str>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(body.map(|_| ("content-type", "application/json")));
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.raw(method, path, &headers, body.map(|body| body.to_string().into_bytes()).unwrap_or_default()).await
    }

    /// Asks with a body of its own, for whoever asks the same thing again and again.
    pub(crate) async fn ask_owned(&self, method: &'static str, path: &str, body: Value) -> Answer {
        self.ask(method, path, Some(&body), None).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(body), None).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, Some(body), None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, None, None).await
    }
}

impl Answer {
    pub(crate) fn code(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or(Value::Null)
    }

    /// What is under `data`.
    pub(crate) fn data(&self) -> Value {
        self.json()["data"].take()
    }

    #[expect(clippy::disallowed_methods, reason = "who accepts new answers says so by the environment")]
    /// Holds the answer against a file: status, headers in order of their names, body. `UPDATE_GOLDEN=1` rewrites it.
    pub(crate) fn is(&self, name: &str) {
        let headers = self.headers.iter().filter(|(name, _)| *name != "content-length");
        let mut lines: Vec<String> =
            headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.insert(0, self.status.to_string());
        if !self.bytes.is_empty() {
            let body = match self.json() {
                Value::Null => String::from_utf8_lossy(&self.bytes).into_owned(),
                json => serde_json::to_string_pretty(&json).unwrap(),
            };
            lines.push(format!("\n{body}"));
        }
        let text = lines.join("\n") + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("acts/golden").join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, golden, "{} differs; UPDATE_GOLDEN=1 accepts the new answer", path.display());
    }
}
