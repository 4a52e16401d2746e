//! The function behind the HTTP API and the function URL.

use std::process::ExitCode;

use hantar_lambda::config::ApiConfig;
use hantar_lambda::{api, program};

#[expect(clippy::disallowed_methods, reason = "a main reads the environment")]
fn main() -> ExitCode {
    let config = ApiConfig::parse(|name| std::env::var(name).ok());
    program::run(config, |config| &config.common, api::serve)
}
