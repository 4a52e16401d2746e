//! Passkeys over HTTP: whether an account wants its own before it links, the code its phone shows, and its sensor.

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::{AdminResult, Body};
use crate::network::{Network, PasskeyView};

pub(super) fn routes() -> Router<Network> {
    Router::new()
        .route("/admin/phones/{phone}/passkey", get(show).post(require))
        .route("/admin/phones/{phone}/passkey/sign", post(sign))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Require {
    required: bool,
}

async fn show(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<PasskeyView>> {
    Ok(Json(network.passkey(&phone)?))
}

async fn require(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(Require { required }): Body<Require>,
) -> AdminResult<Json<PasskeyView>> {
    network.require_passkey(&phone, required)?;
    Ok(Json(network.passkey(&phone)?))
}

async fn sign(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(options): Body<Value>,
) -> AdminResult<Json<Value>> {
    Ok(Json(network.sign_with_passkey(&phone, &options)?))
}
