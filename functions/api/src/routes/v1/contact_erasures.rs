//! Forgetting people who ask for it, and the proofs that it was done.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hantar_domain::ids::{ContactId, ErasureId};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::forget_person::{Forgotten, Person, forget_person};
use hantar_usecases::ports::{PortError, Tenant};
use hantar_wire::v1::Data;
use hantar_wire::v1::erasure::{ErasureBody, ErasureRequest};
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::fields::Fields;
use hantar_wire::v1::page::{Page, Place};

use super::message_list::{filters, origin, whole};
use super::messages::phone_problem;
use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

const PATH: &str = "/api/v1/contact-erasures";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;

type Shown = Json<Data<ErasureBody>>;

fn no_erasure(id: String) -> ApiError {
    ApiError::NotFound { model: "ContactErasure", id }
}

/// Erasures, newest first; `links.next` leads on.
#[utoipa::path(
    get, path = "/api/v1/contact-erasures", tag = "contacts",
    params(
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<ErasureBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<ErasureBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let cursor = fields.number("cursor").map(ErasureId);
    if page > 1 && cursor.is_none() && fields.errors.is_empty() {
        fields.wrong("page", "leads on only by links.next");
    }
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    // One more than shown says whether a next page exists.
    let mut found = tenant.contacts().erasures(cursor, whole(per_page) + 1).await?;
    let more = found.len() > whole(per_page);
    found.truncate(whole(per_page));
    let place = Place {
        path: format!("{}{PATH}", origin(&api, request.headers(), request.uri().host())),
        filters: filters(&query, &["per_page"]),
        page,
        per_page,
        total: (cursor.is_none() && !more).then(|| u64::try_from(found.len()).unwrap_or(0)),
        next: found.last().filter(|_| more).map(|last| last.id.0),
    };
    Ok(Json(place.page(found.iter().map(ErasureBody::new).collect())))
}

/// Forgets a person: the contact is deleted at once; campaigns' recipients lose number, name and attributes, and messages
/// with that number lose number, name and text; what was not sent yet is cancelled. That they asked not to be written to is
/// remembered. Files of imports and exports delete themselves, 72 hours after they were made at the latest.
#[utoipa::path(
    post, path = "/api/v1/contact-erasures", tag = "contacts", request_body = ErasureRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 202, body = Data<ErasureBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = ErasureRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    let person = if errors.is_empty() { person(&*tenant, asked.clone(), &mut errors).await? } else { None };
    let Some(person) = person else { return Err(ApiError::Invalid(errors)) };
    let key = key.map(|key| (key, asked.canonical()));
    let by = (caller.account, caller.user);
    match forget_person(&*tenant, &parts.numbers, &*parts.clock, by, person, key).await? {
        Forgotten::Begun(erasure) => Ok((StatusCode::ACCEPTED, Json(Data { data: ErasureBody::new(&erasure) }))),
        Forgotten::Missing => Err(ApiError::field("contact_id", "The selected contact id is invalid.")),
        Forgotten::KeyReused => Err(key_reused()),
    }
}

/// Who is meant; what is wrong with the number goes to `errors`. A number of another country may be forgotten, too.
async fn person(
    tenant: &dyn Tenant,
    asked: ErasureRequest,
    errors: &mut FieldErrors,
) -> Result<Option<Person>, PortError> {
    let Some(text) = asked.phone else { return Ok(asked.contact_id.map(|id| Person::Contact(ContactId(id)))) };
    let regions = tenant.account().await?.map_or_else(|| vec![Region::MALAYSIA], |account| account.regions);
    let parsed = PhoneNumber::parse(&text, &regions);
    match parsed.or_else(|error| PhoneNumber::from_e164(text.trim()).ok_or(error)) {
        Ok(phone) => Ok(Some(Person::Phone(phone))),
        Err(error) => {
            let adjective = regions.first().copied().unwrap_or(Region::MALAYSIA).adjective();
            errors.add("phone", phone_problem("phone", &adjective, error));
            Ok(None)
        }
    }
}

/// One erasure, as a proof.
#[utoipa::path(
    get, path = "/api/v1/contact-erasures/{id}", tag = "contacts", params(("id" = u64, Path)),
    responses((status = 200, body = Data<ErasureBody>), (status = 404, description = "no such erasure"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let id = number(id, no_erasure)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let erasure = tenant.contacts().erasure(ErasureId(id)).await?.ok_or_else(|| no_erasure(id.to_string()))?;
    Ok(Json(Data { data: ErasureBody::new(&erasure) }))
}
