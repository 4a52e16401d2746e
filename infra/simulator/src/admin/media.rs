//! The media servers: uploads with resume, downloads, and what a phone shows.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::OptionalBody;
use crate::network::{Count, MediaFault, Network, Stored, Upload, token_owner};

/// What the query of a media request says.
#[derive(Deserialize)]
pub(super) struct Parameters {
    auth: Option<String>,
    resume: Option<u8>,
    file_offset: Option<usize>,
}

#[derive(Deserialize, Default)]
pub(super) struct Expire {
    direct_path: Option<String>,
}

/// Takes an upload, or says how far it is when `resume` is asked.
pub(super) async fn upload(
    State(network): State<Network>,
    Path((_family, token)): Path<(String, String)>,
    Query(parameters): Query<Parameters>,
    body: Bytes,
) -> Response {
    let owner = parameters.auth.as_deref().and_then(token_owner);
    let Some(owner) = owner.filter(|owner| network.phone(owner).is_ok()) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    if parameters.resume.is_some() {
        return progress(&network, &token);
    }
    let offset = parameters.file_offset.unwrap_or_default();
    let fault = network.media_fault(Some(&owner), true);
    if let Some(MediaFault::Slow(delay)) = fault {
        network.clock().pause(delay).await;
    }
    match fault {
        Some(MediaFault::Status(status)) => refused(status),
        Some(MediaFault::Truncated) => {
            let half = body.slice(..body.len() / 2);
            let _kept = network.media().upload(&token, offset, &half, false);
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
        _ => match network.media().upload(&token, offset, &body, true) {
            Some(Upload::Complete(path)) => {
                if offset > 0 {
                    network.count(Count::UploadsResumed);
                }
                uploaded(&network, &path, None)
            }
            _ => StatusCode::BAD_REQUEST.into_response(),
        },
    }
}

fn progress(network: &Network, token: &str) -> Response {
    match network.media().progress(token) {
        Upload::Complete(path) => uploaded(network, &path, Some("complete")),
        Upload::Partial(length) => Json(json!({ "resume": length.to_string() })).into_response(),
        Upload::Unknown => Json(json!({ "resume": "0" })).into_response(),
    }
}

fn uploaded(network: &Network, path: &str, resume: Option<&str>) -> Response {
    let url = format!("https://{}{path}", network.media().host());
    let mut answer = json!({ "url": url, "direct_path": path, "handle": path });
    if let (Some(resume), Some(fields)) = (resume, answer.as_object_mut()) {
        fields.insert("resume".into(), resume.into());
    }
    Json(answer).into_response()
}

/// Gives an uploaded file; a token is not asked for.
pub(super) async fn download(
    State(network): State<Network>,
    Path(rest): Path<String>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Response {
    let owner = parameters.auth.as_deref().and_then(token_owner);
    let fault = network.media_fault(owner.as_deref(), false);
    let mut bytes = match network.media().get(&format!("/v/{rest}")) {
        Stored::Here(bytes) => bytes,
        Stored::Gone => return StatusCode::GONE.into_response(),
        Stored::Never => return StatusCode::NOT_FOUND.into_response(),
    };
    match fault {
        Some(MediaFault::Status(status)) => return refused(status),
        Some(MediaFault::Slow(delay)) => network.clock().pause(delay).await,
        Some(MediaFault::Truncated) => bytes = bytes.slice(..bytes.len() / 2),
        Some(MediaFault::Corrupted) => bytes = corrupted(&bytes),
        None => {}
    }
    ranged(&bytes, &headers)
}

/// A byte in the middle is another one.
fn corrupted(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte = !*byte;
    }
    bytes.into()
}

/// The part that `Range: bytes=a-b` asks for, or all.
fn ranged(bytes: &Bytes, headers: &HeaderMap) -> Response {
    let kind = (header::CONTENT_TYPE, "application/octet-stream");
    let range = headers.get(header::RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return ([kind], bytes.clone()).into_response();
    };
    let first = first.parse().unwrap_or(0_usize);
    let last = last.parse().map_or(bytes.len(), |last: usize| last.saturating_add(1).min(bytes.len()));
    if first >= last {
        return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    }
    (StatusCode::PARTIAL_CONTENT, [kind], bytes.slice(first..last)).into_response()
}

fn refused(status: u16) -> Response {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}

/// A file a phone opened, decrypted.
pub(super) async fn shown(State(network): State<Network>, Path(digest): Path<String>) -> Response {
    match network.media().get(&format!("/admin/media/{digest}")) {
        Stored::Here(bytes) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Stored::Gone | Stored::Never => StatusCode::NOT_FOUND.into_response(),
    }
}

pub(super) async fn expire(
    State(network): State<Network>,
    OptionalBody(Expire { direct_path }): OptionalBody<Expire>,
) -> Json<Value> {
    Json(json!({ "expired": network.expire_media(direct_path.as_deref()) }))
}
