//! The front doors on Cloudflare Workers: the very routes of the other forms, over the same tables by the same AWS SDK.
//!
//! A request finds an isolate that knows its configuration and nothing else. Everything else is made for it and goes with
//! it: Workers forbid that one request waits for what another one began, and the table is the truth anyway.

mod app;
mod config;
mod edge;
mod elsewhere;
mod log;

use std::sync::OnceLock;

use worker::{Context, Env, event, web_sys};

pub use self::app::{Surroundings, router};
pub use self::config::{Config, ConfigError};
pub use self::elsewhere::{BodyLength, Elsewhere};

/// What the bindings say. They stay the same for as long as an isolate lives.
static CONFIG: OnceLock<Result<Config, ConfigError>> = OnceLock::new();

/// Answers one request.
#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, _context: Context) -> worker::Result<web_sys::Response> {
    let config = CONFIG.get_or_init(|| {
        let config = Config::parse(|name| env.var(name).ok().map(|value| value.to_string()));
        log::start(config.as_ref().map_or(tracing::Level::ERROR, |config| config.log));
        config
    });
    match config {
        Ok(config) => edge::serve(config, request).await,
        Err(error) => {
            tracing::error!(%error, "this Worker is not configured");
            edge::to_js(elsewhere::unconfigured(error)).await
        }
    }
}
