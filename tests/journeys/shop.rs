//! A small shop: the simulated network, a subscriber, and the binary `hantar` with a linked number.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use hantar_local::stack::Stack;
use hantar_simulator::{Simulator, SimulatorConfig, StanzaDirection, StanzaFilter};
use hantar_testkit::json_client::{JsonAnswer, JsonClient};
use hantar_testkit::process::{Process, free_port, hantar_with_simulator};
use hantar_testkit::webhook_receiver::WebhookReceiver;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The shop's own number.
pub(crate) const SHOP: &str = "60111222333";
/// A customer's.
pub(crate) const ALI: &str = "60123456789";
/// Longer than anything takes that is not broken, on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(1);
/// The pause between two looks at something that sends no notification.
const PULSE: Duration = Duration::from_millis(50);

pub(crate) struct Shop {
    pub(crate) simulator: Simulator,
    pub(crate) subscriber: WebhookReceiver,
    pub(crate) hantar: Option<Process>,
    pub(crate) token: String,
    folder: TempDir,
    port: u16,
    /// Further arguments of the server.
    arguments: Vec<String>,
}

impl Shop {
    /// A running shop with a linked number and a customer.
    pub(crate) async fn open() -> Self {
        let mut shop = Self::unlinked().await;
        shop.link(SHOP).await;
        shop
    }

    /// Its tables and queues, beside the process that serves them.
    pub(crate) async fn stack(&self) -> Stack {
        Stack::open(self.folder.path()).await.unwrap()
    }

    /// A running shop whose number is not linked yet.
    pub(crate) async fn unlinked() -> Self {
        Self::with(&[]).await
    }

