//! The real programs as child processes: started, watched by what they print, and killed at any moment.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::json_client::JsonClient;

/// How many lines of output are kept; older ones are forgotten.
const KEPT_LINES: usize = 20_000;
/// How many lines a panic shows.
const SHOWN_LINES: usize = 60;
/// The pause between two questions after a program's health.
const PULSE: Duration = Duration::from_millis(20);

/// The program `hantar` with the simulated network, as the environment names it.
///
/// # Panics
/// When `HANTAR_BIN_SIMULATOR` is not set: the tests are to be run by `cargo xtask test`.
pub fn hantar_with_simulator() -> PathBuf {
    program("HANTAR_BIN_SIMULATOR")
}

/// The program whose path is in this variable of the environment.
///
/// # Panics
/// When the variable is not set.
pub fn program(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.unwrap_or_else(|| panic!("{variable} does not say where the program is: run `cargo xtask test`")).into()
}

/// A port that nobody listens on at this moment. Another process may take it before it is used, which is rare.
///
/// # Panics
/// When the machine has none left.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("the listener's address").port()
}

/// A child process. Killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: watch::Receiver<Output>,
}

/// What a program has printed, to both of its outputs.
#[derive(Debug)]
struct Output {
    lines: VecDeque<String>,
    /// How many lines were forgotten.
    forgotten: usize,
    /// How many of the outputs may still bring lines.
    open: usize,
}

impl Process {
    /// Starts `command`, and captures what it prints.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: std::process::Command) -> Self {
        let mut command = Command::from(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (lines, output) = watch::channel(Output { lines: VecDeque::new(), forgotten: 0, open: 2 });
        tokio::spawn(capture(child.stdout.take().expect("a piped output"), lines.clone()));
        tokio::spawn(capture(child.stderr.take().expect("a piped output"), lines));
        Self { child, output }
    }

    /// What it has printed so far, both outputs by line, in the order in which the lines came.
    pub fn lines(&self) -> Vec<String> {
        self.output.borrow().lines.iter().cloned().collect()
    }

    /// Waits until a line that contains `part` was printed, and gives back the first one.
    ///
    /// # Panics
    /// When that does not happen `within` the time, or its outputs end before; shows the last lines.
    pub async fn wait_for_line(&self, part: &str, within: Duration) -> String {
        let found = timeout(within, find(self.output.clone(), part)).await;
        match found.ok() {
            Some(Some(line)) => line,
            Some(None) => panic!("the program ended without a line with `{part}`\n{}", self.last_lines()),
            None => panic!("no line with `{part}` came within {within:?}\n{}", self.last_lines()),
        }
    }

    /// Waits until a GET of `url` is answered with 2xx.
    ///
    /// # Panics
    /// When that does not happen `within` the time, or the program ends before; shows the last lines.
    pub async fn wait_for_health(&mut self, url: &str, within: Duration) {
        let client = JsonClient::new(url);
        let healthy = async {
            loop {
                if client.get("").await.is_ok_and(|answer| (200..300).contains(&answer.status)) {
                    return None;
                }
                // There is no notification of a port that opens: the end of the program, or else the next pulse.
                if let Ok(ended) = timeout(PULSE, self.child.wait()).await {
                    return Some(ended);
                }
            }
        };
        let outcome = timeout(within, healthy).await;
        match outcome.ok() {
            Some(None) => {}
            Some(Some(ended)) => panic!("the program ended ({ended:?}) before {url} was well\n{}", self.last_lines()),
            None => panic!("{url} was not well within {within:?}\n{}", self.last_lines()),
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come `within` the time; shows the last lines.
    pub async fn wait(&mut self, within: Duration) -> ExitStatus {
        let ended = timeout(within, self.child.wait()).await;
        match ended.ok() {
            Some(status) => status.expect("the status of a child"),
            None => panic!("the program did not end within {within:?}\n{}", self.last_lines()),
        }
    }

    /// Ends it as a crash does (SIGKILL), and waits for that.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("a child can be killed");
    }

    /// Asks it to end (SIGTERM), and waits for that.
    ///
    /// # Panics
    /// When it does not end `within` the time; shows the last lines.
    pub async fn terminate(&mut self, within: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait(within).await
    }

    /// Its process id; `None` when it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Freezes it (SIGSTOP): its sockets stay open, and it does nothing.
    ///
    /// # Panics
    /// When it has ended.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen one go on (SIGCONT).
    ///
    /// # Panics
    /// When it has ended.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let id = id.expect("a program that has not ended");
        kill_process(id, signal).expect("a child can be signalled");
    }

    fn last_lines(&self) -> String {
        let output = self.output.borrow();
        let shown = output.lines.iter().skip(output.lines.len().saturating_sub(SHOWN_LINES));
        shown.flat_map(|line| ["| ", line, "\n"]).collect()
    }
}

/// Passes on what comes out of `from`, line by line; bytes that are no text are replaced.
async fn capture(from: impl AsyncRead + Unpin, to: watch::Sender<Output>) {
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        to.send_modify(|output| {
            output.lines.push_back(text);
            if output.lines.len() > KEPT_LINES {
                output.lines.pop_front();
                output.forgotten += 1;
            }
        });
    }
    to.send_modify(|output| output.open -= 1);
}

/// The first line with `part`; `None` when the outputs have ended without one.
async fn find(mut output: watch::Receiver<Output>, part: &str) -> Option<String> {
    let mut seen = 0;
    loop {
        {
            let output = output.borrow_and_update();
            let mut unseen = output.lines.iter().skip(seen.max(output.forgotten) - output.forgotten);
            if let Some(line) = unseen.find(|line| line.contains(part)) {
                return Some(line.clone());
            }
            if output.open == 0 {
                return None;
            }
            seen = output.forgotten + output.lines.len();
        }
        output.changed().await.ok()?;
    }
}
