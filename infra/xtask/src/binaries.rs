//! The stage `binaries`: the programs that the journeys start, with and without the simulator's way past WhatsApp's
//! certificate, kept apart so that no test takes one for the other.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::run;
use crate::workplace::Workplace;

/// A program and the package it is made from.
struct Program {
    package: &'static str,
    binary: &'static str,
}

const HANTAR: Program = Program { package: "hantar-local", binary: "hantar" };
const DEVICE_HOST: Program = Program { package: "hantar-device-host", binary: "hantar-device-host" };

/// What the programs are built for.
#[derive(Clone, Copy)]
enum Kind {
    /// As it is shipped.
    Plain,
    /// With the cargo feature `simulator`.
    Simulator,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Simulator => "simulator",
        }
    }

    /// The cargo profile, and the folder that cargo puts its programs into. Most tests start those with the simulator, which
    /// have much to do then.
    fn profile(self) -> (&'static str, &'static str) {
        match self {
            Self::Plain => ("dev", "debug"),
            Self::Simulator => ("journey", "journey"),
        }
    }

    /// The programs, with the variables that tell the tests where they are.
    fn programs(self) -> [(&'static str, Program); 2] {
        match self {
            Self::Plain => [("HANTAR_BIN_PLAIN", HANTAR), ("HANTAR_DEVICE_HOST_BIN_PLAIN", DEVICE_HOST)],
            Self::Simulator => [("HANTAR_BIN_SIMULATOR", HANTAR), ("HANTAR_DEVICE_HOST_BIN", DEVICE_HOST)],
        }
    }

    fn path(self, place: &Workplace, program: &Program) -> PathBuf {
        place.cache().join("bin").join(self.name()).join(program.binary)
    }
}

/// Builds each kind by a cargo call of its own, and nothing else in that call: cargo unites the features of what is built
/// together. The two programs of a kind want the same ones, and share their dependencies this way.
pub(crate) fn build(place: &Workplace) -> anyhow::Result<()> {
    for kind in [Kind::Plain, Kind::Simulator] {
        let (profile, folder) = kind.profile();
        let mut command = place.cargo("build");
        command.args(["--profile", profile]);
        for (_, program) in kind.programs() {
            command.args(["--package", program.package, "--bin", program.binary]);
            if matches!(kind, Kind::Simulator) {
                command.args(["--features", &format!("{}/simulator", program.package)]);
            }
        }
        run::quiet(place, &format!("build-{}", kind.name()), &mut command)?;
        for (variable, program) in kind.programs() {
            keep(&place.target().join(folder).join(program.binary), &kind.path(place, &program))?;
            println!("{variable}={}", kind.path(place, &program).display());
        }
    }
    Ok(())
}

/// Copies a program to where the next build does not overwrite it.
fn keep(built: &Path, path: &Path) -> anyhow::Result<()> {
    let folder = path.parent().context("a program is in a folder")?;
    fs::create_dir_all(folder)?;
    // Beside it and then renamed: a copy onto a program that still runs is refused.
    let fresh = path.with_extension("new");
    fs::copy(built, &fresh).with_context(|| format!("cannot copy {}", built.display()))?;
    fs::rename(&fresh, path).with_context(|| format!("cannot put {} in its place", path.display()))
}

/// What tells the tests where the programs are.
pub(crate) fn environment(place: &Workplace) -> impl Iterator<Item = (&'static str, PathBuf)> {
    [Kind::Plain, Kind::Simulator].into_iter().flat_map(move |kind| {
        kind.programs().into_iter().map(move |(variable, program)| (variable, kind.path(place, &program)))
    })
}
