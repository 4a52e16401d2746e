//! The account itself, and its end.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::account::Account;
use hantar_domain::phone::Region;
use hantar_domain::zone::Zone;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_account::{AccountError, MAX_NAME_CHARS, MAX_REGIONS, change_account, runs_account};
use hantar_usecases::ports::{AccountChange, PortError};
use hantar_wire::v1::Data;
use hantar_wire::v1::account::{AccountBody, AccountRequest};
use hantar_wire::v1::error::FieldErrors;

use super::auth::read as read_body;
use crate::Api;
use crate::body::{self, idempotency_key, key_reused, only_key};
use crate::errors::ApiError;
use crate::people::{refused, with};
use hantar_usecases::close_account::{close_account, restore_account};
use hantar_wire::v1::auth::{ClosingBody, PasswordRequest};

const ACCOUNT: &str = "Account";

type Shown = Json<Data<AccountBody>>;

fn shown(account: &Account) -> Shown {
    Json(Data { data: AccountBody::new(account) })
}

/// The account: its name, the countries that it writes to, its time zone.
#[utoipa::path(get, path = "/api/v1/account", tag = "account", responses((status = 200, body = Data<AccountBody>)))]
pub(crate) async fn show(State(api): State<Arc<Api>>, Extension(caller): Extension<Caller>) -> Result<Shown, ApiError> {
    let account = api.parts.tenants.for_account(caller.account).account().await?;
    let missing = || PortError::Corrupt(format!("account {} is missing", caller.account));
    Ok(shown(&account.ok_or_else(missing)?))
}

/// Changes the named fields. Only an owner or an administrator may.
#[utoipa::path(
    method(put, patch), path = "/api/v1/account", tag = "account", request_body = AccountRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 200, body = Data<AccountBody>),
        (status = 403, description = "the token's owner neither owns nor administers the account"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Shown, ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    if !runs_account(&*tenant, &caller).await? {
        return Err(ApiError::Role);
    }
    let headers = request.headers().clone();
    let (asked, mut errors) = AccountRequest::read(&body::fields(request).await?);
    let key = idempotency_key(&headers, &mut errors).map(|key| (key, asked.canonical()));
    let change = read(asked, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    match change_account(&*tenant, &*api.parts.clock, &caller, &change, key).await {
        Ok(account) => Ok(shown(&account)),
        Err(AccountError::Role) => Err(ApiError::Role),
        Err(AccountError::KeyReused) => Err(key_reused()),
        Err(AccountError::Port(error)) => Err(error.into()),
    }
}

fn read(asked: AccountRequest, errors: &mut FieldErrors) -> AccountChange {
    let AccountRequest { name, regions, time_zone } = asked;
    if name.as_ref().is_some_and(|name| name.chars().count() > MAX_NAME_CHARS) {
        errors.add("name", format!("The name field must not be greater than {MAX_NAME_CHARS} characters."));
    }
    let time_zone = time_zone.and_then(|name| {
        let zone = Zone::from_name(&name);
        if zone.is_none() {
            errors.add("time_zone", "The time zone field must be a valid timezone.");
        }
        zone
    });
    AccountChange { name, regions: regions.and_then(|codes| read_regions(&codes, errors)), time_zone }
}

fn read_regions(codes: &[String], errors: &mut FieldErrors) -> Option<Vec<Region>> {
    if codes.is_empty() {
        errors.add("regions", "The regions field must have at least 1 items.");
    } else if codes.len() > MAX_REGIONS {
        errors.add("regions", format!("The regions field must not have more than {MAX_REGIONS} items."));
    }
    let mut regions = Vec::with_capacity(codes.len());
    for (index, code) in codes.iter().enumerate() {
        match Region::from_code(&code.to_ascii_uppercase()) {
            Some(region) if regions.contains(&region) => {}
            Some(region) => regions.push(region),
            None => errors.add(format!("regions.{index}"), format!("The selected regions.{index} is invalid.")),
        }
    }
    (!regions.is_empty()).then_some(regions)
}

/// Has the account deleted in seven days, with all that is in it. Until then it can be taken back.
#[utoipa::path(
    delete, path = "/api/v1/account", tag = "account", request_body = PasswordRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 202, body = Data<ClosingBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn close(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<ClosingBody>>), ApiError> {
    let asked = read_body(request, PasswordRequest::read).await?;
    let with = with(&api, asked.address.as_ref());
    let due_at = close_account(&with, &caller, &asked.body.password, asked.key.as_deref()).await;
    let due_at = due_at.map_err(|error| refused(&api, error, ACCOUNT, ""))?;
    Ok((StatusCode::ACCEPTED, Json(Data { data: ClosingBody::new(due_at) })))
}

/// Takes the deletion back.
#[utoipa::path(
    post, path = "/api/v1/account/restore", tag = "account",
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 204, description = "the account stays"), (status = 409, description = "it is not to be deleted"))
)]
pub(crate) async fn restore(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let key = only_key(&headers)?;
    let restored = restore_account(&with(&api, None), &caller, key.as_deref()).await;
    restored.map_err(|error| refused(&api, error, ACCOUNT, ""))?;
    Ok(StatusCode::NO_CONTENT)
}
