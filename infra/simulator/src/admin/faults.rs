//! Fault rules over HTTP.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{AdminResult, Body};
use crate::network::{Fault, Network};

pub(super) async fn list(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "faults": network.faults() }))
}

pub(super) async fn add(
    State(network): State<Network>,
    Body(fault): Body<Fault>,
) -> AdminResult<(StatusCode, Json<Value>)> {
    let id = network.add_fault(fault)?;
    Ok((StatusCode::CREATED, Json(json!({ "id": id }))))
}

pub(super) async fn remove(State(network): State<Network>, Path(id): Path<u64>) -> (StatusCode, Json<Value>) {
    if network.remove_fault(id) {
        (StatusCode::OK, Json(json!({ "removed": id })))
    } else {
        (StatusCode::NOT_FOUND, Json(json!({ "error": format!("there is no rule {id}") })))
    }
}

pub(super) async fn clear(State(network): State<Network>) -> StatusCode {
    network.clear_faults();
    StatusCode::NO_CONTENT
}

pub(super) async fn release(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "released": network.release_acks() }))
}
