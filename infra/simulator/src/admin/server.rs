//! The server itself over HTTP: its keys, its time, its limits, what it counts, and how it ends connections.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AdminResult, Body};
use crate::network::{Network, NetworkTime, TimeChange};

pub(super) fn routes(tls_certificate: &str) -> Router<Network> {
    let certificate = tls_certificate.to_owned();
    let root = async move |State(network): State<Network>| {
        let public_key = hex::encode(network.root_public_key());
        Json(json!({ "public_key": public_key, "tls_certificate": certificate }))
    };
    Router::new()
        .route("/admin/root", get(root))
        .route("/admin/time", get(time).post(change_time))
        .route("/admin/limits", get(limits).post(change_limits))
        .route("/admin/stream-error", post(stream_error))
        .route("/admin/disconnect", post(disconnect))
        .route("/admin/counts", get(counts))
        .route("/admin/unknown-iqs", get(unknown_iqs))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "ok"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    idle_ms: u64,
}

#[derive(Deserialize)]
struct StreamError {
    phone: String,
    device: Option<u16>,
    code: u16,
}

#[derive(Deserialize)]
struct Disconnect {
    phone: String,
    device: Option<u16>,
}

async fn time(State(network): State<Network>) -> Json<NetworkTime> {
    Json(network.time())
}

async fn change_time(State(network): State<Network>, Body(change): Body<TimeChange>) -> AdminResult<Json<NetworkTime>> {
    Ok(Json(network.change_time(change)?))
}

async fn limits(State(network): State<Network>) -> Json<Value> {
    let idle_ms = u64::try_from(network.idle_limit().as_millis()).unwrap_or(u64::MAX);
    Json(json!({ "idle_ms": idle_ms }))
}

async fn change_limits(
    State(network): State<Network>,
    Body(Limits { idle_ms }): Body<Limits>,
) -> AdminResult<Json<Value>> {
    network.set_idle_limit(Duration::from_millis(idle_ms))?;
    Ok(limits(State(network)).await)
}

async fn stream_error(State(network): State<Network>, Body(error): Body<StreamError>) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "ended": network.stream_error(&error.phone, error.device, error.code)? })))
}

async fn disconnect(State(network): State<Network>, Body(disconnect): Body<Disconnect>) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "disconnected": network.disconnect(&disconnect.phone, disconnect.device)? })))
}

async fn counts(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "counts": network.counts() }))
}

async fn unknown_iqs(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "unknown_iqs": network.unknown_iqs() }))
}

async fn metrics(State(network): State<Network>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], network.metrics()).into_response()
}
