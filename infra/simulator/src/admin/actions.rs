//! What people do on their phones beyond texts, over HTTP: files, reactions, edits, polls, typing, profiles, groups.

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AdminResult, Body, media};
use crate::content::media::Attachment;
use crate::network::{Business, GroupChange, GroupView, MAX_FILE, Network, NetworkError, SettingChange};

/// A file in JSON is a third longer.
const MAX_JSON: usize = MAX_FILE / 3 * 4 + (64 << 10);

#[derive(Deserialize)]
struct Upload {
    to: String,
    kind: String,
    base64: String,
    #[serde(default)]
    mime: String,
    #[serde(default)]
    caption: String,
    file_name: Option<String>,
    #[serde(default)]
    view_once: bool,
}

/// A change to a message the phone shows.
#[derive(Deserialize)]
struct OnMessage {
    id: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    emoji: String,
    #[serde(default)]
    options: Vec<String>,
}

#[derive(Deserialize)]
struct Poll {
    to: String,
    question: String,
    options: Vec<String>,
    #[serde(default)]
    single: bool,
}

#[derive(Deserialize)]
struct Typing {
    to: String,
    state: String,
}

/// What a person changes about the account; what is absent stays.
#[derive(Deserialize)]
struct Profile {
    about: Option<String>,
    /// The picture; an empty one deletes it.
    picture_base64: Option<String>,
    business: Option<Business>,
    restricted: Option<bool>,
    available: Option<bool>,
}

#[derive(Deserialize)]
struct PairCode {
    code: String,
}

#[derive(Deserialize)]
struct NewNumber {
    new: String,
}

#[derive(Deserialize)]
struct Call {
    to: String,
    #[serde(default)]
    video: bool,
}

#[derive(Deserialize)]
struct NewGroup {
    subject: String,
    members: Vec<String>,
}

type Sent = AdminResult<(StatusCode, Json<Value>)>;

pub(super) fn routes() -> Router<Network> {
    let media = Router::new()
        .route("/mms/{family}/{token}", post(media::upload))
        .route("/newsletter/{family}/{token}", post(media::upload))
        .layer(DefaultBodyLimit::max(MAX_FILE));
    Router::new()
        .route("/admin/phones/{phone}/send-file", post(send_file).layer(DefaultBodyLimit::max(MAX_JSON)))
        .route("/admin/phones/{phone}/react", post(react))
        .route("/admin/phones/{phone}/edit", post(edit))
        .route("/admin/phones/{phone}/revoke", post(revoke))
        .route("/admin/phones/{phone}/poll", post(poll))
        .route("/admin/phones/{phone}/vote", post(vote))
        .route("/admin/phones/{phone}/typing", get(typing).post(start_typing))
        .route("/admin/phones/{phone}/profile", post(profile))
        .route("/admin/phones/{phone}/settings", get(settings).post(change_setting))
        .route("/admin/phones/{phone}/pair-code", post(pair_code))
        .route("/admin/phones/{phone}/replace", post(replace))
        .route("/admin/phones/{phone}/number", post(change_number))
        .route("/admin/phones/{phone}/calls", get(calls).post(ring))
        .route("/admin/phones/{phone}/calls/{id}", delete(hang_up))
        .route("/admin/phones/{phone}/accept-invitation", post(accept_invitation))
        .route("/admin/phones/{phone}/groups", post(create_group))
        .route("/admin/phones/{phone}/groups/{group}", post(change_group))
        .route("/admin/groups", get(groups))
        .route("/admin/groups/{group}", get(group))
        .route("/admin/media/expire", post(media::expire))
        .route("/admin/media/{digest}", get(media::shown))
        .route("/v/{*rest}", get(media::download))
        .merge(media)
}

/// What sending came to.
fn sent(id: Result<String, NetworkError>) -> Sent {
    let id = id?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id }))))
}

fn decoded(field: &'static str, text: &str) -> Result<Vec<u8>, NetworkError> {
    BASE64_STANDARD.decode(text).map_err(|_| NetworkError::invalid(field, "must be base64"))
}

