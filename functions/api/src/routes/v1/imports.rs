//! Contacts from files: announced here, uploaded elsewhere, read by a job.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, Uri};
use axum::{Extension, Json};
use hantar_domain::ids::{GroupId, ImportId};
use hantar_domain::import::Import;
use hantar_domain::time::Timestamp;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::import_contacts::{
    ADDRESS_VALID, ImportError, ImportParts, NewImport, create_import, rejected, start_import,
};
use hantar_usecases::ports::{Presigned, Tenant};
use hantar_wire::v1::Data;
use hantar_wire::v1::fields::attribute;
use hantar_wire::v1::import::{Address, ImportBody, ImportRequest, StartRequest};

use super::message_list::origin;
use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

type Shown = Json<Data<ImportBody>>;

fn no_import(id: String) -> ApiError {
    ApiError::NotFound { model: "ContactImport", id }
}

/// An address as shown. One that begins with a slash is on this server.
pub(super) fn address(presigned: Presigned, origin: &str, expires_at: Timestamp) -> Address {
    let Presigned { method, url, headers } = presigned;
    let url = if url.starts_with('/') { format!("{origin}{url}") } else { url };
    Address { method, url, headers: headers.into_iter().collect(), expires_at: hantar_wire::v1::time::text(expires_at) }
}

fn parts<'a>(api: &'a Api, tenant: &'a dyn Tenant) -> ImportParts<'a> {
    let parts = &api.parts;
    ImportParts { tenant, blobs: &*parts.blobs, queue: &*parts.queue, numbers: &parts.numbers, clock: &*parts.clock }
}

/// Announces a file of contacts, CSV or XLSX. The answer says where to upload it.
#[utoipa::path(
    post, path = "/api/v1/contacts/import", tag = "contacts", request_body = ImportRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<ImportBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let headers = request.headers().clone();
    let origin = origin(&api, &headers, request.uri().host());
    let values = body::fields(request).await?;
    let (asked, mut errors) = ImportRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    let Some(format) = asked.format.filter(|_| errors.is_empty()) else { return Err(ApiError::Invalid(errors)) };
    let tenant = api.parts.tenants.for_account(caller.account);
    let idempotency = key.map(|key| (key, asked.canonical()));
    let new = NewImport { filename: asked.filename, format, size: asked.size, idempotency };
    let created = create_import(&parts(&api, &*tenant), caller.account, new).await;
    let (import, upload) = created.map_err(|error| refused(error, None))?;
    let upload = address(upload, &origin, api.parts.clock.now() + ADDRESS_VALID);
    Ok((StatusCode::CREATED, Json(Data { data: ImportBody::with_upload(&import, upload) })))
}

/// Starts an import whose file was uploaded. One whose rows were only checked may be started again.
#[utoipa::path(
    post, path = "/api/v1/contacts/import/{id}/start", tag = "contacts", request_body = StartRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 202, body = Data<ImportBody>), (status = 404, description = "no such import"),
        (status = 409, description = "it was started before"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn start(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let id = number(id, no_import)?;
    let headers = request.headers().clone();
    let origin = origin(&api, &headers, request.uri().host());
    let values = body::fields(request).await?;
    let (asked, plan, mut errors) = StartRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    let Some(plan) = plan.filter(|_| errors.is_empty()) else { return Err(ApiError::Invalid(errors)) };
    let tenant = api.parts.tenants.for_account(caller.account);
    check_group(&*tenant, "contact_group_id", plan.group).await?;
    let key = key.map(|key| (key, asked.canonical()));
    let started = start_import(&parts(&api, &*tenant), caller.account, ImportId(id), plan, key).await;
    let import = started.map_err(|error| refused(error, Some(id)))?;
    Ok((StatusCode::ACCEPTED, shown(&api, &import, &origin).await?))
}

/// A group that is named must be one of the account's.
pub(super) async fn check_group(tenant: &dyn Tenant, field: &str, group: Option<GroupId>) -> Result<(), ApiError> {
    let Some(group) = group else { return Ok(()) };
    match tenant.contacts().group(group).await? {
        Some(_) => Ok(()),
        None => Err(ApiError::field(field, format!("The selected {} is invalid.", attribute(field)))),
    }
}

/// One import: how far it is, what became of its rows, and where to fetch those that were rejected.
#[utoipa::path(
    get, path = "/api/v1/contacts/import/{id}", tag = "contacts", params(("id" = u64, Path)),
    responses((status = 200, body = Data<ImportBody>), (status = 404, description = "no such import"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    uri: Uri,
    headers: axum::http::HeaderMap,
) -> Result<Shown, ApiError> {
    let id = number(id, no_import)?;
    let import = api.parts.tenants.for_account(caller.account).files().import(ImportId(id)).await?;
    let import = import.ok_or_else(|| no_import(id.to_string()))?;
    shown(&api, &import, &origin(&api, &headers, uri.host())).await
}

async fn shown(api: &Api, import: &Import, origin: &str) -> Result<Shown, ApiError> {
    let now = api.parts.clock.now();
    let mut rejects = None;
    if import.has_rejects(now) {
        let key = rejected(import.account, import.id);
        let filename = format!("rejected-rows-of-import-{}.csv", import.id);
        let presigned = api.parts.blobs.download(&key, &filename, ADDRESS_VALID).await?;
        rejects = Some(address(presigned, origin, now + ADDRESS_VALID));
    }
    Ok(Json(Data { data: ImportBody::new(import, rejects) }))
}

fn refused(error: ImportError, id: Option<u64>) -> ApiError {
    match error {
        ImportError::Missing => no_import(id.map(|id| id.to_string()).unwrap_or_default()),
        ImportError::TooLate => ApiError::Conflict {
            message: "This import was started before, or its file is no longer kept.",
            code: "import_started",
        },
        ImportError::NotUploaded => ApiError::field(
            "file",
            "The file was not uploaded yet: put it to the address that the import was made with.",
        ),
        ImportError::OtherSize { found, announced } => {
            ApiError::field("file", format!("The file has {found} bytes, and was announced with {announced}."))
        }
        ImportError::KeyReused => key_reused(),
        ImportError::Port(error) => error.into(),
    }
}
