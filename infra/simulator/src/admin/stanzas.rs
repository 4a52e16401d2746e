//! The raw stanza log over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::network::{Network, StanzaFilter};

/// Without `timeout_ms`, this long.
const DEFAULT_WAIT_MS: u64 = 5_000;

#[derive(Deserialize)]
pub(super) struct Wait {
    wait_for: Option<usize>,
    timeout_ms: Option<u64>,
}

pub(super) async fn list(
    State(network): State<Network>,
    Query(filter): Query<StanzaFilter>,
    Query(wait): Query<Wait>,
) -> Json<Value> {
    let stanzas = match wait.wait_for {
        None => network.stanzas(&filter),
        Some(count) => {
            let limit = Duration::from_millis(wait.timeout_ms.unwrap_or(DEFAULT_WAIT_MS));
            network.wait_for_stanzas(&filter, count, limit).await
        }
    };
    Json(json!({ "stanzas": stanzas }))
}

pub(super) async fn clear(State(network): State<Network>) -> StatusCode {
    network.clear_stanzas();
    StatusCode::NO_CONTENT
}