async fn send_file(State(network): State<Network>, Path(phone): Path<String>, Body(file): Body<Upload>) -> Sent {
    let bytes = decoded("base64", &file.base64)?;
    let Upload { to, kind, mime, caption, file_name, view_once, .. } = file;
    sent(network.send_file(&phone, &to, &Attachment { kind, bytes, mime, caption, file_name, view_once }))
}

async fn react(State(network): State<Network>, Path(phone): Path<String>, Body(on): Body<OnMessage>) -> Sent {
    sent(network.react(&phone, &on.id, &on.emoji))
}

async fn edit(State(network): State<Network>, Path(phone): Path<String>, Body(on): Body<OnMessage>) -> Sent {
    sent(network.edit_message(&phone, &on.id, &on.text))
}

async fn revoke(State(network): State<Network>, Path(phone): Path<String>, Body(on): Body<OnMessage>) -> Sent {
    sent(network.revoke_message(&phone, &on.id))
}

async fn poll(State(network): State<Network>, Path(phone): Path<String>, Body(poll): Body<Poll>) -> Sent {
    sent(network.send_poll(&phone, &poll.to, &poll.question, &poll.options, poll.single))
}

async fn vote(State(network): State<Network>, Path(phone): Path<String>, Body(on): Body<OnMessage>) -> Sent {
    sent(network.vote(&phone, &on.id, &on.options))
}

async fn typing(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "typing": network.typing(&phone)? })))
}

async fn start_typing(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(typing): Body<Typing>,
) -> AdminResult<StatusCode> {
    network.type_from_phone(&phone, &typing.to, &typing.state)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn profile(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(profile): Body<Profile>,
) -> AdminResult<StatusCode> {
    if let Some(about) = &profile.about {
        network.set_about(&phone, about)?;
    }
    if let Some(picture) = &profile.picture_base64 {
        let picture = decoded("picture_base64", picture)?;
        network.set_picture(&phone, Some(picture).filter(|picture| !picture.is_empty()))?;
    }
    if profile.business.is_some() {
        network.set_business(&phone, profile.business)?;
    }
    if let Some(restricted) = profile.restricted {
        network.restrict(&phone, restricted)?;
    }
    if let Some(available) = profile.available {
        network.set_available(&phone, available)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn settings(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "settings": network.shared_settings(&phone)? })))
}

async fn change_setting(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(change): Body<SettingChange>,
) -> AdminResult<StatusCode> {
    network.change_setting(&phone, &change)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn pair_code(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(code): Body<PairCode>,
) -> AdminResult<StatusCode> {
    network.enter_pair_code(&phone, &code.code)?;
    Ok(StatusCode::ACCEPTED)
}

async fn replace(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<StatusCode> {
    network.replace_phone(&phone)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_number(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(number): Body<NewNumber>,
) -> AdminResult<StatusCode> {
    network.change_number(&phone, &number.new)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn calls(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "calls": network.calls(&phone)? })))
}

async fn ring(State(network): State<Network>, Path(phone): Path<String>, Body(call): Body<Call>) -> Sent {
    sent(network.ring(&phone, &call.to, call.video))
}

async fn hang_up(State(network): State<Network>, Path((phone, id)): Path<(String, String)>) -> AdminResult<StatusCode> {
    network.hang_up(&phone, &id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn create_group(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(new): Body<NewGroup>,
) -> AdminResult<(StatusCode, Json<GroupView>)> {
    Ok((StatusCode::CREATED, Json(network.create_group(&phone, &new.subject, &new.members)?)))
}

async fn accept_invitation(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(on): Body<OnMessage>,
) -> AdminResult<StatusCode> {
    network.accept_invitation(&phone, &on.id)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_group(
    State(network): State<Network>,
    Path((phone, group)): Path<(String, String)>,
    Body(change): Body<GroupChange>,
) -> AdminResult<StatusCode> {
    network.change_group(&phone, &group, &change)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn groups(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "groups": network.groups() }))
}

async fn group(State(network): State<Network>, Path(group): Path<String>) -> AdminResult<Json<GroupView>> {
    Ok(Json(network.group(&group)?))
}
