//! A simulator, companions that pair with it, and waiting for what they see.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hantar_simulator::{LoggedStanza, Network, Simulator, SimulatorConfig, StanzaDirection, StanzaFilter, TimeChange};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use wacore::store::InMemoryBackend;
use waproto::whatsapp::Message;
use whatsapp_rust::async_channel::Receiver;
use whatsapp_rust::bot::{Bot, BotHandle};
use whatsapp_rust::client::Client;
use whatsapp_rust::http::{HttpClient, HttpRequest, HttpResponse};
use whatsapp_rust::transport::TokioWebSocketTransportFactory;
use whatsapp_rust::types::events::{ChannelEventHandler, Event, Receipt, ServerAck};
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::{Jid, SendOptions, anyhow};

use crate::light::{self, Identity};

/// Long enough for a busy machine; nothing waits this long when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a test watches that something does not happen.
pub(crate) const SILENCE: Duration = Duration::from_millis(400);
const SEED: u64 = 7;

pub(crate) async fn simulator() -> Simulator {
    simulator_keeping(None).await
}

pub(crate) async fn simulator_keeping(state_file: Option<PathBuf>) -> Simulator {
    println!("seed {SEED}");
    let listen = "127.0.0.1:0".parse().unwrap();
    Simulator::start(SimulatorConfig { listen, seed: SEED, state_file }).await.unwrap()
}

/// HTTP to the simulator and nowhere else. Clients take media hosts for HTTPS; the simulator's one port speaks both.
struct LocalHttp {
    address: std::net::SocketAddr,
}

#[async_trait::async_trait]
impl HttpClient for LocalHttp {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        let here = format!("https://{}", self.address);
        let path = request.url.strip_prefix(&here).ok_or_else(|| anyhow::anyhow!("no HTTP to {}", request.url))?;
        let body = request.body.clone().unwrap_or_default();
        let (status_code, body) = exchange(self.address, &request.method, path, "application/octet-stream", body).await;
        Ok(HttpResponse { status_code, body: body.to_vec() })
    }
}

/// A companion device: a bare client on its own store.
pub(crate) struct Companion {
    pub(crate) client: Arc<Client>,
    pub(crate) backend: Arc<InMemoryBackend>,
    events: Receiver<Arc<Event>>,
    /// What came and was not asked for yet: events of different kinds overtake each other.
    unclaimed: Mutex<Vec<Arc<Event>>>,
    _handle: BotHandle,
}

/// Starts a client on a store without waiting for anything; `phone` scans its QR code when it shows one.
pub(crate) async fn start(simulator: &Simulator, backend: Arc<InMemoryBackend>, phone: &str) -> Companion {
    let transport = TokioWebSocketTransportFactory::new().with_url(simulator.websocket_url());
    start_over(transport, simulator, backend, phone).await
}

/// The same over another transport.
pub(crate) async fn start_over(
    transport: TokioWebSocketTransportFactory,
    simulator: &Simulator,
    backend: Arc<InMemoryBackend>,
    phone: &str,
) -> Companion {
    begin(transport, simulator, backend, phone, true).await
}

/// Starts a client that nobody scans a QR code of.
pub(crate) async fn start_unscanned(simulator: &Simulator, backend: Arc<InMemoryBackend>, name: &str) -> Companion {
    let transport = TokioWebSocketTransportFactory::new().with_url(simulator.websocket_url());
    begin(transport, simulator, backend, name, false).await
}

async fn begin(
    transport: TokioWebSocketTransportFactory,
    simulator: &Simulator,
    backend: Arc<InMemoryBackend>,
    phone: &str,
    scanned: bool,
) -> Companion {
    let bot = Bot::builder()
        .with_backend_arc(backend.clone())
        .with_transport_factory(transport)
        .with_http_client(LocalHttp { address: simulator.address() })
        .with_version((2, 3000, 1))
        .with_push_name(phone)
        .with_wanted_pre_key_count(10)
        .build()
        .await
        .unwrap();
    let client = bot.client();
    client.set_force_active_delivery_receipts(true);
    let (handler, events) = ChannelEventHandler::new();
    client.subscribe_handler(handler).detach();
    // Before it starts: a code that is shown to nobody is shown for a minute.
    if scanned {
        scan_when_shown(&client, simulator.network().clone(), phone.to_owned());
    }
    Companion { client, backend, events, unclaimed: Mutex::default(), _handle: bot.spawn() }
}

