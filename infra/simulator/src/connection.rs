//! One client's WebSocket: preamble, handshake, then encrypted stanzas both ways until either side is gone.
//! Whatever a client sends, the worst that happens is the end of its own connection.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_binary::{Node, marshal, util};
use wacore_noise::NoiseCipher;
use wacore_noise::framing::{FrameDecoder, encode_frame};
use waproto::whatsapp::ClientPayload;

use crate::handshake::{self, Answer, Established, HandshakeError, Pattern};
use crate::network::{Network, Opened, Origin, Outbound, Outbox, Outgoing, Session, StanzaDirection, Taken, channel};
use crate::time;

/// A client that does not finish its handshake in this time is let go.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);
/// `ED 00 01`: an edge-routing blob (with a three-byte length) stands before the connection header.
const EDGE_PREAMBLE: [u8; 4] = [b'E', b'D', 0, 1];
const EDGE_HEAD: usize = 7;

/// Why a connection ended early; logged, never shown to anybody.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error("the socket failed")]
    Socket(#[from] axum::Error),
    #[error("the client left")]
    Left,
    #[error("the connection does not begin with the WhatsApp header")]
    Preamble,
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeError),
    #[error("the handshake took too long")]
    Slow,
    #[error("a frame could not be encoded or decrypted")]
    Frame,
    #[error("a stanza could not be read")]
    Stanza(#[from] wacore_binary::error::BinaryError),
}

/// Frames out of a WebSocket.
struct Frames {
    stream: SplitStream<WebSocket>,
    decoder: FrameDecoder,
    /// What came before the header was complete; absent once it was.
    preamble: Option<BytesMut>,
}

type Sink = SplitSink<WebSocket, Message>;

/// Serves one upgraded socket to its end.
pub(crate) async fn serve(network: Network, socket: WebSocket) {
    if let Err(error) = talk(&network, socket).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended");
    }
}

async fn talk(network: &Network, socket: WebSocket) -> Result<(), ConnectionError> {
    let (mut sink, stream) = socket.split();
    let mut frames = Frames { stream, decoder: FrameDecoder::new(), preamble: Some(BytesMut::new()) };
    let shaken = time::at_most(HANDSHAKE_LIMIT, shake_hands(network, &mut sink, &mut frames)).await;
    let Established { pattern, payload, read, write } = shaken.ok_or(ConnectionError::Slow)??;
    let (outbound, outbox) = channel();
    let connection = network.connected(&outbound);
    tracing::debug!(?pattern, connection, "a client connected");
    let mut client = Client::open(network, connection, pattern, &payload, outbound);
    let writer = Writer { network: network.clone(), origin: client.origin.clone(), sink, cipher: write, count: 0 };
    let mut writing = tokio::spawn(writer.run(outbox));
    let ended = tokio::select! {
        ended = client.listen(&mut frames, &read) => ended,
        // The writer ends first when the connection is to be closed from here.
        _ = &mut writing => Ok(()),
    };
    writing.abort();
    network.disconnected(connection, client.session);
    ended
}

async fn shake_hands(network: &Network, sink: &mut Sink, frames: &mut Frames) -> Result<Established, ConnectionError> {
    let hello = frames.next().await?;
    match handshake::answer(network.identity(), &hello)? {
        Answer::Done { server_hello, established } => {
            send_frame(sink, &server_hello).await?;
            Ok(*established)
        }
        Answer::NeedsFinish { server_hello, pending } => {
            send_frame(sink, &server_hello).await?;
            Ok(pending.finish(&frames.next().await?)?)
        }
    }
}

async fn send_frame(sink: &mut Sink, payload: &[u8]) -> Result<(), ConnectionError> {
    let frame = encode_frame(payload, None).map_err(|_| ConnectionError::Frame)?;
    Ok(sink.send(Message::Binary(frame.into())).await?)
}

impl Frames {
    async fn next(&mut self) -> Result<BytesMut, ConnectionError> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Ok(frame);
            }
            match self.stream.next().await.ok_or(ConnectionError::Left)?? {
                Message::Binary(data) => self.feed(&data)?,
                Message::Close(_) => return Err(ConnectionError::Left),
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }

    fn feed(&mut self, data: &Bytes) -> Result<(), ConnectionError> {
        let Some(mut preamble) = self.preamble.take() else {
            self.decoder.feed(data);
            return Ok(());
        };
        preamble.extend_from_slice(data);
        match skip_preamble(&mut preamble) {
            Some(true) => self.decoder.feed(&preamble),
            Some(false) => return Err(ConnectionError::Preamble),
            None => self.preamble = Some(preamble),
        }
        Ok(())
    }
}

