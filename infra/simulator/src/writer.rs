//! The writing side of a connection: the only one that touches the sink after the handshake. Here stanzas meet the
//! rules that delay, lose or reorder them.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::SinkExt as _;
use futures::stream::SplitSink;
use wacore_binary::{Node, marshal};
use wacore_noise::NoiseCipher;
use wacore_noise::framing::encode_frame;

use crate::connection::ConnectionError;
use crate::line::OnTheWay;
use crate::network::{Network, Origin, Outbox, Outgoing, StanzaDirection};

/// How many stanzas can be on their way; what comes then waits in the outbox.
const MAX_ON_THE_WAY: usize = 10_000;

pub(crate) type Sink = SplitSink<WebSocket, Message>;

pub(crate) async fn send_frame(sink: &mut Sink, payload: &[u8]) -> Result<(), ConnectionError> {
    let frame = encode_frame(payload, None).map_err(|_| ConnectionError::Frame)?;
    Ok(sink.send(Message::Binary(frame.into())).await?)
}

pub(crate) struct Writer {
    network: Network,
    origin: Origin,
    sink: Sink,
    cipher: NoiseCipher,
    count: u32,
}

/// What is delayed.
enum Delayed {
    Stanza(Arc<Node>, Option<u32>),
    Close,
}

impl Writer {
    pub(crate) fn new(network: &Network, origin: &Origin, sink: Sink, cipher: NoiseCipher) -> Self {
        Self { network: network.clone(), origin: origin.clone(), sink, cipher, count: 0 }
    }

    /// Writes until it is told to end, or nobody can send any more, or the socket fails.
    pub(crate) async fn run(mut self, mut outbox: Outbox) {
        if let Err(error) = self.write_all(&mut outbox).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "a stanza could not be written");
        }
    }

    async fn write_all(&mut self, outbox: &mut Outbox) -> Result<(), ConnectionError> {
        let clock = self.network.clock().clone();
        let mut line = OnTheWay::new();
        loop {
            let moment = line.next_moment();
            tokio::select! {
                outgoing = outbox.next(), if line.len() < MAX_ON_THE_WAY => match outgoing {
                    None | Some(Outgoing::Cut) => return Ok(()),
                    Some(Outgoing::Close) => line.add_last(clock.now_ms(), Delayed::Close),
                    Some(Outgoing::Stanza(stanza)) => {
                        let disturbance = self.network.disturb(&self.origin, StanzaDirection::Out);
                        if disturbance.lost {
                            return Ok(());
                        }
                        let rate = disturbance.bytes_per_second;
                        if line.is_free_for(&disturbance) {
                            self.write(&stanza, rate).await?;
                        } else {
                            line.add(clock.now_ms(), &disturbance, Delayed::Stanza(stanza, rate));
                        }
                    }
                },
                () = clock.reaches(moment.unwrap_or_default()), if moment.is_some() => {
                    match line.take_due(clock.now_ms()) {
                        Some(Delayed::Stanza(stanza, rate)) => self.write(&stanza, rate).await?,
                        Some(Delayed::Close) => {
                            let frame = CloseFrame { code: close_code::NORMAL, reason: "".into() };
                            return Ok(self.sink.send(Message::Close(Some(frame))).await?);
                        }
                        None => {}
                    }
                }
            }
        }
    }

    async fn write(&mut self, stanza: &Node, bytes_per_second: Option<u32>) -> Result<(), ConnectionError> {
        let mut encoded = marshal::marshal_auto(stanza)?;
        // The first byte says whether the rest is compressed; it is not part of the stanza.
        let body = encoded.get(1..).unwrap_or_default();
        self.network.log(StanzaDirection::Out, &self.origin, stanza, body);
        self.cipher.encrypt_in_place_with_counter(self.count, &mut encoded).map_err(|_| ConnectionError::Frame)?;
        self.count = self.count.checked_add(1).ok_or(ConnectionError::Frame)?;
        send_frame(&mut self.sink, &encoded).await?;
        if let Some(rate) = bytes_per_second {
            self.network.clock().pause(time_for(encoded.len(), rate)).await;
        }
        Ok(())
    }
}

/// How long so many bytes take at this rate.
pub(crate) fn time_for(bytes: usize, bytes_per_second: u32) -> Duration {
    let millis = (bytes as u64).saturating_mul(1_000) / u64::from(bytes_per_second.max(1));
    Duration::from_millis(millis)
}
