//! `cargo xtask bench`: how fast and how small, measured on the machine it runs on. Prints figures; judges nothing.
//!
//! `bench hantar …` is the product itself, and `bench device-host` a host of a fleet: the bench starts itself again as what
//! is under load, so that its memory and its processor time are its own.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a bench measures and prints"
)]

mod accepts;
mod bulk;
mod campaigns;
mod cold;
mod commands;
mod contacts;
mod failover;
mod figures;
mod fleet;
mod idle;
mod million;
mod road;
mod rolling;
mod server;
mod units;

use std::process::ExitCode;
use std::time::Duration;

/// The C library's own takes a fifth of all time when many threads ask.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).peekable();
    if arguments.peek().is_some_and(|first| first == "hantar") {
        return hantar_local::program::run_with(arguments);
    }
    if arguments.peek().is_some_and(|first| first == "device-host") {
        return hantar_device_host::program::run(|name| std::env::var(name).ok());
    }
    let arguments: Vec<String> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    let number = |name: &str, otherwise: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    let span = Duration::from_secs(number("--seconds", 60));
    let only = arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1)).cloned();
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only.split(',').any(|part| part == name));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(anyhow::Error::from).and_then(|runtime| {
        runtime.block_on(async {
            if wanted("units") {
                units::run().await?;
            }
            if wanted("accepts") {
                accepts::run(span.min(Duration::from_secs(20))).await?;
            }
            if wanted("bulk") {
                bulk::run().await?;
            }
            if wanted("campaigns") {
                campaigns::run(usize::try_from(number("--recipients", 100_000))?).await?;
            }
            if wanted("commands") {
                commands::run().await?;
            }
            if wanted("contacts") {
                contacts::run(number("--contacts", 100_000)).await?;
            }
            if wanted("cold") {
                cold::run().await?;
            }
            if wanted("million") {
                million::run(usize::try_from(number("--writes", 1_000_000))?, span).await?;
            }
            if wanted("idle") {
                idle::run(usize::try_from(number("--devices", 200))?).await?;
            }
            if wanted("road") {
                road::run(span, usize::try_from(number("--road-devices", 100))?).await?;
            }
            let fleet = usize::try_from(number("--fleet-devices", 300))?;
            let every = Duration::from_millis(number("--fleet-every-ms", 1000));
            if wanted("failover") {
                failover::run(fleet, every).await?;
            }
            if wanted("rolling") {
                rolling::run(fleet, every).await?;
            }
            Ok(())
        })
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("the bench failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
