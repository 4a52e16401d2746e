//! So many in a second: a host that starts with thousands of devices connects them one after the other.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Lets through so many in a second, evenly spaced, in the order of asking.
pub(crate) struct Rate(Mutex<Interval>);

impl Rate {
    /// Needs a Tokio runtime. Zero counts as one.
    pub(crate) fn per_second(count: u32) -> Self {
        let mut ticks = interval(Duration::from_secs(1) / count.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Mutex::new(ticks))
    }

    /// Comes back when it is the caller's turn.
    pub(crate) async fn turn(&self) {
        self.0.lock().await.tick().await;
    }
}
