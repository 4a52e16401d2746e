//! Groups of contacts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::contact::{Group, MAX_GROUPS};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_groups::{create_group, delete_group, move_contacts, rename_group};
use hantar_usecases::ports::{Deleted, Moved, Named, PortError, Tenant};
use hantar_wire::v1::Data;
use hantar_wire::v1::contact_group::{GroupBody, GroupRequest, MembersRequest};

use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused, only_key};
use crate::errors::ApiError;

type Shown = Json<Data<GroupBody>>;

fn no_group(id: String) -> ApiError {
    ApiError::NotFound { model: "ContactGroup", id }
}

async fn shown(tenant: &dyn Tenant, group: &Group) -> Result<Shown, PortError> {
    let counts = tenant.contacts().contact_counts().await?;
    let count = counts.groups.get(&group.id).copied().unwrap_or(0);
    Ok(Json(Data { data: GroupBody::new(group, count) }))
}

/// All groups of the account.
#[utoipa::path(
    get, path = "/api/v1/contact-groups", tag = "contacts", responses((status = 200, body = Data<Vec<GroupBody>>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<Vec<GroupBody>>>, ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    let groups = tenant.contacts().groups().await?;
    let counts = tenant.contacts().contact_counts().await?.groups;
    let body = |group: &Group| GroupBody::new(group, counts.get(&group.id).copied().unwrap_or(0));
    Ok(Json(Data { data: groups.iter().map(body).collect() }))
}

/// Makes a group.
#[utoipa::path(
    post, path = "/api/v1/contact-groups", tag = "contacts", request_body = GroupRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<GroupBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let (asked, key) = read_name(request, None).await?;
    let named = create_group(&*tenant, &parts.numbers, &*parts.clock, caller.account, asked.name, key).await?;
    Ok((StatusCode::CREATED, answer(&*tenant, String::new(), named).await?))
}

async fn read_name(request: Request, id: Option<u64>) -> Result<(GroupRequest, Option<(String, Vec<u8>)>), ApiError> {
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = GroupRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let key = key.map(|key| (key, asked.canonical(id)));
    Ok((asked, key))
}

async fn answer(tenant: &dyn Tenant, id: String, named: Named) -> Result<Shown, ApiError> {
    match named {
        Named::Done(group) => Ok(shown(tenant, &group).await?),
        Named::Taken => Err(ApiError::field("name", "The name has already been taken.")),
        Named::Full => Err(ApiError::field(
            "name",
            format!("The account has as many groups as it may have, which is {MAX_GROUPS}."),
        )),
        Named::Missing => Err(no_group(id)),
        Named::KeyReused => Err(key_reused()),
    }
}

/// One group.
#[utoipa::path(
    get, path = "/api/v1/contact-groups/{id}", tag = "contacts", params(("id" = u64, Path)),
    responses((status = 200, body = Data<GroupBody>), (status = 404, description = "no such group"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let id = number(id, no_group)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let group = tenant.contacts().group(GroupId(id)).await?.ok_or_else(|| no_group(id.to_string()))?;
    Ok(shown(&*tenant, &group).await?)
}

/// Gives a group another name.
#[utoipa::path(
    put, path = "/api/v1/contact-groups/{id}", tag = "contacts", request_body = GroupRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<GroupBody>),
        (status = 404, description = "no such group"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn rename(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    let id = number(id, no_group)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let (asked, key) = read_name(request, Some(id)).await?;
    let named = rename_group(&*tenant, &*api.parts.clock, GroupId(id), &asked.name, key).await?;
    answer(&*tenant, id.to_string(), named).await
}

/// Deletes a group. Its contacts stay.
#[utoipa::path(
    delete, path = "/api/v1/contact-groups/{id}", tag = "contacts",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 204, description = "deleted"), (status = 404, description = "no such group"))
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_group)?;
    let key = only_key(&headers)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    match delete_group(&*tenant, &*api.parts.clock, GroupId(id), key.as_deref()).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(no_group(id.to_string())),
        Deleted::KeyReused => Err(key_reused()),
    }
}

/// Puts contacts into a group. Those that do not exist are passed over, and those in as many groups as they may be in.
#[utoipa::path(
    post, path = "/api/v1/contact-groups/{id}/contacts", tag = "contacts", request_body = MembersRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<GroupBody>),
        (status = 404, description = "no such group"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn fill(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    moved(&api, &caller, id, request, true).await
}

/// Takes contacts out of a group.
#[utoipa::path(
    delete, path = "/api/v1/contact-groups/{id}/contacts", tag = "contacts", request_body = MembersRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<GroupBody>),
        (status = 404, description = "no such group"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn empty(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    moved(&api, &caller, id, request, false).await
}

async fn moved(api: &Api, caller: &Caller, id: PathText, request: Request, into: bool) -> Result<Shown, ApiError> {
    let id = number(id, no_group)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = MembersRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let key = key.map(|key| (key, asked.canonical(id, into)));
    let contacts: Vec<_> = asked.contact_ids.into_iter().map(ContactId).collect();
    match move_contacts(&*tenant, &*api.parts.clock, GroupId(id), &contacts, into, key).await? {
        Some((group, Moved::Done)) => Ok(shown(&*tenant, &group).await?),
        Some((_, Moved::KeyReused)) => Err(key_reused()),
        None => Err(no_group(id.to_string())),
    }
}
