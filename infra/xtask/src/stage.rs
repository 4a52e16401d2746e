//! The stages of `cargo xtask test`, their order, and the table that closes a run.

use std::fs::File;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};

use crate::emulator::Emulator;
use crate::package_lambda::Arch;
use crate::tests::Counts;
use crate::workplace::Workplace;
use crate::{binaries, checks, emulator, freshness, package_lambda, package_worker, terraform, tests, tools};

/// One step of the run. Each either holds or fails: nothing is skipped because a part is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Tools,
    Format,
    Deny,
    Clippy,
    Alone,
    Wasm,
    Features,
    Terraform,
    Binaries,
    Worker,
    Lambda,
    Emulator,
    Test,
}

/// What earlier stages leave for later ones.
struct Run<'a> {
    place: &'a Workplace,
    for_cargo_test: &'a [String],
    emulator: Option<Emulator>,
    counts: Option<Counts>,
}

impl Stage {
    /// All stages, in the order they run: what is quick to fail comes first.
    pub(crate) const ALL: [Self; 13] = [
        Self::Tools,
        Self::Format,
        Self::Deny,
        Self::Clippy,
        Self::Alone,
        Self::Wasm,
        Self::Features,
        Self::Terraform,
        Self::Binaries,
        Self::Worker,
        Self::Lambda,
        Self::Emulator,
        Self::Test,
    ];

    /// What a developer calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Format => "format",
            Self::Deny => "deny",
            Self::Clippy => "clippy",
            Self::Alone => "alone",
            Self::Wasm => "wasm",
            Self::Features => "features",
            Self::Terraform => "terraform",
            Self::Binaries => "binaries",
            Self::Worker => "worker",
            Self::Lambda => "lambda",
            Self::Emulator => "emulator",
            Self::Test => "test",
        }
    }

    /// All names, for messages.
    pub(crate) fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// What must have run before it.
    fn needs(self) -> &'static [Self] {
        match self {
            Self::Deny | Self::Wasm | Self::Worker | Self::Emulator => &[Self::Tools],
            Self::Test => &[Self::Tools, Self::Binaries, Self::Worker, Self::Lambda, Self::Emulator],
            _ => &[],
        }
    }

    /// The stages of a comma-separated list with all they need, in order.
    pub(crate) fn select(names: &str) -> anyhow::Result<Vec<Self>> {
        let mut wanted = Vec::new();
        for name in names.split(',') {
            let Some(stage) = Self::ALL.into_iter().find(|stage| stage.name() == name.trim()) else {
                bail!("no stage is called `{name}`; they are: {}", Self::names());
            };
            wanted.push(stage);
            wanted.extend(stage.needs());
        }
        Ok(Self::ALL.into_iter().filter(|stage| wanted.contains(stage)).collect())
    }

    fn execute(self, run: &mut Run) -> anyhow::Result<()> {
        let place = run.place;
        match self {
            Self::Tools => tools::set_up(place),
            Self::Format => checks::format(place),
            Self::Deny => checks::deny(place),
            Self::Clippy => checks::clippy(place),
            Self::Alone => checks::alone(place),
            Self::Wasm => checks::wasm(place),
            Self::Features => checks::features(place),
            Self::Terraform => terraform::test(place),
            Self::Binaries => binaries::build(place),
            Self::Worker => package_worker::package(place),
            // What runs on this machine; for the other processor it is packed by `cargo xtask package lambda`.
            Self::Lambda => package_lambda::package(place, Arch::X86_64),
            Self::Emulator => emulator::start(place).map(|started| run.emulator = Some(started)),
            Self::Test => {
                let emulator = run.emulator.as_ref().context("the emulator does not run")?;
                let programs = tests::compile(place, run.for_cargo_test)?;
                freshness::date_back(place)?;
                let (counts, succeeded) = tests::run(place, emulator, run.for_cargo_test, programs)?;
                run.counts = Some(counts);
                counts.judge(succeeded)
            }
        }
    }
}

