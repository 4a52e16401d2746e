//! The arrows between the crates, as a table that the manifests are held against: which crate may name which, under which
//! licence, and what is true of every crate. The reasons are in `ARCHITECTURE.md`; third-party crates are in `deny.toml`.
#![expect(clippy::expect_used, clippy::disallowed_methods, reason = "a test, which asks cargo")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// For what may run anywhere and be used by anybody.
const PERMISSIVE: &str = "MIT OR Apache-2.0";
/// For what links `wacore-libsignal`, whose sources are AGPL-3.0-only.
const COPYLEFT: &str = "AGPL-3.0-only";

/// What a crate may take for its tests beyond its arrows: the builders and fakes, the connectors that a suite runs on, and
/// the network that hosts are tested on.
const FOR_TESTS: [&str; 3] = ["hantar-testkit", "hantar-platform", "hantar-simulator"];

/// What is decided of a crate.
struct Crate {
    package: &'static str,
    folder: &'static str,
    licence: &'static str,
    may_use: Uses,
}

/// The crates of this workspace that a crate may name.
#[derive(Clone, Copy)]
enum Uses {
    /// These, and as dev-dependency also those of `FOR_TESTS`.
    Only(&'static [&'static str]),
    /// These, and nothing more for its tests.
    StrictlyOnly(&'static [&'static str]),
    Anything,
}

const TABLE: [Crate; 18] = [
    row("hantar-domain", "shared/domain", PERMISSIVE, Uses::Only(&[])),
    row("hantar-wire", "shared/wire", PERMISSIVE, Uses::Only(&["hantar-domain"])),
    row("hantar-usecases", "shared/usecases", PERMISSIVE, Uses::Only(&["hantar-domain"])),
    row("hantar-store", "shared/store", PERMISSIVE, Uses::Only(&["hantar-domain", "hantar-usecases"])),
    row("hantar-queues", "shared/queues", PERMISSIVE, Uses::Only(&["hantar-domain", "hantar-usecases", "hantar-wire"])),
    row("hantar-platform", "shared/platform", PERMISSIVE, Uses::Only(&["hantar-domain", "hantar-usecases"])),
    row("hantar-api", "functions/api", PERMISSIVE, Uses::Only(&["hantar-domain", "hantar-usecases", "hantar-wire"])),
    row("hantar-dashboard", "functions/dashboard", PERMISSIVE, Uses::Only(&["hantar-domain", "hantar-usecases"])),
    row("hantar-jobs", "functions/jobs", PERMISSIVE, Uses::Only(&["hantar-domain", "hantar-usecases", "hantar-wire"])),
    row(
        "hantar-lambda",
        "functions/lambda",
        PERMISSIVE,
        Uses::Only(&[
            "hantar-api",
            "hantar-dashboard",
            "hantar-domain",
            "hantar-jobs",
            "hantar-platform",
            "hantar-queues",
            "hantar-store",
            "hantar-usecases",
            "hantar-wire",
        ]),
    ),
    row("hantar-local", "functions/local", COPYLEFT, Uses::Anything),
    row(
        "hantar-worker",
        "functions/worker",
        PERMISSIVE,
        Uses::Only(&[
            "hantar-api",
            "hantar-dashboard",
            "hantar-domain",
            "hantar-platform",
            "hantar-queues",
            "hantar-store",
            "hantar-usecases",
            "hantar-wire",
        ]),
    ),
    row(
        "hantar-device-host",
        "device-host",
        COPYLEFT,
        Uses::Only(&[
            "hantar-domain",
            "hantar-platform",
            "hantar-queues",
            "hantar-store",
            "hantar-usecases",
            "hantar-wire",
        ]),
    ),
    row("hantar-simulator", "infra/simulator", COPYLEFT, Uses::StrictlyOnly(&[])),
    row("xtask", "infra/xtask", PERMISSIVE, Uses::StrictlyOnly(&[])),
    row("hantar-testkit", "tests/testkit", COPYLEFT, Uses::Anything),
    row("hantar-tests", "tests", COPYLEFT, Uses::Anything),
    row("hantar-deployment", "tests/deploy", COPYLEFT, Uses::Anything),
];

