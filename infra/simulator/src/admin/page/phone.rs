//! One phone: its chats, one of them, and what its person does by itself.

use std::collections::HashMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::page;
use crate::network::{Network, NetworkError, PhoneMedia, PhoneMessage, PhoneView};

/// How many messages of a chat are shown.
const SHOWN: usize = 200;

/// A chat as the list of chats shows it.
pub(super) struct ChatView {
    peer: String,
    name: String,
    last: PhoneMessage,
    unread: usize,
}

/// A phone's chats, the one with the newest message first.
pub(super) fn chats_of(network: &Network, phone: &str) -> Vec<ChatView> {
    let mut chats: Vec<ChatView> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let messages = network.messages(phone).unwrap_or_default();
    for message in messages.into_iter().rev().filter(|message| message.about.is_none()) {
        let peer = message.other().to_owned();
        let unread = usize::from(!message.from_me && !message.read);
        if let Some(chat) = places.get(&peer).and_then(|at| chats.get_mut(*at)) {
            chat.unread += unread;
        } else {
            places.insert(peer.clone(), chats.len());
            chats.push(ChatView { name: name_of(network, &peer), peer, last: message, unread });
        }
    }
    chats
}

pub(super) async fn chats(State(network): State<Network>, Path(phone): Path<String>) -> Response {
    answer(network.phone(&phone), |view| {
        let chats = chats_of(&network, &view.phone);
        page(
            &view.name,
            &phone_frame(
                view,
                None,
                &html! {
                    div id="chats" data-live class="screen" { (chat_list(&view.phone, chats.iter())) }
                    (new_chat(&view.phone))
                },
            ),
        )
    })
}

pub(super) async fn chat(State(network): State<Network>, Path((phone, peer)): Path<(String, String)>) -> Response {
    answer(network.phone(&phone), |view| {
        let messages = network.messages(&view.phone).unwrap_or_default();
        // Reactions, edits and votes show on the messages they are about.
        let is_here = |message: &&PhoneMessage| message.other() == peer && message.about.is_none();
        let mine: Vec<&PhoneMessage> = messages.iter().filter(is_here).collect();
        let unread = mine.iter().any(|message| !message.from_me && !message.read);
        page(
            &view.name,
            &phone_frame(
                view,
                Some(&name_of(&network, &peer)),
                &html! {
                    div id="messages" data-live data-follow class="screen messages" {
                        @for message in mine.iter().skip(mine.len().saturating_sub(SHOWN)) { (bubble(&network, message)) }
                        @if mine.is_empty() { p class="hint" { "No messages yet." } }
                        @if unread { (read_button(&view.phone, &peer)) }
                    }
                    (write_form(&view.phone, &peer))
                },
            ),
        )
    })
}

pub(super) async fn script(State(network): State<Network>, Path(phone): Path<String>) -> Response {
    let script = network.script(&phone).and_then(|script| Ok((network.phone(&phone)?, script)));
    answer(script, |(view, script)| {
        let json = serde_json::to_string_pretty(script).unwrap_or_default();
        page(
            &view.name,
            &phone_frame(
                view,
                Some("What it does by itself"),
                &html! {
                    form class="screen script" method="post" action={ "/page/phones/" (view.phone) "/script" } {
                        label { "Script" textarea name="script" rows="18" spellcheck="false" { (json) } }
                        button { "Save" }
                        p class="hint" {
                            "The first rule that fits a message is followed. A rule: "
                            code { "{\"when\": {\"contains\": \"price\"}, \"steps\": [{\"do\": \"wait\", \"ms\": 1000}, {\"do\": \"read\"}, {\"do\": \"type\", \"ms\": 2000}, {\"do\": \"reply\", \"text\": \"RM 5\"}]}" }
                            " Other steps: " code { "block" } ", " code { "unblock" } ", " code { "offline" } " (with ms)."
                        }
                    }
                },
            ),
        )
    })
}

/// The chats as a list of links.
pub(super) fn chat_list<'a>(phone: &str, chats: impl Iterator<Item = &'a ChatView>) -> Markup {
    html! {
        ul class="chats" {
            @for chat in chats {
                li {
                    a href={ "/phones/" (phone) "/chats/" (chat.peer) } {
                        strong { (chat.name) }
                        @if chat.unread > 0 { span class="count" { (chat.unread) } }
                        span class="last" { @if chat.last.from_me { "You: " } (summary(&chat.last)) }
                    }
                }
            }
        }
    }
}

/// Whether the phone is on, and its companions.
pub(super) fn status(phone: &PhoneView) -> Markup {
    html! {
        p class="status" {
            (phone.phone) " · " @if phone.online { "on" } @else { "off" }
            @for device in &phone.devices {
                span class={ "device" @if device.connected { " connected" } } {
                    "companion " (device.id) @if device.connected { " connected" } @else { " away" }
                    @if device.queued > 0 { ", " (device.queued) " waiting" }
                }
            }
        }
    }
}

