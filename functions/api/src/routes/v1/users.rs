//! The people of an account, and those who are asked to join.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::ids::{InvitationId, UserId};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::invite::{invite, remind, take_back};
use hantar_usecases::manage_users::{change_role, hand_over, remove_user};
use hantar_usecases::ports::Deleted;
use hantar_wire::v1::Data;
use hantar_wire::v1::auth::PasswordRequest;
use hantar_wire::v1::user::{InvitationBody, InvitationRequest, RoleRequest, UserBody};

use super::auth::read;
use super::{PathText, number};
use crate::Api;
use crate::body::{key_reused, only_key};
use crate::errors::ApiError;
use crate::people::{refused, with};

const USER: &str = "User";
const INVITATION: &str = "Invitation";

fn no_user(id: String) -> ApiError {
    ApiError::NotFound { model: USER, id }
}

fn no_invitation(id: String) -> ApiError {
    ApiError::NotFound { model: INVITATION, id }
}

/// The answer to a deletion.
pub(super) fn deleted(deleted: Deleted, missing: impl FnOnce() -> ApiError) -> Result<StatusCode, ApiError> {
    match deleted {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(missing()),
        Deleted::KeyReused => Err(key_reused()),
    }
}

/// All people of the account.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = Data<Vec<UserBody>>)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<Vec<UserBody>>>, ApiError> {
    let users = api.parts.tenants.for_account(caller.account).people().users().await?;
    Ok(Json(Data { data: users.iter().map(UserBody::new).collect() }))
}

/// One person.
#[utoipa::path(
    get, path = "/api/v1/users/{id}", tag = "people", params(("id" = u64, Path)),
    responses((status = 200, body = Data<UserBody>), (status = 404, description = "no such person"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Json<Data<UserBody>>, ApiError> {
    let id = number(id, no_user)?;
    let user = api.parts.tenants.for_account(caller.account).user(UserId(id)).await?;
    Ok(Json(Data { data: UserBody::new(&user.ok_or_else(|| no_user(id.to_string()))?) }))
}

/// Gives somebody another role. A repeat changes nothing.
#[utoipa::path(
    put, path = "/api/v1/users/{id}", tag = "people", request_body = RoleRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<UserBody>), (status = 404, description = "no such person"),
        (status = 409, description = "the owner stays the owner"),
    )
)]
pub(crate) async fn update(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Json<Data<UserBody>>, ApiError> {
    let id = number(id, no_user)?;
    let asked = read(request, RoleRequest::read).await?;
    let with = with(&api, asked.address.as_ref());
    let user = change_role(&with, &caller, UserId(id), asked.body.role, asked.key.as_deref()).await;
    let user = user.map_err(|error| refused(&api, error, USER, &id.to_string()))?;
    Ok(Json(Data { data: UserBody::new(&user) }))
}

/// Makes somebody else the owner; the caller, who is it, becomes an administrator.
#[utoipa::path(
    post, path = "/api/v1/users/{id}/make-owner", tag = "people", request_body = PasswordRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 200, body = Data<UserBody>), (status = 404, description = "no such person"))
)]
pub(crate) async fn make_owner(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Json<Data<UserBody>>, ApiError> {
    let id = number(id, no_user)?;
    let asked = read(request, PasswordRequest::read).await?;
    let with = with(&api, asked.address.as_ref());
    let user = hand_over(&with, &caller, UserId(id), &asked.body.password, asked.key.as_deref()).await;
    let user = user.map_err(|error| refused(&api, error, USER, &id.to_string()))?;
    Ok(Json(Data { data: UserBody::new(&user) }))
}

/// Removes somebody: their tokens open nothing from this moment on.
#[utoipa::path(
    delete, path = "/api/v1/users/{id}", tag = "people",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 204, description = "removed"), (status = 404, description = "no such person"),
        (status = 409, description = "the owner stays"),
    )
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_user)?;
    let key = only_key(&headers)?;
    let removed = remove_user(&with(&api, None), &caller, UserId(id), key.as_deref()).await;
    let removed = removed.map_err(|error| refused(&api, error, USER, &id.to_string()))?;
    deleted(removed, || no_user(id.to_string()))
}

/// All open invitations.
#[utoipa::path(
    get, path = "/api/v1/invitations", tag = "people", responses((status = 200, body = Data<Vec<InvitationBody>>))
)]
pub(crate) async fn invitations(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<Vec<InvitationBody>>>, ApiError> {
    let now = api.parts.clock.now();
    let invitations = api.parts.tenants.for_account(caller.account).people().invitations().await?;
    let open = invitations.iter().filter(|invitation| invitation.expires_at > now);
    Ok(Json(Data { data: open.map(InvitationBody::new).collect() }))
}

/// Asks somebody to join by a letter, within seven days.
#[utoipa::path(
    post, path = "/api/v1/invitations", tag = "people", request_body = InvitationRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<InvitationBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn ask(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<InvitationBody>>), ApiError> {
    let asked = read(request, InvitationRequest::read).await?;
    let with = with(&api, asked.address.as_ref());
    let invitation = invite(&with, &caller, &asked.body.email, asked.body.role, asked.key.as_deref()).await;
    let invitation = invitation.map_err(|error| refused(&api, error, INVITATION, ""))?;
    Ok((StatusCode::CREATED, Json(Data { data: InvitationBody::new(&invitation) })))
}

/// Sends an invitation's letter again.
#[utoipa::path(
    post, path = "/api/v1/invitations/{id}/resend", tag = "people",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 200, body = Data<InvitationBody>), (status = 404, description = "no such invitation"))
)]
pub(crate) async fn ask_again(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<Json<Data<InvitationBody>>, ApiError> {
    let id = number(id, no_invitation)?;
    let key = only_key(&headers)?;
    let invitation = remind(&with(&api, None), &caller, InvitationId(id), key.as_deref()).await;
    let invitation = invitation.map_err(|error| refused(&api, error, INVITATION, &id.to_string()))?;
    Ok(Json(Data { data: InvitationBody::new(&invitation) }))
}

/// Takes an invitation back.
#[utoipa::path(
    delete, path = "/api/v1/invitations/{id}", tag = "people",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 204, description = "taken back"), (status = 404, description = "no such invitation"))
)]
pub(crate) async fn uninvite(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_invitation)?;
    let key = only_key(&headers)?;
    let taken = take_back(&with(&api, None), &caller, InvitationId(id), key.as_deref()).await?;
    deleted(taken, || no_invitation(id.to_string()))
}
