//! Where things are: the clone, which the tasks only read, and the cache, which holds a mirror of it and all that is compiled
//! or installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::mirror;

/// The folders every stage works in.
pub(crate) struct Workplace {
    /// The root of the clone, or of its mirror.
    pub(crate) root: PathBuf,
    cache: PathBuf,
    /// In CI the lock file binds: what it does not hold fails, instead of being chosen on the spot.
    pub(crate) in_ci: bool,
}

impl Workplace {
    /// Finds the clone by what cargo says of this package, and makes the cache.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").context("start this by `cargo xtask`")?;
        let root = Path::new(&package).join("../..").canonicalize().context("cannot find the root of the clone")?;
        let cache = cache_folder()?;
        fs::create_dir_all(cache.join("logs")).with_context(|| format!("cannot make the cache {}", cache.display()))?;
        Ok(Self { root, cache, in_ci: std::env::var_os("CI").is_some_and(|value| value == "true") })
    }

    /// The same with the clone's mirror as its root. Whoever calls it holds the cache's lock. What was unpacked without Git
    /// is worked in where it is.
    pub(crate) fn mirrored(self) -> anyhow::Result<Self> {
        if !self.root.join(".git").exists() {
            return Ok(self);
        }
        let root = self.cache.join("source");
        mirror::update(&self.root, &root)?;
        Ok(Self { root, ..self })
    }

    /// Where what is compiled or installed lives.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// The Python environment with the emulator and the foreign clients.
    pub(crate) fn venv(&self) -> PathBuf {
        self.cache.join("venv")
    }

    /// The folder `npm ci` runs in.
    pub(crate) fn node(&self) -> PathBuf {
        self.cache.join("node")
    }

    /// The tools that cargo installs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// Where a quiet command's output goes.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.cache.join("logs").join(format!("{name}.log"))
    }

    /// The compiled workspace, outside the clone, so that a fresh clone finds its dependencies compiled.
    pub(crate) fn target(&self) -> PathBuf {
        self.cache.join("target")
    }

    /// A command in the clone, or its mirror.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(std::process::Stdio::null());
        // What `cargo run` told this process about its own package is not true of what it starts.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command
    }

    /// `cargo SUBCOMMAND` there, building into the cache.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let mut command = self.command("cargo");
        command.arg(subcommand).env("CARGO_TARGET_DIR", self.target());
        if self.in_ci {
            // A clone that is built once gains nothing from incremental files, and they fill the cache.
            command.env("CARGO_INCREMENTAL", "0");
            if subcommand != "fmt" {
                command.arg("--locked");
            }
        }
        command
    }
}

fn cache_folder() -> anyhow::Result<PathBuf> {
    let folder = if let Some(own) = std::env::var_os("HANTAR_CACHE").filter(|value| !value.is_empty()) {
        PathBuf::from(own)
    } else if let Some(caches) = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Path::new(&caches).join("hantar")
    } else if let Some(home) = std::env::home_dir() {
        home.join(".cache/hantar")
    } else {
        bail!("no home folder: set HANTAR_CACHE to a folder for what is compiled and installed");
    };
    std::path::absolute(&folder).with_context(|| format!("cannot use the cache {}", folder.display()))
}
