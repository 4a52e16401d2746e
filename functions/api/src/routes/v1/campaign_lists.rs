//! Lists of campaigns, and of a campaign's recipients.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use hantar_domain::campaign::Figures;
use hantar_domain::ids::CampaignId;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::ports::Results;
use hantar_wire::v1::campaign::{CampaignBody, ResultBody};
use hantar_wire::v1::fields::Fields;
use hantar_wire::v1::page::{Page, Place};

use super::PathText;
use super::campaigns::find;
use super::message_list::origin;
use crate::errors::ApiError;
use crate::{Api, body};

const PATH: &str = "/api/v1/campaigns";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;
/// How deep in a list a page may lie that is asked for by its number alone.
const MAX_DEPTH: u64 = 1_000;

/// Which page is asked for.
struct Asked {
    page: u64,
    per_page: u64,
    cursor: Option<u64>,
    /// Whether the query named the size of a page.
    sized: bool,
}

impl Asked {
    fn read(request: &Request) -> Result<Self, ApiError> {
        let query = body::query(request);
        let mut fields = Fields::new(&query);
        let asked = Self {
            sized: query.contains_key("per_page"),
            per_page: fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE),
            page: fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1),
            cursor: fields.number("cursor"),
        };
        if !fields.errors.is_empty() {
            return Err(ApiError::Invalid(fields.errors));
        }
        if asked.cursor.is_none() && asked.page.saturating_mul(asked.per_page) > MAX_DEPTH {
            let text = format!("The page field leads deeper than {MAX_DEPTH} entries. Follow links.next instead.");
            return Err(ApiError::field("page", text));
        }
        Ok(asked)
    }

    /// How many entries come before the page.
    fn skip(&self) -> usize {
        let skip = if self.cursor.is_some() { 0 } else { (self.page - 1) * self.per_page };
        usize::try_from(skip).unwrap_or(usize::MAX)
    }

    fn count(&self) -> usize {
        usize::try_from(self.per_page).unwrap_or(usize::MAX)
    }

    fn place(&self, path: String, next: Option<u64>, total: Option<u64>) -> Place {
        let filters = if self.sized { format!("per_page={}", self.per_page) } else { String::new() };
        Place { path, filters, page: self.page, per_page: self.per_page, total, next }
    }
}

/// Campaigns, newest first.
#[utoipa::path(
    get, path = "/api/v1/campaigns", tag = "campaigns",
    params(
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<CampaignBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<CampaignBody>>, ApiError> {
    let asked = Asked::read(&request)?;
    let tenant = api.parts.tenants.for_account(caller.account);
    let (skip, count) = (asked.skip(), asked.count());
    let mut campaigns = tenant.campaigns().list(asked.cursor.map(CampaignId), skip + count + 1).await?;
    campaigns.drain(..skip.min(campaigns.len()));
    let more = campaigns.len() > count;
    campaigns.truncate(count);
    let next = campaigns.last().filter(|_| more).map(|campaign| campaign.id.0);
    let ids: Vec<_> = campaigns.iter().map(|campaign| campaign.id).collect();
    let (mut counts, devices) = (tenant.campaigns().counts_of(&ids).await?, tenant.devices().await?);
    let now = api.parts.clock.now();
    let bodies = campaigns.iter().map(|campaign| {
        let counts = counts.remove(&campaign.id).unwrap_or_default();
        let figures = Figures::of(campaign, &counts, &devices, api.parts.pacing, now);
        CampaignBody::new(campaign, &counts, &figures)
    });
    let bodies = bodies.collect();
    let path = format!("{}{PATH}", origin(&api, request.headers(), request.uri().host()));
    Ok(Json(asked.place(path, next, None).page(bodies)))
}

/// All whom a campaign was given, in the order in which they were taken in, and what became of them.
#[utoipa::path(
    get, path = "/api/v1/campaigns/{id}/recipients", tag = "campaigns",
    params(
        ("id" = u64, Path),
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<ResultBody>), (status = 404, description = "no such campaign"))
)]
pub(crate) async fn recipients(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    id: PathText,
    request: Request,
) -> Result<Json<Page<ResultBody>>, ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    let campaign = find(&*tenant, id).await?;
    let asked = Asked::read(&request)?;
    let (mut after, mut skip, count) = (asked.cursor, asked.skip(), asked.count());
    while skip > 0 {
        let passed = tenant.campaigns().results(&campaign, after, skip).await?;
        skip -= passed.rows.len();
        after = passed.next;
        if after.is_none() {
            break;
        }
    }
    // Behind the end is nothing.
    let at_end = skip > 0 || (after.is_none() && asked.skip() > 0);
    let found = if at_end { Results::default() } else { tenant.campaigns().results(&campaign, after, count).await? };
    let path = format!("{}{PATH}/{}/recipients", origin(&api, request.headers(), request.uri().host()), campaign.id);
    let total = campaign.progress.expanded.then(|| campaign.progress.seen());
    let rows = found.rows.into_iter().map(ResultBody::new).collect();
    Ok(Json(asked.place(path, found.next, total).page(rows)))
}
