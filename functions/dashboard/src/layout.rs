//! What all pages share.

use hantar_domain::time::Timestamp;
use maud::{DOCTYPE, Markup, html};

use crate::DashboardParts;

/// How a page's frame varies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame {
    /// Whether somebody is signed in, who may want to sign out.
    pub(crate) signed_in: bool,
    /// Whether the page is to be loaded anew every few seconds where scripts do not run.
    pub(crate) reload: bool,
}

/// A whole page.
pub(crate) fn page(parts: &DashboardParts, title: &str, frame: Frame, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Hantar" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
                @if frame.signed_in { script src="/assets/page.js" defer {} }
                @if frame.reload { noscript { meta http-equiv="refresh" content="5"; } }
            }
            body {
                header {
                    h1 { "Hantar" }
                    @if frame.signed_in {
                        form method="post" action="/sign-out" { button.plain type="submit" { "Sign out" } }
                    }
                }
                main { (content) }
                footer {
                    "Hantar " (parts.version) " · " a href="/source" { "Source" }
                }
            }
        }
    }
}

/// A page that says one thing.
pub(crate) fn notice(parts: &DashboardParts, title: &str, text: &str) -> Markup {
    let content = html! {
        section.wide {
            h2 { (title) }
            p { (text) }
            p { a href="/" { "To the start page" } }
        }
    };
    page(parts, title, Frame::default(), &content)
}

/// The page of somebody who is not signed in.
pub(crate) fn signed_out(parts: &DashboardParts) -> Markup {
    let content = html! {
        section.wide {
            h2 { "Sign in" }
            p { a href="/sign-in" { "Sign in with your e-mail address and password" } "." }
            p { "On a machine of your own: open the link that Hantar printed when it started. Each link works once." }
            p { "To get a new one, run this on the machine where Hantar runs:" }
            p { code { "hantar sign-in" } }
        }
    };
    page(parts, "Sign in", Frame::default(), &content)
}

/// A moment, in universal time.
pub(crate) fn moment(at: Timestamp) -> Markup {
    let Ok(at) = jiff::Timestamp::from_microsecond(at.0) else { return html! { "–" } };
    html! { time datetime=(format!("{at:.0}")) { (at.strftime("%Y-%m-%d %H:%M:%S UTC")) } }
}