fn phone_frame(phone: &PhoneView, inside: Option<&str>, screen: &Markup) -> Markup {
    let path = format!("/phones/{}", phone.phone);
    html! {
        main class="alone" {
            article class="phone" {
                div class="top" {
                    @if let Some(place) = inside {
                        a class="back" href=(path) aria-label="Chats" { "‹" }
                        h1 { (place) }
                    } @else {
                        h1 { (phone.name) }
                    }
                }
                div id="status" data-live { (status(phone)) }
                (screen)
                div class="bottom" {
                    form method="post" action={ "/page" (path) "/switch" } {
                        input type="hidden" name="online" value=(!phone.online);
                        button { @if phone.online { "Switch off" } @else { "Switch on" } }
                    }
                    a href={ (path) "/script" } { "Script" }
                }
            }
        }
    }
}

fn new_chat(phone: &str) -> Markup {
    html! {
        form class="write" method="post" action={ "/page/phones/" (phone) "/send" } enctype="multipart/form-data" {
            input name="to" inputmode="tel" placeholder="To: 60123456789" aria-label="To" required;
            input name="text" placeholder="Message" aria-label="Message" required;
            button { "Send" }
        }
    }
}

fn write_form(phone: &str, peer: &str) -> Markup {
    html! {
        form class="write" method="post" action={ "/page/phones/" (phone) "/send" } enctype="multipart/form-data" {
            input type="hidden" name="to" value=(peer);
            input name="text" placeholder="Message" aria-label="Message" autocomplete="off" autofocus;
            label class="attach" { "Picture" input type="file" name="picture" accept="image/png,image/jpeg"; }
            button { "Send" }
        }
    }
}

fn read_button(phone: &str, peer: &str) -> Markup {
    html! {
        form method="post" action={ "/page/phones/" (phone) "/read" } {
            input type="hidden" name="peer" value=(peer);
            button { "Read" }
        }
    }
}

fn bubble(network: &Network, message: &PhoneMessage) -> Markup {
    let class = match (message.from_me, message.read) {
        (true, _) => "bubble me",
        (false, false) => "bubble unread",
        (false, true) => "bubble",
    };
    html! {
        div class=(class) {
            @if message.chat.is_some() && !message.from_me { strong { (name_of(network, &message.from)) } }
            @if let Some(media) = &message.media { (file(media)) }
            (if message.revoked { "This message was deleted" } else { &message.text })
            @if message.text.is_empty() && message.media.is_none() && !message.revoked { "(" (message.kind) ")" }
            @if !message.options.is_empty() { (poll(message)) }
            @if !message.reactions.is_empty() {
                span class="reactions" { @for emoji in message.reactions.values() { (emoji) } }
            }
            small {
                @if message.edited { "edited " }
                (clock(message.received_at))
                @if message.from_me && message.read { " ✓✓" }
            }
        }
    }
}

fn file(media: &PhoneMedia) -> Markup {
    let name = media.file_name.as_deref().unwrap_or(&media.mime);
    html! {
        @match (&media.path, &media.problem) {
            (Some(path), _) if media.mime.starts_with("image/") => img src=(path) alt=(name) loading="lazy";,
            (Some(path), _) => a href=(path) { "File: " (name) },
            (None, problem) => em { (problem.as_deref().unwrap_or("no file")) },
        }
    }
}

fn poll(message: &PhoneMessage) -> Markup {
    html! {
        ul {
            @for option in &message.options {
                li { (option) " " (message.votes.values().filter(|chosen| chosen.contains(option)).count()) }
            }
        }
    }
}

/// A message in one line.
fn summary(message: &PhoneMessage) -> &str {
    if message.revoked {
        "This message was deleted"
    } else if message.text.is_empty() {
        &message.kind
    } else {
        &message.text
    }
}

/// Hours and minutes, in UTC.
fn clock(at_ms: u64) -> String {
    let minutes = at_ms / 60_000;
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// What the other side of a chat is called: a person, or a group.
fn name_of(network: &Network, peer: &str) -> String {
    let person = network.phone(peer).map(|phone| phone.name);
    person.or_else(|_| network.group(peer).map(|group| group.subject)).unwrap_or_else(|_| peer.to_owned())
}

/// The page, or the one that says what is wrong.
fn answer<T>(found: Result<T, NetworkError>, show: impl FnOnce(&T) -> Response) -> Response {
    match found {
        Ok(found) => show(&found),
        Err(error) => refusal(StatusCode::NOT_FOUND, &error.to_string()),
    }
}

pub(super) fn refusal(status: StatusCode, problem: &str) -> Response {
    let said = page(
        "Not possible",
        &html! { main class="overview" { p role="alert" { (problem) "." } p { a href="/" { "Back" } } } },
    );
    (status, said).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_shows_hours_and_minutes() {
        assert_eq!(clock(0), "00:00");
        assert_eq!(clock(86_399_999), "23:59");
    }
}
