//! A shop in a deployed installation: an account with a number in every shard, a device host, phones, and a subscriber.

use std::process::Command;
use std::time::Duration;

use hantar_simulator::{Network, Simulator, SimulatorConfig};
use hantar_testkit::json_client::{JsonAnswer, JsonClient};
use hantar_testkit::process::{Process, free_port, hantar_with_simulator, program};
use hantar_testkit::webhook_receiver::WebhookReceiver;
use serde_json::{Value, json};

use crate::deployment::{Deployment, NAME};

/// A customer's number.
pub(crate) const ALI: &str = "60123456789";
/// Longer than anything takes that is not broken, on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(2);
/// The pause between two looks at something that sends no notification.
const PULSE: Duration = Duration::from_millis(100);
/// One number for each of the four shards: by their hashes, the devices 1 to 4 fall into all of them.
const DEVICES: u64 = 4;

pub(crate) struct Shop {
    pub(crate) simulator: Simulator,
    pub(crate) subscriber: WebhookReceiver,
    pub(crate) host: Process,
    pub(crate) account: u64,
    token: String,
}

/// A device's number, as its phone has it.
pub(crate) fn phone_of(device: u64) -> String {
    format!("6011100000{device}")
}

impl Shop {
    /// Makes the account by the operator's commands, starts a host, and links all numbers.
    pub(crate) async fn open(deployment: &Deployment) -> Self {
        let config = SimulatorConfig { listen: ([127, 0, 0, 1], 0).into(), seed: 7, state_file: None };
        let simulator = Simulator::start(config).await.unwrap();
        simulator.network().create_phone(ALI, "Ali").unwrap();
        let user = ["user", "create", "--email", "owner@example.com", "--verified", "--credits", "1000", "--json"];
        let made = operator(deployment, &user);
        for number in 2..=DEVICES {
            let added = operator(deployment, &["device", "create", "--name", &format!("till {number}"), "--json"]);
            assert_eq!(added["id"], number);
        }
        let mut command = Command::new(program("HANTAR_DEVICE_HOST_BIN"));
        command.envs(deployment.environment());
        command.env("HANTAR_WHATSAPP_URL", simulator.websocket_url()).env("HANTAR_WHATSAPP_VERSION", "2.3000.1");
        command.env("HANTAR_LISTEN", format!("127.0.0.1:{}", free_port()));
        let shop = Self {
            simulator,
            subscriber: WebhookReceiver::start().await,
            host: Process::start(command),
            account: made["account"].as_u64().unwrap(),
            token: made["token"].as_str().unwrap().to_owned(),
        };
        for device in 1..=DEVICES {
            shop.link(deployment, device).await;
        }
        shop
    }

    pub(crate) fn network(&self) -> &Network {
        self.simulator.network()
    }

    /// The deployed HTTP API, by the name that it has.
    pub(crate) fn api(&self, deployment: &Deployment) -> JsonClient {
        let (id, url) = (deployment.output("api_id").as_str().unwrap(), &deployment.emulator.url);
        let host = format!("{id}.execute-api.localhost:{}", url.rsplit(':').next().unwrap());
        JsonClient::new(&format!("{url}/api/v1")).with_header("host", &host).with_token(&self.token)
    }

    /// Links a device, as a person does with the QR code.
    async fn link(&self, deployment: &Deployment, device: u64) {
        self.network().create_phone(&phone_of(device), "Shop").unwrap();
        let path = format!("/connection/qr?device={device}");
        let code = self.until(deployment, "a QR code", async || {
            let answer = self.api(deployment).get(&path).await.ok()?;
            answer.body["data"]["code"].as_str().map(str::to_owned)
        });
        self.network().scan_qr(&code.await, Some(&phone_of(device))).unwrap();
        self.until(deployment, &format!("device {device} to be connected"), async || {
            let answer = self.api(deployment).get("/connection/status").await.ok()?;
            let devices = answer.body["data"]["devices"].as_array()?;
            devices.iter().any(|found| found["id"] == device && found["status"] == "connected").then_some(())
        })
        .await;
    }

    /// Subscribes the shop's receiver to everything, and answers the secret.
    pub(crate) async fn subscribe(&self, deployment: &Deployment) -> String {
        let body = json!({ "url": format!("{}/hook", self.subscriber.url), "events": ["*"] });
        let answer = self.api(deployment).post("/webhooks", &body).await.unwrap();
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.body["data"]["secret"].as_str().unwrap().to_owned()
    }

    /// Accepts a message from a device, and answers its number.
    pub(crate) async fn send(&self, deployment: &Deployment, device: u64, to: &str, text: &str) -> u64 {
        let body = json!({ "phone": to, "body": text, "device": device });
        let JsonAnswer { status, body, .. } = self.api(deployment).post("/messages/send", &body).await.unwrap();
        assert_eq!(status, 202, "{body}");
        body["data"]["id"].as_u64().unwrap()
    }

    /// Waits until a message is in one of these states.
    pub(crate) async fn state(&self, deployment: &Deployment, id: u64, states: &[&str], within: Duration) -> Value {
        let look = async || {
            let answer = self.api(deployment).get(&format!("/messages/{id}")).await.ok()?;
            let message = answer.body["data"].clone();
            states.iter().any(|state| message["status"] == *state).then_some(message)
        };
        self.within(within, deployment, &format!("message {id} in {states:?}"), look).await
    }

    /// Waits until the subscriber heard an event that fits.
    pub(crate) async fn event(&self, deployment: &Deployment, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let look = async || {
            let events = self.subscriber.received().into_iter().map(|request| request.json());
            events.into_iter().find(|event| fits(event))
        };
        self.within(LONG, deployment, &format!("the event of {what}"), look).await
    }

    /// Looks again and again until `look` finds something.
    pub(crate) async fn until<T>(&self, deployment: &Deployment, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        self.within(LONG, deployment, what, look).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        deployment: &Deployment,
        what: &str,
        look: impl AsyncFn() -> Option<T>,
    ) -> T {
        let found = tokio::time::timeout(limit, async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(PULSE).await;
            }
        });
        if let Ok(found) = found.await {
            return found;
        }
        let mut logs = Vec::new();
        for function in ["api", "relay", "counts", "webhooks", "timers"] {
            logs.push((function, deployment.emulator.log(&format!("/aws/lambda/{NAME}-{function}")).await));
        }
        panic!("{what} did not come within {limit:?}\nthe host: {:#?}\n{logs:#?}", self.last_lines());
    }

    fn last_lines(&self) -> Vec<String> {
        let mut lines = self.host.lines();
        lines.split_off(lines.len().saturating_sub(40))
    }
}

/// Runs an administrator's command on the deployed tables, and answers what it printed.
fn operator(deployment: &Deployment, arguments: &[&str]) -> Value {
    let mut command = Command::new(hantar_with_simulator());
    let output = command.arg("--aws").args(arguments).envs(deployment.environment()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
