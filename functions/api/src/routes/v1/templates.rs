//! Templates.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::contact::Edit;
use hantar_domain::ids::TemplateId;
use hantar_domain::merge::render;
use hantar_domain::phone::PhoneNumber;
use hantar_domain::template::Template;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_templates::{
    TemplateDraft, TemplateError, TemplateProblem, change_template, create_template, delete_template, problems,
};
use hantar_usecases::ports::{Deleted, Tenant};
use hantar_wire::v1::Data;
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::fields::{Fields, attribute};
use hantar_wire::v1::page::{Page, Place};
use hantar_wire::v1::template::{PreviewBody, PreviewRequest, TemplateBody, TemplateRequest};

use super::message_list::origin;
use super::messages::phone_problem;
use super::{PathText, number};
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

const PATH: &str = "/api/v1/templates";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;

type Shown = Json<Data<TemplateBody>>;

fn shown(template: &Template) -> Shown {
    Json(Data { data: TemplateBody::new(template) })
}

fn no_template(id: String) -> ApiError {
    ApiError::NotFound { model: "MessageTemplate", id }
}

/// Templates, newest first.
#[utoipa::path(
    get, path = "/api/v1/templates", tag = "templates",
    params(
        ("active_only" = Option<bool>, Query), ("page" = Option<u64>, Query),
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
    ),
    responses((status = 200, body = Page<TemplateBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<TemplateBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let active_only = fields.boolean("active_only").unwrap_or(false);
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let mut templates = api.parts.tenants.for_account(caller.account).templates().all_templates().await?;
    templates.retain(|template| template.is_active || !active_only);
    let total = templates.len();
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let shown = templates.iter().rev().skip(whole((page - 1) * per_page)).take(whole(per_page));
    let shown: Vec<_> = shown.map(TemplateBody::new).collect();
    let last = shown.last().map(|template| template.id);
    let mut filters: Vec<String> = query.get("per_page").map(|_| format!("per_page={per_page}")).into_iter().collect();
    if active_only {
        filters.insert(0, "active_only=1".into());
    }
    let place = Place {
        path: format!("{}{PATH}", origin(&api, request.headers(), request.uri().host())),
        filters: filters.join("&"),
        page,
        per_page,
        total: u64::try_from(total).ok(),
        next: last.filter(|_| whole(page * per_page) < total),
    };
    Ok(Json(place.page(shown)))
}

/// One template.
#[utoipa::path(
    get, path = "/api/v1/templates/{id}", tag = "templates", params(("id" = u64, Path)),
    responses((status = 200, body = Data<TemplateBody>), (status = 404, description = "no such template"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    Ok(shown(&find(&*tenant, number(id, no_template)?).await?))
}

async fn find(tenant: &dyn Tenant, id: u64) -> Result<Template, ApiError> {
    tenant.templates().template(TemplateId(id)).await?.ok_or_else(|| no_template(id.to_string()))
}

/// Makes a template.
#[utoipa::path(
    post, path = "/api/v1/templates", tag = "templates", request_body = TemplateRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<TemplateBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let draft = read(request, true).await?;
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let made = create_template(&*tenant, &parts.numbers, &*parts.clock, caller.account, draft).await;
    Ok((StatusCode::CREATED, shown(&made.map_err(|error| refused(error, 0))?)))
}

/// Changes the named fields of a template.
#[utoipa::path(
    method(put, patch), path = "/api/v1/templates/{id}", tag = "templates", request_body = TemplateRequest,
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<TemplateBody>),
        (status = 404, description = "no such template"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn change(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Shown, ApiError> {
    let id = number(id, no_template)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    find(&*tenant, id).await?;
    let draft = read(request, false).await?;
    let changed = change_template(&*tenant, &*api.parts.clock, TemplateId(id), draft).await;
    Ok(shown(&changed.map_err(|error| refused(error, id))?))
}

/// Deletes a template for good. Messages made of it stay.
#[utoipa::path(
    delete, path = "/api/v1/templates/{id}", tag = "templates",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses((status = 204, description = "deleted"), (status = 404, description = "no such template"))
)]
pub(crate) async fn remove(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = number(id, no_template)?;
    let mut errors = FieldErrors::default();
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let tenant = api.parts.tenants.for_account(caller.account);
    match delete_template(&*tenant, &*api.parts.clock, TemplateId(id), key.as_deref()).await? {
        Deleted::Done => Ok(StatusCode::NO_CONTENT),
        Deleted::Missing => Err(no_template(id.to_string())),
        Deleted::KeyReused => Err(key_reused()),
    }
}

