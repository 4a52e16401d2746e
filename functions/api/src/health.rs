//! For whoever watches the process: whether it lives, and whether it can serve.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::Api;

/// The process lives.
pub(crate) async fn alive(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(json!({ "status": "ok", "version": api.parts.version }))
}

/// The process can serve, or why it cannot.
pub(crate) async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    let reasons = api.parts.ready.obstacles().await;
    if reasons.is_empty() {
        return (StatusCode::OK, Json(json!({ "status": "ready" })));
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not_ready", "reasons": reasons })))
}
