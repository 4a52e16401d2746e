//! A campaign's results as a file: one row for each whom it was given.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use hantar_domain::export::Subject;
use hantar_usecases::authenticate::Caller;
use hantar_wire::v1::Data;
use hantar_wire::v1::export::ExportBody;

use super::PathText;
use super::campaigns::find;
use super::exports::{self, Shown};
use crate::Api;
use crate::errors::ApiError;

/// Begins to make a file of what became of all whom a campaign was given, as it is when their row is written. Whoever asks
/// again within a minute is answered with the same one.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/export", tag = "campaigns",
    params(
        ("id" = u64, Path),
        ("format" = Option<String>, Query, description = "csv (unless told) or xlsx"),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 202, body = Data<ExportBody>), (status = 404, description = "no such campaign"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn begin(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let campaign = find(&*api.parts.tenants.for_account(caller.account), id).await?;
    exports::begin(&api, caller.account, Subject::Campaign(campaign.id), request).await
}

/// One export of a campaign: how far it is, and where to fetch the file once it is there.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/export/{export}", tag = "campaigns",
    params(("id" = u64, Path), ("export" = u64, Path)),
    responses((status = 200, body = Data<ExportBody>), (status = 404, description = "no such export"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Shown, ApiError> {
    let Ok(Path((campaign, export))) = path else { return Err(exports::no_export(String::new())) };
    let of = |subject| matches!(subject, Subject::Campaign(id) if id.to_string() == campaign);
    let export = exports::find(&api, caller.account, Ok(Path(export)), of).await?;
    exports::shown(&api, &export, &super::message_list::origin(&api, &headers, uri.host())).await
}
