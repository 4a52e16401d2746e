//! The routes of the REST API v1 (the Blasty dialect), each behind its gate.

pub(crate) mod account;
pub(crate) mod audit_log;
pub(crate) mod auth;
pub(crate) mod balance;
pub(crate) mod billing;
pub(crate) mod bulk;
pub(crate) mod campaign_exports;
pub(crate) mod campaign_lists;
pub(crate) mod campaigns;
pub(crate) mod connection;
pub(crate) mod consents;
pub(crate) mod contact_erasures;
pub(crate) mod contact_groups;
pub(crate) mod contact_list;
pub(crate) mod contacts;
pub(crate) mod credits;
pub(crate) mod exports;
pub(crate) mod imports;
pub(crate) mod message_list;
pub(crate) mod messages;
pub(crate) mod numbers;
pub(crate) mod templates;
pub(crate) mod tokens;
pub(crate) mod uploads;
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
    [
        connection(api),
        sending(api),
        campaigns(api),
        contacts(api),
        texts(api),
        credits(api),
        subscribers(api),
        people(api),
    ]
    .into_iter()
    .flatten()
    .chain([("billing/stripe", "POST", post(billing::stripe)), ("openapi.json", "GET, HEAD", get(openapi::document))])
    .fold(Router::new(), |router, (path, takes, methods)| {
        let otherwise = move |request: Request| async move { wrong_method(&request, takes) };
        router.route(&format!("/api/v1/{path}"), methods.fallback(otherwise))
    })
}

/// A path, what the errors say that it takes, and who answers.
type Row = (&'static str, &'static str, MethodRouter<Arc<Api>>);

fn connection(api: &Arc<Api>) -> Vec<Row> {
    let gate = |ability, kind, methods| gated(api, ability, kind, methods);
    vec![
        ("connection/status", "GET, HEAD", gate("connection:read", Read, get(connection::status))),
        ("connection/qr", "GET, HEAD", gate("connection:write", Read, get(connection::qr))),
        ("devices/{id}/numbers/{phone}", "GET, HEAD", gate("contacts:read", Read, get(numbers::look_up))),
    ]
}

fn sending(api: &Arc<Api>) -> Vec<Row> {
    let gate = |ability, kind, methods| gated(api, ability, kind, methods);
    let message =
        gate("messages:read", Read, get(messages::show)).merge(gate("messages:send", Write, delete(messages::cancel)));
    vec![
        ("messages/send", "POST", gate("messages:send", Write, post(messages::send))),
        ("uploads", "POST", gate("messages:send", Write, post(uploads::create))),
        ("messages/bulk", "POST", gate("messages:send", Write, post(bulk::send))),
        ("messages", "GET, HEAD", gate("messages:read", Read, get(message_list::list))),
        ("messages/{id}", "GET, HEAD, DELETE", message),
    ]
}

fn campaigns(api: &Arc<Api>) -> Vec<Row> {
    let looks = |methods| gated(api, "campaigns:read", Read, methods);
    let sends = |methods| gated(api, "campaigns:send", Write, methods);
    vec![
        ("campaigns", "GET, HEAD, POST", looks(get(campaign_lists::list)).merge(sends(post(campaigns::create)))),
        // Changes nothing.
        ("campaigns/preview", "POST", gated(api, "campaigns:send", Read, post(campaigns::preview))),
        ("campaigns/{id}", "GET, HEAD", looks(get(campaigns::show))),
        ("campaigns/{id}/pause", "POST", sends(post(campaigns::pause))),
        ("campaigns/{id}/resume", "POST", sends(post(campaigns::resume))),
        ("campaigns/{id}/cancel", "POST", sends(post(campaigns::cancel))),
        // Begins work.
        ("campaigns/{id}/export", "GET, HEAD", gated(api, "campaigns:read", Write, get(campaign_exports::begin))),
        ("campaigns/{id}/export/{export}", "GET, HEAD", looks(get(campaign_exports::show))),
        ("campaigns/{id}/recipients", "GET, HEAD", looks(get(campaign_lists::recipients))),
    ]
}

