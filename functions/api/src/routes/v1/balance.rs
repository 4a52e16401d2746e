//! Credits.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use hantar_usecases::authenticate::Caller;
use hantar_wire::v1::Data;
use hantar_wire::v1::credits::BalanceBody;

use crate::Api;
use crate::errors::ApiError;

/// The account's credits.
#[utoipa::path(get, path = "/api/v1/balance", tag = "credits", responses((status = 200, body = Data<BalanceBody>)))]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Data<BalanceBody>>, ApiError> {
    let balance = api.parts.tenants.for_account(caller.account).balance().await?;
    Ok(Json(Data { data: BalanceBody::new(balance, api.parts.billing.charges()) }))
}
