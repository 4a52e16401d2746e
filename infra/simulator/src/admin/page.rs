//! The page at `/`: what this is, who is on the network, and forms to play with it. Plain HTML, no script.

use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use crate::network::{Network, NetworkError, PhoneMessage, PhoneView};

/// How many messages of a chat the page shows.
const SHOWN: usize = 50;
/// Where the source of this program is; AGPL-3.0 section 13.
const SOURCE: &str = env!("CARGO_PKG_REPOSITORY");
/// How many phones the page shows.
const SHOWN_PHONES: usize = 200;
const STYLE: &str = "body{font:16px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem}\
    section{border:1px solid #ccc;border-radius:.5rem;padding:0 1rem 1rem;margin:1rem 0}\
    form{margin:.5rem 0}input,textarea,button{font:inherit;padding:.2rem .4rem}textarea{width:100%}\
    .me{text-align:right;color:#555}.unread{font-weight:bold}";

#[derive(Deserialize)]
pub(super) struct NewPhone {
    phone: String,
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Scan {
    qr: String,
    phone: String,
}

#[derive(Deserialize)]
pub(super) struct Text {
    to: String,
    text: String,
}

pub(super) async fn home(State(network): State<Network>) -> Html<String> {
    page(&html! {
        p {
            "A WhatsApp network for test machines: it speaks the real protocol to clients at "
            code { "/ws/chat" } " and plays the phones of the people on it. Nothing here reaches WhatsApp."
        }
        form method="post" action="/page/phones" {
            input name="phone" placeholder="60123456789" aria-label="Phone number" required;
            input name="name" placeholder="Name" aria-label="Name" required;
            button { "New phone" }
        }
        form method="post" action="/page/scan" {
            textarea name="qr" placeholder="Text of a QR code" aria-label="Text of a QR code" required {}
            input name="phone" placeholder="Scanned by (phone)" aria-label="Scanned by";
            button { "Scan" }
        }
        @for phone in network.phones().into_iter().take(SHOWN_PHONES) {
            (phone_section(&phone, &network.messages(&phone.phone).unwrap_or_default()))
        }
    })
}

pub(super) async fn source() -> Html<String> {
    page(&html! {
        p { "This program is free software under the GNU AGPL, version 3. Its source: " a href=(SOURCE) rel="noreferrer" { (SOURCE) } }
    })
}

pub(super) async fn create(State(network): State<Network>, Form(new): Form<NewPhone>) -> Response {
    back(network.create_phone(&new.phone, &new.name))
}

pub(super) async fn scan(State(network): State<Network>, Form(scan): Form<Scan>) -> Response {
    let phone = scan.phone.trim();
    back(network.scan_qr(&scan.qr, (!phone.is_empty()).then_some(phone)))
}

pub(super) async fn send(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Form(text): Form<Text>,
) -> Response {
    back(network.send_text(&phone, &text.to, &text.text))
}

pub(super) async fn read(State(network): State<Network>, Path(phone): Path<String>) -> Response {
    back(network.mark_read(&phone, None))
}

fn back<T>(done: Result<T, NetworkError>) -> Response {
    match done {
        Ok(_) => Redirect::to("/").into_response(),
        Err(error) => {
            let refusal = page(&html! { p role="alert" { (error) "." } p { a href="/" { "Back" } } });
            (StatusCode::UNPROCESSABLE_ENTITY, refusal).into_response()
        }
    }
}

fn page(content: &Markup) -> Html<String> {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Simulated WhatsApp network" }
                style { (STYLE) }
            }
            body {
                h1 { "Simulated WhatsApp network" }
                (content)
                footer { a href="/source" { "Source" } }
            }
        }
    };
    Html(whole.into_string())
}

fn phone_section(phone: &PhoneView, messages: &[PhoneMessage]) -> Markup {
    let path = format!("/page/phones/{}", phone.phone);
    html! {
        section {
            h2 { (phone.name) " · " (phone.phone) @if !phone.online { " (off)" } }
            @for device in &phone.devices {
                p { "Companion " (device.id) ": " (if device.connected { "connected" } else { "away" }) }
            }
            @for message in messages.iter().skip(messages.len().saturating_sub(SHOWN)) {
                p class=[class(message)] {
                    @if message.from_me { "to " (message.to) } @else { "from " (message.from) } ": " (message.text)
                }
            }
            form method="post" action={ (path) "/send" } {
                input name="to" placeholder="To (phone)" aria-label="To" required;
                input name="text" placeholder="Text" aria-label="Text" required;
                button { "Send" }
            }
            form method="post" action={ (path) "/read" } { button { "Read all" } }
        }
    }
}

fn class(message: &PhoneMessage) -> Option<&'static str> {
    match (message.from_me, message.read) {
        (true, _) => Some("me"),
        (false, false) => Some("unread"),
        (false, true) => None,
    }
}
