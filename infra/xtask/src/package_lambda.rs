//! `cargo xtask package lambda`: the functions as zips for `provided.al2023`, the same bytes each time.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::run;
use crate::workplace::Workplace;

const PACKAGE: &str = "hantar-lambda";
const PROFILE: &str = "lambda";
/// The functions, each of which is a binary.
pub(crate) const FUNCTIONS: [&str; 6] = ["api", "counts", "jobs", "relay", "timers", "webhooks"];
/// The newest glibc that Amazon Linux 2023 has.
const GLIBC: (u32, u32) = (2, 34);
/// What links for another machine: a linker and a C library, from PyPI.
const CROSS_TOOLS: [&str; 2] = ["cargo-lambda==1.9.2", "ziglang==0.17.0"];

/// Writes one file called `bootstrap`, executable, with a date that never changes.
const ZIP: &str = "\
import sys, zipfile
target, source = sys.argv[1:]
entry = zipfile.ZipInfo('bootstrap', (1980, 1, 1, 0, 0, 0))
entry.create_system, entry.external_attr, entry.compress_type = 3, 0o100755 << 16, zipfile.ZIP_DEFLATED
with zipfile.ZipFile(target, 'w') as zip, open(source, 'rb') as file:
    zip.writestr(entry, file.read(), compresslevel=9)
";

/// A processor that Lambda offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    X86_64,
    Arm64,
}

impl Arch {
    const ALL: [Self; 2] = [Self::X86_64, Self::Arm64];

    fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// What is linked for when this machine's own C library cannot be used: nothing needs to be there where it runs.
    fn musl(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64-unknown-linux-musl",
            Self::Arm64 => "aarch64-unknown-linux-musl",
        }
    }

    fn is_this_machine(self) -> bool {
        self == Self::X86_64 && (std::env::consts::ARCH, std::env::consts::OS) == ("x86_64", "linux")
    }
}

/// Reads `[--arch NAME]`; both when it is absent.
pub(crate) fn parse(arguments: &[String]) -> anyhow::Result<Vec<Arch>> {
    match arguments {
        [] => Ok(Arch::ALL.to_vec()),
        [option, name] if option == "--arch" => {
            let arch = Arch::ALL.into_iter().find(|arch| arch.name() == name);
            Ok(vec![arch.with_context(|| format!("`--arch {name}`: expected x86_64 or arm64"))?])
        }
        _ => bail!("expected: cargo xtask package lambda [--arch x86_64|arm64]"),
    }
}

/// Where the zips of an architecture are: `{function}.zip`.
pub(crate) fn folder(place: &Workplace, arch: Arch) -> PathBuf {
    place.cache().join("lambda").join(arch.name())
}

/// Builds the functions, packs them, and prints how large they are.
pub(crate) fn package(place: &Workplace, arch: Arch) -> anyhow::Result<()> {
    let started = Instant::now();
    let built = build(place, arch)?;
    let folder = folder(place, arch);
    fs::create_dir_all(&folder)?;
    println!("{:<22}{:>12}{:>12}", format!("lambda {}", arch.name()), "binary MB", "zip MB");
    for function in FUNCTIONS {
        let (binary, zip) = (built.program(function), folder.join(format!("{function}.zip")));
        // Beside it and then renamed: whoever deploys reads a whole one.
        let fresh = folder.join(format!("{function}.zip.new"));
        run::output(place.command("python3").args(["-c", ZIP]).arg(&fresh).arg(&binary))?;
        fs::rename(&fresh, &zip)?;
        println!("{function:<22}{:>12}{:>12}", megabytes(&binary)?, megabytes(&zip)?);
    }
    println!("{} in {:.1} s", folder.display(), started.elapsed().as_secs_f64());
    Ok(())
}

/// The program of a function as it is shipped, for this machine.
pub(crate) fn function(place: &Workplace, name: &str) -> anyhow::Result<PathBuf> {
    Ok(build(place, Arch::X86_64)?.program(name))
}

/// Where the binaries are.
enum Built {
    /// In one folder, by name.
    ByCargo(PathBuf),
    /// Each in a folder of its own, as Lambda calls it: cargo-lambda moves them.
    ByCargoLambda(PathBuf),
}

impl Built {
    fn program(&self, function: &str) -> PathBuf {
        match self {
            Self::ByCargo(folder) => folder.join(function),
            Self::ByCargoLambda(folder) => folder.join(function).join("bootstrap"),
        }
    }
}

