//! A host's right to act, as all its devices see it: asked right before each write to a socket.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use hantar_domain::lease::{Right, Terms};
use hantar_usecases::ports::Clock;
use tokio::sync::watch;

/// Until when one name of a host may act. A host that lapsed takes a new name and a new standing: this one never comes
/// to life again, so that what was begun under it stays refused.
pub(crate) struct Standing {
    clock: Arc<dyn Clock>,
    terms: Terms,
    until_micros: AtomicU64,
    over: AtomicBool,
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standing").field("holds", &self.holds()).finish_non_exhaustive()
    }
}

impl Standing {
    /// None yet.
    pub(crate) fn new(clock: Arc<dyn Clock>, terms: Terms) -> Self {
        Self { clock, terms, until_micros: AtomicU64::new(0), over: AtomicBool::new(false) }
    }

    /// A renewal landed that was sent at `sent_at`. Too late when the right lapsed while it was under way.
    pub(crate) fn renew(&self, sent_at: Duration) {
        let until = Right::since(sent_at).until(&self.terms);
        self.until_micros.store(u64::try_from(until.as_micros()).unwrap_or(u64::MAX), Ordering::Release);
    }

    /// Over for good.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Whether the right holds now.
    pub(crate) fn holds(&self) -> bool {
        let now = u64::try_from(self.clock.running().as_micros()).unwrap_or(u64::MAX);
        !self.over.load(Ordering::Acquire) && now < self.until_micros.load(Ordering::Acquire)
    }
}

/// The right to act for one shard.
#[derive(Clone, Debug)]
pub(crate) struct Ours {
    standing: Arc<Standing>,
    held: Arc<AtomicBool>,
}

impl Ours {
    /// A shard just taken under `standing`.
    pub(crate) fn new(standing: Arc<Standing>) -> Self {
        Self { standing, held: Arc::new(AtomicBool::new(true)) }
    }

    /// The shard is given back, or lost.
    pub(crate) fn end(&self) {
        self.held.store(false, Ordering::Release);
    }

    /// Whether this host may act for the shard now.
    pub(crate) fn holds(&self) -> bool {
        self.held.load(Ordering::Acquire) && self.standing.holds()
    }
}

/// Comes back when the flag is up. When nobody can raise it any more: never.
pub(crate) async fn said(flag: &mut watch::Receiver<bool>) {
    if flag.wait_for(|up| *up).await.is_err() {
        std::future::pending::<()>().await;
    }
}
