//! The pages: phones as phones, with their chats, for a person who plays the people on the network. Plain HTML and
//! forms; a small script of our own only keeps what is shown up to date.

mod actions;
mod overview;
mod phone;
mod qr_picture;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use maud::{DOCTYPE, Markup, html};

use crate::network::Network;

/// Where the source of this program is; AGPL-3.0 section 13.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");
/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A photo of a telephone is smaller.
const MAX_UPLOAD: usize = 16 << 20;

pub(super) fn routes() -> Router<Network> {
    Router::new()
        .route("/", get(overview::show))
        .route("/phones/{phone}", get(phone::chats))
        .route("/phones/{phone}/chats/{peer}", get(phone::chat))
        .route("/phones/{phone}/script", get(phone::script))
        .route("/source", get(source))
        .route("/page/style.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/page/live.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .route("/page/phones", post(actions::create))
        .route("/page/scan", post(actions::scan))
        .route("/page/scan-picture", post(actions::scan_picture).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .route("/page/phones/{phone}/send", post(actions::send).layer(DefaultBodyLimit::max(MAX_UPLOAD)))
        .route("/page/phones/{phone}/read", post(actions::read))
        .route("/page/phones/{phone}/switch", post(actions::switch))
        .route("/page/phones/{phone}/script", post(actions::script))
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], content).into_response()
}

async fn source() -> Response {
    page(
        "Source",
        &html! {
            main class="overview" {
                p { "This program is free software under the GNU AGPL, version 3. Its source: " a href=(SOURCE) rel="noreferrer" { (SOURCE) } }
            }
        },
    )
}

/// A whole page around its content.
fn page(title: &str, content: &Markup) -> Response {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Simulated WhatsApp network" }
                link rel="stylesheet" href="/page/style.css";
                script src="/page/live.js" defer {}
            }
            body {
                header { a href="/" { "Simulated WhatsApp network" } }
                (content)
                footer { a href="/source" { "Source" } }
            }
        }
    };
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(whole.into_string())).into_response()
}
