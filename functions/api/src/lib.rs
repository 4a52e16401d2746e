//! The front doors: HTTP routes per dialect, as one [`axum::Router`] that any server, function or worker can drive.
//!
//! Nothing here decides anything about messages: a handler reads a request into a use case's terms, and the use case's
//! answer into the dialect's. Every request walks the same gates in the same order, written down in `README.md`.

mod audit;
mod auth;
mod body;
mod errors;
mod health;
mod limit;
mod openapi;
mod people;
mod picture;
mod routes;
mod walk;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::routing::{any, get};
use hantar_domain::egress::AllowList;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Entropy, Fleet, JobQueue, Mail, Sleep, Tenants};

pub use limit::RateLimits;

/// The largest body that is read, in bytes.
pub const MAX_BODY_BYTES: usize = 5 * 1024 * 1024;

/// Says whether the process can serve.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Why it cannot; nothing when it can. Must answer within seconds.
    async fn obstacles(&self) -> Vec<String>;
}

/// What the routes need from outside.
pub struct ApiParts {
    /// The fleet's records: tokens.
    pub fleet: Arc<dyn Fleet>,
    /// The accounts' records.
    pub tenants: Arc<dyn Tenants>,
    /// Rings for commands to devices' hosts.
    pub queue: Arc<dyn JobQueue>,
    /// The number of shards that this installation wants; what is stored wins.
    pub shards: u16,
    /// Seals webhook secrets.
    pub account_keys: Arc<AccountKeys>,
    /// Large things.
    pub blobs: Arc<dyn Blobs>,
    /// Letters.
    pub mail: Arc<dyn Mail>,
    /// Numbers of new things.
    pub numbers: Arc<Numbers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Waiting, for QR codes and for hosts' answers.
    pub sleep: Arc<dyn Sleep>,
    /// Addresses that webhooks may call although they are not public.
    pub allowed: AllowList,
    /// Whether the process can serve.
    pub ready: Arc<dyn Readiness>,
    /// How many requests a token may make.
    pub limits: RateLimits,
    /// The address that clients know this API by (`https://api.example.com`), for links to further pages; `None` takes
    /// it from each request.
    pub public_url: Option<String>,
    /// The address of the pages that letters link to, never taken from a request; `None` where there are none, and then
    /// letters hold codes for the API.
    pub pages_url: Option<String>,
    /// What `/healthz` calls itself.
    pub version: String,
}

/// What handlers share.
struct Api {
    parts: Arc<ApiParts>,
    limiter: limit::Limiter,
}

/// All routes of this crate: `/api/**`, `/healthz` and `/readyz`. Sets no fallback, so that it can be merged with the
/// router of the pages.
pub fn router(parts: Arc<ApiParts>) -> Router {
    let api = Arc::new(Api { limiter: limit::Limiter::new(parts.limits), parts });
    Router::new()
        .merge(routes::v1::router(&api))
        .route("/api", any(errors::no_route))
        .route("/api/", any(errors::no_route))
        .route("/api/{*rest}", any(errors::no_route))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .with_state(api)
}