fn scan_when_shown(client: &Arc<Client>, network: Network, phone: String) {
    let (handler, codes) = ChannelEventHandler::new();
    let subscription = client.subscribe_handler(handler);
    tokio::spawn(async move {
        let _subscription = subscription;
        while let Ok(event) = codes.recv().await {
            if let Event::PairingQrCode(qr) = &*event {
                network.scan_qr(&qr.code, Some(&phone)).unwrap();
                return;
            }
        }
    });
}

/// An account whose phone has just linked a companion, logged in and ready.
pub(crate) async fn linked(simulator: &Simulator, phone: &str) -> Companion {
    if simulator.network().phone(phone).is_err() {
        simulator.network().create_phone(phone, &format!("Name of {phone}")).unwrap();
    }
    let companion = start(simulator, Arc::new(InMemoryBackend::new()), phone).await;
    if let Err(error) = companion.client.wait_for_connected(PATIENCE).await {
        for entry in simulator.network().stanzas(&StanzaFilter::default()) {
            println!("{} {:?} {:?} {:.300}", entry.at_ms, entry.direction, entry.device, entry.xml);
        }
        panic!("{phone} is not ready: {error}");
    }
    companion
}

pub(crate) fn pn(phone: &str) -> Jid {
    Jid::pn(phone)
}

pub(crate) fn group_jid(jid: &str) -> Jid {
    jid.parse().unwrap()
}

pub(crate) fn text(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Default::default() }
}

impl Companion {
    pub(crate) async fn ready(&self) {
        self.client.wait_for_connected(PATIENCE).await.unwrap();
    }

    /// Sends a text and gives its stanza id.
    pub(crate) async fn send(&self, to: &str, words: &str) -> String {
        self.client.send_message(pn(to), text(words)).await.unwrap().message_id
    }

    pub(crate) async fn send_as(&self, to: &str, words: &str, id: &str) {
        let options = SendOptions::default().with_message_id(id);
        self.client.send_message_with_options(pn(to), text(words), options).await.unwrap();
    }

    /// The first event that `pick` takes; no other call gets it again.
    pub(crate) async fn event<T>(&self, what: &str, pick: impl FnMut(&Event) -> Option<T>) -> T {
        self.event_within(PATIENCE, pick).await.unwrap_or_else(|| panic!("no {what} came"))
    }

    pub(crate) async fn event_within<T>(
        &self,
        limit: Duration,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Option<T> {
        {
            let mut unclaimed = self.unclaimed.lock().unwrap();
            let claimed = unclaimed.iter().enumerate().find_map(|(at, event)| Some((at, pick(event)?)));
            if let Some((at, found)) = claimed {
                unclaimed.remove(at);
                return Some(found);
            }
        }
        let search = async {
            loop {
                let event = self.events.recv().await.ok()?;
                if let Some(found) = pick(&event) {
                    return Some(found);
                }
                self.unclaimed.lock().unwrap().push(event);
            }
        };
        tokio::time::timeout(limit, search).await.ok().flatten()
    }

    pub(crate) async fn ack(&self, id: &str) -> ServerAck {
        self.event("ack", |event| ack_of(event, id)).await
    }

    pub(crate) async fn no_ack(&self, id: &str) {
        let ack = self.event_within(SILENCE, |event| ack_of(event, id)).await;
        assert!(ack.is_none(), "an ack came: {ack:?}");
    }

    pub(crate) async fn receipt(&self, id: &str, kind: ReceiptType) -> Receipt {
        self.event("receipt", |event| receipt_of(event, id, &kind)).await
    }

    /// The next `count` texts, each with its stanza id.
    pub(crate) async fn texts(&self, count: usize) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let batch = self.event("message", |event| Some(texts_of(event)).filter(|texts| !texts.is_empty())).await;
            texts.extend(batch);
        }
        texts
    }
}

pub(crate) fn ack_of(event: &Event, id: &str) -> Option<ServerAck> {
    match event {
        Event::ServerAck(ack) if ack.id == id && ack.class.as_deref() == Some("message") => Some(ack.clone()),
        _ => None,
    }
}

