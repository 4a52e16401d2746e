//! The socket to WhatsApp: WebSocket over TCP or TLS, with `TCP_NODELAY` (the library's own transport leaves it off,
//! which costs 40 ms a message), and with the lease asked right before each write.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, watch};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WebSocketError, Message};
use url::Url;
use wacore::net::{DisconnectReason, Transport, TransportEvent, TransportFactory, WHATSAPP_WEB_ORIGIN};
use whatsapp_rust::anyhow;

use super::ending::Progress;

/// From the look-up of the name to the end of the upgrade. The library's own limit is 20 s.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long a goodbye may take before the socket is simply dropped.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);
/// Frames that wait for the library: beyond that the socket is read no further, and TCP slows the server down.
const WAITING_FRAMES: usize = 64;
/// WhatsApp's frames have a length of three bytes.
const MAX_FRAME: usize = 1 << 24;
/// Per socket and direction. The default of 128 KiB would be most of what an idle device takes.
const BUFFER: usize = 4096;

/// Whether this device's shard is still ours. Asked right before each write.
pub(crate) type Guard = Arc<dyn Fn() -> bool + Send + Sync>;

/// A frame was not written: the shard may be somebody else's by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lease does not hold: nothing was written")]
pub(crate) struct NotOurs;

/// Where WhatsApp is.
#[derive(Clone)]
pub(crate) struct Server {
    url: Url,
    tls: Arc<rustls::ClientConfig>,
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It is no address at all.
    #[error("the address of WhatsApp is not a URL")]
    Url(#[from] url::ParseError),
    /// It is one of another kind.
    #[error("the address of WhatsApp must begin with ws:// or wss:// and name a host")]
    Kind,
}

impl Server {
    /// The server at `url` (`ws` or `wss`).
    pub(crate) fn new(url: &str, tls: Arc<rustls::ClientConfig>) -> Result<Self, AddressError> {
        let url = Url::parse(url)?;
        if !matches!(url.scheme(), "ws" | "wss") || url.host_str().is_none() {
            return Err(AddressError::Kind);
        }
        Ok(Self { url, tls })
    }

    /// What is connected to.
    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// Host and port, as an HTTP request names them.
    pub(super) fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    pub(super) fn is_tls(&self) -> bool {
        self.url.scheme() == "wss"
    }

    /// Whom TLS trusts.
    pub(super) fn tls(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.tls)
    }
}

/// Opens sockets for one device.
pub(crate) struct Sockets {
    server: Server,
    guard: Guard,
    /// Closes every socket at once when its sender says so or is gone.
    cut: watch::Receiver<bool>,
    progress: Progress,
}

impl Sockets {
    /// Sockets to `server`, written to only while `guard` says yes, and open no longer than `cut`'s sender lives.
    pub(crate) fn new(server: Server, guard: Guard, cut: watch::Receiver<bool>, progress: Progress) -> Self {
        Self { server, guard, cut, progress }
    }

    async fn open(&self) -> Result<Opened, anyhow::Error> {
        if !(self.guard)() {
            return Err(NotOurs.into());
        }
        self.progress.begin();
        let tcp = TcpStream::connect((self.server.host(), self.server.port())).await?;
        tcp.set_nodelay(true)?;
        if !self.server.is_tls() {
            return self.upgrade(tcp).await;
        }
        self.progress.connected();
        let name = rustls_pki_types::ServerName::try_from(self.server.host().to_owned())?;
        let tls = TlsConnector::from(Arc::clone(&self.server.tls)).connect(name, tcp).await?;
        // The rest is a matter of the server behind it.
        self.progress.begin();
        self.upgrade(tls).await
    }

