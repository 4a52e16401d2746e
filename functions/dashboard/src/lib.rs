//! The web pages, server-rendered: signing in, the start page, and the fragments that it refreshes itself with.
//!
//! A page and its fragment are the same Rust function. Nothing is built and nothing foreign is loaded: one style sheet and
//! one small script of our own, under a content policy that allows no others. Without the script everything still works.

mod assets;
mod devices;
mod doors;
mod errors;
mod layout;
mod messages;
mod pages;
mod people;
mod session;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock, Entropy, Fleet, Mail, Sleep, Tenants};

/// What the pages need from outside.
pub struct DashboardParts {
    /// The fleet's records: sign-in secrets and sessions.
    pub fleet: Arc<dyn Fleet>,
    /// The accounts' records.
    pub tenants: Arc<dyn Tenants>,
    /// Numbers of new messages.
    pub numbers: Arc<Numbers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Waiting.
    pub sleep: Arc<dyn Sleep>,
    /// Letters.
    pub mail: Arc<dyn Mail>,
    /// Opens second factors, and wraps the keys of new accounts.
    pub account_keys: Arc<AccountKeys>,
    /// The address of these pages that letters link to, never taken from a request.
    pub pages_url: Option<String>,
    /// Names and addresses that the pages are reached by, without ports, beside `localhost`, `127.0.0.1` and `[::1]`.
    /// A request that names another host is refused: a foreign page that had its own name point here would name its own.
    pub hosts: Vec<String>,
    /// Whether browsers reach the pages by https: the cookie is sent over nothing else then.
    pub https: bool,
    /// Where the source of this very version is to be had.
    pub source_url: String,
    /// The version.
    pub version: String,
}

/// The longest form that is read, in bytes.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// All pages. Sets the fallback for addresses that lead nowhere.
pub fn router(parts: Arc<DashboardParts>) -> Router {
    Router::new()
        .route("/", get(pages::start))
        .route("/sign-in", get(session::sign_in).post(people::enter))
        .route("/second-factor", post(people::second_factor))
        .route("/sign-up", get(people::sign_up_form).post(people::register))
        .route("/forgot-password", get(people::forgot_form).post(people::forgot))
        .route("/verify-email", get(people::verify_form).post(people::verify))
        .route("/reset-password", get(people::reset_form).post(people::reset))
        .route("/accept-invitation", get(people::join_form).post(people::accept))
        .route("/sign-out", post(session::sign_out))
        .route("/devices/{id}/link", post(devices::link))
        .route("/messages", post(messages::send))
        .route("/fragments/devices", get(devices::fragment))
        .route("/fragments/messages", get(messages::fragment))
        .route("/source", get(pages::source))
        .route("/assets/style.css", get(assets::style))
        .route("/assets/page.js", get(assets::script))
        .route("/assets/icon.svg", get(assets::icon))
        .fallback(pages::nowhere)
        .layer(from_fn_with_state(parts.clone(), doors::check))
        .layer(from_fn(doors::harden))
        .with_state(parts)
}
