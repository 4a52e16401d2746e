//! The gates before every route: size, token, ability, rate, audit log. In this order, whatever the request holds.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hantar_domain::ids::TokenId;
use hantar_usecases::authenticate::{Caller, authenticate, is_verified};
use hantar_usecases::ports::Tenant;

use crate::audit::audited;
use crate::body::read_past;
use crate::errors::ApiError;
use crate::limit::{Allowance, Kind};
use crate::{Api, MAX_BODY_BYTES};

/// What a route asks for.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) api: Arc<Api>,
    pub(crate) ability: &'static str,
    pub(crate) kind: Kind,
}

/// Lets a request through with its [`Caller`] among its extensions, or answers it. Every answer to a known caller says
/// how many requests are left.
pub(crate) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let caller = match known_caller(&gate.api, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => {
            if matches!(error, ApiError::TooLarge) {
                read_past(request.into_body()).await;
            }
            return error.into_response();
        }
    };
    let clock = &gate.api.parts.clock;
    let token = caller.token.unwrap_or(TokenId(0));
    let allowance = gate.api.limiter.take(token, gate.kind, clock.running());
    let mut response = if !caller.may(gate.ability) {
        ApiError::MissingAbility.into_response()
    } else if let Some(retry_after) = allowance.wait {
        ApiError::TooManyAttempts { retry_after, reset: clock.now() + retry_after }.into_response()
    } else {
        request.extensions_mut().insert(caller.clone());
        audited(&gate, &caller, request, next).await
    };
    say(allowance, response.headers_mut());
    response
}

async fn known_caller(api: &Api, headers: &HeaderMap) -> Result<Caller, ApiError> {
    if is_too_large(headers) {
        return Err(ApiError::TooLarge);
    }
    let bearer = bearer(headers).ok_or(ApiError::Unauthenticated)?;
    let parts = &api.parts;
    let caller = authenticate(&*parts.fleet, &*parts.tenants, &*parts.clock, bearer).await?;
    caller.ok_or(ApiError::Unauthenticated)
}

/// The gate of routes for whoever has no token yet: size alone.
pub(crate) async fn guard_size(request: Request, next: Next) -> Response {
    if is_too_large(request.headers()) {
        read_past(request.into_body()).await;
        return ApiError::TooLarge.into_response();
    }
    next.run(request).await
}

fn is_too_large(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    declared.is_some_and(|length| length > MAX_BODY_BYTES as u64)
}

/// The token of the one `Authorization` header. Two of them are none: proxies disagree on which one counts.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn say(allowance: Allowance, headers: &mut HeaderMap) {
    headers.insert("x-ratelimit-limit", HeaderValue::from(allowance.limit));
    headers.insert("x-ratelimit-remaining", HeaderValue::from(allowance.remaining));
}

/// Sending asks for a verified address.
pub(crate) async fn ask_verified(tenant: &dyn Tenant, caller: &Caller) -> Result<(), ApiError> {
    if is_verified(tenant, caller).await? { Ok(()) } else { Err(ApiError::Unverified) }
}
