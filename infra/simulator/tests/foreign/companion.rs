//! Baileys in a process of its own, driven by lines of JSON.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hantar_simulator::Simulator;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::Notify;

/// A JavaScript client on a busy machine takes its time; nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_mins(1);

/// A companion device played by Baileys.
pub(crate) struct Companion {
    input: tokio::sync::Mutex<ChildStdin>,
    heard: Arc<Heard>,
    last_call: AtomicU64,
    _process: Child,
    _folder: TempDir,
}

/// What it said so far and nobody asked for yet.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<Value>>,
    more: Notify,
}

/// Where the test command installed what is written in JavaScript.
#[expect(clippy::disallowed_methods, reason = "the test command says it by the environment")]
fn modules() -> PathBuf {
    match std::env::var_os("HANTAR_NODE_MODULES") {
        Some(folder) => folder.into(),
        None => panic!("HANTAR_NODE_MODULES is not set: run the tests with `cargo xtask test`"),
    }
}

impl Companion {
    /// Starts one that nobody linked yet; its log-in lives as long as this value.
    pub(crate) fn start(simulator: &Simulator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = json!({
            "url": simulator.websocket_url(),
            "folder": folder.path(),
            "port": simulator.address().port(),
            "root": hex::encode(simulator.network().root_public_key()),
            "ca": simulator.tls_certificate(),
        });
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/foreign/baileys/companion.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(settings.to_string())
            .env("HANTAR_NODE_MODULES", modules())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let heard = Arc::new(Heard::default());
        listen(process.stdout.take().unwrap(), Arc::clone(&heard));
        let mut complaints = BufReader::new(process.stderr.take().unwrap()).lines();
        tokio::spawn(async move {
            while let Ok(Some(line)) = complaints.next_line().await {
                println!("baileys: {line}");
            }
        });
        let input = tokio::sync::Mutex::new(process.stdin.take().unwrap());
        Self { input, heard, last_call: AtomicU64::new(0), _process: process, _folder: folder }
    }

    /// Starts one and links it to a phone by its QR code.
    pub(crate) async fn linked(simulator: &Simulator, phone: &str) -> Self {
        let companion = Self::start(simulator);
        let qr = companion.event("qr", |_| true).await;
        simulator.network().scan_qr(qr["qr"].as_str().unwrap(), Some(phone)).unwrap();
        companion.event("open", |_| true).await;
        companion
    }

    /// Has something done and gives what came of it.
    pub(crate) async fn call(&self, what: &str, with: Value) -> Value {
        let call = self.last_call.fetch_add(1, Ordering::Relaxed) + 1;
        let mut command = with;
        command["do"] = what.into();
        command["call"] = call.into();
        let line = format!("{command}\n");
        self.input.lock().await.write_all(line.as_bytes()).await.unwrap();
        let answer = self.any(what, |event| event["call"] == call).await;
        assert_eq!(answer["event"], "done", "{what}: {answer}");
        answer
    }

    /// The first event of this name that `is_it` takes; no other call gets it again.
    pub(crate) async fn event(&self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        self.any(name, |event| event["event"] == name && is_it(event)).await
    }

    /// What it heard and nobody asked for.
    pub(crate) fn left(&self) -> Vec<Value> {
        self.heard.events.lock().unwrap().clone()
    }

    async fn any(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let search = async {
            loop {
                let more = self.heard.more.notified();
                {
                    let mut events = self.heard.events.lock().unwrap();
                    if let Some(at) = events.iter().position(&is_it) {
                        return events.remove(at);
                    }
                }
                more.await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("no {what} came; what did: {:#?}", self.left()))
    }
}

fn listen(output: impl AsyncRead + Unpin + Send + 'static, heard: Arc<Heard>) {
    let mut lines = BufReader::new(output).lines();
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "event": "noise", "line": line }));
            heard.events.lock().unwrap().push(event);
            heard.more.notify_waiters();
        }
    });
}
