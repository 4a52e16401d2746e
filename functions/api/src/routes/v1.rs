//! The routes of the REST API v1 (the Blasty dialect), each behind its gate.

pub(crate) mod balance;
pub(crate) mod connection;
pub(crate) mod message_list;
pub(crate) mod messages;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};

use crate::Api;
use crate::auth::{Gate, guard};
use crate::errors::ApiError;
use crate::limit::Kind::{self, Read, Write};
use crate::openapi;

/// A number in a path, as it was given: one that is no number leads to nothing that exists.
type PathText = Result<Path<String>, PathRejection>;

/// All routes of the dialect.
pub(crate) fn router(api: &Arc<Api>) -> Router<Arc<Api>> {
    let gate = |ability, kind, methods| gated(api, ability, kind, methods);
    Router::new()
        .route("/api/v1/connection/status", gate("connection:read", Read, get(connection::status)))
        .route("/api/v1/connection/qr", gate("connection:write", Read, get(connection::qr)))
        .route("/api/v1/messages/send", gate("messages:send", Write, post(messages::send)))
        .route("/api/v1/messages", gate("messages:read", Read, get(message_list::list)))
        .route(
            "/api/v1/messages/{id}",
            gate("messages:read", Read, get(messages::show)).merge(gate("messages:send", Write, delete(messages::cancel))),
        )
        .route("/api/v1/balance", gate("billing:read", Read, get(balance::show)))
        .route(
            "/api/v1/webhooks",
            gate("webhooks:read", Read, get(webhooks::list)).merge(gate("webhooks:write", Write, post(webhooks::create))),
        )
        .route(
            "/api/v1/webhooks/{id}",
            gate("webhooks:read", Read, get(webhooks::show)).merge(gate("webhooks:write", Write, delete(webhooks::remove))),
        )
        .route("/api/v1/openapi.json", get(openapi::document))
}

fn gated(api: &Arc<Api>, ability: &'static str, kind: Kind, methods: MethodRouter<Arc<Api>>) -> MethodRouter<Arc<Api>> {
    methods.route_layer(from_fn_with_state(Gate { api: api.clone(), ability, kind }, guard))
}

/// The number in a path; `otherwise` names what does not exist where it is none.
fn number(text: PathText, otherwise: fn(String) -> ApiError) -> Result<u64, ApiError> {
    let Ok(Path(text)) = text else { return Err(otherwise(String::new())) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if digits => Ok(number),
        _ => Err(otherwise(text.chars().take(64).collect())),
    }
}
