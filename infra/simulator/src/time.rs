//! The simulator's clocks, so that the rest of the crate holds no ambient time. A network has a clock of its own: it
//! stamps stanzas and times what people do, and it can be frozen and moved. What limits sockets and callers, who live
//! in the machine's time, goes by the machine's clock.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The furthest a clock can be set (the year 2286), so that sums of times never overflow.
pub(crate) const LATEST_MS: u64 = 10_000_000_000_000;

/// Milliseconds since 1970 by the machine's clock; zero on a machine whose clock is set before that.
#[expect(clippy::disallowed_methods, reason = "the one place the simulator reads the clock")]
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Waits for a while of the machine's time.
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// What `work` gives, or `None` when it takes longer than `limit`.
pub(crate) async fn at_most<T>(limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, work).await.ok()
}

/// How a network's clock stands to the machine's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Setting {
    /// How far it is ahead.
    ahead_ms: u64,
    /// Where it stands still, if it does.
    frozen_at_ms: Option<u64>,
}

/// A network's clock. It never goes back. Cheap to clone: all clones are the same clock.
#[derive(Clone)]
pub(crate) struct Clock(Arc<watch::Sender<Setting>>);

impl Clock {
    pub(crate) fn new(setting: Setting) -> Self {
        Self(Arc::new(watch::Sender::new(setting)))
    }

    pub(crate) fn setting(&self) -> Setting {
        *self.0.borrow()
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.setting().now_ms(unix_millis())
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.setting().frozen_at_ms.is_some()
    }

    /// Stands still from now on, or goes on from where it stands.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.0.send_modify(|setting| setting.freeze(frozen, unix_millis()));
    }

    /// Moves forward to this moment; nothing happens when it is past.
    pub(crate) fn move_to(&self, moment_ms: u64) {
        self.0.send_modify(|setting| setting.move_to(moment_ms.min(LATEST_MS), unix_millis()));
    }

    /// Waits until the clock shows this moment, however it gets there.
    pub(crate) async fn reaches(&self, moment_ms: u64) {
        let mut setting = self.0.subscribe();
        loop {
            let current = *setting.borrow_and_update();
            let missing = moment_ms.saturating_sub(current.now_ms(unix_millis()));
            if missing == 0 {
                return;
            }
            let passes = async {
                match current.frozen_at_ms {
                    Some(_) => std::future::pending().await,
                    None => pause(Duration::from_millis(missing)).await,
                }
            };
            tokio::select! {
                () = passes => {}
                // The sender lives as long as `self`.
                _ = setting.changed() => {}
            }
        }
    }

    /// Waits for a while of this clock's time.
    pub(crate) async fn pause(&self, length: Duration) {
        let length = u64::try_from(length.as_millis()).unwrap_or(LATEST_MS);
        self.reaches(self.now_ms().saturating_add(length)).await;
    }
}

impl Setting {
    fn now_ms(self, machine_ms: u64) -> u64 {
        self.frozen_at_ms.unwrap_or_else(|| machine_ms.saturating_add(self.ahead_ms))
    }

    fn freeze(&mut self, frozen: bool, machine_ms: u64) {
        let now = self.now_ms(machine_ms);
        if !frozen && self.frozen_at_ms.is_some() {
            // Who froze it and went away for an hour lets it run an hour behind; it then runs on from where it stood
            // unless that is in the machine's past, which no clock here ever shows.
            self.ahead_ms = now.saturating_sub(machine_ms);
        }
        self.frozen_at_ms = frozen.then_some(now);
    }

    fn move_to(&mut self, moment_ms: u64, machine_ms: u64) {
        let forward = moment_ms.saturating_sub(self.now_ms(machine_ms));
        match &mut self.frozen_at_ms {
            Some(at) => *at = at.saturating_add(forward),
            None => self.ahead_ms = self.ahead_ms.saturating_add(forward),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_stands_until_it_is_moved_and_then_runs_on_from_there() {
        let mut setting = Setting::default();
        assert_eq!(setting.now_ms(1_000), 1_000);
        setting.freeze(true, 1_000);
        assert_eq!(setting.now_ms(5_000), 1_000);
        setting.move_to(90_000, 5_000);
        assert_eq!(setting.now_ms(6_000), 90_000);
        setting.freeze(false, 6_000);
        assert_eq!((setting.now_ms(6_000), setting.now_ms(6_500)), (90_000, 90_500));
    }

    #[test]
    fn a_clock_never_goes_back() {
        let mut setting = Setting::default();
        setting.move_to(9_000, 1_000);
        setting.move_to(2_000, 1_000);
        assert_eq!(setting.now_ms(1_000), 9_000);
        setting.freeze(true, 1_000);
        setting.freeze(false, 20_000);
        assert_eq!(setting.now_ms(20_000), 20_000);
    }

    #[tokio::test]
    async fn who_waits_for_a_moment_wakes_when_the_clock_is_moved_there() {
        let clock = Clock::new(Setting::default());
        clock.freeze(true);
        let moment = clock.now_ms() + 86_400_000;
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reaches(moment).await }
        });
        clock.move_to(moment - 1);
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        clock.move_to(moment);
        at_most(Duration::from_secs(20), waiting).await.unwrap().unwrap();
    }
}
