//! The list of messages, newest first, by filters and pages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::{Extension, Json};
use hantar_domain::ids::{DeviceId, MessageId};
use hantar_domain::message::{Direction, State as MessageState};
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::ports::{MessageFilter, PortError, Tenant};
use hantar_wire::v1::fields::Fields;
use hantar_wire::v1::message::MessageBody;
use hantar_wire::v1::page::{Page, Place};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::errors::ApiError;
use crate::walk::{Found, Wanted, walk};
use crate::{Api, body};

const PATH: &str = "/api/v1/messages";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;
/// How deep in the list a page may lie that is asked for by its number alone.
const MAX_DEPTH: u64 = 10_000;
const FILTERS: [&str; 8] = ["status", "device", "direction", "phone", "external_id", "from", "to", "per_page"];

/// What a list is asked for.
struct Asked {
    filter: MessageFilter,
    page: u64,
    per_page: u64,
    cursor: Option<MessageId>,
}

/// Messages, newest first. `links.next` leads on by a cursor; a page may also be asked for by its number.
#[utoipa::path(
    get, path = "/api/v1/messages", tag = "messages",
    params(
        ("status" = Option<String>, Query), ("device" = Option<u64>, Query), ("direction" = Option<String>, Query),
        ("phone" = Option<String>, Query), ("external_id" = Option<String>, Query),
        ("from" = Option<String>, Query, description = "accepted at or after, in ISO 8601"),
        ("to" = Option<String>, Query, description = "accepted before; a bare date counts whole"),
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<MessageBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<MessageBody>>, ApiError> {
    let query = body::query(&request);
    let tenant = api.parts.tenants.for_account(caller.account);
    let asked = read(&query, &*tenant).await?;
    let skip = if asked.cursor.is_some() { 0 } else { (asked.page - 1) * asked.per_page };
    let wanted = Wanted { before: asked.cursor, skip: whole(skip), count: whole(asked.per_page) };
    let Found::Messages(messages, next) = walk(&*tenant, &asked.filter, wanted).await? else {
        return Err(too_deep());
    };
    let place = Place {
        path: format!("{}{PATH}", origin(&api, request.headers(), request.uri().host())),
        filters: filters(&query),
        page: asked.page,
        per_page: asked.per_page,
        total: total(&*tenant, &asked.filter).await?,
        next: next.map(|message| message.0),
    };
    Ok(Json(place.page(messages.iter().map(MessageBody::new).collect())))
}

async fn read(query: &Map<String, Value>, tenant: &dyn Tenant) -> Result<Asked, ApiError> {
    let mut fields = Fields::new(query);
    let status = word(&mut fields, "status", MessageState::from_word);
    let direction = word(&mut fields, "direction", |word| {
        [Direction::Outbound, Direction::Inbound].into_iter().find(|direction| direction.word() == word)
    });
    let device = fields.number("device").map(DeviceId);
    let phone = fields.string("phone");
    let external_id = fields.string("external_id");
    let (from, to) = (fields.time("from"), fields.end_time("to"));
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let cursor = fields.number("cursor").map(MessageId);
    fields.not_supported_yet("campaign_id");
    let phone = match phone {
        None => None,
        Some(text) => {
            let number = any_number(&text, tenant).await?;
            if number.is_none() {
                fields.wrong("phone", "must be a valid phone number");
            }
            number
        }
    };
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    if cursor.is_none() && page.saturating_mul(per_page) > MAX_DEPTH {
        return Err(too_deep());
    }
    let filter = MessageFilter { status, device, direction, phone, external_id, from, to };
    Ok(Asked { filter, page, per_page, cursor })
}

fn word<T>(fields: &mut Fields<'_>, field: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let value = fields.string(field).map(|word| read(&word))?;
    if value.is_none() {
        fields.not_selectable(field);
    }
    value
}

/// A number in any spelling of the account's regions, or any number in full: people of other countries write, too.
async fn any_number(text: &str, tenant: &dyn Tenant) -> Result<Option<PhoneNumber>, PortError> {
    let regions = tenant.account().await?.map_or_else(|| vec![Region::MALAYSIA], |account| account.regions);
    Ok(PhoneNumber::parse(text, &regions).ok().or_else(|| PhoneNumber::from_e164(text.trim())))
}

fn too_deep() -> ApiError {
    let text = format!(
        "The page field leads deeper than {MAX_DEPTH} messages. Follow links.next instead, or narrow the list by from and to."
    );
    ApiError::field("page", text)
}

fn whole(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// How many messages the list has in all, where a counter says so: without filters, or by status alone.
async fn total(tenant: &dyn Tenant, filter: &MessageFilter) -> Result<Option<u64>, PortError> {
    let by_status_alone = MessageFilter { status: filter.status, ..MessageFilter::default() };
    if *filter != by_status_alone {
        return Ok(None);
    }
    let counts = tenant.state_counts().await?;
    let outbound = |status| counts.outbound.get(&status).copied().unwrap_or(0);
    Ok(Some(match filter.status {
        None => counts.outbound.values().sum::<u64>() + counts.inbound,
        // An inbound message is delivered from the start.
        Some(MessageState::Delivered) => outbound(MessageState::Delivered) + counts.inbound,
        Some(status) => outbound(status),
    }))
}

/// The query's filters again, for links.
fn filters(query: &Map<String, Value>) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for name in FILTERS {
        if let Some(value) = query.get(name).and_then(Value::as_str) {
            text.append_pair(name, value);
        }
    }
    text.finish()
}

/// The address that the caller knows this API by.
pub(super) fn origin(api: &Api, headers: &HeaderMap, authority: Option<&str>) -> String {
    if let Some(url) = &api.parts.public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).or(authority).unwrap_or("localhost");
    format!("http://{host}")
}