/// A template as a recipient would read it. Writes nothing.
#[utoipa::path(
    post, path = "/api/v1/templates/{id}/preview", tag = "templates", request_body = PreviewRequest,
    params(("id" = u64, Path)),
    responses((status = 200, body = Data<PreviewBody>), (status = 404, description = "no such template"))
)]
pub(crate) async fn preview(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Json<Data<PreviewBody>>, ApiError> {
    let id = number(id, no_template)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let template = find(&*tenant, id).await?;
    let (asked, mut errors) = PreviewRequest::read(&body::fields(request).await?);
    let phone = match &asked.phone {
        Some(text) => {
            let regions = tenant.account().await?.map(|account| account.regions).unwrap_or_default();
            PhoneNumber::parse(text, &regions)
                .map_err(|error| {
                    let adjective = regions.first().map_or_else(String::new, |region| region.adjective());
                    errors.add("phone", phone_problem("phone", &adjective, error));
                })
                .ok()
        }
        None => None,
    };
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let contact = match &phone {
        Some(phone) => tenant.contacts().contact_by_phone(phone).await?,
        None => None,
    };
    let rendered = render(&template.body, |field| {
        let given = match field {
            "name" => asked.name.clone(),
            "first_name" => asked.name.as_ref().and_then(|name| name.split_whitespace().next()).map(str::to_owned),
            "phone" => phone.as_ref().map(ToString::to_string),
            other => asked.attributes.get(other).cloned(),
        };
        given.or_else(|| contact.as_ref()?.field(field))
    });
    Ok(Json(Data { data: PreviewBody { text: rendered.text, missing: rendered.missing } }))
}

/// A request's draft, or everything that is wrong with it.
async fn read(request: Request, is_new: bool) -> Result<TemplateDraft, ApiError> {
    let headers = request.headers().clone();
    let (asked, mut errors) = TemplateRequest::read(&body::fields(request).await?);
    let key = idempotency_key(&headers, &mut errors);
    let idempotency = key.map(|key| (key, asked.canonical()));
    let TemplateRequest { name, slug, body, is_active, meta_template } = asked;
    let meta_template = meta_template.map_or(Edit::Keep, Edit::To);
    let draft = TemplateDraft { name, slug, body, is_active, meta_template, idempotency };
    let known = errors.clone();
    add_problems(&mut errors, problems(&draft, is_new).into_iter().filter(|(field, _)| !known.names(field)));
    if errors.is_empty() { Ok(draft) } else { Err(ApiError::Invalid(errors)) }
}

fn add_problems(errors: &mut FieldErrors, found: impl IntoIterator<Item = (&'static str, TemplateProblem)>) {
    for (field, problem) in found {
        let name = attribute(field);
        let text = match problem {
            TemplateProblem::Required => format!("The {name} field is required."),
            TemplateProblem::TooLong(most) => format!("The {name} field must not be greater than {most} characters."),
            TemplateProblem::Slug => {
                format!("The {name} field must only contain lower-case letters, numbers, dashes, and underscores.")
            }
            TemplateProblem::Taken => format!("The {name} has already been taken."),
            TemplateProblem::TooMany => "The account has as many templates as it may have.".to_owned(),
        };
        errors.add(field, text);
    }
}

fn refused(error: TemplateError, id: u64) -> ApiError {
    match error {
        TemplateError::Invalid(found) => {
            let mut errors = FieldErrors::default();
            add_problems(&mut errors, found);
            ApiError::Invalid(errors)
        }
        TemplateError::Missing => no_template(id.to_string()),
        TemplateError::KeyReused => key_reused(),
        TemplateError::Port(error) => error.into(),
    }
}
