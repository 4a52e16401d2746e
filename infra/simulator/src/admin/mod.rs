//! The admin API: what a test or a developer does to the network from outside. It has no authentication; it is for
//! test machines.

mod actions;
mod faults;
mod media;
mod page;
mod passkeys;
mod phones;
mod server;
mod stanzas;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::connection;
use crate::network::{Count, Network, NetworkError};

/// The protocol's largest frame is 16 MiB.
const MAX_WEBSOCKET_MESSAGE: usize = (1 << 24) + 16;

/// For each companion, all the time; the default of 128 KiB is for few connections with much to say.
const READ_BUFFER: usize = 4 << 10;

pub(crate) fn router(network: Network, tls_certificate: &str) -> Router {
    Router::new()
        .route("/ws/chat", get(websocket))
        .route("/admin/mock-phone/scan-qr", post(phones::scan_qr))
        .route("/admin/phones", get(phones::list).post(phones::create))
        .route("/admin/phones/{phone}", get(phones::show).post(phones::change))
        .route("/admin/phones/{phone}/send", post(phones::send))
        .route("/admin/phones/{phone}/messages", get(phones::messages))
        .route("/admin/phones/{phone}/script", get(phones::script).put(phones::set_script))
        .route("/admin/phones/{phone}/block", post(phones::block))
        .route("/admin/phones/{phone}/read", post(phones::read))
        .route("/admin/phones/{phone}/played", post(phones::played))
        .route("/admin/phones/{phone}/lid-migration", get(phones::migration).post(phones::migrate))
        .route("/admin/phones/{phone}/unlink", post(phones::unlink))
        .route("/admin/stanzas", get(stanzas::list).delete(stanzas::clear))
        .route("/admin/faults", get(faults::list).post(faults::add).delete(faults::clear))
        .route("/admin/faults/release", post(faults::release))
        .route("/admin/faults/{id}", delete(faults::remove))
        .merge(actions::routes())
        .merge(page::routes())
        .merge(passkeys::routes())
        .merge(server::routes(tls_certificate))
        .with_state(network)
}

async fn websocket(State(network): State<Network>, upgrade: WebSocketUpgrade) -> Response {
    if network.refuses_connection() {
        network.count(Count::ConnectionsRefused);
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    upgrade
        .read_buffer_size(READ_BUFFER)
        .max_message_size(MAX_WEBSOCKET_MESSAGE)
        .max_frame_size(MAX_WEBSOCKET_MESSAGE)
        .on_upgrade(move |socket| connection::serve(network, socket))
}

/// An operation that failed, as the API answers it.
pub(crate) struct AdminError(NetworkError);

type AdminResult<T> = Result<T, AdminError>;

impl From<NetworkError> for AdminError {
    fn from(error: NetworkError) -> Self {
        Self(error)
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match &self.0 {
            NetworkError::UnknownPhone(_) | NetworkError::UnknownDevice(_) => StatusCode::NOT_FOUND,
            NetworkError::PhoneExists(_) => StatusCode::CONFLICT,
            NetworkError::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            NetworkError::Qr(_) => StatusCode::BAD_REQUEST,
            NetworkError::Refused(refusal) => StatusCode::from_u16(refusal.code).unwrap_or(StatusCode::CONFLICT),
            NetworkError::Signal(_) | NetworkError::Passkey(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut body = json!({ "error": self.0.to_string() });
        if let NetworkError::Invalid { field, .. } = self.0
            && let Some(fields) = body.as_object_mut()
        {
            fields.insert("field".into(), field.into());
        }
        (status, Json(body)).into_response()
    }
}

/// A JSON body whose refusal is JSON too.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(refused) => {
                let status = match refused.status() {
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                    _ => StatusCode::UNPROCESSABLE_ENTITY,
                };
                Err((status, Json(json!({ "error": refused.body_text() }))).into_response())
            }
        }
    }
}

/// A JSON body that may be left out, whatever content type an empty body came with.
pub(crate) struct OptionalBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let body = Bytes::from_request(request, state).await.map_err(IntoResponse::into_response)?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        serde_json::from_slice(&body).map(Self).map_err(|error| {
            (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "error": error.to_string() }))).into_response()
        })
    }
}