/// Runs the stages, stopping at the first that fails, and prints the table. The emulator ends with it in every case.
/// Terraform mostly waits for itself on one processor, as the Worker's build does: the one runs beside the other.
pub(crate) fn run(place: Workplace, selected: &[Stage], for_cargo_test: &[String]) -> anyhow::Result<()> {
    let _alone_in_the_cache = lock(&place)?;
    println!("cache: {}", place.cache().display());
    let begun = Instant::now();
    let place = &place.mirrored()?;
    let mut run = Run { place, for_cargo_test, emulator: None, counts: None };
    let mut table = Vec::new();
    let mut failure = None;
    std::thread::scope(|scope| {
        let mut beside = None;
        for &stage in selected {
            if failure.is_some() {
                table.push((stage, "not run", 0.0));
            } else if stage == Stage::Terraform && selected.contains(&Stage::Worker) {
                println!("── {}, beside what follows", stage.name());
                beside = Some(scope.spawn(|| timed(|| terraform::test(place))));
            } else {
                println!("── {}", stage.name());
                let ended = timed(|| stage.execute(&mut run).and_then(|()| freshness::date_back(place)));
                failure = told(stage, ended, &mut table);
            }
            if stage == Stage::Worker
                && let Some(beside) = beside.take()
            {
                let ended = beside.join().unwrap_or_else(|_| (Err(anyhow!("it panicked")), 0.0));
                failure = told(Stage::Terraform, ended, &mut table).or(failure.take());
            }
        }
    });
    println!("\n{:<12}{:<10}{:>10}", "stage", "result", "seconds");
    for (stage, result, seconds) in table {
        println!("{:<12}{result:<10}{seconds:>10.1}", stage.name());
    }
    println!("{:<22}{:>10.1}", "all", begun.elapsed().as_secs_f64());
    if let Some(counts) = run.counts {
        println!("\n{counts}");
    }
    failure.map_or(Ok(()), Err)
}

fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> (anyhow::Result<()>, f64) {
    let started = Instant::now();
    (work(), started.elapsed().as_secs_f64())
}

/// Notes how a stage ended; answers why it failed.
fn told(
    stage: Stage,
    (result, seconds): (anyhow::Result<()>, f64),
    table: &mut Vec<(Stage, &'static str, f64)>,
) -> Option<anyhow::Error> {
    let word = if result.is_ok() { "ok" } else { "FAILED" };
    println!("── {} {word} in {seconds:.1} s", stage.name());
    table.push((stage, word, seconds));
    result.err().map(|error| error.context(format!("stage `{}` failed", stage.name())))
}

/// Runs that share a cache would overwrite each other's binaries: the second one waits.
pub(crate) fn lock(place: &Workplace) -> anyhow::Result<File> {
    let path = place.cache().join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        println!("another run uses the cache {}: waiting for it", place.cache().display());
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

#[cfg(test)]
mod cases {
    use super::Stage;

    #[test]
    fn a_selected_stage_brings_what_it_needs_in_order() {
        let selected = Stage::select("test").unwrap();
        let needed = [Stage::Tools, Stage::Binaries, Stage::Worker, Stage::Lambda, Stage::Emulator, Stage::Test];
        assert_eq!(selected, needed);
    }

    #[test]
    fn stages_run_in_their_own_order_and_once() {
        let selected = Stage::select("wasm,format,deny").unwrap();
        assert_eq!(selected, [Stage::Tools, Stage::Format, Stage::Deny, Stage::Wasm]);
    }

    #[test]
    fn an_unknown_stage_is_refused_with_the_names_there_are() {
        let refusal = Stage::select("fromat").unwrap_err().to_string();
        assert!(refusal.contains("fromat") && refusal.contains("format"), "{refusal}");
    }

    #[test]
    fn what_a_stage_needs_runs_before_it() {
        for (at, stage) in Stage::ALL.into_iter().enumerate() {
            for need in stage.needs() {
                assert!(Stage::ALL[..at].contains(need), "{stage:?} needs {need:?}");
            }
        }
    }
}
