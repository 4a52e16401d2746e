//! The consent ledger: who agreed to be written to, who did not, and the proof of it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use hantar_domain::consent::{
    Confirmation, MAX_NOTE_CHARS, MAX_WORD_CHARS, MAX_WORDS, Said, Settings, Source, contradicts, may_be_word,
};
use hantar_domain::message::MAX_BODY_CHARS;
use hantar_domain::phone::{PhoneNumber, Region};
use hantar_domain::time::Timestamp;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::idempotency::idempotency;
use hantar_usecases::note_consent::{Statement, note_consent};
use hantar_usecases::ports::{ConsentPage, Tenant};
use hantar_wire::v1::Data;
use hantar_wire::v1::consent::{ConsentBody, ConsentRequest, ConsentSettingsBody, ConsentSettingsRequest, ProofBody};
use hantar_wire::v1::error::FieldErrors;
use hantar_wire::v1::fields::{Fields, attribute};
use hantar_wire::v1::page::{Page, Place};

use super::message_list::{any_number, origin};
use super::messages::phone_problem;
use crate::Api;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

const PATH: &str = "/api/v1/consents";
const PER_PAGE: u64 = 25;
const MAX_PER_PAGE: u64 = 100;
/// How many entries a proof holds at most: nobody says so much.
const MOST_PROVED: usize = 1_000;

/// The ledger, newest first. `links.next` leads on by a cursor.
#[utoipa::path(
    get, path = "/api/v1/consents", tag = "consents",
    params(
        ("per_page" = Option<u64>, Query, description = "25 unless told, at most 100"),
        ("cursor" = Option<u64>, Query, description = "as in links.next"),
    ),
    responses((status = 200, body = Page<ConsentBody>))
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Page<ConsentBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let per_page = fields.number_within("per_page", 1, MAX_PER_PAGE).unwrap_or(PER_PAGE);
    let page = fields.number_within("page", 1, u64::from(u32::MAX)).unwrap_or(1);
    let cursor = fields.number("cursor");
    if page > 1 && cursor.is_none() {
        fields.wrong("page", "needs the cursor of links.next");
    }
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let before = cursor.map(|cursor| Timestamp(i64::try_from(cursor).unwrap_or(i64::MAX)));
    let tenant = api.parts.tenants.for_account(caller.account);
    let count = usize::try_from(per_page).unwrap_or(usize::MAX);
    let ConsentPage { entries, before } = tenant.consents().consents(before, count).await?;
    let place = Place {
        path: format!("{}{PATH}", origin(&api, request.headers(), request.uri().host())),
        filters: query.get("per_page").map(|_| format!("per_page={per_page}")).unwrap_or_default(),
        page,
        per_page,
        total: None,
        next: before.and_then(|before| u64::try_from(before.0).ok()),
    };
    Ok(Json(place.page(entries.iter().map(ConsentBody::new).collect())))
}

