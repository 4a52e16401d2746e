//! The stage `emulator`: a local AWS, for what the embedded parts are compared with.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::workplace::Workplace;

const START_TIMEOUT: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(50);

/// A running emulator; dropping it ends it.
pub(crate) struct Emulator {
    child: Child,
    keeper: Child,
    address: SocketAddr,
}

impl Emulator {
    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The keeper first: once the emulator is waited for, its process id may belong to another. Both may be gone
        // already, which is as good.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts it on a free port of the loopback address and waits until it answers.
pub(crate) fn start(place: &Workplace) -> anyhow::Result<Emulator> {
    let address = free_address()?;
    let folder = place.cache().join("emulator");
    fs::create_dir_all(&folder)?;
    let log_path = place.log("emulator");
    let log = File::create(&log_path)?;
    let child = place
        .command(place.venv().join("bin/ministack"))
        .current_dir(&folder)
        .env("GATEWAY_PORT", address.port().to_string())
        .env("BIND_HOST", address.ip().to_string())
        .env("LOG_LEVEL", "WARNING")
        .env("TMPDIR", &folder)
        .env_remove("USE_SSL")
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the emulator; `cargo xtask test --only tools` installs it")?;
    let keeper = keep(&child)?;
    let mut emulator = Emulator { child, keeper, address };

    let begun = Instant::now();
    while !answers(address) {
        if let Some(status) = emulator.child.try_wait()? {
            bail!("the emulator ended ({status}):\n{}", fs::read_to_string(&log_path)?);
        }
        if begun.elapsed() > START_TIMEOUT {
            bail!("the emulator does not answer at {}:\n{}", emulator.url(), fs::read_to_string(&log_path)?);
        }
        std::thread::sleep(POLL);
    }
    println!("{} answers", emulator.url());
    Ok(emulator)
}

/// Ends the emulator when this process is killed and cannot: the pipe closes, the shell wakes.
fn keep(child: &Child) -> anyhow::Result<Child> {
    Command::new("sh")
        .args(["-c", "trap '' INT TERM HUP; read -r _; kill -9 \"$0\"", &child.id().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start sh")
}

/// The emulator takes no port 0, so the system is asked for one that was free a moment ago.
fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port")?;
    Ok(listener.local_addr()?)
}

/// Whether the emulator's health page says that it serves DynamoDB.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(stream, "GET /_ministack/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.contains("\"dynamodb\": \"available\""))
}
