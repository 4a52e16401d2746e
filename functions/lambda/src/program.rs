//! What all binaries do alike: read the configuration or say what is wrong with it, start the logs, run.

use std::process::ExitCode;

use hantar_platform::cloud::ConfigError;
use lambda_runtime::Error;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Config;

/// What a process exits with when a configuration value is missing or wrong (`EX_USAGE` of sysexits.h).
const EXIT_CONFIG: u8 = 64;

/// Runs a function until Lambda takes its process away. `common` finds what every function needs in its configuration.
pub fn run<C>(
    config: Result<C, ConfigError>,
    common: impl FnOnce(&C) -> &Config,
    serve: impl AsyncFnOnce(C) -> Result<(), Error>,
) -> ExitCode {
    let config = match config {
        Ok(config) => config,
        Err(error) => return failed(&error, EXIT_CONFIG),
    };
    start_logs(common(&config));
    // Lambda gives a process one invocation at a time: one thread is all there is to use.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error, 1),
    };
    match runtime.block_on(serve(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<ConfigError>() => failed(&error, EXIT_CONFIG),
        Err(error) => failed(&error, 1),
    }
}

/// JSON by line, for CloudWatch, which adds the time itself.
fn start_logs(config: &Config) {
    let lines = tracing_subscriber::fmt::layer().json().without_time().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(lines).with(config.log.clone()).init();
}

#[expect(clippy::print_stderr, reason = "the last words of a program")]
fn failed(error: &dyn std::fmt::Display, code: u8) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(code)
}
