//! Frames out of a WebSocket: the preamble is taken off, what is not binary is passed over.

use axum::extract::ws::{Message, WebSocket};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::StreamExt as _;
use futures::stream::SplitStream;
use wacore_binary::consts::WA_CONN_HEADER;
use wacore_noise::framing::FrameDecoder;

/// `ED 00 01`: an edge-routing blob (with a three-byte length) stands before the connection header.
const EDGE_PREAMBLE: [u8; 4] = [b'E', b'D', 0, 1];
const EDGE_HEAD: usize = 7;
/// More than any client sends before it is known: preamble, hello and finish.
const MAX_STRANGERS_BYTES: usize = 256 << 10;

/// Why there is no next frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the socket failed")]
    Socket(#[from] axum::Error),
    #[error("the client left")]
    Left,
    #[error("the connection does not begin with the WhatsApp header")]
    Preamble,
    #[error("a stranger sent more than a handshake takes")]
    Flood,
}

pub(crate) struct Frames {
    stream: SplitStream<WebSocket>,
    decoder: FrameDecoder,
    /// What came before the header was complete; absent once it was.
    preamble: Option<BytesMut>,
    /// How much came so far; not counted any more once the client is known.
    strangers_bytes: Option<usize>,
    edge_routed: bool,
}

impl Frames {
    pub(crate) fn new(stream: SplitStream<WebSocket>) -> Self {
        Self {
            stream,
            decoder: FrameDecoder::new(),
            preamble: Some(BytesMut::new()),
            strangers_bytes: Some(0),
            edge_routed: false,
        }
    }

    /// The handshake is over: from now on frames may be large.
    pub(crate) fn trust(&mut self) {
        self.strangers_bytes = None;
    }

    /// Whether the client sent the edge-routing blob it was given.
    pub(crate) fn edge_routed(&self) -> bool {
        self.edge_routed
    }

    /// The next frame. Nothing is lost when the wait is given up.
    pub(crate) async fn next(&mut self) -> Result<BytesMut, FrameError> {
        loop {
            if let Some(frame) = self.decoder.decode_frame() {
                return Ok(frame);
            }
            match self.stream.next().await.ok_or(FrameError::Left)?? {
                Message::Binary(data) => self.feed(&data)?,
                Message::Close(_) => return Err(FrameError::Left),
                Message::Text(_) | Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }

    fn feed(&mut self, data: &Bytes) -> Result<(), FrameError> {
        if let Some(bytes) = &mut self.strangers_bytes {
            *bytes += data.len();
            if *bytes > MAX_STRANGERS_BYTES {
                return Err(FrameError::Flood);
            }
        }
        let Some(mut preamble) = self.preamble.take() else {
            self.decoder.feed(data);
            return Ok(());
        };
        preamble.extend_from_slice(data);
        self.edge_routed = preamble.starts_with(&EDGE_PREAMBLE);
        match skip_preamble(&mut preamble) {
            Some(true) => self.decoder.feed(&preamble),
            Some(false) => return Err(FrameError::Preamble),
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
