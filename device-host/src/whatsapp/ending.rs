//! How far a connection came, and so why it ended: the library only logs that.
//!
//! In Noise XX the client speaks, the server answers with its certificates, and the client's second word is its log-in
//! (<https://noiseprotocol.org/noise.html>, section 7.5). So a client that leaves after the answer without a second word
//! did not like the server's certificates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was open, and broke.
    Lost,
    /// Nobody answers at that address.
    Unreachable,
    /// TLS did not come about: the server's certificate is not trusted, most likely.
    TlsRefused,
    /// The server did not prove to be WhatsApp.
    HandshakeRefused,
}

impl Ending {
    /// The stable code.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Lost => "connection_lost",
            Self::Unreachable => "unreachable",
            Self::TlsRefused => "tls_refused",
            Self::HandshakeRefused => "handshake_refused",
        }
    }
}

const UNREACHABLE: u8 = 0;
const CONNECTED: u8 = 1;
const OPEN: u8 = 2;
const ANSWERED: u8 = 3;
const LOGGING_IN: u8 = 4;

/// How far the newest socket came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// Another socket is begun.
    pub(super) fn begin(&self) {
        self.0.store(UNREACHABLE, Ordering::Release);
    }

    /// TCP stands, TLS is next.
    pub(super) fn connected(&self) {
        self.0.store(CONNECTED, Ordering::Release);
    }

    /// The WebSocket is open.
    pub(super) fn open(&self) {
        self.0.store(OPEN, Ordering::Release);
    }

    /// A frame came.
    pub(super) fn received(&self) {
        let _ = self.0.compare_exchange(OPEN, ANSWERED, Ordering::AcqRel, Ordering::Acquire);
    }

    /// A frame is about to be written.
    pub(super) fn writes(&self) {
        let _ = self.0.compare_exchange(ANSWERED, LOGGING_IN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Why it is over, now that it is.
    pub(super) fn ending(&self) -> Ending {
        match self.0.load(Ordering::Acquire) {
            UNREACHABLE => Ending::Unreachable,
            CONNECTED => Ending::TlsRefused,
            ANSWERED => Ending::HandshakeRefused,
            _ => Ending::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_came_says_why_it_ended() {
        let steps: [fn(&Progress); 6] = [
            Progress::begin,
            Progress::connected,
            Progress::open,
            Progress::writes,
            Progress::received,
            Progress::writes,
        ];
        let progress = Progress::default();
        let endings: Vec<_> = steps
            .iter()
            .map(|step| {
                step(&progress);
                progress.ending()
            })
            .collect();
        let expected = [
            Ending::Unreachable,
            Ending::TlsRefused,
            Ending::Lost,
            Ending::Lost,
            Ending::HandshakeRefused,
            Ending::Lost,
        ];
        assert_eq!(endings, expected);
        progress.begin();
        assert_eq!(progress.ending(), Ending::Unreachable, "a new socket begins anew");
    }
}
