//! The product under load, as a process of its own, with a simulated network in this one.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hantar_simulator::{Simulator, SimulatorConfig};
use hantar_testkit::json_client::JsonClient;
use hantar_testkit::process::{Process, free_port};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes that works.
const LONG: Duration = Duration::from_mins(2);

pub(crate) struct Server {
    pub(crate) simulator: Simulator,
    pub(crate) api: JsonClient,
    pub(crate) devices: Vec<u64>,
    folder: TempDir,
    process: Process,
}

impl Server {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let simulator =
            Simulator::start(SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 1, state_file: None }).await?;
        let folder = TempDir::new()?;
        let port = free_port();
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["hantar", "up", "--whatsapp-version", "2.3000.1"]);
        command.args(["--reads-per-minute", "100000000", "--writes-per-minute", "100000000"]);
        command.arg("--listen").arg(format!("127.0.0.1:{port}")).arg("--whatsapp-url").arg(simulator.websocket_url());
        command.arg("--data-dir").arg(folder.path()).env("HANTAR_LOG", "warn");
        let mut process = Process::start(command);
        process.wait_for_health(&format!("http://127.0.0.1:{port}/healthz"), LONG).await;
        let server = Self {
            simulator,
            api: JsonClient::new(&format!("http://127.0.0.1:{port}/api/v1")),
            devices: vec![],
            folder,
            process,
        };
        server.command(&["credits", "grant", "100000000"])?;
        let made = server.command(&["token", "create", "--name", "bench", "--json"])?;
        let made: Value = serde_json::from_str(&made)?;
        let token = made["token"].as_str().context("a token")?.to_owned();
        Ok(Self { api: server.api.clone().with_token(&token), ..server })
    }

    fn command(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(std::env::current_exe()?)
            .arg("hantar")
            .args(arguments)
            .arg("--data-dir")
            .arg(self.folder.path())
            .output()?;
        ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Links devices to simulated phones until there are `count`.
    pub(crate) async fn link(&mut self, count: usize) -> anyhow::Result<()> {
        while self.devices.len() < count {
            let id = if self.devices.is_empty() {
                let status = self.api.get("/connection/status").await?;
                status.body["data"]["devices"][0]["id"].as_u64().context("the default device")?
            } else {
                let made: Value = serde_json::from_str(&self.command(&["device", "create", "--json"])?)?;
                made["id"].as_u64().context("a device")?
            };
            let phone = format!("6011{:08}", 20_000_000 + self.devices.len());
            self.simulator.network().create_phone(&phone, &format!("Device {id}"))?;
            let code = self.code(id).await?;
            self.simulator.network().scan_qr(&code, Some(&phone))?;
            self.devices.push(id);
        }
        self.all_connected(count).await
    }

    async fn code(&self, device: u64) -> anyhow::Result<String> {
        let deadline = tokio::time::Instant::now() + LONG;
        while tokio::time::Instant::now() < deadline {
            let answer = self.api.get(&format!("/connection/qr?device={device}")).await?;
            if let Some(code) = answer.body["data"]["code"].as_str() {
                return Ok(code.to_owned());
            }
        }
        anyhow::bail!("no QR code for device {device}")
    }

    async fn all_connected(&self, count: usize) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + LONG;
        loop {
            let status = self.api.get("/connection/status").await?;
            let devices = status.body["data"]["devices"].as_array().cloned().unwrap_or_default();
            let connected = devices.iter().filter(|device| device["status"] == "connected").count();
            if connected >= count {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < deadline, "{connected} of {count} devices are connected");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Memory that belongs to the server alone, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<u64> {
        let id = self.process.id().context("the server has ended")?;
        let rollup = std::fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
        let private = rollup.lines().filter(|line| line.starts_with("Private_"));
        let kilobytes: u64 = private.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum();
        Ok(kilobytes * 1024)
    }
}
