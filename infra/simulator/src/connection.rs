//! One client's WebSocket: preamble, handshake, then encrypted stanzas both ways until either side is gone.
//! Whatever a client sends, the worst that happens is the end of its own connection.

use std::time::Duration;

use axum::extract::ws::WebSocket;
use bytes::BytesMut;
use futures::StreamExt as _;
use wacore_binary::{Node, marshal, util};
use wacore_noise::NoiseCipher;
use waproto::whatsapp::ClientPayload;

use crate::frames::{FrameError, Frames};
use crate::handshake::{self, Answer, Established, HandshakeError, Pattern};
use crate::line::OnTheWay;
use crate::network::{Count, Network, Opened, Origin, Outbound, Session, StanzaDirection, Taken, channel};
use crate::time;
use crate::writer::{Sink, Writer, send_frame, time_for};

/// A client that does not finish its handshake in this time is let go.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(20);
/// How many stanzas of a client can be on their way; then it is not read any more.
const MAX_ON_THE_WAY: usize = 1_000;

/// Why a connection ended early; logged, never shown to anybody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("the socket failed")]
    Socket(#[from] axum::Error),
    #[error("no frame came")]
    Frames(#[from] FrameError),
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeError),
    #[error("the handshake took too long")]
    Slow,
    #[error("the client said nothing for too long")]
    Silent,
    #[error("a frame could not be encoded or decrypted")]
    Frame,
    #[error("a stanza could not be read")]
    Stanza(#[from] wacore_binary::error::BinaryError),
}

/// Serves one upgraded socket to its end.
pub(crate) async fn serve(network: Network, socket: WebSocket) {
    if let Err(error) = talk(&network, socket).await {
        if !matches!(error, ConnectionError::Frames(FrameError::Left)) {
            network.count(Count::ConnectionsFailed);
        }
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended");
    }
}

async fn talk(network: &Network, socket: WebSocket) -> Result<(), ConnectionError> {
    let (mut sink, stream) = socket.split();
    let mut frames = Frames::new(stream);
    let shaken = time::at_most(HANDSHAKE_LIMIT, shake_hands(network, &mut sink, &mut frames)).await;
    let Established { pattern, payload, read, write } = shaken.ok_or(ConnectionError::Slow)??;
    frames.trust();
    let (outbound, outbox) = channel();
    let mut presence = Presence { network, connection: network.connected(&outbound), session: None };
    tracing::debug!(?pattern, presence.connection, "a client connected");
    network.shook_hands(pattern, frames.edge_routed());
    let client = Client::open(&mut presence, pattern, &payload, outbound);
    if client.session.is_some() && !frames.edge_routed() {
        client.outbound.send(crate::stanza::edge_routing());
    }
    let writer = Writer::new(network, &client.origin, sink, write);
    let mut writing = tokio::spawn(writer.run(outbox));
    let ended = tokio::select! {
        ended = client.listen(&mut frames, &read) => ended,
        // The writer ends first when the connection is to be closed from here.
        _ = &mut writing => Ok(()),
    };
    writing.abort();
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

/// A connection's place in the network, given up however its task ends, be it by a panic.
struct Presence<'a> {
    network: &'a Network,
    connection: u64,
    session: Option<Session>,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        self.network.disconnected(self.connection, self.session);
    }
}

/// The reading side after the handshake.
struct Client {
    network: Network,
    outbound: Outbound,
    origin: Origin,
    session: Option<Session>,
}

impl Client {
    fn open(presence: &mut Presence<'_>, pattern: Pattern, payload: &ClientPayload, outbound: Outbound) -> Self {
        let Presence { network, connection, session } = presence;
        let client = match network.opened(*connection, pattern, payload, &outbound) {
            Opened::Companion(companion, phone) => {
                *session = Some(companion);
                Some((phone, companion.device()))
            }
            Opened::Pairing | Opened::Refused => None,
        };
        let origin = Origin { connection: *connection, client };
        Self { network: (*network).clone(), outbound, origin, session: *session }
    }

    async fn listen(&self, frames: &mut Frames, cipher: &NoiseCipher) -> Result<(), ConnectionError> {
        let clock = self.network.clock();
        let mut line = OnTheWay::new();
        let mut count = 0_u32;
        loop {
            let moment = line.next_moment();
            tokio::select! {
                frame = self.next_frame(frames), if line.len() < MAX_ON_THE_WAY => {
                    let frame = frame?;
                    let size = frame.len();
                    let stanza = self.read(frame, cipher, &mut count)?;
                    let disturbance = self.network.disturb(&self.origin, StanzaDirection::In);
                    if disturbance.lost {
                        return Ok(());
                    }
                    if line.is_free_for(&disturbance) {
                        self.take(&stanza).await;
                    } else {
                        line.add(clock.now_ms(), &disturbance, stanza);
                    }
                    if let Some(rate) = disturbance.bytes_per_second {
                        clock.pause(time_for(size, rate)).await;
                    }
                }
                () = clock.reaches(moment.unwrap_or_default()), if moment.is_some() => {
                    if let Some(stanza) = line.take_due(clock.now_ms()) {
                        self.take(&stanza).await;
                    }
                }
            }
        }
    }

    /// The next frame of a client that gives signs of life; who only pairs may think as long as it likes.
    async fn next_frame(&self, frames: &mut Frames) -> Result<BytesMut, ConnectionError> {
        let frame = match self.session {
            Some(_) => time::at_most(self.network.idle_limit(), frames.next()).await.ok_or(ConnectionError::Silent)?,
            None => frames.next().await,
        };
        Ok(frame?)
    }

    fn read(&self, mut frame: BytesMut, cipher: &NoiseCipher, count: &mut u32) -> Result<Node, ConnectionError> {
        cipher.decrypt_in_place_with_counter(*count, &mut frame).map_err(|_| ConnectionError::Frame)?;
        *count = count.checked_add(1).ok_or(ConnectionError::Frame)?;
        let encoded = util::unpack_bytes(frame)?;
        let stanza = marshal::unmarshal_ref(&encoded)?.to_owned();
        self.network.log(StanzaDirection::In, &self.origin, &stanza, &encoded);
        Ok(stanza)
    }

    async fn take(&self, stanza: &Node) {
        if self.answer(stanza) == Taken::AsTheLast {
            // The writer ends the connection.
            std::future::pending::<()>().await;
        }
    }

    fn answer(&self, stanza: &Node) -> Taken {
        let (network, outbound) = (&self.network, &self.outbound);
        match (stanza.tag.as_ref(), self.session) {
            ("iq", session) => network.on_iq(session, outbound, stanza),
            ("message", Some(session)) => return network.on_message(session, outbound, stanza),
            ("receipt", Some(session)) => network.on_receipt(session, outbound, stanza),
            ("ack", Some(session)) => network.on_ack(session, stanza),
            ("presence", Some(session)) => network.on_presence(session, stanza),
            ("call", Some(session)) => network.on_call(session, outbound, stanza),
            ("chatstate", Some(session)) => network.on_chat_state(session, stanza),
            _ => {}
        }
        Taken::Normally
    }
}
