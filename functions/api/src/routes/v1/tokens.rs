//! API tokens.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::ids::TokenId;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_tokens::{WantedToken, delete_token, make_token, visible_tokens};
use hantar_wire::v1::Data;
use hantar_wire::v1::token::{TokenBody, TokenRequest};

use super::auth::{Asked, read};
use super::users::deleted;
use super::{PathText, number};
use crate::Api;
use crate::body::only_key;
use crate::errors::ApiError;
use crate::people::{refused, with};

const TOKEN: &str = "PersonalAccessToken";

fn no_token(id: String) -> ApiError {
    ApiError::NotFound { model: TOKEN, id }
}

/// The account's tokens, without their secrets; agents and viewers see their own.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", responses((status = 200, body = Data<Vec<TokenBody>>)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<Vec<TokenBody>>>, ApiError> {
    let tokens = visible_tokens(&with(&api, None), &caller).await?;
    Ok(Json(Data { data: tokens.iter().map(TokenBody::new).collect() }))
}

/// Makes a token for the caller. Its text is shown in this answer and never again.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<TokenBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<TokenBody>>), ApiError> {
    let now = api.parts.clock.now();
    let Asked { key, body: asked, .. } = read(request, |values| TokenRequest::read(values, now)).await?;
    let idempotency = key.map(|key| (key, asked.canonical()));
    let (abilities, expires_at) = (asked.abilities(), asked.ends());
    let wanted = WantedToken { name: asked.name, abilities, expires_at, idempotency };
    let made = make_token(&with(&api, None), &caller, wanted).await;
    let (token, text) = made.map_err(|error| refused(&api, error, TOKEN, ""))?;
    Ok((StatusCode::CREATED, Json(Data { data: TokenBody::with_text(&token, text) })))
}

/// Deletes a token.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 204, description = "deleted"), (status = 404, description = "no such token"))
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_token)?;
    let key = only_key(&headers)?;
    let removed = delete_token(&with(&api, None), &caller, TokenId(id), key.as_deref()).await?;
    deleted(removed, || no_token(id.to_string()))
}
