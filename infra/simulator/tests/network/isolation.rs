//! The simulated network never talks to anything outside the machine, nor to anything at all that did not connect to
//! it: by what it is built of, and by what its sockets are while clients use it.
#![expect(clippy::disallowed_methods, reason = "tests that ask cargo and the system")]

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use hantar_simulator::{Simulator, SimulatorConfig};

use crate::light;
use crate::support::within;

/// Crates that connect, resolve names, or fetch.
const CLIENTS: [&str; 12] = [
    "whatsapp-rust",
    "whatsapp-rust-tokio-transport",
    "tokio-websockets",
    "reqwest",
    "hyper-rustls",
    "ureq",
    "isahc",
    "curl",
    "surf",
    "hickory-resolver",
    "rustls-platform-verifier",
    "opentelemetry-otlp",
];

#[test]
fn it_is_built_without_any_client() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args(["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--package", "hantar-simulator"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).unwrap();
    let crates: HashSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(crates.contains("axum") && crates.len() > 50, "this is not its tree: {tree}");
    let clients: Vec<_> = CLIENTS.iter().filter(|client| crates.contains(**client)).collect();
    assert!(clients.is_empty(), "{clients:?}");
}

#[test]
fn no_line_of_it_connects_anywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![folder], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            for forbidden in [
                "TcpStream::connect",
                "TcpSocket",
                "UdpSocket",
                "UnixStream",
                "lookup_host",
                "connect_async",
                "client::conn",
            ] {
                assert!(!text.contains(forbidden), "{} has {forbidden}", path.display());
            }
        }
    }
    assert!(files > 30, "{files}");
}

/// Not a test: the process that the next test looks at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "runs until its input ends; the test below starts it"]
async fn a_simulator_in_a_process_of_its_own() {
    let listen = "127.0.0.1:0".parse().unwrap();
    let simulator = Simulator::start(SimulatorConfig { listen, seed: 7, state_file: None }).await.unwrap();
    println!("\nlistens {}", simulator.address());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    ended.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_clients_use_it_its_only_sockets_are_those_they_opened() {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "isolation::a_simulator_in_a_process_of_its_own", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
    let address = output.find_map(|line| line.ok()?.strip_prefix("listens ").map(str::to_owned)).unwrap();
    let address: std::net::SocketAddr = address.parse().unwrap();

    let scan = async |code: String| {
        let request =
            hyper::Request::builder().method("POST").uri("/admin/mock-phone/scan-qr").header("host", "simulator");
        let stream = tokio::net::TcpStream::connect(address).await?;
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
        tokio::spawn(connection);
        let answer = sender.send_request(request.body(code)?).await?;
        assert_eq!(answer.status(), 200);
        Ok(())
    };
    let ann = within(light::pair(address, Some("Ann"), scan)).await.unwrap();
    let _open = within(ann.come_online(address)).await.unwrap();

    let mut seen = 0;
    for (table, is_udp) in [("tcp", false), ("tcp6", false), ("udp", true), ("udp6", true), ("raw", true)] {
        let own = sockets_of(process.id());
        let lines = std::fs::read_to_string(format!("/proc/{}/net/{table}", process.id())).unwrap_or_default();
        for line in lines.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if !own.contains(fields[9]) {
                continue;
            }
            seen += 1;
            let port = fields[1].rsplit(':').next().and_then(|port| u16::from_str_radix(port, 16).ok());
            assert!(!is_udp && port == Some(address.port()), "{table}: {line}");
        }
    }
    assert!(seen >= 2, "its listener and Ann's connection at least: {seen}");
    drop(process.stdin.take());
    process.wait().unwrap();
}

/// The inodes of a process's sockets.
fn sockets_of(process: u32) -> HashSet<String> {
    let links = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let targets = links.filter_map(|link| std::fs::read_link(link.ok()?.path()).ok());
    let sockets =
        targets.filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
    sockets.collect()
}
