//! Credits: how they moved, when somebody is told that they run low, and how more are bought.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hantar_domain::billing::Stripe;
use hantar_domain::ids::OrderId;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::buy_credits::{BuyError, Counter, NewOrder, buy_credits, prices_of};
use hantar_usecases::idempotency::idempotency;
use hantar_usecases::list_ledger::{LedgerPage, list_ledger};
use hantar_usecases::ports::Tenant;
use hantar_wire::v1::Data;
use hantar_wire::v1::credits::{CheckoutRequest, InvoiceBody, MovementBody, PricesBody, SettingsBody, SettingsRequest};
use hantar_wire::v1::error::{ErrorBody, FieldErrors};
use hantar_wire::v1::fields::Fields;
use hantar_wire::v1::page::{Page, Place};
use url::Url;

use super::message_list::origin;
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::cursor;
use crate::errors::ApiError;
use crate::payments::StripePayments;

const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;
/// How deep in the list of invoices a page may lie that is asked for by its number alone.
const MAX_DEPTH: u64 = 1_000;
/// The longest address that a payer is led to.
const MAX_URL_BYTES: usize = 2048;

/// Every movement of the account's credits with its cause, the latest first: together they are the balance.
#[utoipa::path(
    get, path = "/api/v1/credits/ledger", tag = "credits",
    params(
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<MovementBody>))
)]
pub(crate) async fn ledger(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<MovementBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let from = fields.string("cursor").map(|text| cursor::read(&text));
    match &from {
        Some(None) => fields.wrong("cursor", "must be one that links.next gave"),
        None if page > 1 => fields.wrong("cursor", "is required for all pages but the first: follow links.next"),
        _ => {}
    }
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    let count = usize::try_from(per_page).unwrap_or_default();
    let LedgerPage { movements, next } = list_ledger(&*tenant, from.flatten().unwrap_or_default(), count).await?;
    let next = next.map(|next| cursor::text(&next));
    let place = place(&api, &request, "credits/ledger", (page, per_page), next);
    Ok(Json(place.page(movements.iter().map(MovementBody::new).collect())))
}

fn place<C>(api: &Api, request: &Request, path: &str, (page, per_page): (u64, u64), next: Option<C>) -> Place<C> {
    let origin = origin(api, request.headers(), request.uri().host());
    let filters = if per_page == PER_PAGE { String::new() } else { format!("per_page={per_page}") };
    Place { path: format!("{origin}/api/v1/{path}"), filters, page, per_page, total: None, next }
}

/// When the account's people are told that the credits run low.
#[utoipa::path(get, path = "/api/v1/credits/settings", tag = "credits", responses((status = 200, body = Data<SettingsBody>)))]
pub(crate) async fn settings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<SettingsBody>>, ApiError> {
    shown_settings(&*api.parts.tenants.for_account(caller.account)).await
}

async fn shown_settings(tenant: &dyn Tenant) -> Result<Json<Data<SettingsBody>>, ApiError> {
    let warning = tenant.ledger().warning().await?;
    Ok(Json(Data { data: SettingsBody::new(warning.threshold) }))
}

/// Sets when they are told: by the event `credits.low` and a letter, once each time that the balance falls below this.
#[utoipa::path(
    put, path = "/api/v1/credits/settings", tag = "credits", request_body = SettingsRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 200, body = Data<SettingsBody>), (status = 422, body = ErrorBody))
)]
pub(crate) async fn change_settings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Data<SettingsBody>>, ApiError> {
    let headers = request.headers().clone();
    let (asked, mut errors) = SettingsRequest::read(&body::fields(request).await?);
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    let now = api.parts.clock.now();
    let key = key.map(|key| idempotency("credits settings", &key, &asked.canonical(), now));
    if !tenant.ledger().warn_below(asked.threshold(), key.as_ref(), now).await? {
        return Err(key_reused());
    }
    shown_settings(&*tenant).await
}

