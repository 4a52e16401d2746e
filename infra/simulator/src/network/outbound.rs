//! The way out to one connected client. Handing a stanza over never blocks; a client that does not read is cut
//! once its backlog is too long (what it must not miss is still in its device's queue).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wacore_binary::Node;

/// Far above what a client that reads ever lets pile up; each entry is a pointer and a stanza of about 500 bytes.
const MAX_BACKLOG: usize = 100_000;

/// What a connection's writer has to do next.
pub(crate) enum Outgoing {
    Stanza(Arc<Node>),
    /// Say goodbye with a close frame, after everything before it was written.
    Close,
    /// Drop the TCP connection without a word.
    Cut,
}

/// The sending side, cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbound {
    sender: UnboundedSender<Outgoing>,
    backlog: Arc<AtomicUsize>,
}

/// The writer's side.
pub(crate) struct Outbox {
    receiver: UnboundedReceiver<Outgoing>,
    backlog: Arc<AtomicUsize>,
}

pub(crate) fn channel() -> (Outbound, Outbox) {
    let (sender, receiver) = unbounded_channel();
    let backlog = Arc::new(AtomicUsize::new(0));
    (Outbound { sender, backlog: Arc::clone(&backlog) }, Outbox { receiver, backlog })
}

impl Outbound {
    /// A stanza for a connection that is gone is dropped: the queue keeps what matters.
    pub(crate) fn send(&self, stanza: impl Into<Arc<Node>>) {
        self.hand_over(Outgoing::Stanza(stanza.into()));
    }

    /// Whether both lead to the same connection.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.sender.same_channel(&other.sender)
    }

    pub(crate) fn close(&self) {
        self.hand_over(Outgoing::Close);
    }

    pub(crate) fn cut(&self) {
        self.hand_over(Outgoing::Cut);
    }

    fn hand_over(&self, outgoing: Outgoing) {
        let waiting = self.backlog.fetch_add(1, Ordering::Relaxed);
        let outgoing = if waiting < MAX_BACKLOG { outgoing } else { Outgoing::Cut };
        // Beyond the limit one order to cut is enough.
        if waiting <= MAX_BACKLOG {
            let _closed = self.sender.send(outgoing);
        }
    }
}

impl Outbox {
    /// The next order; `None` when nobody can send any more.
    pub(crate) async fn next(&mut self) -> Option<Outgoing> {
        let outgoing = self.receiver.recv().await;
        if outgoing.is_some() {
            self.backlog.fetch_sub(1, Ordering::Relaxed);
        }
        outgoing
    }
}
