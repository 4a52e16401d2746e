//! Developer tasks. `cargo xtask test` decides what passes; `.ci/run` calls it and nothing else.
//!
//! Kept to the standard library and `anyhow`, so that it is built in seconds on a bare machine.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line tool talks on its terminal")]
#![expect(clippy::disallowed_methods, reason = "a developer's tool reads the environment and measures its stages")]

mod binaries;
mod checks;
mod emulator;
mod freshness;
mod lanes;
mod mirror;
mod package_lambda;
mod package_worker;
mod run;
mod sbom;
mod stage;
mod terraform;
mod tests;
mod tools;
mod workplace;

use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::stage::Stage;
use crate::workplace::Workplace;

const USAGE: &str = "\
usage:
  cargo xtask test                              set up, check and test everything
  cargo xtask test --only STAGE[,STAGE]         these stages, and those they need
  cargo xtask test --only test -- ARGUMENTS     `cargo test ARGUMENTS`, with all that the tests need
  cargo xtask bench [ARGUMENTS]                 the benchmark, optimised
  cargo xtask package lambda [--arch ARCH]      the Lambda functions as zips, for x86_64, arm64, or both
  cargo xtask package worker                    the Cloudflare Worker, and what it weighs
  cargo xtask sbom PACKAGE                      what is linked into a package's programs, as CycloneDX

What is compiled and installed is kept in $HANTAR_CACHE, else $XDG_CACHE_HOME/hantar, else ~/.cache/hantar.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> anyhow::Result<()> {
    match arguments.split_first() {
        Some((task, rest)) if task == "test" => {
            let (selected, for_cargo_test) = parse_test(rest)?;
            stage::run(Workplace::find()?, &selected, for_cargo_test)
        }
        Some((task, rest)) if task == "package" => package(Workplace::find()?, rest),
        Some((task, [package])) if task == "sbom" => sbom::print(&Workplace::find()?, package),
        Some((task, rest)) if task == "bench" => bench(Workplace::find()?, rest),
        Some((task, _)) if matches!(task.as_str(), "help" | "-h" | "--help") => {
            println!("{USAGE}\n\nstages: {}", Stage::names());
            Ok(())
        }
        _ => bail!("no such task\n{USAGE}"),
    }
}

/// Which stages to run, in order and with those they need, and what `cargo test` gets instead of `--workspace`.
fn parse_test(arguments: &[String]) -> anyhow::Result<(Vec<Stage>, &[String])> {
    let (own, for_cargo_test) = match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &arguments[arguments.len()..]),
    };
    let selected = match own {
        [] => Stage::ALL.to_vec(),
        [only, names] if only == "--only" => Stage::select(names)?,
        _ => bail!("cannot read `{}`\n{USAGE}", own.join(" ")),
    };
    if !for_cargo_test.is_empty() && !selected.contains(&Stage::Test) {
        bail!("arguments after `--` go to `cargo test`, but the stage `test` is not selected");
    }
    Ok((selected, for_cargo_test))
}

/// What is deployed, each kind in a file of its own.
fn package(place: Workplace, arguments: &[String]) -> anyhow::Result<()> {
    let _alone_in_the_cache = stage::lock(&place)?;
    let place = &place.mirrored()?;
    match arguments.split_first() {
        Some((what, rest)) if what == "lambda" => {
            package_lambda::parse(rest)?.into_iter().try_for_each(|arch| package_lambda::package(place, arch))
        }
        Some((what, [])) if what == "worker" => package_worker::package(place),
        _ => bail!("no such package\n{USAGE}"),
    }
}

/// The bench binary belongs to the tests; this only builds it optimised and hands it its arguments.
fn bench(place: Workplace, arguments: &[String]) -> anyhow::Result<()> {
    let _alone_in_the_cache = stage::lock(&place)?;
    let place = &place.mirrored()?;
    let only = arguments.iter().skip_while(|argument| *argument != "--only").nth(1);
    let cold = only.is_none_or(|parts| parts.split(',').any(|part| part == "cold"));
    let function = cold.then(|| package_lambda::function(place, "api")).transpose()?;
    let mut command = place.cargo("run");
    command.args(["--release", "--package", "hantar-tests", "--bin", "bench", "--"]).args(arguments);
    command.envs(function.map(|path| ("HANTAR_LAMBDA_API", path)));
    let status = command.status().context("cannot start cargo")?;
    if !status.success() {
        bail!("the bench failed: {status}");
    }
    Ok(())
}
