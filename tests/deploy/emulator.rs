//! An emulator of a test's own: what Terraform makes in it, nobody else sees.

use std::process::Command;
use std::time::Duration;

use hantar_testkit::json_client::{JsonAnswer, JsonClient};
use hantar_testkit::process::{Process, free_port, program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// It loads all its services first.
const START: Duration = Duration::from_mins(2);
/// How many of the last lines of a function's log are shown.
const SHOWN_LINES: usize = 15;

pub(crate) struct Emulator {
    pub(crate) url: String,
    process: Process,
    _folder: TempDir,
}

impl Emulator {
    pub(crate) async fn start() -> Self {
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let mut command = Command::new(program("HANTAR_VENV").join("bin/ministack"));
        command.current_dir(folder.path()).env("TMPDIR", folder.path()).env_remove("USE_SSL");
        command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1").env("LOG_LEVEL", "WARNING");
        let mut process = Process::start(command);
        let url = format!("http://127.0.0.1:{port}");
        process.wait_for_health(&format!("{url}/_ministack/health"), START).await;
        Self { url, process, _folder: folder }
    }

    /// Ends it, and with it the functions' processes.
    pub(crate) async fn stop(&mut self) {
        self.process.terminate(START).await;
    }

    /// Calls an AWS operation by its JSON protocol. The emulator checks no signature.
    pub(crate) async fn call(&self, service: &str, target: &str, body: &Value) -> Value {
        let scope = format!("test/20260101/{}/{service}/aws4_request", crate::deployment::REGION);
        let signed = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none");
        let client = JsonClient::new(&self.url).with_header("x-amz-target", target);
        let client = client.with_header("authorization", &signed);
        let JsonAnswer { status, body: answer, .. } = client.post("/", body).await.unwrap();
        assert_eq!(status, 200, "{target} {body}: {answer}");
        answer
    }

    /// The end of a function's log, for a failure's message.
    pub(crate) async fn log(&self, group: &str) -> Vec<String> {
        let answer = self.call("logs", "Logs_20140328.FilterLogEvents", &json!({ "logGroupName": group })).await;
        let events = answer["events"].as_array().cloned().unwrap_or_default();
        let lines = events.iter().filter_map(|event| event["message"].as_str());
        let mut lines: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
        lines.split_off(lines.len().saturating_sub(SHOWN_LINES))
    }
}
