//! Subscribers' addresses.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::egress::Target;
use hantar_domain::ids::EndpointId;
use hantar_domain::webhook::{Subscription, SubscriptionError};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_endpoints::{
    EndpointDraft, EndpointError, EndpointParts, NewEndpoint, change_endpoint, create_endpoint, delete_endpoint,
};
use hantar_usecases::ports::{Deleted, Tenant};
use hantar_wire::v1::Data;
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::webhook::{WebhookBody, WebhookChange, WebhookRequest};

use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

type Shown = Json<Data<WebhookBody>>;

fn no_endpoint(id: String) -> ApiError {
    ApiError::NotFound { model: "Webhook", id }
}

/// All endpoints of the account.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", responses((status = 200, body = Data<Vec<WebhookBody>>)))]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<Vec<WebhookBody>>>, ApiError> {
    let endpoints = api.parts.tenants.for_account(caller.account).endpoints().await?;
    Ok(Json(Data { data: endpoints.iter().map(WebhookBody::new).collect() }))
}

/// One endpoint.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", tag = "webhooks", params(("id" = u64, Path)),
    responses((status = 200, body = Data<WebhookBody>), (status = 404, description = "no such endpoint"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let id = number(id, no_endpoint)?;
    let endpoint = api.parts.tenants.for_account(caller.account).endpoint(EndpointId(id)).await?;
    let endpoint = endpoint.ok_or_else(|| no_endpoint(id.to_string()))?;
    Ok(Json(Data { data: WebhookBody::new(&endpoint) }))
}

/// Makes an endpoint. Its secret is shown in this answer and never again.
#[utoipa::path(
    post, path = "/api/v1/webhooks", tag = "webhooks", request_body = WebhookRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<WebhookBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = WebhookRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    check(&api, Some(&asked.url), Some(&asked.events), &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    let with = parts(&api, &*tenant);
    let idempotency = key.map(|key| (key, asked.canonical()));
    let new = NewEndpoint { url: asked.url, events: asked.events, idempotency };
    let (endpoint, secret) = create_endpoint(&with, caller.account, new).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(Data { data: WebhookBody::with_secret(&endpoint, &secret) })))
}

/// What the use case would find one after the other, found at once.
fn check(api: &Api, url: Option<&String>, events: Option<&Vec<String>>, errors: &mut FieldErrors) {
    if let Some(url) = url.filter(|_| !errors.names("url"))
        && let Err(refusal) = Target::parse(url, &api.parts.allowed)
    {
        errors.add("url", format!("The url field {refusal}."));
    }
    if let Some(events) = events
        && let Err(error) = Subscription::parse(events)
    {
        add_subscription(errors, &error);
    }
}

fn parts<'a>(api: &'a Api, tenant: &'a dyn Tenant) -> EndpointParts<'a> {
    let parts = &api.parts;
    EndpointParts {
        tenant,
        numbers: &parts.numbers,
        keys: &parts.account_keys,
        entropy: &*parts.entropy,
        clock: &*parts.clock,
        allowed: &parts.allowed,
    }
}

/// Changes an endpoint: what is not named stays. A new secret is shown in this answer and never again.
#[utoipa::path(
    put, path = "/api/v1/webhooks/{id}", tag = "webhooks", request_body = WebhookChange,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<WebhookBody>), (status = 404, description = "no such endpoint"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    let id = number(id, no_endpoint)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    if tenant.endpoint(EndpointId(id)).await?.is_none() {
        return Err(no_endpoint(id.to_string()));
    }
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = WebhookChange::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    check(&api, asked.url.as_ref(), asked.events.as_ref(), &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let draft = EndpointDraft {
        idempotency: key.map(|key| (key, asked.canonical())),
        url: asked.url,
        events: asked.events,
        is_active: asked.is_active,
        rotates: asked.rotate_secret == Some(true),
    };
    let changed = change_endpoint(&parts(&api, &*tenant), caller.account, EndpointId(id), draft).await;
    let (endpoint, secret) = changed.map_err(refused)?.ok_or_else(|| no_endpoint(id.to_string()))?;
    let data = match secret {
        Some(secret) => WebhookBody::with_secret(&endpoint, &secret),
        None => WebhookBody::new(&endpoint),
    };
    Ok(Json(Data { data }))
}

fn add_subscription(errors: &mut FieldErrors, error: &SubscriptionError) {
    match error {
        SubscriptionError::Empty => errors.add("events", "The events field must have at least 1 items."),
        SubscriptionError::Unknown { index, .. } => {
            errors.add(format!("events.{index}"), format!("The selected events.{index} is invalid."));
        }
    }
}

fn refused(error: EndpointError) -> ApiError {
    let mut errors = FieldErrors::default();
    match error {
        EndpointError::Url(refusal) => errors.add("url", format!("The url field {refusal}.")),
        EndpointError::Events(error) => add_subscription(&mut errors, &error),
        EndpointError::TooMany => errors.add("url", "The account has as many webhooks as it may have."),
        EndpointError::KeyReused => return key_reused(),
        EndpointError::Port(error) => return error.into(),
    }
    ApiError::Invalid(errors)
}

/// Deletes an endpoint. What is still to be delivered to it is given up.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 204, description = "deleted"), (status = 404, description = "no such endpoint"))
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_endpoint)?;
    let mut errors = FieldErrors::default();
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    match delete_endpoint(&*tenant, &*api.parts.clock, EndpointId(id), key.as_deref()).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(no_endpoint(id.to_string())),
        Deleted::KeyReused => Err(key_reused()),
    }
}
