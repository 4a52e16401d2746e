//! The stage `terraform`: what is deployed is formatted, and every module keeps what its tests say. Also finds Terraform and
//! its provider on this machine, for the test that deploys.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::run;
use crate::workplace::Workplace;

/// The oldest Terraform whose tests can replace a provider and whose state can be locked in S3 alone.
const OLDEST: (u32, u32) = (1, 11);
/// The provider, below a folder of plugins and the name of a registry.
const PROVIDER: &str = "hashicorp/aws/5.100.0";
/// Where operators and images put providers, besides what `TF_PLUGIN_DIR` says.
const PLUGIN_FOLDERS: [&str; 6] = [
    "/opt/tf-plugins",
    "/opt/terraform-plugins",
    "/opt/terraform/plugins",
    "/usr/local/share/terraform/plugins",
    "/usr/share/terraform/plugins",
    "/usr/local/lib/terraform/plugins",
];
/// The folders of the clone that modules read, themselves included.
const READ: [&str; 3] = ["terraform", "infra/dashboards", "infra/runbooks"];

/// The folder that holds the provider, if one does; without one `terraform init` fetches it.
pub(crate) fn plugins() -> Option<PathBuf> {
    let named = std::env::var_os("TF_PLUGIN_DIR").filter(|value| !value.is_empty()).map(PathBuf::from);
    let homes = std::env::home_dir()
        .into_iter()
        .flat_map(|home| [home.join(".terraform.d/plugins"), home.join(".local/share/terraform/plugins")]);
    named.into_iter().chain(PLUGIN_FOLDERS.map(PathBuf::from)).chain(homes).find(|folder| holds_provider(folder))
}

/// Whether one of the registries below `folder` has the provider.
fn holds_provider(folder: &Path) -> bool {
    let registries = fs::read_dir(folder).into_iter().flatten().flatten();
    registries.into_iter().any(|registry| registry.path().join(PROVIDER).is_dir())
}

/// Checks that Terraform is here, and says where the provider comes from.
pub(crate) fn find(place: &Workplace) -> anyhow::Result<Option<PathBuf>> {
    let said = run::output(&mut terraform(place, &place.root, &["version"]));
    let version = said.ok().and_then(|said| version(&said));
    if version.is_none_or(|version| version < OLDEST) {
        bail!(
            "`terraform version` names none from {}.{} on: install Terraform, and put it on the PATH",
            OLDEST.0,
            OLDEST.1
        );
    }
    let plugins = plugins();
    match &plugins {
        Some(folder) => println!("{PROVIDER}: {}", folder.display()),
        None => println!("{PROVIDER} is in no folder of plugins: it is fetched. TF_PLUGIN_DIR names such a folder"),
    }
    Ok(plugins)
}

fn version(said: &str) -> Option<(u32, u32)> {
    let mut parts = said.lines().next()?.strip_prefix("Terraform v")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Formatting, then the tests of each module and environment, in a copy: Terraform writes beside what it reads.
pub(crate) fn test(place: &Workplace) -> anyhow::Result<()> {
    let plugins = find(place)?;
    let formatted = run::quiet(
        place,
        "terraform-format",
        &mut terraform(place, &place.root.join("terraform"), &["fmt", "-check", "-diff", "-recursive"]),
    );
    formatted.context("run `terraform fmt -recursive terraform`")?;
    let copy = copy(place)?;
    for folder in tested(&copy.join("terraform"))? {
        let name = folder.strip_prefix(&copy).unwrap_or(&folder).display().to_string();
        let mut init = terraform(place, &folder, &["init", "-backend=false", "-input=false"]);
        if let Some(plugins) = &plugins {
            init.arg(format!("-plugin-dir={}", plugins.display()));
        }
        run::quiet(place, "terraform-init", &mut init)?;
        run::quiet(place, "terraform-test", &mut terraform(place, &folder, &["test"]))?;
        println!("{name} ok");
    }
    Ok(())
}

fn terraform(place: &Workplace, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = place.command("terraform");
    // A developer's own configuration of Terraform changes nothing here.
    command.current_dir(folder).env("TF_CLI_CONFIG_FILE", "/dev/null").env("TF_IN_AUTOMATION", "1").args(arguments);
    command
}

/// A fresh copy of what modules read.
fn copy(place: &Workplace) -> anyhow::Result<PathBuf> {
    let copy = place.cache().join("terraform");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot empty {}", copy.display()))?;
    }
    for folder in READ {
        let to = copy.join(folder);
        fs::create_dir_all(to.parent().context("a folder in a folder")?)?;
        run::output(place.command("cp").arg("-r").arg(place.root.join(folder)).arg(&to))?;
    }
    Ok(copy)
}

/// The folders below `root` that have tests, in order.
fn tested(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for kind in ["modules", "envs"] {
        for entry in fs::read_dir(root.join(kind))? {
            let folder = entry?.path();
            if !folder.join("tests").is_dir() {
                bail!("{} has no tests", folder.display());
            }
            found.push(folder);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_terraform_says() {
        assert_eq!(version("Terraform v1.11.4\non linux_amd64\n"), Some((1, 11)));
        assert_eq!(version("OpenTofu v1.9.0"), None);
        assert!((1, 9) < OLDEST && (2, 0) > OLDEST);
    }
}
