//! The account's devices: how they stand, the QR code of one that is to be linked.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use fast_qr::{ECL, Module, QRBuilder};
use hantar_domain::device::{Device, Status};
use hantar_domain::ids::DeviceId;
use hantar_domain::reason::explain;
use hantar_domain::time::Timestamp;
use hantar_usecases::link_device::want_pairing;
use maud::{Markup, PreEscaped, html};

use crate::DashboardParts;
use crate::errors::PageError;
use crate::layout::moment;
use crate::session::{allowed, caller};

/// The white frame that scanners need, in modules.
const QUIET_ZONE: usize = 4;

/// The devices, as the start page shows them and refreshes them.
pub(crate) fn list(devices: &[Device], now: Timestamp) -> Markup {
    html! {
        @if devices.is_empty() { p { "There is no device yet. Make one with: " code { "hantar device create" } } }
        @for device in devices { (one(device, now)) }
    }
}

/// Whether a device is about to be linked, so that the page changes soon.
pub(crate) fn is_pairing(device: &Device, now: Timestamp) -> bool {
    !device.status.is_linked() && device.pairing_wanted_until.is_some_and(|until| until > now)
}

fn one(device: &Device, now: Timestamp) -> Markup {
    let code = device.pairing_code.as_ref().filter(|code| code.expires_at > now && !device.status.is_linked());
    html! {
        article.device {
            h3 { (device.name) @if device.is_default { span.quiet { " (default)" } } }
            p { span.status { (words(device.status)) } @if let Some(phone) = &device.phone { " · " (phone) } }
            @if let Some(reason) = &device.reason { p.quiet { (explain(reason)) } }
            @if let Some(at) = device.connected_at.filter(|_| device.status == Status::Connected) {
                p.quiet { "Since " (moment(at)) }
            }
            @if let Some(code) = code {
                (picture(&code.text))
                p { "On your phone: WhatsApp, Settings, Linked devices, Link a device. Then point the camera here." }
            } @else if is_pairing(device, now) {
                p role="status" { "Waiting for the QR code…" }
            } @else if !device.status.is_linked() {
                form method="post" action={ "/devices/" (device.id) "/link" } {
                    button type="submit" { "Link a number" }
                }
            }
        }
    }
}

fn words(status: Status) -> &'static str {
    match status {
        Status::Unlinked => "Not linked",
        Status::Pairing => "Waiting to be linked",
        Status::Connecting => "Connecting",
        Status::Connected => "Connected",
        Status::Disconnected => "Connection lost, trying again",
        Status::LoggedOut => "Logged out",
        Status::Outdated => "Hantar must be updated",
        Status::Banned => "Restricted by WhatsApp",
    }
}

/// A QR code as inline SVG, black on white in either colour scheme: scanners need it so.
fn picture(text: &str) -> Markup {
    let Ok(code) = QRBuilder::new(text.as_bytes()).ecl(ECL::L).build() else {
        return html! { p.wrong { "The QR code cannot be drawn." } };
    };
    let side = code.size + 2 * QUIET_ZONE;
    let path: String = (0..code.size).map(|line| bars(&code[line], line)).collect();
    html! {
        svg.qr xmlns="http://www.w3.org/2000/svg" viewBox={ "0 0 " (side) " " (side) } role="img"
            aria-label="QR code that links a number" shape-rendering="crispEdges" {
            rect width=(side) height=(side) fill="#fff" {}
            path d=(PreEscaped(path)) fill="#000" {}
        }
    }
}

/// The black modules of one line as bars: far fewer than there are modules.
fn bars(modules: &[Module], line: usize) -> String {
    let y = line + QUIET_ZONE;
    let mut x = QUIET_ZONE;
    let runs = modules.chunk_by(|left, right| left.value() == right.value());
    let bars = runs.map(|run| {
        let (from, length) = (x, run.len());
        x += length;
        if run[0].value() { format!("M{from} {y}h{length}v1h-{length}z") } else { String::new() }
    });
    bars.collect()
}

/// The devices alone.
pub(crate) async fn fragment(State(parts): State<Arc<DashboardParts>>, headers: HeaderMap) -> Response {
    match shown(&parts, &headers).await {
        Ok(markup) => markup.into_response(),
        Err(error) => error.page(&parts),
    }
}

async fn shown(parts: &DashboardParts, headers: &HeaderMap) -> Result<Markup, PageError> {
    let caller = caller(parts, headers).await?;
    let devices = parts.tenants.for_account(caller.account).devices().await?;
    Ok(list(&devices, parts.clock.now()))
}

/// Asks for a QR code of a device; the page shows it when the host does.
pub(crate) async fn link(
    State(parts): State<Arc<DashboardParts>>,
    headers: HeaderMap,
    id: Result<Path<u64>, PathRejection>,
) -> Response {
    match want(&parts, &headers, id.ok().map(|Path(id)| DeviceId(id))).await {
        Ok(()) => Redirect::to("/").into_response(),
        Err(error) => error.page(&parts),
    }
}

async fn want(parts: &DashboardParts, headers: &HeaderMap, id: Option<DeviceId>) -> Result<(), PageError> {
    let caller = allowed(parts, headers, "connection:write").await?;
    let tenant = parts.tenants.for_account(caller.account);
    let device = tenant.device(id.ok_or(PageError::Missing)?).await?.ok_or(PageError::Missing)?;
    want_pairing(&*tenant, &*parts.clock, device).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_black_on_white_with_its_frame() {
        let svg = picture("2@abc").into_string();
        // A code of version 1 has 21 modules; its finder pattern begins with seven black ones.
        assert!(svg.contains(r#"viewBox="0 0 29 29""#) && svg.contains("M4 4h7v1h-7z"), "{svg}");
    }
}
