//! The whole pages.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use hantar_usecases::authenticate::Caller;
use maud::{Markup, html};

use crate::errors::PageError;
use crate::layout::{self, Frame};
use crate::messages::Form;
use crate::session::caller;
use crate::{DashboardParts, devices, messages};

type Parts = State<Arc<DashboardParts>>;

/// The start page.
pub(crate) async fn start(State(parts): Parts, headers: HeaderMap) -> Response {
    let shown = async {
        let caller = caller(&parts, &headers).await?;
        show(&parts, &caller, Form::new(&*parts.entropy)).await
    };
    match shown.await {
        Ok(page) => page.into_response(),
        Err(error) => error.page(&parts),
    }
}

/// The start page with this form.
pub(crate) async fn show(parts: &DashboardParts, caller: &Caller, form: Form) -> Result<Markup, PageError> {
    let tenant = parts.tenants.for_account(caller.account);
    let devices = tenant.devices().await?;
    let newest = messages::newest(&*tenant).await?;
    let balance = tenant.balance().await?;
    let now = parts.clock.now();
    let content = html! {
        section {
            h2 { "Devices" }
            div data-refresh="/fragments/devices" { (devices::list(&devices, now)) }
        }
        section {
            h2 { "Send a message" }
            (form.show(&devices))
            p.quiet { "Credits left: " (balance.available) ". A message costs one." }
        }
        section.wide #messages {
            h2 { "Newest messages" }
            div data-refresh="/fragments/messages" { (messages::list(&newest)) }
            noscript { p { a href="/" { "Refresh" } } }
        }
    };
    // Without scripts a page that reloads itself would take away what is being typed, so only while a code is awaited.
    let reload = devices.iter().any(|device| devices::is_pairing(device, now));
    Ok(layout::page(parts, "Start", Frame { signed_in: true, reload }, &content))
}

/// Where the source is to be had.
pub(crate) async fn source(State(parts): Parts) -> Markup {
    let content = html! {
        section.wide {
            h2 { "Source" }
            p {
                "Hantar contains software under the GNU Affero General Public License, version 3. Everybody who uses it \
                 over a network may have the source of the version in use."
            }
            p { "This is version " (parts.version) ". Its source: " a href=(parts.source_url) rel="noreferrer" { (parts.source_url) } }
        }
    };
    layout::page(&parts, "Source", Frame::default(), &content)
}

/// Addresses that lead nowhere.
pub(crate) async fn nowhere(State(parts): Parts) -> Response {
    PageError::Missing.page(&parts)
}
