//! Keeps one dependency from being compiled twice.
//!
//! The build script of `waproto` 0.7.0 writes a file that it also tells cargo to watch. The file is younger than the
//! script's start, so the next cargo call takes the crate for changed and compiles it, and all that use it, once more:
//! minutes for each choice of features. Dating the file back to the script's start is all it needs.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::Context as _;

use crate::workplace::Workplace;

/// Dates the file back wherever a target folder holds it. Harmless to repeat.
pub(crate) fn date_back(place: &Workplace) -> anyhow::Result<()> {
    let target = place.target();
    for profile in ["debug", "journey", "release", "wasm32-unknown-unknown/debug"] {
        let build = target.join(profile).join("build");
        if !build.is_dir() {
            continue;
        }
        for entry in fs::read_dir(&build).with_context(|| format!("cannot read {}", build.display()))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("waproto-") {
                date_back_in(&entry.path()).with_context(|| format!("cannot change {}", entry.path().display()))?;
            }
        }
    }
    Ok(())
}

fn date_back_in(folder: &Path) -> io::Result<()> {
    let written = folder.join("out/whatsapp.local.desc");
    // Cargo gives this one the time at which the script was started, and compares with it.
    let started = folder.join("output");
    if !written.is_file() || !started.is_file() {
        return Ok(());
    }
    let started = fs::metadata(started)?.modified()?;
    if fs::metadata(&written)?.modified()? > started {
        File::options().append(true).open(&written)?.set_modified(started)?;
    }
    Ok(())
}
