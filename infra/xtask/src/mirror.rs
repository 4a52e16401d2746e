//! The clone's files at one place in the cache, where everything is compiled.
//!
//! Cargo tells by path and time what is to be compiled again, and each clone has a path of its own and files of today. Here
//! only what differs is written, so a second run compiles what changed, whichever clone it comes from, and programs that
//! name the folder they were compiled in name one that is there.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// Brings the mirror up to date. Git says what belongs to the clone: what it tracks, and what is new and not ignored.
pub(crate) fn update(clone: &Path, mirror: &Path) -> anyhow::Result<()> {
    let mut list = Command::new("git");
    // Whoever may run the tests may list the files, whosever they are.
    list.current_dir(clone).args([
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = list.output().context("git is needed to list the clone's files")?;
    anyhow::ensure!(listed.status.success(), "not a clone: {}", String::from_utf8_lossy(&listed.stderr).trim());
    let names = listed.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    // What was deleted and not committed is still listed.
    let files: BTreeSet<PathBuf> =
        names.map(|name| PathBuf::from(OsStr::from_bytes(name))).filter(|file| clone.join(file).is_file()).collect();
    remove_others(mirror, Path::new(""), &files).with_context(|| format!("cannot tidy {}", mirror.display()))?;
    for file in &files {
        bring(&clone.join(file), &mirror.join(file)).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

/// Deletes what the clone does not have, and folders that hold nothing any more.
fn remove_others(mirror: &Path, folder: &Path, files: &BTreeSet<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(mirror.join(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(mirror, &path, files)?;
            // Refused where something is left.
            let _ = fs::remove_dir(mirror.join(&path));
        } else if !files.contains(&path) {
            fs::remove_file(mirror.join(&path))?;
        }
    }
    Ok(())
}

/// Copies a file that differs. The copy is of now, and so younger than all that was compiled of the one before.
fn bring(from: &Path, to: &Path) -> io::Result<()> {
    let same_mode = || Ok::<_, io::Error>(fs::metadata(from)?.permissions() == fs::metadata(to)?.permissions());
    if fs::read(to).is_ok_and(|there| fs::read(from).is_ok_and(|here| here == there)) && same_mode()? {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).map(|_| ())
}

#[cfg(test)]
mod cases {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::update;

    fn git(clone: &Path, arguments: &[&str]) {
        assert!(Command::new("git").current_dir(clone).args(arguments).status().unwrap().success());
    }

    #[test]
    fn a_mirror_has_the_clones_files_and_touches_only_those_that_differ() {
        let folder = std::env::temp_dir().join(format!("hantar-mirror-{}", std::process::id()));
        let (clone, mirror) = (folder.join("clone"), folder.join("mirror"));
        fs::create_dir_all(clone.join("src")).unwrap();
        git(&clone, &["init", "--quiet"]);
        for (file, text) in [(".gitignore", "/target\n"), ("src/a", "a"), ("src/b", "b"), ("new", "n"), ("target", "t")]
        {
            fs::write(clone.join(file), text).unwrap();
        }
        git(&clone, &["add", "src"]);
        update(&clone, &mirror).unwrap();
        let there = |file: &str| fs::read_to_string(mirror.join(file)).ok();
        assert_eq!([there("src/a"), there("new"), there("target")], [Some("a".into()), Some("n".into()), None]);

        let time = |file: &str| fs::metadata(mirror.join(file)).unwrap().modified().unwrap();
        let (a, gitignore) = (time("src/a"), time(".gitignore"));
        fs::write(clone.join("src/a"), "A").unwrap();
        fs::write(clone.join(".gitignore"), "/target\n").unwrap();
        fs::remove_file(clone.join("src/b")).unwrap();
        fs::write(mirror.join("src/strange"), "s").unwrap();
        update(&clone, &mirror).unwrap();
        assert_eq!([there("src/a"), there("src/b"), there("src/strange")], [Some("A".into()), None, None]);
        assert!(time("src/a") > a && time(".gitignore") == gitignore);
        fs::remove_dir_all(&folder).unwrap();
    }
}
