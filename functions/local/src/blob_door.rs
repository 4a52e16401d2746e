//! Serves the folder of large things under signed addresses, which need no token: what S3 does elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt as _, stream};
use hantar_platform::blobs::{Allowed, FolderBlobs, NotKept, SERVED_AT};
use hantar_usecases::ports::PortError;

/// How much of a file is read at a time.
const PART: usize = 256 * 1024;

/// Why a file is not taken or given.
enum Refused {
    /// The address does not allow it, or not any more.
    Address,
    /// There is no such file.
    Missing,
    /// It is not as long as the address says.
    OtherSize,
    /// There is one already.
    Exists,
    /// The connection broke.
    Broken,
    /// The folder cannot be used.
    Busy(PortError),
}

/// The routes. A folder that gives out no addresses serves none.
pub fn router(blobs: Arc<FolderBlobs>) -> Router {
    Router::new().route(&format!("{SERVED_AT}{{*name}}"), get(fetch).put(take)).with_state(blobs)
}

fn allowed(blobs: &FolderBlobs, method: &str, name: &str, query: Option<String>) -> Result<Allowed, Refused> {
    let allowed = blobs.signer().and_then(|signer| signer.allowed(method, name, &query.unwrap_or_default()));
    allowed.ok_or(Refused::Address)
}

async fn take(
    State(blobs): State<Arc<FolderBlobs>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<StatusCode, Refused> {
    let Allowed::Upload(size) = allowed(&blobs, "PUT", &name, query)? else { return Err(Refused::Address) };
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: u64| length != size) {
        return Err(Refused::OtherSize);
    }
    let mut upload = blobs.begin_upload(&name, size).await?;
    let mut body = request.into_body().into_data_stream();
    while let Some(part) = body.next().await {
        upload = upload.write(part.map_err(|_| Refused::Broken)?.to_vec()).await?;
    }
    upload.end().await?;
    Ok(StatusCode::OK)
}

async fn fetch(
    State(blobs): State<Arc<FolderBlobs>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let Allowed::Download(filename) = allowed(&blobs, "GET", &name, query)? else { return Err(Refused::Address) };
    let length = blobs.size_of(&name).await.map_err(Refused::Busy)?.ok_or(Refused::Missing)?;
    let parts = stream::try_unfold((blobs, name, 0), |(blobs, name, from)| async move {
        let part = blobs.part_of(&name, from, PART).await?.unwrap_or_default();
        let next = from + part.len() as u64;
        Ok::<_, PortError>((!part.is_empty()).then(|| (Bytes::from(part), (blobs, name, next))))
    });
    let headers = [
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{filename}\"")),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
    ];
    Ok((headers, Body::from_stream(parts)).into_response())
}

impl From<NotKept> for Refused {
    fn from(error: NotKept) -> Self {
        match error {
            NotKept::OtherSize => Self::OtherSize,
            NotKept::Exists => Self::Exists,
            NotKept::Port(error) => Self::Busy(error),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Address => {
                (StatusCode::FORBIDDEN, "This address does not allow that, or not any more. Ask for a new one.")
            }
            Self::Missing => (StatusCode::NOT_FOUND, "There is no such file any more."),
            Self::OtherSize => {
                (StatusCode::BAD_REQUEST, "The file is not as long as was said when its address was made.")
            }
            Self::Exists => (StatusCode::CONFLICT, "The file was put here before, and stays as it is."),
            Self::Broken => (StatusCode::BAD_REQUEST, "The file ended before it was complete."),
            Self::Busy(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the folder of large things cannot be used");
                (StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable. Try again in a moment.")
            }
        };
        (status, text).into_response()
    }
}
