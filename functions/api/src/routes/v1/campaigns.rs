//! Campaigns: made, shown, paused, resumed, taken back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use hantar_domain::campaign::{Campaign, Figures, Listed, Order};
use hantar_domain::ids::{CampaignId, ContactId, DeviceId, GroupId, TemplateId};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::order_campaign::{OrderParts, order_campaign};
use hantar_usecases::ports::{Ordered, Tenant};
use hantar_usecases::preview_campaign::{PreviewError, preview_campaign};
use hantar_usecases::start_campaign::{
    CampaignDraft, CampaignError, CampaignParts, CampaignProblem, CampaignProblems, problems, start_campaign,
};
use hantar_wire::v1::Data;
use hantar_wire::v1::campaign::{CampaignBody, CampaignPreviewBody, CampaignRequest, RecipientRequest};
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::fields::attribute;

use super::{PathText, number};
use crate::Api;
use crate::auth::ask_verified;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

type Shown = Json<Data<CampaignBody>>;

pub(super) fn no_campaign(id: String) -> ApiError {
    ApiError::NotFound { model: "Campaign", id }
}

/// A campaign of the caller's.
pub(super) async fn find(tenant: &dyn Tenant, id: PathText) -> Result<Campaign, ApiError> {
    let id = number(id, no_campaign)?;
    tenant.campaigns().campaign(CampaignId(id)).await?.ok_or_else(|| no_campaign(id.to_string()))
}

async fn shown(api: &Api, tenant: &dyn Tenant, campaign: &Campaign) -> Result<Shown, ApiError> {
    let counts = tenant.campaigns().counts(campaign.id).await?;
    let devices = tenant.devices().await?;
    let figures = Figures::of(campaign, &counts, &devices, api.parts.pacing, api.parts.clock.now());
    Ok(Json(Data { data: CampaignBody::new(campaign, &counts, &figures) }))
}

/// One campaign, with how far it is.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = u64, Path)),
    responses((status = 200, body = Data<CampaignBody>), (status = 404, description = "no such campaign"))
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
) -> Result<Shown, ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    let campaign = find(&*tenant, id).await?;
    shown(&api, &*tenant, &campaign).await
}

/// Makes a campaign: paid for as many as it can reach at most, and under way when this answers.
#[utoipa::path(
    post, path = "/api/v1/campaigns", tag = "campaigns", request_body = CampaignRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 201, body = Data<CampaignBody>),
        (status = 402, body = hantar_wire::v1::error::ErrorBody),
        (status = 403, description = "the token's owner has not verified the e-mail address"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn create(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Shown), ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    ask_verified(&*tenant, &caller).await?;
    let headers = request.headers().clone();
    let (asked, mut errors) = CampaignRequest::read(&body::fields(request).await?);
    let key = idempotency_key(&headers, &mut errors);
    let draft = draft(asked, key);
    if !errors.is_empty() {
        add_problems(&mut errors, problems(&*tenant, &*parts.clock, &draft).await?);
        return Err(ApiError::Invalid(errors));
    }
    let with = CampaignParts {
        tenant: &*tenant,
        fleet: &*parts.fleet,
        numbers: &parts.numbers,
        blobs: &*parts.blobs,
        queue: &*parts.queue,
        clock: &*parts.clock,
    };
    let campaign = start_campaign(&with, caller.account, draft).await.map_err(refused)?;
    Ok((StatusCode::CREATED, shown(&api, &*tenant, &campaign).await?))
}

