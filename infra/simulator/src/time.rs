//! The simulator's only clock: everything that stamps a stanza or waits does it through here, so that the
//! rest of the crate holds no ambient time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970; zero on a machine whose clock is set before that.
#[expect(clippy::disallowed_methods, reason = "the one place the simulator reads the clock")]
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since 1970, the unit of every `t` attribute.
pub(crate) fn unix_seconds() -> u64 {
    unix_millis() / 1000
}

/// Waits for a while.
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// What `work` gives, or `None` when it takes longer than `limit`.
pub(crate) async fn at_most<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}
