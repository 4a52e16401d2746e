//! A simulator, companions that pair with it, and waiting for what they see.

use std::sync::Arc;
use std::time::Duration;

use hantar_simulator::{LoggedStanza, Network, Simulator, SimulatorConfig, StanzaDirection, StanzaFilter};
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

/// Long enough for a busy machine; nothing waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// How long a test watches that something does not happen.
pub const SILENCE: Duration = Duration::from_millis(400);
const SEED: u64 = 7;

pub async fn simulator() -> Simulator {
    println!("seed {SEED}");
    let listen = "127.0.0.1:0".parse().unwrap();
    Simulator::start(SimulatorConfig { listen, seed: SEED, state_file: None }).await.unwrap()
}

/// With `with_version` given, a client that needs HTTP is doing something the tests do not expect.
struct NoHttp;

#[async_trait::async_trait]
impl HttpClient for NoHttp {
    async fn execute(&self, request: HttpRequest) -> anyhow::Result<HttpResponse> {
        Err(anyhow::anyhow!("no HTTP in these tests: {}", request.url))
    }
}

/// A companion device: a bare client on its own store.
pub struct Companion {
    pub client: Arc<Client>,
    pub backend: Arc<InMemoryBackend>,
    pub events: Receiver<Arc<Event>>,
    _handle: BotHandle,
}

/// Starts a client on a store without waiting for anything; `phone` scans its QR code when it shows one.
pub async fn start(simulator: &Simulator, backend: Arc<InMemoryBackend>, phone: &str) -> Companion {
    let transport = TokioWebSocketTransportFactory::new().with_url(simulator.websocket_url());
    let bot = Bot::builder()
        .with_backend_arc(backend.clone())
        .with_transport_factory(transport)
        .with_http_client(NoHttp)
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
    scan_when_shown(&client, simulator.network().clone(), phone.to_owned());
    Companion { client, backend, events, _handle: bot.spawn() }
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
pub async fn linked(simulator: &Simulator, phone: &str) -> Companion {
    if simulator.network().phone(phone).is_err() {
        simulator.network().create_phone(phone, &format!("Name of {phone}")).unwrap();
    }
    let companion = start(simulator, Arc::new(InMemoryBackend::new()), phone).await;
    companion.ready().await;
    companion
}

pub fn pn(phone: &str) -> Jid {
    Jid::pn(phone)
}

pub fn text(text: &str) -> Message {
    Message { conversation: Some(text.to_owned()), ..Default::default() }
}

impl Companion {
    pub async fn ready(&self) {
        self.client.wait_for_connected(PATIENCE).await.unwrap();
    }

    /// Sends a text and gives its stanza id.
    pub async fn send(&self, to: &str, words: &str) -> String {
        self.client.send_message(pn(to), text(words)).await.unwrap().message_id
    }

    pub async fn send_as(&self, to: &str, words: &str, id: &str) {
        let options = SendOptions::default().with_message_id(id);
        self.client.send_message_with_options(pn(to), text(words), options).await.unwrap();
    }

    /// The first event that `pick` takes.
    pub async fn event<T>(&self, what: &str, pick: impl FnMut(&Event) -> Option<T>) -> T {
        self.event_within(PATIENCE, pick).await.unwrap_or_else(|| panic!("no {what} came"))
    }

    pub async fn event_within<T>(&self, limit: Duration, mut pick: impl FnMut(&Event) -> Option<T>) -> Option<T> {
        let search = async {
            loop {
                let event = self.events.recv().await.ok()?;
                if let Some(found) = pick(&event) {
                    return Some(found);
                }
            }
        };
        tokio::time::timeout(limit, search).await.ok().flatten()
    }

    pub async fn ack(&self, id: &str) -> ServerAck {
        self.event("ack", |event| ack_of(event, id)).await
    }

    pub async fn no_ack(&self, id: &str) {
        let ack = self.event_within(SILENCE, |event| ack_of(event, id)).await;
        assert!(ack.is_none(), "an ack came: {ack:?}");
    }

    pub async fn receipt(&self, id: &str, kind: ReceiptType) -> Receipt {
        self.event("receipt", |event| receipt_of(event, id, &kind)).await
    }

    /// The next `count` texts, each with its stanza id.
    pub async fn texts(&self, count: usize) -> Vec<(String, String)> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let batch = self.event("message", |event| Some(texts_of(event)).filter(|texts| !texts.is_empty())).await;
            texts.extend(batch);
        }
        texts
    }
}

pub fn ack_of(event: &Event, id: &str) -> Option<ServerAck> {
    match event {
        Event::ServerAck(ack) if ack.id == id && ack.class.as_deref() == Some("message") => Some(ack.clone()),
        _ => None,
    }
}

pub fn receipt_of(event: &Event, id: &str, kind: &ReceiptType) -> Option<Receipt> {
    match event {
        Event::Receipt(receipt) if receipt.r#type == *kind && receipt.message_ids.iter().any(|of| *of == id) => {
            Some(receipt.clone())
        }
        _ => None,
    }
}

pub fn texts_of(event: &Event) -> Vec<(String, String)> {
    let with_text = |inbound: &whatsapp_rust::types::events::InboundMessage| {
        Some((inbound.info.id.to_string(), inbound.message.conversation.as_deref()?.to_owned()))
    };
    event.messages().filter_map(with_text).collect()
}

/// The message stanzas with this id that came in from clients.
pub fn stanzas_in(network: &Network, id: &str) -> Vec<LoggedStanza> {
    let (id, tag, direction) = (Some(id.to_owned()), Some("message".to_owned()), Some(StanzaDirection::In));
    network.stanzas(&StanzaFilter { id, tag, direction, ..StanzaFilter::default() })
}

/// One request to the admin API: status and JSON body (null when it is not JSON).
pub async fn admin(simulator: &Simulator, method: &str, path: &str, body: &str) -> (u16, Value) {
    let stream = tokio::net::TcpStream::connect(simulator.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let mut request = hyper::Request::builder().method(method).uri(path).header("host", "simulator");
    if body.starts_with('{') {
        request = request.header("content-type", "application/json");
    }
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    driver.abort();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}
