//! The raw stanza log over HTTP.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, StanzaFilter};

pub(super) async fn list(State(network): State<Network>, Query(filter): Query<StanzaFilter>) -> Json<Value> {
    Json(json!({ "stanzas": network.stanzas(&filter) }))
}

pub(super) async fn clear(State(network): State<Network>) -> StatusCode {
    network.clear_stanzas();
    StatusCode::NO_CONTENT
}
