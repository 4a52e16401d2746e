//! The stage `binaries`: the programs that the journeys start, with and without the simulator's way past WhatsApp's
//! certificate, kept apart so that no test takes one for the other.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::run;
use crate::workplace::Workplace;

/// One program as the tests want it.
struct Build {
    package: &'static str,
    binary: &'static str,
    simulator: bool,
    /// The variable that tells the tests where it is.
    variable: &'static str,
}

const BUILDS: [Build; 4] = [
    Build { package: "hantar-local", binary: "hantar", simulator: false, variable: "HANTAR_BIN_PLAIN" },
    Build { package: "hantar-local", binary: "hantar", simulator: true, variable: "HANTAR_BIN_SIMULATOR" },
    Build {
        package: "hantar-device-host",
        binary: "hantar-device-host",
        simulator: false,
        variable: "HANTAR_DEVICE_HOST_BIN_PLAIN",
    },
    Build {
        package: "hantar-device-host",
        binary: "hantar-device-host",
        simulator: true,
        variable: "HANTAR_DEVICE_HOST_BIN",
    },
];

impl Build {
    fn path(&self, place: &Workplace) -> PathBuf {
        place.cache().join("bin").join(if self.simulator { "simulator" } else { "plain" }).join(self.binary)
    }
}

/// Builds each by a cargo call of its own: a build of the whole workspace would unite their features.
pub(crate) fn build(place: &Workplace) -> anyhow::Result<()> {
    for build in &BUILDS {
        let kind = if build.simulator { "simulator" } else { "plain" };
        let mut command = place.cargo("build");
        command.args(["--package", build.package, "--bin", build.binary]);
        if build.simulator {
            command.args(["--features", "simulator"]);
        }
        run::quiet(place, &format!("build-{}-{kind}", build.binary), &mut command)?;

        let path = build.path(place);
        let folder = path.parent().context("a binary has a folder")?;
        fs::create_dir_all(folder)?;
        // Beside and then renamed: a copy onto a program that still runs is refused.
        let fresh = folder.join(format!("{}.new", build.binary));
        fs::copy(place.target().join("debug").join(build.binary), &fresh)
            .with_context(|| format!("cannot copy `{}`", build.binary))?;
        fs::rename(&fresh, &path)?;
        println!("{}={}", build.variable, path.display());
    }
    Ok(())
}

/// What tells the tests where the programs are.
pub(crate) fn environment(place: &Workplace) -> impl Iterator<Item = (&'static str, PathBuf)> {
    BUILDS.iter().map(|build| (build.variable, build.path(place)))
}
