//! The end of an account.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::close_account::{close_account, restore_account};
use hantar_wire::v1::Data;
use hantar_wire::v1::auth::{ClosingBody, PasswordRequest};

use super::auth::read;
use crate::Api;
use crate::errors::ApiError;
use crate::people::{refused, with};

const ACCOUNT: &str = "Account";

/// Has the account deleted in seven days, with all that is in it. Until then it can be taken back.
#[utoipa::path(
    delete, path = "/api/v1/account", tag = "account", request_body = PasswordRequest,
    responses((status = 202, body = Data<ClosingBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn close(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<ClosingBody>>), ApiError> {
    let (address, asked) = read(request, PasswordRequest::read).await?;
    let closing = close_account(&with(&api, address.as_ref()), &caller, &asked.password).await;
    let closing = closing.map_err(|error| refused(&api, error, ACCOUNT, ""))?;
    Ok((StatusCode::ACCEPTED, Json(Data { data: ClosingBody::new(closing.due_at) })))
}

/// Takes the deletion back.
#[utoipa::path(
    post, path = "/api/v1/account/restore", tag = "account",
    responses((status = 204, description = "the account stays"), (status = 409, description = "it is not to be deleted"))
)]
pub(crate) async fn restore(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<StatusCode, ApiError> {
    restore_account(&with(&api, None), &caller).await.map_err(|error| refused(&api, error, ACCOUNT, ""))?;
    Ok(StatusCode::NO_CONTENT)
}
