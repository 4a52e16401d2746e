//! Many messages in one request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::send_bulk::{BulkDraft, BulkError, BulkParts, BulkTold, send_bulk};
use hantar_wire::bulk;
use hantar_wire::v1::Data;
use hantar_wire::v1::message::{BulkBody, BulkRequest};

use super::messages::draft;
use crate::Api;
use crate::auth::ask_verified;
use crate::body::{self, idempotency_key, key_reused};
use crate::errors::ApiError;

/// Accepts up to a thousand messages: those that nothing is wrong with are charged in one step, and the others named.
#[utoipa::path(
    post, path = "/api/v1/messages/bulk", tag = "messages", request_body = BulkRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "makes a repeat harmless for 24 hours")),
    responses(
        (status = 202, body = Data<BulkBody>),
        (status = 402, body = hantar_wire::v1::error::ErrorBody, description = "too few credits for all: none is sent"),
        (status = 403, description = "the token's owner has not verified the e-mail address"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
    )
)]
pub(crate) async fn send(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<(StatusCode, Json<Data<BulkBody>>), ApiError> {
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let headers = request.headers().clone();
    let values = match body::fields(request).await {
        Ok(values) => values,
        Err(error) => {
            ask_verified(&*tenant, &caller).await?;
            return Err(error);
        }
    };
    let (asked, mut errors) = BulkRequest::read(&values);
    drop(values);
    let key = idempotency_key(&headers, &mut errors);
    if !errors.is_empty() {
        ask_verified(&*tenant, &caller).await?;
        return Err(ApiError::Invalid(errors));
    }
    let idempotency = key.map(|key| (key, asked.canonical()));
    let rows: Vec<_> = asked.messages.into_iter().map(|row| draft(&caller, &parts.allowed, row, None)).collect();
    let given: Vec<String> = rows.iter().map(|row| row.phone.chars().take(64).collect()).collect();
    let with = BulkParts {
        tenant: &*tenant,
        fleet: &*parts.fleet,
        numbers: &parts.numbers,
        blobs: &*parts.blobs,
        queue: &*parts.queue,
        clock: &*parts.clock,
        written: bulk::write,
    };
    let draft = BulkDraft { rows, sender: caller.user, idempotency };
    let BulkTold { bulk, phones, balance } = send_bulk(&with, caller.account, draft).await.map_err(refused)?;
    let read = phones.into_iter().zip(given);
    let phones: Vec<_> = read.map(|(phone, given)| phone.map_or(given, |phone| phone.to_string())).collect();
    Ok((StatusCode::ACCEPTED, Json(Data { data: BulkBody::new(&bulk, &phones, balance) })))
}

fn refused(error: BulkError) -> ApiError {
    match error {
        BulkError::Unverified => ApiError::Unverified,
        BulkError::Credits { required, balance } => ApiError::Credits { required, balance },
        BulkError::KeyReused => key_reused(),
        BulkError::Port(error) => error.into(),
    }
}
