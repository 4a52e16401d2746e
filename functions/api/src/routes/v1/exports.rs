//! Files made of an account's records: asked for here, made by a job, fetched elsewhere.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::{Extension, Json};
use hantar_domain::export::{Export, Subject};
use hantar_domain::file::FileFormat;
use hantar_domain::ids::{AccountId, ExportId, GroupId};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::export_records::{ExportError, ExportParts, exported, start_export};
use hantar_usecases::import_contacts::ADDRESS_VALID;
use hantar_wire::v1::Data;
use hantar_wire::v1::export::ExportBody;
use hantar_wire::v1::fields::Fields;

use super::imports::{address, check_group};
use super::message_list::origin;
use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

pub(super) type Shown = Json<Data<ExportBody>>;

pub(super) fn no_export(id: String) -> ApiError {
    ApiError::NotFound { model: "Export", id }
}

/// Begins to make a file of all contacts, or of one group's. Whoever asks again within a minute is answered with the same
/// one.
#[utoipa::path(
    get, path = "/api/v1/contacts/export", tag = "contacts",
    params(
        ("format" = Option<String>, Query, description = "csv (unless told) or xlsx"),
        ("group" = Option<u64>, Query),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 202, body = Data<ExportBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn contacts(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    format(&mut fields);
    let group = fields.number("group").map(GroupId);
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    check_group(&*api.parts.tenants.for_account(caller.account), "group", group).await?;
    begin(&api, caller.account, group.map_or(Subject::Contacts, Subject::Group), request).await
}

/// The format that a query asks for.
fn format(fields: &mut Fields<'_>) -> FileFormat {
    let word = fields.string("format");
    let format = word.as_deref().map_or(Some(FileFormat::Csv), FileFormat::from_word);
    if format.is_none() {
        fields.not_selectable("format");
    }
    format.unwrap_or(FileFormat::Csv)
}

/// Begins to make a file of a subject, as the request says.
pub(super) async fn begin(
    api: &Api,
    account: AccountId,
    subject: Subject,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let format = format(&mut fields);
    let mut errors = fields.errors;
    let key = idempotency_key(request.headers(), &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(account);
    let with = ExportParts { tenant: &*tenant, queue: &*parts.queue, numbers: &parts.numbers, clock: &*parts.clock };
    let export = start_export(&with, account, subject, format, key.as_deref()).await.map_err(|error| match error {
        ExportError::KeyReused => key_reused(),
        ExportError::Port(error) => error.into(),
    })?;
    let origin = origin(api, request.headers(), request.uri().host());
    Ok((StatusCode::ACCEPTED, shown(api, &export, &origin).await?))
}

/// One export, of a subject that the caller may see.
pub(super) async fn find(
    api: &Api,
    account: AccountId,
    id: PathText,
    of: impl Fn(Subject) -> bool,
) -> Result<Export, ApiError> {
    let id = number(id, no_export)?;
    let export = api.parts.tenants.for_account(account).files().export(ExportId(id)).await?;
    export.filter(|export| of(export.subject)).ok_or_else(|| no_export(id.to_string()))
}

/// One export: how far it is, and where to fetch the file once it is there.
#[utoipa::path(
    get, path = "/api/v1/contacts/export/{id}", tag = "contacts", params(("id" = u64, Path)),
    responses((status = 200, body = Data<ExportBody>), (status = 404, description = "no such export"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Shown, ApiError> {
    let of = |subject| matches!(subject, Subject::Contacts | Subject::Group(_));
    let export = find(&api, caller.account, id, of).await?;
    shown(&api, &export, &origin(&api, &headers, uri.host())).await
}

pub(super) async fn shown(api: &Api, export: &Export, origin: &str) -> Result<Shown, ApiError> {
    let now = api.parts.clock.now();
    let mut download = None;
    if export.is_there(now) {
        let key = exported(export.account, export.id);
        let presigned = api.parts.blobs.download(&key, &export.filename(), ADDRESS_VALID).await?;
        download = Some(address(presigned, origin, now + ADDRESS_VALID));
    }
    Ok(Json(Data { data: ExportBody::new(export, download) }))
}