pub(crate) fn receipt_of(event: &Event, id: &str, kind: &ReceiptType) -> Option<Receipt> {
    match event {
        Event::Receipt(receipt) if receipt.r#type == *kind && receipt.message_ids.iter().any(|of| *of == id) => {
            Some(receipt.clone())
        }
        _ => None,
    }
}

pub(crate) fn texts_of(event: &Event) -> Vec<(String, String)> {
    let with_text = |inbound: &whatsapp_rust::types::events::InboundMessage| {
        Some((inbound.info.id.clone(), inbound.message.conversation.as_deref()?.to_owned()))
    };
    event.messages().filter_map(with_text).collect()
}

/// The message stanzas with this id that came in from clients.
pub(crate) fn stanzas_in(network: &Network, id: &str) -> Vec<LoggedStanza> {
    let (id, tag, direction) = (Some(id.to_owned()), Some("message".to_owned()), Some(StanzaDirection::In));
    network.stanzas(&StanzaFilter { id, tag, direction, ..StanzaFilter::default() })
}

/// Waits until the simulator took note that a companion has this message.
pub(crate) async fn settled(network: &Network, id: &str) {
    let (id, tag, direction) = (Some(id.to_owned()), Some("ack".to_owned()), Some(StanzaDirection::Out));
    let filter = StanzaFilter { id, tag, direction, ..StanzaFilter::default() };
    assert_eq!(network.wait_for_stanzas(&filter, 1, PATIENCE).await.len(), 1);
}

/// One request to the admin API: status and JSON body (null when it is not JSON).
pub(crate) async fn admin(simulator: &Simulator, method: &str, path: &str, body: &str) -> (u16, Value) {
    let kind = if body.starts_with('{') { "application/json" } else { "text/plain" };
    let (status, answer) = http(simulator, method, path, kind, body).await;
    (status, serde_json::from_str(&answer).unwrap_or(Value::Null))
}

/// One HTTP request: status and body.
pub(crate) async fn http(simulator: &Simulator, method: &str, path: &str, kind: &str, body: &str) -> (u16, String) {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let (status, answer) = exchange(simulator.address(), method, path, kind, body).await;
    (status, String::from_utf8_lossy(&answer).into_owned())
}

/// One HTTP request whose body and answer need not be text; an answer that breaks off is empty.
pub(crate) async fn exchange(
    address: std::net::SocketAddr,
    method: &str,
    path: &str,
    kind: &str,
    body: Bytes,
) -> (u16, Bytes) {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let request = hyper::Request::builder().method(method).uri(path).header("host", "simulator");
    let request = request.header("content-type", kind).body(Full::new(body)).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    driver.abort();
    (status, bytes)
}

/// A light companion that was just paired by this phone.
pub(crate) async fn light(simulator: &Simulator, phone: &str) -> Identity {
    if simulator.network().phone(phone).is_err() {
        simulator.network().create_phone(phone, &format!("Name of {phone}")).unwrap();
    }
    let network = simulator.network().clone();
    let scan = async move |code: String| {
        network.scan_qr(&code, Some(phone))?;
        Ok(())
    };
    within(light::pair(simulator.address(), None, scan)).await.unwrap()
}

/// What `work` gives; a test does not wait longer than [`PATIENCE`].
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it takes too long")
}

/// Waits until something is so.
pub(crate) async fn becomes(mut is_so: impl AsyncFnMut() -> bool) {
    let change = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    within(change).await;
}

/// The stanzas with this tag and text that went to an account's companions.
pub(crate) fn stanzas_out(network: &Network, phone: &str, tag: &str, text: &str) -> Vec<LoggedStanza> {
    let (phone, tag, direction) = (Some(phone.to_owned()), Some(tag.to_owned()), Some(StanzaDirection::Out));
    let all = network.stanzas(&StanzaFilter { phone, tag, direction, ..StanzaFilter::default() });
    all.into_iter().filter(|stanza| stanza.xml.contains(text)).collect()
}

pub(crate) fn freeze(network: &Network) {
    network.change_time(TimeChange { frozen: Some(true), ..TimeChange::default() }).unwrap();
}

pub(crate) fn advance(network: &Network, ms: u64) {
    network.change_time(TimeChange { advance_ms: Some(ms), ..TimeChange::default() }).unwrap();
}