/// What credits cost this account.
#[utoipa::path(
    get, path = "/api/v1/credits/prices", tag = "credits",
    responses((status = 200, body = Data<PricesBody>), (status = 409, description = "credits are not sold here"))
)]
pub(crate) async fn prices(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<PricesBody>>, ApiError> {
    let prices = &shop(&api)?.prices;
    let prices = prices_of(&*api.parts.tenants.for_account(caller.account), prices).await?;
    Ok(Json(Data { data: PricesBody::new(&prices) }))
}

fn shop(api: &Api) -> Result<&Stripe, ApiError> {
    api.parts.billing.stripe().ok_or(ApiError::Conflict {
        message: "Credits are not sold here. Ask the administrator for some.",
        code: "credits_not_sold",
    })
}

/// Buys credits: answers where to pay. They are in the account as soon as the payment is known.
#[utoipa::path(
    post, path = "/api/v1/credits/checkout", tag = "credits", request_body = CheckoutRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 201, body = Data<InvoiceBody>),
        (status = 409, description = "credits are not sold here"),
        (status = 422, body = ErrorBody),
    )
)]
pub(crate) async fn checkout(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<InvoiceBody>>), ApiError> {
    let stripe = shop(&api)?;
    let parts = &api.parts;
    let home = origin(&api, request.headers(), request.uri().host());
    let headers = request.headers().clone();
    let (asked, mut errors) = CheckoutRequest::read(&body::fields(request).await?);
    let key = idempotency_key(&headers, &mut errors);
    for (field, url) in [("success_url", &asked.success_url), ("cancel_url", &asked.cancel_url)] {
        check_url(field, url.as_deref(), &mut errors);
    }
    let tenant = parts.tenants.for_account(caller.account);
    if !errors.is_empty() {
        let prices = prices_of(&*tenant, &stripe.prices).await?;
        let credits = quantity(asked.credits);
        if !errors.names("credits") && prices.amount(credits).is_none() {
            errors.add("credits", not_sold(prices.least(), hantar_domain::price::MAX_PURCHASE));
        }
        return Err(ApiError::Invalid(errors));
    }
    let payer = tenant.user(caller.user).await?;
    let idempotency = key.map(|key| (key, asked.canonical()));
    let otherwise = |url: Option<String>| url.unwrap_or_else(|| format!("{home}/"));
    let new = NewOrder {
        credits: quantity(asked.credits),
        email: payer.map(|payer| payer.email),
        success_url: otherwise(asked.success_url),
        cancel_url: otherwise(asked.cancel_url),
        idempotency,
    };
    let payments = StripePayments { stripe, egress: &*parts.egress };
    let counter = Counter {
        tenant: &*tenant,
        payments: &payments,
        prices: &stripe.prices,
        numbers: &parts.numbers,
        entropy: &*parts.entropy,
        clock: &*parts.clock,
    };
    let order = buy_credits(&counter, caller.account, new).await.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(Data { data: InvoiceBody::new(&order) })))
}

fn quantity(credits: u64) -> i64 {
    i64::try_from(credits).unwrap_or(i64::MAX)
}

fn check_url(field: &str, url: Option<&str>, errors: &mut FieldErrors) {
    let fits = |url: &str| {
        url.len() <= MAX_URL_BYTES && Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
    };
    if url.is_some_and(|url| !fits(url)) {
        let name = hantar_wire::v1::fields::attribute(field);
        errors.add(field, format!("The {name} field must be a valid URL."));
    }
}

fn not_sold(least: i64, most: i64) -> String {
    format!("The credits field must be between {least} and {most}.")
}

fn refused(error: BuyError) -> ApiError {
    match error {
        BuyError::Quantity { least, most } => ApiError::field("credits", not_sold(least, most)),
        BuyError::Refused(why) => {
            ApiError::field("credits", format!("The payment provider refused this purchase: {why}"))
        }
        BuyError::KeyReused => key_reused(),
        BuyError::Port(error) => error.into(),
    }
}

/// What the account bought, the newest first.
#[utoipa::path(
    get, path = "/api/v1/credits/invoices", tag = "credits",
    params(
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<InvoiceBody>))
)]
pub(crate) async fn invoices(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<InvoiceBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let cursor = fields.number("cursor").map(OrderId);
    if cursor.is_none() && page.saturating_mul(per_page) > MAX_DEPTH {
        fields.wrong("page", &format!("leads deeper than {MAX_DEPTH} invoices: follow links.next instead"));
    }
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let whole = |number: u64| usize::try_from(number).unwrap_or_default();
    let (skip, count) = (if cursor.is_some() { 0 } else { whole((page - 1) * per_page) }, whole(per_page));
    let tenant = api.parts.tenants.for_account(caller.account);
    // One more than shown says whether a next page exists.
    let mut orders = tenant.ledger().orders(cursor, skip + count + 1).await?;
    let more = orders.len() > skip + count;
    orders.truncate(skip + count);
    let shown = orders.get(skip..).unwrap_or_default();
    let next = shown.last().filter(|_| more).map(|order| order.id.0);
    let place = place(&api, &request, "credits/invoices", (page, per_page), next);
    Ok(Json(place.page(shown.iter().map(InvoiceBody::new).collect())))
}
