//! The program: its arguments, its runtime, its logs and its last words.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use clap::error::ErrorKind;
use tokio::runtime::Handle;

use crate::office::Office;
use crate::{admin, cli, runtimes, up};

/// What a process exits with when a configuration value is missing or wrong (`EX_USAGE` of sysexits.h).
const EXIT_CONFIG: u8 = 64;

/// Runs the program with these arguments, the first of which is its name.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match cli::Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if wanted { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) };
        }
    };
    match begin(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn begin(cli: cli::Cli) -> anyhow::Result<()> {
    let runtime = runtimes::front().context("the runtime does not start")?;
    let road = runtimes::road().context("the runtime of the road does not start")?;
    let result = runtime.block_on(run(cli, road.handle().clone()));
    road.shutdown_background();
    result
}

async fn run(cli: cli::Cli, road: Handle) -> anyhow::Result<()> {
    let command = cli.command.unwrap_or(cli::Command::Up(Box::new(cli.up)));
    if matches!(command, cli::Command::Up(_)) {
        start_logs();
    }
    match command {
        cli::Command::Up(args) => up::up(*args, road).await,
        #[cfg(feature = "simulator")]
        cli::Command::Simulator(args) => up::simulator(args).await,
        cli::Command::Admin(command) => {
            let office = Office::in_folder(&command.data().data_dir).await?;
            admin::run(&office, command).await
        }
        cli::Command::Aws(command) => admin::run(&Office::in_cloud(variable).await?, command).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the cloud's tables are named by the environment")]
fn variable(name: &'static str) -> Option<String> {
    std::env::var(name).ok()
}

/// Logs go to standard error; what a command answers goes to standard output.
fn start_logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HANTAR_LOG")
        .unwrap_or_else(|_| "info,whatsapp_rust=warn,wacore=warn,Client=warn,Bot=warn,MessageQueue=warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

#[expect(clippy::print_stderr, reason = "the last words of a command")]
fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("hantar: {error:#}");
    let config = error.is::<cli::ConfigError>() || error.is::<hantar_platform::cloud::ConfigError>();
    ExitCode::from(if config { EXIT_CONFIG } else { 1 })
}
