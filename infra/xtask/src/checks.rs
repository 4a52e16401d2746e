//! The stages that look at the code without running it.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};

use crate::run;
use crate::workplace::Workplace;

/// The crates that run in a Worker too.
const FOR_WASM: [&str; 10] = [
    "hantar-domain",
    "hantar-wire",
    "hantar-usecases",
    "hantar-store",
    "hantar-queues",
    "hantar-platform",
    "hantar-api",
    "hantar-jobs",
    "hantar-dashboard",
    "hantar-worker",
];

/// The crates that are shipped as programs and link the WhatsApp library.
const WITH_WHATSAPP: [&str; 2] = ["hantar-local", "hantar-device-host"];

/// How the library names the features that weaken it.
const DANGER: &str = "danger-";

/// The code is formatted.
pub(crate) fn format(place: &Workplace) -> anyhow::Result<()> {
    let unformatted = run::quiet(place, "format", place.cargo("fmt").args(["--all", "--check", "--", "-l"]));
    unformatted.context("run `cargo fmt --all`")
}

/// Dependencies are those that are allowed, for the crates they are allowed for, under known licences.
pub(crate) fn deny(place: &Workplace) -> anyhow::Result<()> {
    let mut command = place.command(place.tools().join("bin/cargo-deny"));
    // Advisories need a database from outside, which changes without a commit: they are no part of what passes.
    command.arg("--workspace").args(place.in_ci.then_some("--locked"));
    command.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    // A list may name who does not yet make use of it; an exception that meets nothing is a clarification gone stale.
    command.args(["--allow", "unused-wrapper", "--deny", "license-exception-not-encountered"]);
    run::quiet(place, "deny", &mut command)
}

/// No lint fires.
pub(crate) fn clippy(place: &Workplace) -> anyhow::Result<()> {
    let mut command = place.cargo("clippy");
    run::quiet(place, "clippy", command.args(["--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Each crate names all it uses: none compiles only because another one switched a feature on.
pub(crate) fn alone(place: &Workplace) -> anyhow::Result<()> {
    for package in members(place)? {
        run::quiet(place, &format!("alone-{package}"), place.cargo("check").args(["--package", &package]))?;
    }
    Ok(())
}

/// What may run in a Worker compiles for it.
pub(crate) fn wasm(place: &Workplace) -> anyhow::Result<()> {
    for package in FOR_WASM {
        let mut command = place.cargo("check");
        command.args(["--package", package, "--target", "wasm32-unknown-unknown"]);
        run::quiet(place, &format!("wasm-{package}"), &mut command)?;
    }
    Ok(())
}

/// What is shipped holds no feature that weakens the library, and the feature `simulator` is what brings it.
pub(crate) fn features(place: &Workplace) -> anyhow::Result<()> {
    for package in WITH_WHATSAPP {
        for choice in [&[] as &[&str], &["--no-default-features"]] {
            if let Some(line) = dangerous(&feature_tree(place, package, choice)?) {
                bail!("{package} is shipped with a feature that weakens the WhatsApp library: {line}");
            }
        }
        if dangerous(&feature_tree(place, package, &["--features", "simulator"])?).is_none() {
            bail!("{package} with the feature `simulator` holds no `{DANGER}` feature: this check has lost its object");
        }
    }
    Ok(())
}

/// Every package that a build of `package` links, on any target, with the features it gets there.
fn feature_tree(place: &Workplace, package: &str, choice: &[&str]) -> anyhow::Result<String> {
    let mut command = place.cargo("tree");
    command.args(["--package", package, "--edges", "features,normal,build", "--target", "all"]);
    command.args(["--prefix", "none", "--format", "{p} [{f}]"]).args(choice);
    run::output(&mut command)
}

/// The first line that names a weakening feature. Our own manifests may live in any folder, so paths do not count.
fn dangerous(tree: &str) -> Option<&str> {
    tree.lines().find(|line| {
        let (before, after) = line.split_once(" (").unwrap_or((line, ""));
        before.contains(DANGER) || after.split_once(')').is_some_and(|(_, features)| features.contains(DANGER))
    })
}

/// The packages of the workspace.
fn members(place: &Workplace) -> anyhow::Result<BTreeSet<String>> {
    let mut command = place.cargo("tree");
    command.args(["--workspace", "--depth", "0", "--prefix", "none", "--edges", "normal"]);
    let listed = run::output(&mut command)?;
    Ok(listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod cases {
    use super::dangerous;

    #[test]
    fn a_weakening_feature_is_seen_in_a_packages_features_and_as_an_edge() {
        let harmless = "hantar-local v0.1.0 (/home/danger-zone) [simulator]\nserde v1.0.0 [derive]";
        assert_eq!(dangerous(harmless), None);
        let in_features = "whatsapp-rust v0.7.0 [danger-skip-cert-chain-verify,tokio-runtime]";
        assert_eq!(dangerous(in_features), Some(in_features));
        let as_edge = "wacore-noise feature \"danger-skip-cert-chain-verify\"";
        assert_eq!(dangerous(as_edge), Some(as_edge));
        let in_own_crate = "hantar-device-host v0.1.0 (/src) [danger-anything]";
        assert_eq!(dangerous(in_own_crate), Some(in_own_crate));
    }
}
