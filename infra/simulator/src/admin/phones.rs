//! Phones over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{AdminResult, Body, OptionalBody};
use crate::network::{Network, Paired, PhoneView, Script};

/// Without `timeout_ms`, this long.
const DEFAULT_WAIT_MS: u64 = 5_000;

#[derive(Deserialize)]
pub(super) struct Scan {
    phone: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct NewPhone {
    phone: String,
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Change {
    online: bool,
}

#[derive(Deserialize)]
pub(super) struct Text {
    to: String,
    text: String,
}

#[derive(Deserialize)]
pub(super) struct Wait {
    wait_for: Option<usize>,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize, Default)]
pub(super) struct Read {
    ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Played {
    ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Migration {
    migrated: bool,
}

#[derive(Deserialize)]
pub(super) struct Block {
    phone: String,
    blocked: bool,
}

#[derive(Deserialize, Default)]
pub(super) struct Unlink {
    device: Option<u16>,
}

pub(super) async fn scan_qr(
    State(network): State<Network>,
    Query(scan): Query<Scan>,
    qr: String,
) -> AdminResult<Json<Paired>> {
    Ok(Json(network.scan_qr(&qr, scan.phone.as_deref())?))
}

pub(super) async fn list(State(network): State<Network>) -> Json<Value> {
    Json(json!({ "phones": network.phones() }))
}

pub(super) async fn create(
    State(network): State<Network>,
    Body(new): Body<NewPhone>,
) -> AdminResult<(StatusCode, Json<PhoneView>)> {
    Ok((StatusCode::CREATED, Json(network.create_phone(&new.phone, &new.name)?)))
}

pub(super) async fn show(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<PhoneView>> {
    Ok(Json(network.phone(&phone)?))
}

pub(super) async fn change(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(change): Body<Change>,
) -> AdminResult<Json<PhoneView>> {
    network.set_online(&phone, change.online)?;
    Ok(Json(network.phone(&phone)?))
}

pub(super) async fn send(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(text): Body<Text>,
) -> AdminResult<(StatusCode, Json<Value>)> {
    let id = network.send_text(&phone, &text.to, &text.text)?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id }))))
}

pub(super) async fn messages(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Query(wait): Query<Wait>,
) -> AdminResult<Json<Value>> {
    let messages = match wait.wait_for {
        None => network.messages(&phone)?,
        Some(count) => {
            let limit = Duration::from_millis(wait.timeout_ms.unwrap_or(DEFAULT_WAIT_MS));
            network.wait_for_messages(&phone, count, limit).await?
        }
    };
    Ok(Json(json!({ "messages": messages })))
}

pub(super) async fn read(
    State(network): State<Network>,
    Path(phone): Path<String>,
    OptionalBody(Read { ids }): OptionalBody<Read>,
) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "read": network.mark_read(&phone, ids.as_deref())? })))
}

pub(super) async fn played(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(Played { ids }): Body<Played>,
) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "played": network.mark_played(&phone, &ids)? })))
}

pub(super) async fn migration(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "migrated": network.is_migrated(&phone)? })))
}

pub(super) async fn migrate(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(Migration { migrated }): Body<Migration>,
) -> AdminResult<StatusCode> {
    if migrated {
        network.migrate_to_lids(&phone)?;
    } else {
        network.keep_numbers(&phone)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn unlink(
    State(network): State<Network>,
    Path(phone): Path<String>,
    OptionalBody(Unlink { device }): OptionalBody<Unlink>,
) -> AdminResult<Json<Value>> {
    Ok(Json(json!({ "unlinked": network.unlink(&phone, device)? })))
}

pub(super) async fn script(State(network): State<Network>, Path(phone): Path<String>) -> AdminResult<Json<Script>> {
    Ok(Json(network.script(&phone)?))
}

pub(super) async fn set_script(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(script): Body<Script>,
) -> AdminResult<Json<Script>> {
    network.set_script(&phone, script)?;
    Ok(Json(network.script(&phone)?))
}

pub(super) async fn block(
    State(network): State<Network>,
    Path(phone): Path<String>,
    Body(block): Body<Block>,
) -> AdminResult<StatusCode> {
    network.set_blocked(&phone, &block.phone, block.blocked)?;
    Ok(StatusCode::NO_CONTENT)
}