fn build(place: &Workplace, arch: Arch) -> anyhow::Result<Built> {
    if arch.is_this_machine() {
        run::quiet(place, "lambda-x86_64", choose(place.cargo("build").args(["--profile", PROFILE])))?;
        let built = place.target().join(PROFILE);
        match needs_newer_glibc(&built)? {
            None => return Ok(Built::ByCargo(built)),
            Some(version) => {
                println!("this machine's C library is newer than Lambda's ({version}): linking with musl instead");
            }
        }
    }
    cross_tools(place)?;
    let target = arch.musl();
    run::quiet(place, "rustup", place.command("rustup").args(["target", "add", target]))?;
    let mut command = place.cargo("lambda");
    let path = std::env::join_paths(
        std::iter::once(cross_venv(place).join("bin"))
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    )?;
    command.env("PATH", path).args(["build", "--profile", PROFILE, "--target", target]);
    // Its default folder is the one that cargo names after the profile.
    let built = place.target().join("cargo-lambda").join(arch.name());
    command.arg("--lambda-dir").arg(&built);
    run::quiet(place, &format!("lambda-{}", arch.name()), choose(&mut command))?;
    Ok(Built::ByCargoLambda(built))
}

fn choose(command: &mut Command) -> &mut Command {
    command.args(["--package", PACKAGE]);
    for function in FUNCTIONS {
        command.args(["--bin", function]);
    }
    command
}

fn cross_venv(place: &Workplace) -> PathBuf {
    place.cache().join("lambda-tools")
}

/// Only who packs for another machine needs them, and they are large: not part of the stage `tools`.
fn cross_tools(place: &Workplace) -> anyhow::Result<()> {
    let (venv, pins) = (cross_venv(place), CROSS_TOOLS.join("\n"));
    let stamp = venv.join("hantar-pins");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == pins) {
        return Ok(());
    }
    if venv.exists() {
        fs::remove_dir_all(&venv)?;
    }
    run::quiet(place, "lambda-venv", place.command("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = place.command(venv.join("bin/pip"));
    run::quiet(place, "lambda-pip", pip.args(["install", "--disable-pip-version-check"]).args(CROSS_TOOLS))?;
    Ok(fs::write(stamp, pins)?)
}

/// The newest version of glibc that one of the binaries asks for, if it is newer than Lambda's.
fn needs_newer_glibc(built: &Path) -> anyhow::Result<Option<String>> {
    let mut newest = (0, 0);
    for function in FUNCTIONS {
        let path = built.join(function);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let asked = glibc_versions(&bytes);
        if asked.is_empty() {
            bail!("{} names no version of glibc: this check has lost its object", path.display());
        }
        newest = newest.max(asked.into_iter().max().unwrap_or_default());
    }
    Ok((newest > GLIBC).then(|| format!("{}.{}", newest.0, newest.1)))
}

/// Versions as a dynamic binary names them, among its strings.
fn glibc_versions(binary: &[u8]) -> BTreeSet<(u32, u32)> {
    const PREFIX: &[u8] = b"\0GLIBC_";
    let starts = binary.windows(PREFIX.len()).enumerate().filter(|(_, window)| *window == PREFIX);
    let read = |(at, _): (usize, &[u8])| {
        let text = binary[at + PREFIX.len()..].split(|byte| *byte == 0).next()?;
        let mut parts = std::str::from_utf8(text).ok()?.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    starts.filter_map(read).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a size to read")]
fn megabytes(path: &Path) -> anyhow::Result<String> {
    let size = fs::metadata(path).with_context(|| format!("{} is not there", path.display()))?.len();
    Ok(format!("{:.2}", size as f64 / 1e6))
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn an_architecture_is_chosen_or_both_are_taken_and_nothing_else() {
        let parsed = |text: &str| parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parsed("").unwrap(), [Arch::X86_64, Arch::Arm64]);
        assert_eq!(parsed("--arch arm64").unwrap(), [Arch::Arm64]);
        assert_eq!(parsed("--arch x86_64").unwrap(), [Arch::X86_64]);
        for wrong in ["--arch", "--arch mips", "arm64", "--arch arm64 x86_64"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_versions_of_glibc_that_a_binary_asks_for_are_found() {
        let binary = b"\x7fELF..\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_PRIVATE\0notGLIBC_2.99\0GLIBC_2.4";
        assert_eq!(glibc_versions(binary), BTreeSet::from([(2, 2), (2, 4), (2, 34)]));
        assert!((2, 36) > GLIBC && (2, 4) < GLIBC);
    }
}
