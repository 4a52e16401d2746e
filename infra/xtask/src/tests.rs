//! The stage `test`: every test of the workspace, with the binaries, the emulator and the foreign clients handed over by
//! environment variables.

use std::fmt;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::bail;

use crate::emulator::Emulator;
use crate::lanes::{self, Program};
use crate::package_lambda::Arch;
use crate::workplace::Workplace;
use crate::{binaries, package_lambda, package_worker, run, terraform};

/// What all test binaries and doctests together reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds what one line of `cargo test` says, if it is the closing line of a test binary.
    fn add(&mut self, line: &str) {
        let Some(closing) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let text = closing.split([';', '.']).find_map(|part| part.trim().strip_suffix(what));
            text.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += count(" passed");
        self.failed += count(" failed");
        self.ignored += count(" ignored");
    }

    /// Whether the run counts as green: it succeeded, and it did test something.
    pub(crate) fn judge(self, succeeded: bool) -> anyhow::Result<()> {
        if !succeeded || self.failed > 0 {
            bail!("cargo test failed: see `failures:` above");
        }
        if self.passed == 0 {
            bail!("cargo test ran no test");
        }
        Ok(())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tests: {} passed, {} failed", self.passed, self.failed)?;
        if self.ignored > 0 {
            write!(f, ", {} skipped", self.ignored)?;
        }
        Ok(())
    }
}

/// Compiles the tests, quietly, so that what follows is only tests. Answers the programs, where all are to run.
pub(crate) fn compile(place: &Workplace, arguments: &[String]) -> anyhow::Result<Vec<Program>> {
    let started = Instant::now();
    // What comes after `--` is for the test binaries, which do not run here; `--doc` has nothing to compile ahead.
    let for_cargo = arguments.split(|argument| argument == "--").next().unwrap_or_default();
    let mut programs = Vec::new();
    if !for_cargo.iter().any(|argument| argument == "--doc") {
        run::quiet(place, "test-compile", cargo_test(place, for_cargo).arg("--no-run"))?;
        let listed = run::output(cargo_test(place, for_cargo).args(["--no-run", "--message-format", "json"]))?;
        programs = listed.lines().filter_map(Program::read).collect();
    }
    println!("compiled in {:.1} s", started.elapsed().as_secs_f64());
    Ok(programs)
}

/// Runs the tests. The second value says whether all was well.
pub(crate) fn run(
    place: &Workplace,
    emulator: &Emulator,
    arguments: &[String],
    programs: Vec<Program>,
) -> anyhow::Result<(Counts, bool)> {
    let plugins = terraform::find(place)?;
    let prepare = |command: &mut Command| surround(command, place, emulator, plugins.as_deref());
    let mut counts = Counts::default();
    if !arguments.is_empty() {
        let mut command = cargo_test(place, arguments);
        prepare(&mut command);
        let succeeded = run::streamed(&mut command, |line| counts.add(line))?;
        return Ok((counts, succeeded));
    }
    let failed = lanes::run(programs, prepare, |line| counts.add(line))?;
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    let mut examples = cargo_test(place, arguments);
    examples.arg("--doc");
    prepare(&mut examples);
    let succeeded = run::streamed(&mut examples, |line| counts.add(line))?;
    Ok((counts, succeeded && failed.is_empty()))
}

fn surround(command: &mut Command, place: &Workplace, emulator: &Emulator, plugins: Option<&Path>) {
    command
        .env("HANTAR_EMULATOR_URL", emulator.url())
        .env("HANTAR_VENV", place.venv())
        .env("HANTAR_NODE_MODULES", place.node().join("node_modules"))
        .env("HANTAR_WORKER_DIR", package_worker::folder(place))
        .env("HANTAR_LAMBDA_ZIPS", package_lambda::folder(place, Arch::X86_64))
        .envs(plugins.map(|plugins| ("HANTAR_TERRAFORM_PLUGINS", plugins)))
        .envs(binaries::environment(place));
}

/// `cargo test` over the workspace, unless a developer asked for less.
fn cargo_test(place: &Workplace, arguments: &[String]) -> Command {
    let mut command = place.cargo("test");
    if arguments.is_empty() {
        command.args(["--workspace", "--no-fail-fast"]);
    } else {
        command.args(arguments);
    }
    command
}

#[cfg(test)]
mod cases {
    use super::Counts;

    fn counted(output: &str) -> Counts {
        let mut counts = Counts::default();
        output.lines().for_each(|line| counts.add(line));
        counts
    }

    #[test]
    fn the_closing_lines_of_all_test_binaries_are_added_up() {
        let counts = counted(
            "running 3 tests\ntest a ... ok\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
             test result: FAILED. 14 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.50s",
        );
        assert_eq!(counts, Counts { passed: 17, failed: 2, ignored: 1 });
        assert_eq!(counts.to_string(), "tests: 17 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_run_with_no_test_is_not_green() {
        assert!(Counts::default().judge(true).is_err());
        assert!(Counts { passed: 1, failed: 0, ignored: 0 }.judge(true).is_ok());
    }

    #[test]
    fn a_run_that_cargo_calls_failed_is_not_green() {
        assert!(Counts { passed: 1, failed: 0, ignored: 0 }.judge(false).is_err());
        assert!(Counts { passed: 1, failed: 1, ignored: 0 }.judge(true).is_err());
    }
}
