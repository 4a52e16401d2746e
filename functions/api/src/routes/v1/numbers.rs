//! Phone numbers: whether somebody uses WhatsApp there.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use hantar_domain::ids::DeviceId;
use hantar_usecases::ask_device::{AskError, Asking};
use hantar_usecases::authenticate::Caller;
use hantar_usecases::look_up_number::{LookUpError, look_up_number};
use hantar_usecases::ports::{Failed, PortError};
use hantar_wire::v1::Data;
use hantar_wire::v1::number::NumberBody;

use super::messages::phone_problem;
use super::{PathText, number};
use crate::Api;
use crate::errors::ApiError;

/// Whether somebody uses WhatsApp at a number, asked of WhatsApp through one of the account's devices, now. A device may
/// ask ten times at once and then once a second.
#[utoipa::path(
    get, path = "/api/v1/devices/{id}/numbers/{phone}", tag = "devices",
    params(("id" = u64, Path), ("phone" = String, Path, description = "in any spelling")),
    responses(
        (status = 200, body = Data<NumberBody>),
        (status = 404, description = "no such device"),
        (status = 409, description = "no number is linked to the device, or it is not connected"),
        (status = 422, body = hantar_wire::v1::error::ErrorBody),
        (status = 429, description = "the device looked up too many numbers; ask again after Retry-After"),
        (status = 502, description = "WhatsApp refused the question"),
        (status = 504, body = hantar_wire::v1::error::ErrorBody, description = "no host answered within 10 seconds"),
    )
)]
pub(crate) async fn look_up(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Data<NumberBody>>, ApiError> {
    let Ok(Path((id, phone))) = path else { return Err(no_device(String::new())) };
    let id: PathText = Ok(Path(id));
    let device = DeviceId(number(id, no_device)?);
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    let asking = Asking {
        fleet: &*parts.fleet,
        queue: &*parts.queue,
        clock: &*parts.clock,
        sleep: &*parts.sleep,
        entropy: &*parts.entropy,
        shards: parts.shards,
    };
    match look_up_number(&*tenant, asking, caller.account, device, &phone).await {
        Ok(looked) => {
            let (jid, lid) = looked.person.map_or((None, None), |person| (Some(person.jid), person.lid));
            Ok(Json(Data { data: NumberBody::new(&looked.phone, jid, lid) }))
        }
        Err(LookUpError::Phone { adjective, error }) => {
            Err(ApiError::field("phone", phone_problem("phone", &adjective, error)))
        }
        Err(LookUpError::NoDevice) => Err(no_device(device.to_string())),
        Err(LookUpError::NotLinked) => Err(ApiError::Conflict {
            message: "No number is linked to this device: link one first (GET /api/v1/connection/qr).",
            code: "not_linked",
        }),
        Err(LookUpError::Ask(error)) => Err(unanswered(error)),
    }
}

fn no_device(id: String) -> ApiError {
    ApiError::NotFound { model: "Device", id }
}

/// Why a device did not answer, as the dialect says it.
fn unanswered(error: AskError) -> ApiError {
    match error {
        AskError::Failed(Failed::NotConnected) => ApiError::Conflict {
            message: "The device is not connected to WhatsApp now. Ask again once it is (GET /api/v1/connection/status).",
            code: "not_connected",
        },
        AskError::Failed(Failed::TooMany) => ApiError::TooManyLookUps,
        AskError::Failed(Failed::Busy) => PortError::Throttled { retry_after: Duration::from_secs(1) }.into(),
        AskError::Failed(Failed::Unsupported) => ApiError::HostTooOld,
        AskError::Failed(Failed::Refused { code }) => ApiError::Refused(code),
        AskError::NoAnswer(id) => ApiError::NoHostAnswered(id),
        AskError::Port(error) => error.into(),
    }
}
