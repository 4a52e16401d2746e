//! The routes of the REST API v1 (the Blasty dialect), each behind its gate.

pub(crate) mod account;
pub(crate) mod audit_log;
pub(crate) mod auth;
pub(crate) mod balance;
pub(crate) mod connection;
pub(crate) mod message_list;
pub(crate) mod messages;
pub(crate) mod numbers;
pub(crate) mod tokens;
pub(crate) mod users;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, delete, get, post, put};

use crate::Api;
use crate::auth::{Gate, guard, guard_size};
use crate::errors::{ApiError, wrong_method};
use crate::limit::Kind::{self, Read, Write};
use crate::openapi;

/// A number in a path, as it was given: one that is no number leads to nothing that exists.
type PathText = Result<Path<String>, PathRejection>;

/// All routes of the dialect.
pub(crate) fn router(api: &Arc<Api>) -> Router<Arc<Api>> {
    let gate = |ability, kind, methods| gated(api, ability, kind, methods);
    let message =
        gate("messages:read", Read, get(messages::show)).merge(gate("messages:send", Write, delete(messages::cancel)));
    let webhooks =
        gate("webhooks:read", Read, get(webhooks::list)).merge(gate("webhooks:write", Write, post(webhooks::create)));
    let webhook =
        gate("webhooks:read", Read, get(webhooks::show)).merge(gate("webhooks:write", Write, delete(webhooks::remove)));
    [
        ("connection/status", "GET, HEAD", gate("connection:read", Read, get(connection::status))),
        ("connection/qr", "GET, HEAD", gate("connection:write", Read, get(connection::qr))),
        ("devices/{id}/numbers/{phone}", "GET, HEAD", gate("contacts:read", Read, get(numbers::look_up))),
        ("messages/send", "POST", gate("messages:send", Write, post(messages::send))),
        ("messages", "GET, HEAD", gate("messages:read", Read, get(message_list::list))),
        ("messages/{id}", "GET, HEAD, DELETE", message),
        ("balance", "GET, HEAD", gate("billing:read", Read, get(balance::show))),
        ("webhooks", "GET, HEAD, POST", webhooks),
        ("webhooks/{id}", "GET, HEAD, DELETE", webhook),
        ("openapi.json", "GET, HEAD", get(openapi::document)),
    ]
    .into_iter()
    .chain(people(api))
    .fold(Router::new(), |router, (path, takes, methods)| {
        let otherwise = move |request: Request| async move { wrong_method(&request, takes) };
        router.route(&format!("/api/v1/{path}"), methods.fallback(otherwise))
    })
}

type Row = (&'static str, &'static str, MethodRouter<Arc<Api>>);

/// Who somebody is, who else is there, and what they did.
fn people(api: &Arc<Api>) -> Vec<Row> {
    let gate = |ability, kind, methods| gated(api, ability, kind, methods);
    let own = |methods| gate("profile:write", Write, methods);
    let looks = |methods| gate("people:read", Read, methods);
    let changes = |methods| gate("people:write", Write, methods);
    let invitations = looks(get(users::invitations)).merge(changes(post(users::ask)));
    let user = looks(get(users::show)).merge(changes(put(users::update).delete(users::remove)));
    let tokens = gate("tokens:read", Read, get(tokens::list)).merge(gate("tokens:write", Write, post(tokens::create)));
    vec![
        ("auth/sign-up", "POST", open(post(auth::register))),
        ("auth/sign-in", "POST", open(post(auth::enter))),
        ("auth/two-factor-challenge", "POST", open(post(auth::challenge))),
        ("auth/verify-email", "POST", open(post(auth::verify))),
        ("auth/resend-verification", "POST", open(post(auth::resend))),
        ("auth/forgot-password", "POST", open(post(auth::forgot))),
        ("auth/reset-password", "POST", open(post(auth::reset))),
        ("auth/accept-invitation", "POST", open(post(auth::accept_invitation))),
        ("auth/sign-out", "POST", own(post(auth::leave))),
        ("auth/me", "GET, HEAD", gate("profile:read", Read, get(auth::me))),
        ("auth/change-password", "POST", own(post(auth::change))),
        ("auth/two-factor", "POST, DELETE", own(post(auth::begin_two_factor).delete(auth::end_two_factor))),
        ("auth/two-factor/confirm", "POST", own(post(auth::confirm_two_factor))),
        ("auth/two-factor/recovery-codes", "POST", own(post(auth::renew_codes))),
        ("users", "GET, HEAD", looks(get(users::list))),
        ("users/{id}", "GET, HEAD, PUT, DELETE", user),
        ("users/{id}/make-owner", "POST", gate("account:own", Write, post(users::make_owner))),
        ("invitations", "GET, HEAD, POST", invitations),
        ("invitations/{id}", "DELETE", changes(delete(users::uninvite))),
        ("invitations/{id}/resend", "POST", changes(post(users::ask_again))),
        ("tokens", "GET, HEAD, POST", tokens),
        ("tokens/{id}", "DELETE", gate("tokens:write", Write, delete(tokens::remove))),
        ("audit-log", "GET, HEAD", gate("audit:read", Read, get(audit_log::list))),
        ("account", "DELETE", gate("account:own", Write, delete(account::close))),
        ("account/restore", "POST", gate("account:own", Write, post(account::restore))),
    ]
}

/// For whoever has no token yet.
fn open(methods: MethodRouter<Arc<Api>>) -> MethodRouter<Arc<Api>> {
    methods.route_layer(from_fn(guard_size))
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
