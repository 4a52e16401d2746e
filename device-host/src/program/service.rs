//! Health, readiness and metrics over HTTP: the only port that a host listens on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use crate::{DeviceHost, HostFacts};

/// The format of the answer, as Prometheus asks for it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The host, as long as it is here.
#[derive(Clone)]
pub(super) struct Watched(Arc<Mutex<Watch>>);

struct Watch {
    host: Option<DeviceHost>,
    /// What was measured when it began to leave.
    last: String,
}

impl Watched {
    pub(super) fn new(host: DeviceHost) -> Self {
        Self(Arc::new(Mutex::new(Watch { host: Some(host), last: String::new() })))
    }

    /// Takes the host out, to be drained: it is healthy still, and ready no more.
    pub(super) fn leave(&self) -> Option<DeviceHost> {
        let mut watch = self.watch();
        watch.last = watch.host.as_ref().map(DeviceHost::metrics).unwrap_or_default();
        watch.host.take()
    }

    /// How it stands.
    pub(super) fn facts(&self) -> Option<HostFacts> {
        self.watch().host.as_ref().map(DeviceHost::facts)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers until the process ends.
pub(super) async fn serve(listener: TcpListener, watched: Watched) {
    if let Err(error) = axum::serve(listener, router(watched)).await {
        tracing::error!(%error, "health and metrics are not served any more");
    }
}

fn router(watched: Watched) -> Router {
    let routes = Router::new().route("/healthz", get(health)).route("/readyz", get(ready));
    routes.route("/metrics", get(metrics)).with_state(watched)
}

/// Not when only a new start helps.
async fn health(State(watched): State<Watched>) -> Response {
    match &watched.watch().host {
        Some(host) if !host.is_alive() => (StatusCode::INTERNAL_SERVER_ERROR, "stuck\n").into_response(),
        Some(_) | None => (StatusCode::OK, "ok\n").into_response(),
    }
}

/// Not while the tables do not answer, nor while it leaves.
async fn ready(State(watched): State<Watched>) -> Response {
    let obstacle = match &watched.watch().host {
        Some(host) if host.is_ready() => return (StatusCode::OK, "ready\n").into_response(),
        Some(_) => "no lease: the tables do not answer, or have not yet\n",
        None => "leaving\n",
    };
    (StatusCode::SERVICE_UNAVAILABLE, obstacle).into_response()
}

async fn metrics(State(watched): State<Watched>) -> Response {
    let watch = watched.watch();
    let text = watch.host.as_ref().map_or_else(|| watch.last.clone(), DeviceHost::metrics);
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}