const fn row(package: &'static str, folder: &'static str, licence: &'static str, may_use: Uses) -> Crate {
    Crate { package, folder, licence, may_use }
}

/// What a manifest says.
struct Manifest {
    folder: PathBuf,
    licence: String,
    /// Names of the packages it depends on, with "normal", "dev" or "build".
    dependencies: Vec<(String, &'static str)>,
}

#[test]
fn the_table_and_the_workspace_name_the_same_crates_in_the_same_folders() {
    let manifests = manifests();
    let mut wrong = Vec::new();
    for Crate { package, folder, .. } in &TABLE {
        match manifests.get(*package) {
            None => wrong.push(format!(
                "`{package}` is in the table of tests/arrows.rs, but no member of the workspace: add {folder} to `members` \
                 in Cargo.toml, or take the row out"
            )),
            Some(manifest) if manifest.folder != root().join(folder) => {
                wrong.push(format!("`{package}` belongs in {folder}, but is in {}", manifest.folder.display()));
            }
            Some(_) => {}
        }
    }
    for package in manifests.keys().filter(|package| decided(package).is_none()) {
        wrong.push(format!(
            "`{package}` is a member of the workspace, but nobody decided what it may use: add a row to the table of \
             tests/arrows.rs, and to ARCHITECTURE.md"
        ));
    }
    assert_none(&wrong);
}

#[test]
fn each_crate_uses_only_the_crates_it_may() {
    let manifests = manifests();
    let mut wrong = Vec::new();
    for (package, manifest) in &manifests {
        let Some(decided) = decided(package) else { continue };
        let (allowed, for_tests): (_, &[&str]) = match decided.may_use {
            Uses::Anything => continue,
            Uses::Only(allowed) => (allowed, &FOR_TESTS),
            Uses::StrictlyOnly(allowed) => (allowed, &[]),
        };
        for (used, kind) in manifest.dependencies.iter().filter(|(used, _)| manifests.contains_key(used)) {
            // A crate that names itself switches on a feature of its own for its tests.
            let may_in_tests = used == package || for_tests.contains(&used.as_str());
            let may = allowed.contains(&used.as_str()) || (*kind == "dev" && may_in_tests);
            if !may {
                wrong.push(format!(
                    "`{package}` takes `{used}` as {kind} dependency, but may only use {allowed:?}: put a trait into \
                     `hantar-usecases` and let a composition root join the two"
                ));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_testkit_is_taken_for_tests_alone() {
    let mut wrong = Vec::new();
    for (package, manifest) in manifests() {
        let in_tests = manifest.folder.starts_with(root().join("tests"));
        for (used, kind) in manifest.dependencies {
            if used == "hantar-testkit" && kind != "dev" && !in_tests {
                wrong.push(format!("`{package}` ships the testkit: move `{used}` to [dev-dependencies]"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn each_crate_has_the_licence_that_what_it_links_asks_for() {
    let manifests = manifests();
    let mut wrong = Vec::new();
    for (package, manifest) in &manifests {
        let Some(decided) = decided(package) else { continue };
        if manifest.licence != decided.licence {
            wrong.push(format!(
                "`{package}` says it is `{}`: write license = \"{}\" into {}/Cargo.toml",
                manifest.licence, decided.licence, decided.folder
            ));
        }
        if manifest.licence == COPYLEFT {
            continue;
        }
        for (used, _) in manifest.dependencies.iter().filter(|(_, kind)| *kind != "dev") {
            let copyleft = manifests.get(used).is_some_and(|used| used.licence == COPYLEFT);
            if copyleft || WHATSAPP.iter().any(|family| used.starts_with(family)) {
                wrong.push(format!("`{package}` is {PERMISSIVE} and must not link `{used}`, which is {COPYLEFT}"));
            }
        }
    }
    assert_none(&wrong);
}

/// The crates that bring `wacore-libsignal`, by the beginning of their names.
const WHATSAPP: [&str; 3] = ["whatsapp-rust", "wacore", "waproto"];

#[test]
fn the_simulator_takes_the_whatsapp_library_for_its_tests_alone() {
    let manifests = manifests();
    let simulator = &manifests.get("hantar-simulator").expect("the simulator is a member").dependencies;
    let shipped = simulator.iter().any(|(used, kind)| used == "whatsapp-rust" && *kind != "dev");
    assert!(
        !shipped,
        "move `whatsapp-rust` to [dev-dependencies] of infra/simulator: it is the client it is tested with"
    );
}

#[test]
fn each_crate_says_in_a_readme_what_it_is() {
    let missing =
        |folder: &Path| !fs::read_to_string(folder.join("README.md")).is_ok_and(|text| !text.trim().is_empty());
    let wrong: Vec<String> = manifests()
        .into_iter()
        .filter(|(_, manifest)| missing(&manifest.folder))
        .map(|(package, manifest)| {
            format!("`{package}` has no README.md: write {}/README.md", manifest.folder.display())
        })
        .collect();
    assert_none(&wrong);
}

#[test]
fn the_domain_knows_no_serialisation() {
    let manifests = manifests();
    let domain = &manifests.get("hantar-domain").expect("the domain is a member").dependencies;
    let wrong: Vec<String> = domain
        .iter()
        .filter(|(used, kind)| *kind != "dev" && used.starts_with("serde"))
        .map(|(used, _)| {
            format!("`hantar-domain` takes `{used}`: shapes of bytes belong in `hantar-wire` or `hantar-store`")
        })
        .collect();
    assert_none(&wrong);
}

#[test]
fn only_the_platform_asks_which_target_it_is_compiled_for() {
    let platform = root().join("shared/platform");
    let mut wrong = Vec::new();
    let mut files = 0;
    for manifest in manifests().into_values().filter(|manifest| manifest.folder != platform) {
        for path in sources(&manifest.folder).into_iter().filter(|path| !path.starts_with(&platform)) {
            files += 1;
            let text = fs::read_to_string(&path).expect("a source file is UTF-8");
            for (at, line) in text.lines().enumerate().filter(|(_, line)| asks_for_target(line)) {
                wrong.push(format!(
                    "{}:{}: `{}`: what differs by target belongs in shared/platform, behind a port",
                    path.display(),
                    at + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(files > TABLE.len(), "found only {files} source files: the search has lost its object");
    assert_none(&wrong);
}

/// True of code, not of comments that speak of it.
fn asks_for_target(line: &str) -> bool {
    let code = line.trim_start();
    let condition = code.contains("cfg(") || code.contains("cfg!(") || code.contains("cfg_attr(");
    // Put together here, or this file would be found.
    let target = [concat!("target", "_arch"), concat!("target", "_family")];
    condition && !code.starts_with("//") && target.iter().any(|name| code.contains(name))
}

/// The sources and the manifest of the crate in a folder.
fn sources(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace can be read") {
            let path = entry.expect("a folder of the workspace can be read").path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if path.is_dir() {
                if !matches!(name, "target" | "node_modules") && !name.starts_with('.') {
                    open.push(path);
                }
            } else if name == "Cargo.toml" || path.extension() == Some(OsStr::new("rs")) {
                found.insert(path);
            }
        }
    }
    found
}

fn decided(package: &str) -> Option<&'static Crate> {
    TABLE.iter().find(|known| known.package == package)
}

/// What the manifests say, by package, as cargo reads them. Needs no network: nothing is resolved.
fn manifests() -> BTreeMap<String, Manifest> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    assert!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    packages.iter().map(|package| (text(&package["name"]), manifest(package))).collect()
}

fn manifest(package: &Value) -> Manifest {
    let dependencies = package["dependencies"].as_array().expect("a package lists its dependencies");
    let kind = |dependency: &Value| match dependency["kind"].as_str() {
        None => "normal",
        Some("dev") => "dev",
        Some(_) => "build",
    };
    Manifest {
        folder: Path::new(&text(&package["manifest_path"])).parent().expect("a manifest is in a folder").to_path_buf(),
        licence: package["license"].as_str().unwrap_or("nothing").to_owned(),
        dependencies: dependencies.iter().map(|dependency| (text(&dependency["name"]), kind(dependency))).collect(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("cargo metadata gives a text here").to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the root").to_path_buf()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