/// Enters into the ledger what somebody said. From then on it counts, for bulk, campaigns and single messages alike.
#[utoipa::path(
    post, path = "/api/v1/consents", tag = "consents", request_body = ConsentRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses((status = 201, body = Data<ConsentBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn note(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<ConsentBody>>), ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let (asked, mut errors) = ConsentRequest::read(&body::fields(request).await?);
    let idempotency = idempotency_key(&headers, &mut errors).map(|key| (key, asked.canonical()));
    let phone = if errors.names("phone") { None } else { number(&*tenant, &asked.phone, &mut errors).await? };
    let said = Said::from_word(&asked.status);
    if said.is_none() && !errors.names("status") {
        errors.add("status", "The selected status is invalid.");
    }
    if asked.note.as_ref().is_some_and(|note| note.chars().count() > MAX_NOTE_CHARS) {
        errors.add("note", format!("The note field must not be greater than {MAX_NOTE_CHARS} characters."));
    }
    let (Some(phone), Some(said), true) = (phone, said, errors.is_empty()) else {
        return Err(ApiError::Invalid(errors));
    };
    let source = Source::Person(caller.user);
    let statement = Statement { phone, said, note: asked.note, source, idempotency };
    let entry = note_consent(&*tenant, &*api.parts.clock, statement).await?.ok_or_else(key_reused)?;
    Ok((StatusCode::CREATED, Json(Data { data: ConsentBody::new(&entry) })))
}

/// A number as whoever enters it writes it: of the account's regions, or in full.
async fn number(tenant: &dyn Tenant, text: &str, errors: &mut FieldErrors) -> Result<Option<PhoneNumber>, ApiError> {
    let regions = tenant.account().await?.map_or_else(|| vec![Region::MALAYSIA], |account| account.regions);
    Ok(match PhoneNumber::parse(text, &regions) {
        Ok(phone) => Some(phone),
        Err(error) => {
            // People of other countries write, too, and say "stop".
            let foreign = text.trim().starts_with('+').then(|| PhoneNumber::from_e164(text.trim())).flatten();
            if foreign.is_none() {
                let adjective = regions.first().copied().unwrap_or(Region::MALAYSIA).adjective();
                errors.add("phone", phone_problem("phone", &adjective, error));
            }
            foreign
        }
    })
}

/// All that one number said about being written to, with times, sources and words: as JSON, or as CSV to keep.
#[utoipa::path(
    get, path = "/api/v1/consents/proof", tag = "consents",
    params(
        ("phone" = String, Query, description = "in any spelling"),
        ("format" = Option<String>, Query, description = "`json` unless told, or `csv`"),
    ),
    responses((status = 200, body = Data<ProofBody>), (status = 422, body = hantar_wire::v1::error::ErrorBody))
)]
pub(crate) async fn proof(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, ApiError> {
    let query = body::query(&request);
    let tenant = api.parts.tenants.for_account(caller.account);
    let mut fields = Fields::new(&query);
    let phone = fields.required_string("phone");
    let format = fields.string("format").unwrap_or_else(|| "json".to_owned());
    if !matches!(format.as_str(), "json" | "csv") {
        fields.not_selectable("format");
    }
    let phone = match phone {
        Some(text) => any_number(&text, &*tenant).await?,
        None => None,
    };
    if phone.is_none() && !fields.errors.names("phone") {
        fields.wrong("phone", "must be a valid phone number");
    }
    let (Some(phone), true) = (phone, fields.errors.is_empty()) else { return Err(ApiError::Invalid(fields.errors)) };
    let entries = tenant.consents().consents_of(&phone, MOST_PROVED).await?;
    let standing = tenant.consents().standing(&phone).await?;
    let proof = ProofBody::new(&phone, standing.as_ref(), &entries, api.parts.clock.now());
    if format == "csv" {
        let named = format!("attachment; filename=\"consent-{}.csv\"", phone.digits());
        let headers =
            [(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, named)];
        return Ok((headers, proof.csv()).into_response());
    }
    Ok(Json(Data { data: proof }).into_response())
}

/// The account's own words, and what somebody who opted out is answered.
#[utoipa::path(
    get, path = "/api/v1/consents/settings", tag = "consents",
    responses((status = 200, body = Data<ConsentSettingsBody>))
)]
pub(crate) async fn settings(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<ConsentSettingsBody>>, ApiError> {
    let settings = api.parts.tenants.for_account(caller.account).consents().consent_settings().await?;
    Ok(Json(Data { data: ConsentSettingsBody::new(&settings) }))
}

/// Changes the named settings.
#[utoipa::path(
    method(put, patch), path = "/api/v1/consents/settings", tag = "consents", request_body = ConsentSettingsRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 200, body = Data<ConsentSettingsBody>),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn decide(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Data<ConsentSettingsBody>>, ApiError> {
    let tenant = api.parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let (asked, mut errors) = ConsentSettingsRequest::read(&body::fields(request).await?);
    let now = api.parts.clock.now();
    let key = idempotency_key(&headers, &mut errors);
    let key = key.map(|key| idempotency("consent settings", &key, &asked.canonical(), now));
    check_words(&mut errors, "stop_words", Said::Out, asked.stop_words.as_deref());
    check_words(&mut errors, "start_words", Said::In, asked.start_words.as_deref());
    if asked.confirmation.iter().flatten().any(|text| text.chars().count() > MAX_BODY_CHARS) {
        let text = format!("The confirmation field must not be greater than {MAX_BODY_CHARS} characters.");
        errors.add("confirmation", text);
    }
    let settings = decided(asked, tenant.consents().consent_settings().await?);
    if errors.is_empty() && overlap(&settings) {
        errors.add("start_words", "The start words field must not hold a word of the stop words.");
    }
    if !errors.is_empty() {
        return Err(ApiError::Invalid(errors));
    }
    if !tenant.consents().set_consent_settings(&settings, key.as_ref(), now).await? {
        return Err(key_reused());
    }
    Ok(Json(Data { data: ConsentSettingsBody::new(&settings) }))
}

fn decided(asked: ConsentSettingsRequest, settings: Settings) -> Settings {
    let confirmation = match (asked.confirm, asked.confirmation) {
        (Some(false), _) => Confirmation::Silence,
        (_, Some(Some(text))) => Confirmation::Text(text),
        (_, Some(None)) => Confirmation::Standard,
        (Some(true), None) if settings.confirmation == Confirmation::Silence => Confirmation::Standard,
        _ => settings.confirmation,
    };
    Settings {
        stop_words: asked.stop_words.unwrap_or(settings.stop_words),
        start_words: asked.start_words.unwrap_or(settings.start_words),
        confirmation,
    }
}

fn overlap(settings: &Settings) -> bool {
    settings.start_words.iter().any(|word| settings.hear(word).is_none_or(|heard| heard.said != Said::In))
}

fn check_words(errors: &mut FieldErrors, field: &str, said: Said, words: Option<&[String]>) {
    let Some(words) = words else { return };
    let name = attribute(field);
    if words.len() > MAX_WORDS {
        errors.add(field, format!("The {name} field must not have more than {MAX_WORDS} items."));
    }
    for (index, word) in words.iter().enumerate() {
        let path = format!("{field}.{index}");
        let name = attribute(&path);
        if word.chars().count() > MAX_WORD_CHARS {
            errors.add(path, format!("The {name} field must not be greater than {MAX_WORD_CHARS} characters."));
        } else if !may_be_word(word) {
            errors.add(path, format!("The {name} field must hold a letter or a digit."));
        } else if contradicts(said, word) {
            errors.add(path, format!("The {name} field is a word that means the opposite."));
        }
    }
}
