//! The list of contacts, by filters and pages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use hantar_domain::contact::search::Search;
use hantar_domain::ids::GroupId;
use hantar_domain::phone::Region;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::manage_contacts::as_the_ledger_says;
use hantar_usecases::ports::{ContactFilter, ContactPage, PortError, Tenant};
use hantar_wire::v1::contact::ContactBody;
use hantar_wire::v1::fields::Fields;
use hantar_wire::v1::page::{Page, Place};
use serde_json::{Map, Value};
use url::form_urlencoded::byte_serialize;

use super::message_list::{filters, origin, whole};
use crate::errors::ApiError;
use crate::{Api, body};

const PATH: &str = "/api/v1/contacts";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;
/// How deep in the list a page may lie that is asked for by its number alone.
const MAX_DEPTH: u64 = 10_000;
/// The longest place in a list that is looked at, in characters.
const MAX_CURSOR_CHARS: usize = 300;
const FILTERS: [&str; 5] = ["search", "external_id", "group", "opted_out", "per_page"];

/// What a list is asked for.
struct Asked {
    filter: ContactFilter,
    page: u64,
    per_page: u64,
    cursor: Option<String>,
}

/// Contacts, newest first, or in order of the word that they are found by. `links.next` leads on by a cursor; a page may
/// also be asked for by its number.
#[utoipa::path(
    get, path = "/api/v1/contacts", tag = "contacts",
    params(
        ("search" = Option<String>, Query, description = "beginnings of the name's words, or a number in any spelling or by its last digits (three or more)"),
        ("external_id" = Option<String>, Query), ("group" = Option<u64>, Query), ("opted_out" = Option<bool>, Query),
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("page" = Option<u64>, Query), ("cursor" = Option<String>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<ContactBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<ContactBody>>, ApiError> {
    let query = body::query(&request);
    let tenant = api.parts.tenants.for_account(caller.account);
    let asked = read(&query, &*tenant).await?;
    let skip = if asked.cursor.is_some() { 0 } else { whole((asked.page - 1) * asked.per_page) };
    let contacts = tenant.contacts();
    let mut found = contacts.list_contacts(&asked.filter, asked.cursor.as_deref(), skip, whole(asked.per_page)).await?;
    if found.skipped < skip && found.next.is_some() {
        return Err(too_deep());
    }
    as_the_ledger_says(&*tenant, &mut found.contacts).await?;
    let total = total(&*tenant, &asked, &found).await?;
    let place = Place {
        path: format!("{}{PATH}", origin(&api, request.headers(), request.uri().host())),
        filters: filters(&query, &FILTERS),
        page: asked.page,
        per_page: asked.per_page,
        total,
        next: found.next.map(|next| byte_serialize(next.as_bytes()).collect::<String>()),
    };
    Ok(Json(place.page(found.contacts.iter().map(ContactBody::new).collect())))
}

async fn read(query: &Map<String, Value>, tenant: &dyn Tenant) -> Result<Asked, ApiError> {
    let mut fields = Fields::new(query);
    let search = fields.string("search");
    let external_id = fields.string("external_id");
    let group = fields.number("group").map(GroupId);
    let opted_out = fields.boolean("opted_out");
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let cursor = fields.string_within("cursor", MAX_CURSOR_CHARS);
    if let Some(group) = group
        && tenant.contacts().group(group).await?.is_none()
    {
        fields.not_selectable("group");
    }
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    if cursor.is_none() && page.saturating_mul(per_page) > MAX_DEPTH {
        return Err(too_deep());
    }
    let search = match search {
        None => None,
        Some(text) => {
            let regions = tenant.account().await?.map_or_else(|| vec![Region::MALAYSIA], |account| account.regions);
            Some(Search::parse(&text, &regions))
        }
    };
    Ok(Asked { filter: ContactFilter { search, external_id, group, opted_out }, page, per_page, cursor })
}

fn too_deep() -> ApiError {
    let text = format!(
        "The page field leads deeper than {MAX_DEPTH} contacts. Follow links.next instead, or narrow the list by filters."
    );
    ApiError::field("page", text)
}

/// How many contacts the list has in all: by a counter where one filter or none is asked for, and where its end is seen
/// from its beginning.
async fn total(tenant: &dyn Tenant, asked: &Asked, found: &ContactPage) -> Result<Option<u64>, PortError> {
    if asked.cursor.is_none() && found.next.is_none() {
        return Ok(u64::try_from(found.skipped + found.contacts.len()).ok());
    }
    let none = ContactFilter::default;
    let ContactFilter { group, opted_out, .. } = asked.filter;
    if asked.filter != (ContactFilter { group, ..none() }) && asked.filter != (ContactFilter { opted_out, ..none() }) {
        return Ok(None);
    }
    let counts = tenant.contacts().contact_counts().await?;
    Ok(Some(match (group, opted_out) {
        (Some(group), _) => counts.groups.get(&group).copied().unwrap_or(0),
        (None, Some(true)) => counts.opted_out,
        (None, Some(false)) => counts.all.saturating_sub(counts.opted_out),
        (None, None) => counts.all,
    }))
}
