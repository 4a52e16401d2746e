//! How the account's numbers are connected, and linking one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use hantar_domain::ids::DeviceId;
use hantar_usecases::authenticate::Caller;
use hantar_usecases::link_device::{Linking, link_device};
use hantar_usecases::ports::PortError;
use hantar_wire::v1::Data;
use hantar_wire::v1::device::{ConnectionBody, QrBody};
use hantar_wire::v1::fields::Fields;

use crate::Api;
use crate::body;
use crate::errors::ApiError;
use crate::picture::data_url;

/// All devices and how they stand.
#[utoipa::path(
    get, path = "/api/v1/connection/status", tag = "connection",
    responses((status = 200, body = Data<ConnectionBody>))
)]
pub(crate) async fn status(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<ConnectionBody>>, ApiError> {
    let devices = api.parts.tenants.for_account(caller.account).devices().await?;
    Ok(Json(Data { data: ConnectionBody::new(&devices, api.parts.clock.now()) }))
}

/// The QR code that links a number. Starts pairing when needed and waits some seconds for the code.
#[utoipa::path(
    get, path = "/api/v1/connection/qr", tag = "connection",
    params(("device" = Option<u64>, Query, description = "the default device when absent")),
    responses(
        (status = 200, body = Data<QrBody>),
        (status = 404, description = "no such device"),
        (status = 409, description = "a number is linked already"),
        (status = 503, description = "no code yet; ask again after Retry-After"),
    )
)]
pub(crate) async fn qr(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Json<Data<QrBody>>, ApiError> {
    let query = body::query(&request);
    let mut fields = Fields::new(&query);
    let device = fields.number("device");
    if !fields.errors.is_empty() {
        return Err(ApiError::Invalid(fields.errors));
    }
    let parts = &api.parts;
    let tenant = parts.tenants.for_account(caller.account);
    match link_device(&*tenant, &*parts.clock, &*parts.sleep, device.map(DeviceId)).await? {
        Linking::Code(device, code) => {
            let picture =
                data_url(&code.text).ok_or_else(|| PortError::Corrupt("a pairing code is too long".to_owned()))?;
            Ok(Json(Data { data: QrBody::new(&device, code, picture) }))
        }
        Linking::NotYet(_) => Err(ApiError::NoCodeYet),
        Linking::Linked(_) => {
            Err(ApiError::Conflict { message: "A number is linked to this device already.", code: "already_linked" })
        }
        Linking::Missing => {
            let id = device.map(|id| id.to_string()).unwrap_or_default();
            Err(ApiError::NotFound { model: "Device", id })
        }
    }
}
