//! `cargo xtask sbom PACKAGE`: what is linked into a package's programs, as CycloneDX 1.5 on the standard output.
//!
//! From cargo's own tree of normal dependencies for this machine's target, and the checksums of `Cargo.lock`. No program is
//! installed for it, and it holds no moment and no random number: the same sources give the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, bail};

use crate::run;
use crate::workplace::Workplace;

/// One crate, as `cargo tree` prints it and the lock file knows it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Component {
    name: String,
    version: String,
    licence: String,
}

/// Prints it.
pub(crate) fn print(place: &Workplace, package: &str) -> anyhow::Result<()> {
    let mut tree = place.cargo("tree");
    tree.args(["--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}|{l}"]);
    let components = components(&run::output(&mut tree)?)?;
    let checksums = checksums(&fs::read_to_string(place.root.join("Cargo.lock"))?);
    let (own, linked): (Vec<_>, Vec<_>) = components.iter().partition(|component| component.name == package);
    let own = own.first().with_context(|| format!("cargo's tree does not hold `{package}`"))?;
    println!("{}", document(own, &linked, &checksums));
    Ok(())
}

/// Reads lines such as `serde v1.0.228|MIT OR Apache-2.0`. A crate that was printed before ends in ` (*)`.
fn components(tree: &str) -> anyhow::Result<BTreeSet<Component>> {
    let mut found = BTreeSet::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').with_context(|| format!("cargo printed `{line}`"))?;
        let mut words = package.split(' ');
        let (Some(name), Some(version)) = (words.next(), words.next().and_then(|word| word.strip_prefix('v'))) else {
            bail!("cargo printed `{line}`");
        };
        let licence = licence.trim_end_matches(" (*)").to_owned();
        found.insert(Component { name: name.to_owned(), version: version.to_owned(), licence });
    }
    Ok(found)
}

/// Checksums by name and version. Crates of the workspace have none.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let value = |entry: &str, key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
        line.and_then(|rest| rest.strip_suffix('"')).map(str::to_owned)
    };
    let entries = lock.split("[[package]]");
    entries
        .filter_map(|entry| Some(((value(entry, "name")?, value(entry, "version")?), value(entry, "checksum")?)))
        .collect()
}

fn document(own: &Component, linked: &[&Component], checksums: &BTreeMap<(String, String), String>) -> String {
    let entries: Vec<String> = linked.iter().map(|component| entry(component, "library", checksums)).collect();
    format!(
        "{{\n\"bomFormat\":\"CycloneDX\",\n\"specVersion\":\"1.5\",\n\"version\":1,\n\"metadata\":{{\"component\":{}}},\n\"components\":[\n{}\n]\n}}",
        entry(own, "application", checksums),
        entries.join(",\n")
    )
}

fn entry(component: &Component, kind: &str, checksums: &BTreeMap<(String, String), String>) -> String {
    let Component { name, version, licence } = component;
    let address = format!("pkg:cargo/{name}@{version}");
    let checksum = checksums.get(&(name.clone(), version.clone()));
    let hashes = checksum.map(|sum| format!(",\"hashes\":[{{\"alg\":\"SHA-256\",\"content\":{}}}]", text(sum)));
    // Old manifests join licences by a slash.
    let licence = licence.replace('/', " OR ");
    let licences = (!licence.is_empty()).then(|| format!(",\"licenses\":[{{\"expression\":{}}}]", text(&licence)));
    format!(
        "{{\"type\":\"{kind}\",\"bom-ref\":{reference},\"name\":{},\"version\":{},\"purl\":{reference}{}{}}}",
        text(name),
        text(version),
        hashes.unwrap_or_default(),
        licences.unwrap_or_default(),
        reference = text(&address),
    )
}

/// A JSON string.
fn text(plain: &str) -> String {
    let escaped: String = plain
        .chars()
        .flat_map(|letter| match letter {
            '"' | '\\' => vec!['\\', letter],
            letter if letter.is_control() => format!("\\u{:04x}", u32::from(letter)).chars().collect(),
            letter => vec![letter],
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod cases {
    use super::*;

    const TREE: &str = "own v0.1.0 (/clone/own)|AGPL-3.0-only\n\
                        serde v1.0.1|MIT/Apache-2.0\n\
                        serde v1.0.1|MIT/Apache-2.0 (*)\n\
                        odd v2.0.0+x (proc-macro)|\n";
    const LOCK: &str = "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.1\"\nsource = \"r\"\nchecksum = \"ab\"\n";

    #[test]
    fn each_crate_is_listed_once_with_its_licence_and_checksum() {
        let components = components(TREE).unwrap();
        assert_eq!(components.len(), 3);
        let checksums = checksums(LOCK);
        assert_eq!(checksums.len(), 1);
        let serde = components.iter().find(|component| component.name == "serde").unwrap();
        assert_eq!(
            entry(serde, "library", &checksums),
            r#"{"type":"library","bom-ref":"pkg:cargo/serde@1.0.1","name":"serde","version":"1.0.1","purl":"pkg:cargo/serde@1.0.1","hashes":[{"alg":"SHA-256","content":"ab"}],"licenses":[{"expression":"MIT OR Apache-2.0"}]}"#
        );
        assert!(components.iter().any(|component| component.version == "2.0.0+x" && component.licence.is_empty()));
    }

    #[test]
    fn what_cargo_does_not_print_is_refused() {
        assert!(components("serde 1.0|MIT").is_err());
        assert!(components("serde v1.0").is_err());
    }

    #[test]
    fn texts_are_escaped() {
        assert_eq!(text("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
    }
}
