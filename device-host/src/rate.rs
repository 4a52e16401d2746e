//! So many in a second. A host that starts with thousands of devices connects them one after the other; a device asks
//! WhatsApp about strangers only so often.

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

/// So many at once, and afterwards one per interval. Nobody waits: who comes too early is sent away.
pub(crate) struct Burst {
    interval: Duration,
    /// How far ahead `paid_until` may lie.
    ahead: Duration,
    /// Each one that is let through takes an interval of this.
    paid_until: Duration,
}

impl Burst {
    /// `count` at once.
    pub(crate) fn of(count: u32, interval: Duration) -> Self {
        Self { interval, ahead: interval * count.saturating_sub(1), paid_until: Duration::ZERO }
    }

    /// Whether one more may pass, at `running` of a clock that never goes back.
    pub(crate) fn lets_through(&mut self, running: Duration) -> bool {
        let paid_until = self.paid_until.max(running);
        let passes = paid_until.saturating_sub(running) <= self.ahead;
        if passes {
            self.paid_until = paid_until + self.interval;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_pass_at_once_and_then_one_per_interval() {
        let mut burst = Burst::of(3, Duration::from_secs(1));
        let mut passed = |millis| burst.lets_through(Duration::from_millis(millis));
        assert_eq!([5_000; 5].map(&mut passed), [true, true, true, false, false]);
        assert_eq!([5_999, 6_000, 6_001].map(&mut passed), [false, true, false]);
        assert_eq!([60_000; 4].map(&mut passed), [true, true, true, false], "it saves up no more than at the start");
    }
}
