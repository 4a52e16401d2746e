//! What the forms do.

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::{Form, Multipart, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::phone::refusal;
use super::qr_picture;
use crate::network::{Network, NetworkError, Script};

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
pub(super) struct Read {
    peer: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Switch {
    online: bool,
}

#[derive(Deserialize)]
pub(super) struct ScriptText {
    script: String,
}

pub(super) async fn create(State(network): State<Network>, Form(new): Form<NewPhone>) -> Response {
    match network.create_phone(new.phone.trim(), &new.name) {
        Ok(phone) => to_phone(&phone.phone),
        Err(error) => refused(&error),
    }
}

pub(super) async fn scan(State(network): State<Network>, Form(scan): Form<Scan>) -> Response {
    scanned(&network, &scan.qr, &scan.phone)
}

pub(super) async fn scan_picture(State(network): State<Network>, form: Multipart) -> Response {
    let fields = match fields(form).await {
        Ok(fields) => fields,
        Err(response) => return response,
    };
    let picture = fields.get("picture").cloned().unwrap_or_default();
    match tokio::task::spawn_blocking(move || qr_picture::read(&picture)).await {
        Ok(Ok(code)) => scanned(&network, &code, &text(&fields, "phone")),
        Ok(Err(error)) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
        // A decoder that panics on a picture is the picture's fault.
        Err(_) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &qr_picture::QrPictureError::NotAPicture.to_string()),
    }
}

pub(super) async fn send(State(network): State<Network>, Path(phone): Path<String>, form: Multipart) -> Response {
    let fields = match fields(form).await {
        Ok(fields) => fields,
        Err(response) => return response,
    };
    let to = text(&fields, "to").trim().trim_start_matches('+').to_owned();
    let words = text(&fields, "text");
    let sent = match fields.get("picture").filter(|picture| !picture.is_empty()) {
        Some(picture) => network.phone_send_image(&phone, &to, picture.to_vec(), &words),
        None => network.send_text(&phone, &to, &words),
    };
    match sent {
        Ok(_) => to_chat(&phone, &to),
        Err(error) => refused(&error),
    }
}

/// Reads the chat with `peer`, or every chat.
pub(super) async fn read(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Form(read): Form<Read>,
) -> Response {
    let done = match &read.peer {
        None => network.mark_read(&phone, None),
        Some(peer) => network.messages(&phone).and_then(|messages| {
            let of_the_chat = messages.iter().filter(|message| !message.from_me && message.other() == peer);
            let ids: Vec<String> = of_the_chat.map(|message| message.id.clone()).collect();
            network.mark_read(&phone, Some(&ids))
        }),
    };
    match (done, read.peer) {
        (Err(error), _) => refused(&error),
        (Ok(_), Some(peer)) => to_chat(&phone, &peer),
        (Ok(_), None) => to_phone(&phone),
    }
}

pub(super) async fn switch(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Form(switch): Form<Switch>,
) -> Response {
    match network.set_online(&phone, switch.online) {
        Ok(()) => to_phone(&phone),
        Err(error) => refused(&error),
    }
}

pub(super) async fn script(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Form(form): Form<ScriptText>,
) -> Response {
    match serde_json::from_str::<Script>(&form.script) {
        Err(error) => refusal(StatusCode::UNPROCESSABLE_ENTITY, &format!("The script cannot be read: {error}")),
        Ok(script) => match network.set_script(&phone, script) {
            Ok(()) => Redirect::to(&format!("/phones/{phone}/script")).into_response(),
            Err(error) => refused(&error),
        },
    }
}

fn scanned(network: &Network, code: &str, phone: &str) -> Response {
    let phone = phone.trim();
    match network.scan_qr(code, (!phone.is_empty()).then_some(phone)) {
        Ok(paired) => to_phone(&paired.phone),
        Err(error) => refused(&error),
    }
}

/// The fields of a form with a file; the router bounds its size.
async fn fields(mut form: Multipart) -> Result<HashMap<String, Bytes>, Response> {
    let mut fields = HashMap::new();
    loop {
        let unreadable = |error: axum::extract::multipart::MultipartError| refusal(error.status(), &error.body_text());
        let Some(field) = form.next_field().await.map_err(unreadable)? else { return Ok(fields) };
        let name = field.name().unwrap_or_default().to_owned();
        fields.insert(name, field.bytes().await.map_err(unreadable)?);
    }
}

fn text(fields: &HashMap<String, Bytes>, name: &str) -> String {
    fields.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

fn to_phone(phone: &str) -> Response {
    Redirect::to(&format!("/phones/{phone}")).into_response()
}

fn to_chat(phone: &str, peer: &str) -> Response {
    Redirect::to(&format!("/phones/{phone}/chats/{peer}")).into_response()
}

fn refused(error: &NetworkError) -> Response {
    refusal(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string())
}
