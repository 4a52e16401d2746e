//! Files to send: announced here, and put past us to where files are.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::upload_file::{ADDRESS_VALID, NewUpload, UploadError, UploadParts, announce_upload};
use hantar_wire::v1::Data;
use hantar_wire::v1::upload::{UploadBody, UploadRequest};

use super::imports::address;
use super::message_list::origin;
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

/// Announces a file to send. The answer says where to put it; then `messages/send` takes its number as `media.upload_id`.
#[utoipa::path(
    post, path = "/api/v1/uploads", tag = "messages", request_body = UploadRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<UploadBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<UploadBody>>), ApiError> {
    let headers = request.headers().clone();
    let origin = origin(&api, &headers, request.uri().host());
    let values = body::fields(request).await?;
    let (asked, mut errors) = UploadRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let with = UploadParts { tenant: &*tenant, blobs: &*parts.blobs, numbers: &parts.numbers, clock: &*parts.clock };
    let idempotency = key.map(|key| (key, asked.canonical()));
    let new = NewUpload { filename: asked.filename, size: asked.size, idempotency };
    let (upload, presigned) = announce_upload(&with, caller.account, new).await.map_err(refused)?;
    let address = address(presigned, &origin, parts.clock.now() + ADDRESS_VALID);
    Ok((StatusCode::CREATED, Json(Data { data: UploadBody::new(&upload, address) })))
}

fn refused(error: UploadError) -> ApiError {
    match error {
        UploadError::KeyReused => key_reused(),
        UploadError::Port(error) => error.into(),
    }
}
