//! One contact: saved, shown, changed, merged, deleted.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::contact::{Contact, MAX_ATTRIBUTES};
use hantar_domain::ids::{ContactId, GroupId};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_contacts::{
    ContactError, ContactProblem, NewContact, as_the_ledger_says, contact_problems, delete_contact, edit_contact,
    merge_contacts, save_contact,
};
use hantar_usecases::ports::{Deleted, Edited, PortError, Tenant, Upserted};
use hantar_wire::v1::Data;
use hantar_wire::v1::contact::{
    ContactBody, ContactChange, ContactChangeRequest, ContactGiven, ContactRequest, MergeRequest,
};
use hantar_wire::v1::error::FieldErrors;

use super::messages::phone_problem;
use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused, only_key};
use crate::errors::ApiError;

type Shown = Json<Data<ContactBody>>;

pub(super) fn no_contact(id: String) -> ApiError {
    ApiError::NotFound { model: "Contact", id }
}

async fn shown(tenant: &dyn Tenant, mut contact: Contact) -> Result<Shown, PortError> {
    as_the_ledger_says(tenant, std::slice::from_mut(&mut contact)).await?;
    let groups = tenant.contacts().groups_of(contact.id).await?;
    Ok(Json(Data { data: ContactBody::with_groups(&contact, &groups) }))
}

/// Makes a contact, or changes the one with this number: what is not given stays.
#[utoipa::path(
    post, path = "/api/v1/contacts", tag = "contacts", request_body = ContactRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 201, description = "made", body = Data<ContactBody>),
        (status = 200, description = "changed", body = Data<ContactBody>),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn save(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (given, mut errors) = ContactGiven::read(&values, parts.clock.now());
    let key = idempotency_key(&headers, &mut errors);
    let idempotency = key.map(|key| (key, given.canonical()));
    let ContactGiven { request: asked, opted_in } = given;
    let new = NewContact {
        phone: asked.phone,
        name: asked.name,
        external_id: asked.external_id,
        attributes: asked.attributes,
        groups: asked.group_ids.into_iter().map(GroupId).collect(),
        opted_in,
        idempotency,
    };
    if !errors.is_empty() {
        let (_, problems) = contact_problems(&*tenant, &new).await?;
        add_problems(&mut errors, problems);
        return Err(ApiError::Invalid(errors));
    }
    let (status, contact) = match save_contact(&*tenant, &parts.numbers, &*parts.clock, caller.account, new).await {
        Ok(Upserted::Created(contact)) => (StatusCode::CREATED, contact),
        Ok(Upserted::Updated(contact)) => (StatusCode::OK, contact),
        Err(ContactError::Invalid(problems)) => {
            add_problems(&mut errors, problems);
            return Err(ApiError::Invalid(errors));
        }
        Err(ContactError::KeyReused) => return Err(key_reused()),
        Err(ContactError::Port(error)) => return Err(error.into()),
    };
    Ok((status, shown(&*tenant, contact).await?))
}

/// Adds what the use case found, but for fields that are known to be wrong already.
fn add_problems(errors: &mut FieldErrors, problems: Vec<ContactProblem>) {
    let known = errors.clone();
    for problem in problems {
        match problem {
            ContactProblem::Phone { .. } if known.names("phone") => {}
            ContactProblem::Phone { adjective, error } => {
                errors.add("phone", phone_problem("phone", &adjective, error));
            }
            ContactProblem::NoGroup(index) => {
                errors.add(format!("group_ids.{index}"), format!("The selected group ids.{index} is invalid."));
            }
            ContactProblem::TooMuch => errors.add("attributes", too_much()),
        }
    }
}

fn too_much() -> String {
    format!(
        "The attributes field must not have more than {MAX_ATTRIBUTES} items, nor 64 KiB, with those that are there."
    )
}

/// One contact, with its groups.
#[utoipa::path(
    get, path = "/api/v1/contacts/{id}", tag = "contacts", params(("id" = u64, Path)),
    responses((status = 200, body = Data<ContactBody>), (status = 404, description = "no such contact"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let id = number(id, no_contact)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let contact = tenant.contacts().contact(ContactId(id)).await?.ok_or_else(|| no_contact(id.to_string()))?;
    Ok(shown(&*tenant, contact).await?)
}

/// Changes a contact: what is not given stays, what is empty is cleared.
#[utoipa::path(
    put, path = "/api/v1/contacts/{id}", tag = "contacts", request_body = ContactChangeRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<ContactBody>),
        (status = 404, description = "no such contact"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    let id = number(id, no_contact)?;
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let contact = tenant.contacts().contact(ContactId(id)).await?.ok_or_else(|| no_contact(id.to_string()))?;
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = ContactChange::read(&values, parts.clock.now());
    let key = idempotency_key(&headers, &mut errors);
    if let Some(phone) = &asked.phone
        && !is_number_of(&*tenant, &contact, phone).await?
    {
        let text = "The phone field cannot be changed. Save another contact, and merge the two.";
        errors.add("phone", text);
    }
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let key = key.map(|key| (key, asked.canonical(id)));
    let edited = edit_contact(&*tenant, &*parts.clock, ContactId(id), &asked.edit, key).await?;
    answer(&*tenant, id, edited).await
}

async fn is_number_of(tenant: &dyn Tenant, contact: &Contact, text: &str) -> Result<bool, PortError> {
    let regions = tenant.account().await?.map_or_else(|| vec![Region::MALAYSIA], |account| account.regions);
    let phone = PhoneNumber::parse(text, &regions).ok().or_else(|| PhoneNumber::from_e164(text.trim()));
    Ok(phone.as_ref() == Some(&contact.phone))
}

async fn answer(tenant: &dyn Tenant, id: u64, edited: Edited) -> Result<Shown, ApiError> {
    match edited {
        Edited::Done(contact) => Ok(shown(tenant, *contact).await?),
        Edited::Missing => Err(no_contact(id.to_string())),
        Edited::TooMuch => Err(ApiError::field("attributes", too_much())),
        Edited::KeyReused => Err(key_reused()),
    }
}

/// Makes one contact of several: this one takes what it lacks of the others, and their groups; they are deleted. Whether
/// somebody may be written to stays with their number.
#[utoipa::path(
    post, path = "/api/v1/contacts/{id}/merge", tag = "contacts", request_body = MergeRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<ContactBody>),
        (status = 404, description = "no such contact"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn merge(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    let id = number(id, no_contact)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let values = body::fields(request).await?;
    let (asked, mut errors) = MergeRequest::read(&values);
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let key = key.map(|key| (key, asked.canonical(id)));
    let others: Vec<_> = asked.contact_ids.into_iter().map(ContactId).collect();
    let merged = merge_contacts(&*tenant, &*api.parts.clock, ContactId(id), &others, key).await?;
    answer(&*tenant, id, merged).await
}

/// Deletes a contact for good. Its messages stay.
#[utoipa::path(
    delete, path = "/api/v1/contacts/{id}", tag = "contacts",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 204, description = "deleted"), (status = 404, description = "no such contact"))
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_contact)?;
    let key = only_key(&headers)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    match delete_contact(&*tenant, &*api.parts.clock, ContactId(id), key.as_deref()).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(no_contact(id.to_string())),
        Deleted::KeyReused => Err(key_reused()),
    }
}
