//! The payment provider's calls. No token: each is believed by its signature alone.

use std::sync::Arc;

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use hantar_domain::billing::check_signature;
use hantar_usecases::buy_credits::{PaymentFact, Settled, settle_order};
use hantar_wire::stripe::{SessionEvent, event};
use serde_json::{Value, json};

use crate::Api;
use crate::errors::ApiError;

/// More than any event of Stripe's.
const MAX_EVENT_BYTES: usize = 512 * 1024;

/// Takes notice of what became of a payment at Stripe.
#[utoipa::path(
    post, path = "/api/v1/billing/stripe", tag = "credits", security(()), request_body(content = Object),
    params(("Stripe-Signature" = String, Header)),
    responses((status = 200, description = "noticed"), (status = 400, description = "not signed by Stripe, or not now"))
)]
pub(crate) async fn stripe(State(api): State<Arc<Api>>, request: Request) -> Result<Json<Value>, ApiError> {
    let Some(stripe) = api.parts.billing.stripe() else {
        return Err(ApiError::NoRoute(request.uri().path().trim_start_matches('/').to_owned()));
    };
    let signature = request.headers().get("stripe-signature").and_then(|value| value.to_str().ok());
    let signature = signature.unwrap_or_default().to_owned();
    // Byte for byte: the signature is over what was sent, not over what it means.
    let body = to_bytes(request.into_body(), MAX_EVENT_BYTES).await.map_err(|_| ApiError::TooLarge)?;
    check_signature(&stripe.signing, &signature, &body, api.parts.clock.now()).map_err(ApiError::Disbelieved)?;
    let event = event(&body).map_err(|error| ApiError::Malformed(format!("It cannot be read: {error}.")))?;
    let noticed = Json(json!({ "received": true }));
    let Some((reference, told)) = event else { return Ok(noticed) };
    let fact = match told {
        SessionEvent::Paid { session, payment, amount: Some(amount) } => PaymentFact::Paid { session, payment, amount },
        SessionEvent::Paid { amount: None, .. } => return Err(wrong_amount()),
        SessionEvent::Failed => PaymentFact::Failed,
        SessionEvent::Expired => PaymentFact::Expired,
        SessionEvent::Pending => return Ok(noticed),
    };
    match settle_order(&*api.parts.tenants, &*api.parts.clock, reference, &fact).await? {
        Settled::Done => Ok(noticed),
        Settled::Foreign => {
            tracing::warn!(%reference, "a payment was heard of for an order that is not here");
            Ok(noticed)
        }
        Settled::WrongAmount => {
            tracing::error!(%reference, "another amount was paid than the order asks for; nothing was credited");
            Err(wrong_amount())
        }
    }
}

/// Stripe shows its people that the call was refused, and repeats it for days.
fn wrong_amount() -> ApiError {
    ApiError::Conflict { message: "Another amount was paid than the order asks for.", code: "wrong_amount" }
}
