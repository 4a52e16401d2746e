//! What people did to the account.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use hantar_domain::ids::AuditId;
use hantar_usecases::authenticate::Caller;
use hantar_wire::v1::audit::AuditBody;
use hantar_wire::v1::fields::Fields;
use hantar_wire::v1::page::{Page, Place};

use super::message_list::origin;
use crate::errors::ApiError;
use crate::{Api, body};

const PATH: &str = "/api/v1/audit-log";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;
/// How deep a page may lie that is asked for by its number alone.
const MAX_DEPTH: u64 = 1_000;

/// The audit log, newest first: each change that was begun, by whom, and how it was answered. Kept for 400 days.
#[utoipa::path(
    get, path = "/api/v1/audit-log", tag = "people",
    params(
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"), ("page" = Option<u64>, Query),
        ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<AuditBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<AuditBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let cursor = fields.number("cursor").map(AuditId);
    let skip = if cursor.is_some() { 0 } else { (page - 1) * per_page };
    if skip >= MAX_DEPTH {
        fields.wrong("page", &format!("leads deeper than {MAX_DEPTH} entries: follow links.next instead"));
    }
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let tenant = api.parts.tenants.for_account(caller.account);
    // One more than is shown says whether a next page exists.
    let mut entries = tenant.people().audit(cursor, whole(skip + per_page + 1)).await?;
    entries.drain(..whole(skip).min(entries.len()));
    let more = entries.len() > whole(per_page);
    entries.truncate(whole(per_page));
    let place = Place {
        path: format!("{}{PATH}", origin(&api, request.headers(), request.uri().host())),
        filters: format!("per_page={per_page}"),
        page,
        per_page,
        total: None,
        next: entries.last().filter(|_| more).map(|entry| entry.id.0),
    };
    Ok(Json(place.page(entries.iter().map(AuditBody::new).collect())))
}