    /// The same, whose server is started with further arguments.
    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let simulator =
            Simulator::start(SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 7, state_file: None })
                .await
                .unwrap();
        simulator.network().create_phone(SHOP, "Shop").unwrap();
        simulator.network().create_phone(ALI, "Ali").unwrap();
        let mut shop = Self {
            simulator,
            subscriber: WebhookReceiver::start().await,
            hantar: None,
            token: String::new(),
            folder: TempDir::new().unwrap(),
            port: free_port(),
            arguments: arguments.iter().map(|one| (*one).to_owned()).collect(),
        };
        shop.start(None).await;
        let made: Value = shop.command_json(&["token", "create", "--name", "journey", "--json"]);
        made["token"].as_str().unwrap().clone_into(&mut shop.token);
        shop
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the binary on another server than the simulated network's own, as these arguments say.
    pub(crate) async fn start_with(&mut self, server: &[&str]) {
        let mut process = Process::start(self.up(server));
        process.wait_for_health(&format!("http://127.0.0.1:{}/healthz", self.port), LONG).await;
        self.hantar = Some(process);
    }

    fn up(&self, server: &[&str]) -> Command {
        let mut command = Command::new(hantar_with_simulator());
        command.args(["up", "--whatsapp-version", "2.3000.1", "--egress-allow", "127.0.0.0/8"]);
        command.args(["--reads-per-minute", "1000000", "--writes-per-minute", "1000000"]);
        command.arg("--listen").arg(format!("127.0.0.1:{}", self.port));
        command.args(server).args(&self.arguments);
        command.arg("--data-dir").arg(self.folder.path());
        command
    }

    /// Starts the binary; `die_at` names the point where it is to die.
    pub(crate) async fn start(&mut self, die_at: Option<&str>) {
        // Files go up by TLS alone.
        let root = self.folder.path().join("network.pem");
        std::fs::write(&root, self.simulator.tls_certificate()).unwrap();
        let mut command = self.up(&["--whatsapp-url", &self.simulator.websocket_url()]);
        command.arg("--whatsapp-ca").arg(root);
        if let Some(point) = die_at {
            command.env("HANTAR_DIE_AT", point);
        }
        let mut process = Process::start(command);
        if die_at.is_none() {
            process.wait_for_health(&format!("http://127.0.0.1:{}/healthz", self.port), LONG).await;
        } else {
            // It may die at any moment: wait for the first sign only.
            process.wait_for_line("Hantar serves", LONG).await;
        }
        self.hantar = Some(process);
    }

    pub(crate) async fn stop(&mut self) {
        let status = self.hantar.as_mut().unwrap().terminate(LONG).await;
        assert!(status.success(), "it stopped with {status}");
        self.hantar = None;
    }

    pub(crate) async fn kill(&mut self) {
        self.hantar.as_mut().unwrap().kill().await;
        self.hantar = None;
    }

    /// Runs an administrator's command beside the server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Output {
        Command::new(hantar_with_simulator())
            .args(arguments)
            .arg("--data-dir")
            .arg(self.folder.path())
            .output()
            .unwrap()
    }

    pub(crate) fn command_json(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn api(&self) -> JsonClient {
        JsonClient::new(&format!("http://127.0.0.1:{}/api/v1", self.port)).with_token(&self.token)
    }

    pub(crate) fn with_key(&self, key: &str) -> JsonClient {
        self.api().with_header("idempotency-key", key)
    }

    /// Links the default device to a simulated phone, as a person does with the QR code.
    pub(crate) async fn link(&mut self, phone: &str) {
        let code = self.until("a QR code", async |api| {
            let answer = api.get("/connection/qr").await.ok()?;
            answer.body["data"]["code"].as_str().map(str::to_owned)
        });
        let code = code.await;
        self.simulator.network().scan_qr(&code, Some(phone)).unwrap();
        self.connected().await;
    }

    pub(crate) async fn connected(&self) {
        self.until("a connected device", async |api| {
            let answer = api.get("/connection/status").await.ok()?;
            (answer.body["data"]["devices"][0]["status"] == "connected").then_some(())
        })
        .await;
    }

    /// Looks again and again until `look` finds something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn(JsonClient) -> Option<T>) -> T {
        let found = tokio::time::timeout(LONG, async {
            loop {
                if let Some(found) = look(self.api()).await {
                    return found;
                }
                tokio::time::sleep(PULSE).await;
            }
        });
        let found = found.await.ok();
        found.unwrap_or_else(|| panic!("{what} did not come within {LONG:?}; the last lines: {:#?}", self.last_lines()))
    }

    pub(crate) fn last_lines(&self) -> Vec<String> {
        let mut lines = self.hantar.as_ref().map(Process::lines).unwrap_or_default();
        lines.split_off(lines.len().saturating_sub(40))
    }

    /// Sends a text to Ali and answers the message's number.
    pub(crate) async fn send(&self, text: &str) -> u64 {
        let answer = self.api().post("/messages/send", &json!({ "phone": ALI, "body": text })).await.unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.body["data"]["id"].as_u64().unwrap()
    }

    pub(crate) async fn message(&self, id: u64) -> Value {
        let answer = self.api().get(&format!("/messages/{id}")).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["data"].clone()
    }

    /// Waits until a message is in one of these states, and answers it.
    pub(crate) async fn state(&self, id: u64, states: &[&str]) -> Value {
        self.until(&format!("message {id} in {states:?}"), async |api| {
            let answer: JsonAnswer = api.get(&format!("/messages/{id}")).await.ok()?;
            let message = answer.body["data"].clone();
            states.iter().any(|state| message["status"] == *state).then_some(message)
        })
        .await
    }

    pub(crate) async fn balance(&self) -> i64 {
        let answer = self.api().get("/balance").await.unwrap();
        answer.body["data"]["balance"].as_i64().unwrap_or_else(|| panic!("{}", answer.body))
    }

    /// The texts that a customer's phone shows, in order of arrival, once there are `count`.
    pub(crate) async fn texts(&self, phone: &str, count: usize) -> Vec<String> {
        let messages = self.simulator.network().wait_for_messages(phone, count, Duration::from_secs(30)).await.unwrap();
        let texts: Vec<String> =
            messages.into_iter().filter(|message| !message.from_me).map(|message| message.text).collect();
        assert!(
            texts.len() >= count,
            "{} of {count} came: {texts:?}; the last lines: {:#?}",
            texts.len(),
            self.last_lines()
        );
        texts
    }

    /// How often each of our stanza ids came to the server.
    pub(crate) fn stanzas(&self) -> BTreeMap<String, usize> {
        let filter = StanzaFilter {
            tag: Some("message".into()),
            direction: Some(StanzaDirection::In),
            phone: Some(SHOP.into()),
            ..StanzaFilter::default()
        };
        let mut counts = BTreeMap::new();
        for stanza in self.simulator.network().stanzas(&filter) {
            *counts.entry(stanza.id.unwrap_or_default()).or_default() += 1;
        }
        counts
    }

    /// Subscribes the shop's own receiver to everything, and answers the secret.
    pub(crate) async fn subscribe(&self) -> String {
        let body = json!({ "url": format!("{}/hook", self.subscriber.url), "events": ["*"] });
        let answer = self.api().post("/webhooks", &body).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["data"]["secret"].as_str().unwrap().to_owned()
    }

    /// Waits until events of a message with this status came to the receiver.
    pub(crate) async fn event(&self, id: u64, status: &str) -> Value {
        self.until(&format!("the event that {id} is {status}"), async |_| {
            let events = self.subscriber.received().into_iter().map(|request| request.json());
            events.into_iter().find(|event| {
                event["type"] == "message.status" && event["data"]["id"] == id && event["data"]["status"] == status
            })
        })
        .await
    }
}