    async fn upgrade<S>(&self, stream: S) -> Result<Opened, anyhow::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut request = self.server.url.as_str().into_client_request()?;
        request.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(WHATSAPP_WEB_ORIGIN));
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_FRAME))
            .max_frame_size(Some(MAX_FRAME));
        let (socket, _) = tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await?;
        self.progress.open();
        let (sink, stream) = socket.split();
        let (events, received) = async_channel::bounded(WAITING_FRAMES);
        // Before any frame, and the channel is empty: this cannot fail.
        let _ = events.try_send(TransportEvent::Connected);
        let (close, closed) = watch::channel(false);
        tokio::spawn(pump(stream, events, closed, self.cut.clone(), self.progress.clone()));
        let (guard, progress) = (Arc::clone(&self.guard), self.progress.clone());
        let socket = Socket { sink: Mutex::new(Some(sink)), guard, close, progress };
        Ok((Arc::new(socket), received))
    }
}

type Opened = (Arc<dyn Transport>, async_channel::Receiver<TransportEvent>);

#[async_trait]
impl TransportFactory for Sockets {
    async fn create_transport(&self) -> Result<Opened, anyhow::Error> {
        tokio::time::timeout(CONNECT_LIMIT, self.open()).await?
    }
}

/// One open socket.
struct Socket<S> {
    sink: Mutex<Option<SplitSink<WebSocketStream<S>, Message>>>,
    guard: Guard,
    close: watch::Sender<bool>,
    progress: Progress,
}

#[async_trait]
impl<S> Transport for Socket<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    async fn send(&self, data: Bytes) -> Result<(), anyhow::Error> {
        let mut sink = self.sink.lock().await;
        if !(self.guard)() {
            // Dropped without a goodbye: that would be a write, too.
            *sink = None;
            self.close.send_replace(true);
            return Err(NotOurs.into());
        }
        let open = sink.as_mut().ok_or_else(|| anyhow::anyhow!("the socket is closed"))?;
        self.progress.writes();
        #[cfg(feature = "simulator")]
        crate::brink::pass();
        Ok(open.send(Message::Binary(data)).await?)
    }

    async fn disconnect(&self) {
        self.close.send_replace(true);
        let sink = self.sink.lock().await.take();
        if let Some(mut sink) = sink
            && (self.guard)()
        {
            // A server that does not take the goodbye notices the closed socket instead.
            let _ = tokio::time::timeout(CLOSE_LIMIT, sink.send(Message::Close(None))).await;
        }
    }
}

/// Reads until the socket ends or is closed from this side.
async fn pump<S>(
    mut stream: SplitStream<WebSocketStream<S>>,
    events: async_channel::Sender<TransportEvent>,
    mut closed: watch::Receiver<bool>,
    mut cut: watch::Receiver<bool>,
    progress: Progress,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let reason = loop {
        let next = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => break DisconnectReason::Unknown,
            _ = cut.wait_for(|cut| *cut) => break DisconnectReason::Unknown,
            next = stream.next() => next,
        };
        let frame = match next {
            Some(Ok(Message::Binary(frame))) => {
                progress.received();
                frame
            }
            Some(Ok(Message::Close(frame))) => break close_reason(frame),
            // Pings are answered by the WebSocket layer; WhatsApp sends no text.
            Some(Ok(_)) => continue,
            Some(Err(error)) => break read_error(&error),
            None => break DisconnectReason::StreamEnded,
        };
        let handed_over = tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => break DisconnectReason::Unknown,
            _ = cut.wait_for(|cut| *cut) => break DisconnectReason::Unknown,
            handed_over = events.send(TransportEvent::DataReceived(frame)) => handed_over,
        };
        if handed_over.is_err() {
            return;
        }
    };
    // Nobody listening means that the client is gone already.
    let _ = events.send(TransportEvent::Disconnected(reason)).await;
}

fn close_reason(frame: Option<tokio_tungstenite::tungstenite::protocol::CloseFrame>) -> DisconnectReason {
    let (code, reason) =
        frame.map_or((None, String::new()), |frame| (Some(frame.code.into()), frame.reason.to_string()));
    DisconnectReason::ServerClose { code, reason }
}

fn read_error(error: &WebSocketError) -> DisconnectReason {
    match error {
        WebSocketError::ConnectionClosed | WebSocketError::AlreadyClosed => DisconnectReason::StreamEnded,
        error => DisconnectReason::ReadError(error.to_string()),
    }
}

#[cfg(test)]
#[path = "transport/tests.rs"]
mod tests;
