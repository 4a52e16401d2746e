//! The binary `hantar-device-host` as a child process of its own, with credentials of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hantar_testkit::process::{Process, program};
use hantar_usecases::ports::HostId;
use serde_json::Value;

use crate::world::{LONG, World};

/// How a host was built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// With the cargo feature `simulator`.
    Simulator,
    /// As it is shipped.
    Plain,
}

pub(crate) struct Host {
    pub(crate) process: Process,
    /// Its name in the table.
    pub(crate) name: HostId,
    /// Its access key id.
    pub(crate) key: String,
}

impl Host {
    /// Starts a host and waits until it is in the table. `key` is its access key id.
    pub(crate) async fn start(world: &World, key: &str, build: Build) -> Self {
        let known = world.alive().await;
        let process = Process::start(command(world, key, build));
        let name = newcomer(world, &known).await;
        Self { process, name, key: key.to_owned() }
    }

    /// One that stops itself right before it writes a message, once `file` is there.
    pub(crate) async fn start_that_stops(world: &World, key: &str, file: &Path) -> Self {
        let known = world.alive().await;
        let mut command = command(world, key, Build::Simulator);
        command.env("HANTAR_STOP_FILE", file);
        let process = Process::start(command);
        let name = newcomer(world, &known).await;
        Self { process, name, key: key.to_owned() }
    }

    /// One that sends its traces to `collector`.
    pub(crate) async fn start_traced(world: &World, key: &str, collector: &str) -> Self {
        let known = world.alive().await;
        let mut command = command(world, key, Build::Simulator);
        command.env("HANTAR_OTLP_URL", collector);
        let process = Process::start(command);
        let name = newcomer(world, &known).await;
        Self { process, name, key: key.to_owned() }
    }

    /// One with no keys of its own: it asks for them at `url`, with what stands in the file `token`.
    pub(crate) async fn start_with_role(world: &World, url: &str, token: &Path) -> Self {
        let known = world.alive().await;
        let mut command = command(world, "", Build::Simulator);
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
        command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token);
        let process = Process::start(command);
        let name = newcomer(world, &known).await;
        Self { process, name, key: String::new() }
    }

    /// Waits until it is in the table under another name, as a host is whose right lapsed.
    pub(crate) async fn renamed(&mut self, world: &World, known: &BTreeSet<HostId>) {
        self.name = newcomer(world, known).await;
    }

    /// Where it serves health and metrics.
    pub(crate) async fn web(&self) -> String {
        let line = self.process.wait_for_line("the host runs", LONG).await;
        let line: Value = serde_json::from_str(&line).unwrap();
        line["fields"]["listen"].as_str().unwrap().to_owned()
    }

    /// SIGTERM; answers how long it took to end, which it must do well and in 25 s.
    pub(crate) async fn leave(&mut self) -> Duration {
        let started = Instant::now();
        let status = self.process.terminate(Duration::from_secs(25)).await;
        assert!(status.success(), "it left with {status}: {:#?}", self.process.lines());
        started.elapsed()
    }
}

/// Two hosts that share the shards evenly, all numbers linked and online.
pub(crate) async fn two_hosts(world: &World) -> (Host, Host) {
    let first = Host::start(world, "first", Build::Simulator).await;
    world.link().await;
    let second = Host::start(world, "second", Build::Simulator).await;
    share(world, &first, &second).await;
    (first, second)
}

/// Waits until both have two shards, and all numbers are online.
pub(crate) async fn share(world: &World, first: &Host, second: &Host) {
    world.owns(&first.name, 2).await;
    world.owns(&second.name, 2).await;
    world.connected().await;
}

async fn newcomer(world: &World, known: &BTreeSet<HostId>) -> HostId {
    world.until("a new host in the table", async || world.alive().await.difference(known).next().cloned()).await
}

fn command(world: &World, key: &str, build: Build) -> Command {
    let binary = match build {
        Build::Simulator => program("HANTAR_DEVICE_HOST_BIN"),
        Build::Plain => program("HANTAR_DEVICE_HOST_BIN_PLAIN"),
    };
    let mut command = Command::new(binary);
    command.env("HANTAR_AWS_ENDPOINT_URL", &world.aws.url).env("HANTAR_AWS_REGION", "local");
    command.env("HANTAR_AWS_ACCESS_KEY_ID", key).env("HANTAR_AWS_SECRET_ACCESS_KEY", "secret");
    command.env("HANTAR_WHATSAPP_URL", &world.whatsapp);
    command.env("HANTAR_WHATSAPP_VERSION", "2.3000.1");
    command.env("HANTAR_KEY_FILE", world.key_file());
    command.env("HANTAR_LISTEN", "127.0.0.1:0");
    command
}
