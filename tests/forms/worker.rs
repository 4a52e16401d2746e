//! The built Worker in `workerd`, the runtime that Cloudflare runs Workers in.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use hantar_testkit::json_client::JsonClient;
use hantar_testkit::process::{Process, program};
use serde_json::Value;
use tempfile::TempDir;

use crate::ground::SOON;

/// The date whose behaviour Workers get; the one of `wrangler.toml`.
const COMPATIBLE: &str = "2026-04-01";

/// A process with one isolate.
pub(crate) struct Worker {
    pub(crate) url: String,
    /// From its start to its first answer.
    pub(crate) first_answer: Duration,
    process: Process,
    _folder: TempDir,
}

impl Worker {
    /// Starts the Worker that `cargo xtask test` built, with these bindings, and waits for its first answer.
    pub(crate) async fn start(bindings: &[(&str, String)]) -> Self {
        let built = program("HANTAR_WORKER_DIR");
        let folder = TempDir::new().unwrap();
        for module in ["index.js", "index_bg.wasm"] {
            std::fs::copy(built.join(module), folder.path().join(module)).unwrap();
        }
        std::fs::write(folder.path().join("worker.capnp"), config(bindings)).unwrap();
        let mut command = Command::new(workerd());
        // What listens where comes as a line of JSON.
        command.args(["serve", "worker.capnp", "--control-fd=1"]).current_dir(folder.path());
        let started = Instant::now();
        let process = Process::start(command);
        let line = process.wait_for_line(r#""event":"listen""#, SOON).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = format!("http://127.0.0.1:{}", line["port"]);
        JsonClient::new(&url).get("/healthz").await.unwrap();
        Self { url, first_answer: started.elapsed(), process, _folder: folder }
    }

    /// What it has printed.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// Its resident memory, in bytes (proc_pid_status(5)).
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }
}

/// The program itself: npm's front for it is a script that would be killed in its place.
fn workerd() -> PathBuf {
    let folder = program("HANTAR_NODE_MODULES").join("@cloudflare");
    let here = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path().join("bin/workerd"));
    here.into_iter().find(|path| path.is_file()).unwrap_or_else(|| panic!("no workerd in {}", folder.display()))
}

fn config(bindings: &[(&str, String)]) -> String {
    let mut texts = String::new();
    for (name, value) in bindings {
        // The escapes of Cap'n Proto's texts are those of C, and Rust's are for what stands in these values.
        write!(texts, "(name = {name:?}, text = {value:?}), ").unwrap();
    }
    format!(
        r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .api),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true))),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const api :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "{COMPATIBLE}",
  bindings = [{texts}],
);
"#
    )
}
