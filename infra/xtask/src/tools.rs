//! The stage `tools`: installs what the tests need into the cache, and says what only the developer can install.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};

use crate::run;
use crate::workplace::Workplace;

const CARGO_DENY: &str = "0.20.2";
/// Goes by the number of the crate `worker`. What it wants of npm is in tests/foreign/package.json.
const WORKER_BUILD: &str = "0.8.7";
const WASM: &str = "wasm32-unknown-unknown";

/// What is slow unless it is optimised: it goes through every instruction of the Worker.
const WORKS_HARD: [&str; 1] = ["wasm-bindgen-cli"];

/// What must be on the machine: how it is asked for, and what to do about it.
const REQUIRED: [(&str, &[&str], &str); 6] = [
    ("cargo", &["--version"], "install Rust with rustup"),
    ("rustup", &["--version"], "install Rust with rustup: it adds the target for Workers"),
    ("python3", &["-c", "import venv, ensurepip"], "install Python 3 with venv (Debian: python3-venv)"),
    ("node", &["--version"], "install Node.js 18 or newer"),
    ("npm", &["--version"], "install npm 9 or newer"),
    ("cc", &["--version"], "install a C compiler (Debian: build-essential)"),
];

/// Checks what cannot be installed from here, then installs the rest. Quick when it is all there.
pub(crate) fn set_up(place: &Workplace) -> anyhow::Result<()> {
    check_machine(place)?;
    wasm_target(place)?;
    timed("Python packages", || python(place))?;
    timed("npm packages", || node(place))?;
    timed("cargo-deny", || cargo_deny(place))
}

fn check_machine(place: &Workplace) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for (program, arguments, remedy) in REQUIRED {
        if run::output(place.command(program).args(arguments)).is_err() {
            missing.push(format!("`{program} {}` does not work: {remedy}", arguments.join(" ")));
        }
    }
    if !missing.is_empty() {
        bail!("this machine lacks what the tests need:\n{}", missing.join("\n"));
    }
    Ok(())
}

fn wasm_target(place: &Workplace) -> anyhow::Result<()> {
    let installed = run::output(place.command("rustup").args(["target", "list", "--installed"]))?;
    if installed.lines().any(|target| target == WASM) {
        return Ok(());
    }
    run::quiet(place, "rustup", place.command("rustup").args(["target", "add", WASM]))
}

/// The emulator and the foreign clients in Python.
fn python(place: &Workplace) -> anyhow::Result<bool> {
    let pins = place.root.join("tests/foreign/requirements.txt");
    let venv = place.venv();
    let version = run::output(place.command("python3").arg("--version"))?;
    // A Python environment works only where it was made, so where that was is part of its stamp.
    let stamp = format!("{version}{}\n{}", venv.display(), read(&pins)?);
    if is_stamped(&venv, &stamp) {
        return Ok(false);
    }
    empty(&venv)?;
    run::quiet(place, "venv", place.command("python3").args(["-m", "venv"]).arg(&venv))?;
    let mut pip = place.command(venv.join("bin/pip"));
    pip.args(["install", "--disable-pip-version-check", "--requirement"]).arg(&pins);
    run::quiet(place, "pip", &mut pip)?;
    put_stamp(&venv, &stamp)?;
    Ok(true)
}

/// The foreign clients in JavaScript. npm works beside its manifest, so the manifest is copied: the clone stays clean.
fn node(place: &Workplace) -> anyhow::Result<bool> {
    let folder = place.node();
    let manifest = read(&place.root.join("tests/foreign/package.json"))?;
    let lock = read(&place.root.join("tests/foreign/package-lock.json"))?;
    let stamp = format!("{manifest}{lock}");
    if is_stamped(&folder, &stamp) {
        return Ok(false);
    }
    empty(&folder)?;
    fs::write(folder.join("package.json"), manifest)?;
    fs::write(folder.join("package-lock.json"), lock)?;
    let mut npm = place.command("npm");
    npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund"]);
    run::quiet(place, "npm", &mut npm)?;
    put_stamp(&folder, &stamp)?;
    Ok(true)
}

fn cargo_deny(place: &Workplace) -> anyhow::Result<bool> {
    cargo_install(place, "cargo-deny", CARGO_DENY, &["--locked"])
}

/// What builds the Worker. Minutes to compile, once: only who builds it pays for it.
pub(crate) fn for_worker(place: &Workplace) -> anyhow::Result<()> {
    wasm_target(place)?;
    timed("npm packages", || node(place))?;
    let bindgen = locked_version(&read(&place.root.join("Cargo.lock"))?, "wasm-bindgen")?;
    // Not locked: its lock file names crates by versions that a registry may no longer offer.
    timed("wasm-bindgen-cli", || cargo_install(place, "wasm-bindgen-cli", &bindgen, &["--no-default-features"]))?;
    timed("worker-build", || cargo_install(place, "worker-build", WORKER_BUILD, &["--locked"]))
}

/// The version of a package in the lock file. The two halves of wasm-bindgen must be of one.
fn locked_version(lock: &str, package: &str) -> anyhow::Result<String> {
    let entry = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    version.map(str::to_owned).with_context(|| format!("Cargo.lock holds no `{package}`"))
}

fn cargo_install(place: &Workplace, package: &str, version: &str, options: &[&str]) -> anyhow::Result<bool> {
    let root = place.tools();
    // What cargo itself notes down of what it installed; not every program says its version.
    let noted = fs::read_to_string(root.join(".crates.toml")).unwrap_or_default();
    if noted.contains(&format!("\"{package} {version} (")) {
        return Ok(false);
    }
    let mut install = place.command("cargo");
    install.args(["install", "--force", "--root"]).arg(&root).args(options).arg(format!("{package}@{version}"));
    if !WORKS_HARD.contains(&package) {
        // Half the time to compile, and seconds more in each run.
        install.arg("--debug");
    }
    // Not into the workspace's own target folder: nothing of it is built again.
    install.env_remove("CARGO_TARGET_DIR");
    run::quiet(place, package, &mut install)?;
    Ok(true)
}

/// Says what an installation cost; `install` is false when there was nothing to do.
fn timed(what: &str, install: impl FnOnce() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let started = Instant::now();
    let installed = install().with_context(|| format!("cannot install {what}"))?;
    let done = if installed { "installed" } else { "there" };
    println!("{what}: {done}, {:.1} s", started.elapsed().as_secs_f64());
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// A folder is stamped last, with the pins it was made from: what broke off half-way is made anew.
fn is_stamped(folder: &Path, stamp: &str) -> bool {
    fs::read_to_string(folder.join("hantar-pins")).is_ok_and(|found| found == stamp)
}

fn put_stamp(folder: &Path, stamp: &str) -> anyhow::Result<()> {
    fs::write(folder.join("hantar-pins"), stamp).with_context(|| format!("cannot stamp {}", folder.display()))
}

#[cfg(test)]
mod cases {
    use super::locked_version;

    #[test]
    fn a_packages_version_is_read_from_the_lock_file_and_not_that_of_one_with_a_longer_name() {
        let lock =
            "name = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen").unwrap(), "0.2.130");
        assert!(locked_version(lock, "wasm").is_err());
    }
}