fn contacts(api: &Arc<Api>) -> Vec<Row> {
    let looks = |methods| gated(api, "contacts:read", Read, methods);
    let changes = |methods| gated(api, "contacts:write", Write, methods);
    let contact = looks(get(contacts::show)).merge(changes(put(contacts::change).delete(contacts::remove)));
    let groups = looks(get(contact_groups::list)).merge(changes(post(contact_groups::create)));
    let group =
        looks(get(contact_groups::show)).merge(changes(put(contact_groups::rename).delete(contact_groups::remove)));
    let members = changes(post(contact_groups::fill).delete(contact_groups::empty));
    let erasures = looks(get(contact_erasures::list)).merge(changes(post(contact_erasures::create)));
    let consents = looks(get(consents::list)).merge(changes(post(consents::note)));
    let consent_settings = looks(get(consents::settings)).merge(changes(put(consents::decide).patch(consents::decide)));
    vec![
        ("contacts", "GET, HEAD, POST", looks(get(contact_list::list)).merge(changes(post(contacts::save)))),
        ("contacts/{id}", "GET, HEAD, PUT, DELETE", contact),
        ("contacts/{id}/merge", "POST", changes(post(contacts::merge))),
        ("contacts/import", "POST", changes(post(imports::create))),
        ("contacts/import/{id}", "GET, HEAD", looks(get(imports::show))),
        ("contacts/import/{id}/start", "POST", changes(post(imports::start))),
        // Begins work.
        ("contacts/export", "GET, HEAD", gated(api, "contacts:read", Write, get(exports::contacts))),
        ("contacts/export/{id}", "GET, HEAD", looks(get(exports::show))),
        ("contact-groups", "GET, HEAD, POST", groups),
        ("contact-groups/{id}", "GET, HEAD, PUT, DELETE", group),
        ("contact-groups/{id}/contacts", "POST, DELETE", members),
        ("contact-erasures", "GET, HEAD, POST", erasures),
        ("contact-erasures/{id}", "GET, HEAD", looks(get(contact_erasures::show))),
        ("consents", "GET, HEAD, POST", consents),
        ("consents/proof", "GET, HEAD", looks(get(consents::proof))),
        ("consents/settings", "GET, HEAD, PUT, PATCH", consent_settings),
    ]
}

fn texts(api: &Arc<Api>) -> Vec<Row> {
    let looks = |methods| gated(api, "templates:read", Read, methods);
    let changes = |methods| gated(api, "templates:write", Write, methods);
    let template = looks(get(templates::show))
        .merge(changes(put(templates::change).patch(templates::change).delete(templates::remove)));
    vec![
        ("templates", "GET, HEAD, POST", looks(get(templates::list)).merge(changes(post(templates::create)))),
        ("templates/{id}", "GET, HEAD, PUT, PATCH, DELETE", template),
        ("templates/{id}/preview", "POST", looks(post(templates::preview))),
    ]
}

fn credits(api: &Arc<Api>) -> Vec<Row> {
    let looks = |methods| gated(api, "billing:read", Read, methods);
    let changes = |methods| gated(api, "billing:write", Write, methods);
    let settings = looks(get(credits::settings)).merge(changes(put(credits::change_settings)));
    vec![
        ("balance", "GET, HEAD", looks(get(balance::show))),
        ("credits/ledger", "GET, HEAD", looks(get(credits::ledger))),
        ("credits/settings", "GET, HEAD, PUT", settings),
        ("credits/prices", "GET, HEAD", looks(get(credits::prices))),
        ("credits/checkout", "POST", changes(post(credits::checkout))),
        ("credits/invoices", "GET, HEAD", looks(get(credits::invoices))),
    ]
}

fn subscribers(api: &Arc<Api>) -> Vec<Row> {
    let looks = |methods| gated(api, "webhooks:read", Read, methods);
    let changes = |methods| gated(api, "webhooks:write", Write, methods);
    vec![
        ("webhooks", "GET, HEAD, POST", looks(get(webhooks::list)).merge(changes(post(webhooks::create)))),
        (
            "webhooks/{id}",
            "GET, HEAD, PUT, DELETE",
            looks(get(webhooks::show)).merge(changes(put(webhooks::change).delete(webhooks::remove))),
        ),
    ]
}

/// Who somebody is, who else is there, and what they did.
fn people(api: &Arc<Api>) -> Vec<Row> {
    let gate = |ability, kind, methods| gated(api, ability, kind, methods);
    let own = |methods| gate("profile:write", Write, methods);
    let looks = |methods| gate("people:read", Read, methods);
    let changes = |methods| gate("people:write", Write, methods);
    let account = gate("account:read", Read, get(account::show))
        .merge(gate("account:write", Write, put(account::change).patch(account::change)))
        .merge(gate("account:own", Write, delete(account::close)));
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
        ("account", "GET, HEAD, PUT, PATCH, DELETE", account),
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