/// Takes the edge-routing blob and the connection header off: `None` when more bytes are needed, `Some(false)` when
/// this is something else.
fn skip_preamble(data: &mut BytesMut) -> Option<bool> {
    if data.starts_with(&EDGE_PREAMBLE) {
        let length = data.get(EDGE_PREAMBLE.len()..EDGE_HEAD)?;
        let length = length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
        data.get(..EDGE_HEAD + length)?;
        data.advance(EDGE_HEAD + length);
    }
    let header = data.get(..WA_CONN_HEADER.len())?;
    let is_ours = header == WA_CONN_HEADER;
    data.advance(WA_CONN_HEADER.len());
    Some(is_ours)
}

/// The reading side after the handshake.
struct Client {
    network: Network,
    outbound: Outbound,
    origin: Origin,
    session: Option<Session>,
}

impl Client {
    fn open(network: &Network, connection: u64, pattern: Pattern, payload: &ClientPayload, outbound: Outbound) -> Self {
        let (session, client) = match network.opened(connection, pattern, payload, &outbound) {
            Opened::Companion(session, phone) => (Some(session), Some((phone, session.device()))),
            Opened::Pairing | Opened::Refused => (None, None),
        };
        Self { network: network.clone(), outbound, origin: Origin { connection, client }, session }
    }

    async fn listen(&mut self, frames: &mut Frames, cipher: &NoiseCipher) -> Result<(), ConnectionError> {
        let mut count = 0_u32;
        loop {
            let mut frame = frames.next().await?;
            cipher.decrypt_in_place_with_counter(count, &mut frame).map_err(|_| ConnectionError::Frame)?;
            count = count.checked_add(1).ok_or(ConnectionError::Frame)?;
            let encoded = util::unpack_bytes(frame)?;
            let stanza = marshal::unmarshal_ref(&encoded)?.to_owned();
            self.network.log(StanzaDirection::In, &self.origin, &stanza, &encoded);
            if self.take(&stanza) == Taken::ThenCut {
                self.outbound.cut();
                // What follows on this socket must not be taken any more.
                return std::future::pending().await;
            }
        }
    }

    fn take(&self, stanza: &Node) -> Taken {
        let (network, outbound) = (&self.network, &self.outbound);
        match (stanza.tag.as_ref(), self.session) {
            ("iq", session) => network.on_iq(session, outbound, stanza),
            ("message", Some(session)) => return network.on_message(session, outbound, stanza),
            ("receipt", Some(session)) => network.on_receipt(session, outbound, stanza),
            ("ack", Some(session)) => network.on_ack(session, stanza),
            // Presence, chat states and the like reach nobody yet.
            _ => {}
        }
        Taken::Normally
    }
}

/// The writing side: the only one that touches the sink after the handshake.
struct Writer {
    network: Network,
    origin: Origin,
    sink: Sink,
    cipher: NoiseCipher,
    count: u32,
}

impl Writer {
    async fn run(mut self, mut outbox: Outbox) {
        while let Some(outgoing) = outbox.next().await {
            let written = match outgoing {
                Outgoing::Stanza(stanza) => self.write(&stanza).await,
                Outgoing::Cut => return,
                Outgoing::Close => {
                    let frame = CloseFrame { code: close_code::NORMAL, reason: "".into() };
                    let _gone = self.sink.send(Message::Close(Some(frame))).await;
                    return;
                }
            };
            if let Err(error) = written {
                tracing::debug!(error = &error as &dyn std::error::Error, "a stanza could not be written");
                return;
            }
        }
    }

    async fn write(&mut self, stanza: &Arc<Node>) -> Result<(), ConnectionError> {
        let mut encoded = marshal::marshal_auto(stanza)?;
        // The first byte says whether the rest is compressed; it is not part of the stanza.
        let body = encoded.get(1..).unwrap_or_default();
        self.network.log(StanzaDirection::Out, &self.origin, stanza, body);
        self.cipher.encrypt_in_place_with_counter(self.count, &mut encoded).map_err(|_| ConnectionError::Frame)?;
        self.count = self.count.checked_add(1).ok_or(ConnectionError::Frame)?;
        send_frame(&mut self.sink, &encoded).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(data: &[u8]) -> (Option<bool>, BytesMut) {
        let mut data = BytesMut::from(data);
        (skip_preamble(&mut data), data)
    }

    #[test]
    fn the_header_is_taken_off_with_and_without_an_edge_routing_blob() {
        let plain = [&WA_CONN_HEADER[..], b"rest"].concat();
        let routed = [&b"ED\0\x01\0\0\x03abc"[..], &plain].concat();
        for data in [plain, routed] {
            let (ours, rest) = skip(&data);
            assert_eq!((ours, &rest[..]), (Some(true), &b"rest"[..]));
        }
    }

    #[test]
    fn an_incomplete_preamble_waits_and_a_foreign_one_is_refused() {
        for data in [&b""[..], b"WA", b"ED\0\x01", b"ED\0\x01\0\0\x05ab", b"ED\0\x01\0\0\x01aWA"] {
            assert_eq!(skip(data).0, None, "{data:?}");
        }
        assert_eq!(skip(b"GET / HTTP").0, Some(false));
    }
}
