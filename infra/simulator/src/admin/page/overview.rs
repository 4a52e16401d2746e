//! `/`: the phones on the network, and how to add one or to link a companion.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::page;
use super::phone::{chat_list, chats_of, status};
use crate::network::{Network, PhoneView};

/// How many phones are shown.
const SHOWN: usize = 100;
/// How many chats each shows here.
const SHOWN_CHATS: usize = 6;

pub(super) async fn show(State(network): State<Network>) -> Response {
    let phones = network.phones();
    page(
        "Phones",
        &html! {
            main class="overview" {
                p {
                    "It speaks the real protocol to clients at " code { "/ws/chat" }
                    " and plays the phones of the people on it. Nothing here reaches WhatsApp."
                }
                (forms(&phones))
                section id="phones" class="phones" data-live {
                    @if phones.is_empty() { p { "Nobody is here yet. Add a phone, or scan a QR code." } }
                    @for phone in phones.iter().take(SHOWN) { (small_phone(&network, phone)) }
                    @if phones.len() > SHOWN { p { (phones.len() - SHOWN) " more phones are not shown." } }
                }
            }
        },
    )
}

fn forms(phones: &[PhoneView]) -> Markup {
    html! {
        section class="forms" {
            form method="post" action="/page/phones" {
                h2 { "A new phone" }
                label { "Number" input name="phone" inputmode="tel" placeholder="60123456789" required; }
                label { "Name" input name="name" placeholder="Siti" required; }
                button { "Add" }
            }
            form method="post" action="/page/scan" {
                h2 { "Link a companion: paste its QR code" }
                label { "Text of the code" textarea name="qr" rows="2" required {} }
                (scanner(phones))
                button { "Scan" }
            }
            form method="post" action="/page/scan-picture" enctype="multipart/form-data" {
                h2 { "… or pick a picture of it" }
                (scanner(phones))
                label { "Picture" input type="file" name="picture" accept="image/png,image/jpeg" required; }
                button { "Scan" }
            }
        }
    }
}

/// Which phone scans.
fn scanner(phones: &[PhoneView]) -> Markup {
    html! {
        label {
            "Scanned by"
            select name="phone" {
                option value="" { "whoever has the client's name, or somebody new" }
                @for phone in phones.iter().take(SHOWN) { option value=(phone.phone) { (phone.name) " · " (phone.phone) } }
            }
        }
    }
}

fn small_phone(network: &Network, phone: &PhoneView) -> Markup {
    let chats = chats_of(network, &phone.phone);
    html! {
        article class="phone small" {
            h2 { a href={ "/phones/" (phone.phone) } { (phone.name) } }
            (status(phone))
            (chat_list(&phone.phone, chats.iter().take(SHOWN_CHATS)))
        }
    }
}