/// What a campaign would come to. Writes nothing.
#[utoipa::path(
    post, path = "/api/v1/campaigns/preview", tag = "campaigns", request_body = CampaignRequest,
    responses(
        (status = 200, body = Data<CampaignPreviewBody>),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn preview(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Data<CampaignPreviewBody>>, ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let (asked, mut errors) = CampaignRequest::read(&body::fields(request).await?);
    let draft = draft(asked, None);
    if !errors.is_empty() {
        let mut found = problems(&*tenant, &*parts.clock, &draft).await?;
        found.retain(|(field, problem)| !(field == "name" && *problem == CampaignProblem::Required));
        add_problems(&mut errors, found);
        return Err(ApiError::Invalid(errors));
    }
    match preview_campaign(&*tenant, &*parts.clock, parts.pacing, draft).await {
        Ok(preview) => Ok(Json(Data { data: CampaignPreviewBody::new(preview) })),
        Err(PreviewError::Invalid(found)) => {
            add_problems(&mut errors, found);
            Err(ApiError::Invalid(errors))
        }
        Err(PreviewError::Port(error)) => Err(error.into()),
    }
}

fn draft(asked: CampaignRequest, key: Option<String>) -> CampaignDraft {
    let idempotency = key.map(|key| (key, asked.canonical()));
    let listed = |row: RecipientRequest| Listed::Row { phone: row.phone, name: row.name, attributes: row.attributes };
    CampaignDraft {
        name: asked.name,
        body: asked.body,
        template: asked.message_template_id.map(TemplateId),
        group: asked.contact_group_id.map(GroupId),
        contacts: asked.contact_ids.into_iter().map(ContactId).collect(),
        recipients: asked.recipients.into_iter().map(listed).collect(),
        devices: asked.devices.into_iter().filter(|id| asked.device != Some(*id)).map(DeviceId).collect(),
        device: asked.device.map(DeviceId),
        scheduled_at: asked.scheduled_at,
        per_minute: asked.pacing.per_minute,
        idempotency,
    }
}

/// Adds what the use case found, but for fields that are known to be wrong already: it saw no value of theirs.
fn add_problems(errors: &mut FieldErrors, found: CampaignProblems) {
    let known = errors.clone();
    for (field, problem) in found.into_iter().filter(|(field, _)| !known.names(field)) {
        let name = attribute(&field);
        let text = match problem {
            CampaignProblem::Required => format!("The {name} field is required."),
            CampaignProblem::RequiredWithout(other) => {
                format!("The {name} field is required when {} is not present.", attribute(other))
            }
            CampaignProblem::RequiredWithoutAll(others) => {
                format!("The {name} field is required when none of {} are present.", attribute(others))
            }
            CampaignProblem::Prohibits(other) => {
                format!("The {name} field prohibits {} from being present.", attribute(other))
            }
            CampaignProblem::TooLong(most) => format!("The {name} field must not be greater than {most} characters."),
            CampaignProblem::TooMany(most) => format!("The {name} field must not have more than {most} items."),
            CampaignProblem::Unknown => format!("The selected {name} is invalid."),
            CampaignProblem::Nobody => format!("The selected {name} has nobody to write to."),
            CampaignProblem::TooFarAhead => format!("The {name} field must be a date within one year."),
        };
        errors.add(field, text);
    }
}

fn refused(error: CampaignError) -> ApiError {
    match error {
        CampaignError::Invalid(found) => {
            let mut errors = FieldErrors::default();
            add_problems(&mut errors, found);
            ApiError::Invalid(errors)
        }
        CampaignError::Credits { required, balance } => ApiError::Credits { required, balance },
        CampaignError::KeyReused => key_reused(),
        CampaignError::Port(error) => error.into(),
    }
}

/// Stops a campaign for now: what is queued keeps its turn, and does not go.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/pause", tag = "campaigns",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<CampaignBody>),
        (status = 404, description = "no such campaign"),
        (status = 409, description = "it is over"),
    )
)]
pub(crate) async fn pause(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<Shown, ApiError> {
    order(&api, &caller, id, &headers, Order::Pause).await
}

/// Lets a paused campaign go on.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/resume", tag = "campaigns",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<CampaignBody>),
        (status = 404, description = "no such campaign"),
        (status = 409, description = "it is over"),
    )
)]
pub(crate) async fn resume(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<Shown, ApiError> {
    order(&api, &caller, id, &headers, Order::Resume).await
}

/// Takes a campaign back: what has not left never leaves, and its credits are given back.
#[utoipa::path(
    post, path = "/api/v1/campaigns/{id}/cancel", tag = "campaigns",
    params(
        ("id" = u64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours"),
    ),
    responses(
        (status = 200, body = Data<CampaignBody>),
        (status = 404, description = "no such campaign"),
        (status = 409, description = "it is over"),
    )
)]
pub(crate) async fn cancel(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    headers: HeaderMap,
) -> Result<Shown, ApiError> {
    order(&api, &caller, id, &headers, Order::Cancel).await
}

async fn order(api: &Api, caller: &Caller, id: PathText, headers: &HeaderMap, order: Order) -> Result<Shown, ApiError> {
    let id = number(id, no_campaign)?;
    let mut errors = FieldErrors::default();
    let key = idempotency_key(headers, &mut errors);
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let shards = parts.fleet.shard_count(parts.shards).await?;
    let with = OrderParts { tenant: &*tenant, queue: &*parts.queue, shards, clock: &*parts.clock };
    match order_campaign(&with, caller.account, CampaignId(id), order, key.as_deref()).await? {
        Ordered::Done(campaign) => shown(api, &*tenant, &campaign).await,
        Ordered::TooLate(_) => Err(ApiError::Conflict { message: "The campaign is over.", code: "too_late" }),
        Ordered::Missing => Err(no_campaign(id.to_string())),
        Ordered::KeyReused => Err(key_reused()),
    }
}
