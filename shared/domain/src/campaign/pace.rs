//! How far ahead of its devices a campaign makes messages, how fast by its own pace, and when it will be through.

use std::time::Duration;

use crate::time::Timestamp;

/// For how long a device's queue is to last.
const LASTS: Duration = Duration::from_mins(3);
/// The least and the most that stands in a device's queue.
const QUEUE: (u64, u64) = (20, 500);
/// The shortest and the longest pause between two looks after a campaign.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How many campaign rows may stand in the queue of a device that leaves `gap` between two.
pub fn ahead(gap: Duration) -> u64 {
    let rows = LASTS.as_micros().checked_div(gap.as_micros()).unwrap_or(u128::from(QUEUE.1));
    u64::try_from(rows).unwrap_or(QUEUE.1).clamp(QUEUE.0, QUEUE.1)
}

/// How soon a campaign is to be looked after again, so that no queue runs dry: when a full one is half through.
pub fn look_again(gap: Duration) -> Duration {
    let half = u32::try_from(ahead(gap) / 2).unwrap_or(1);
    gap.saturating_mul(half).clamp(PAUSE.0, PAUSE.1)
}

/// A campaign's own pace: so many messages in a minute, each due a gap after the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    gap: Duration,
    next: Timestamp,
}

impl Pace {
    /// `until` is when the pace is used up; in the past, it starts anew.
    pub fn new(per_minute: u32, until: Option<Timestamp>, now: Timestamp) -> Self {
        let gap = Duration::from_mins(1) / per_minute.max(1);
        Self { gap, next: until.map_or(now, |until| until.max(now)) }
    }

    /// How many are due before `end`.
    pub fn due_before(&self, end: Timestamp) -> u64 {
        if self.next >= end {
            return 0;
        }
        let gaps = end.since(self.next).as_micros().div_ceil(self.gap.as_micros().max(1));
        u64::try_from(gaps).unwrap_or(u64::MAX)
    }

    /// When the pace is used up after so many more.
    pub fn after(&self, rows: u64) -> Timestamp {
        self.next + self.gap.saturating_mul(u32::try_from(rows).unwrap_or(u32::MAX))
    }
}

/// When `remaining` messages will have left, sent by so many devices from `start` on, each leaving `gap` between two, and
/// at most so many in a minute. `None` when no device sends.
pub fn eta(
    start: Timestamp,
    remaining: u64,
    devices: u64,
    gap: Duration,
    per_minute: Option<u32>,
) -> Option<Timestamp> {
    if devices == 0 {
        return None;
    }
    let of_devices = gap.as_micros() * u128::from(remaining.div_ceil(devices));
    let own = per_minute
        .map_or(0, |pace| Duration::from_mins(1).as_micros() * u128::from(remaining) / u128::from(pace.max(1)));
    let micros = u64::try_from(of_devices.max(own)).unwrap_or(u64::MAX);
    Some(start + Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1000);

    #[test]
    fn a_queue_lasts_some_minutes_and_is_looked_after_before_it_is_through() {
        for (millis, rows, seconds) in
            [(3_000, 60, 30), (1_000, 180, 30), (20, 500, 5), (0, 500, 1), (60_000, 20, 30), (4, 500, 1)]
        {
            let gap = Duration::from_millis(millis);
            assert_eq!((ahead(gap), look_again(gap).as_secs()), (rows, seconds), "{gap:?}");
        }
    }

    #[test]
    fn a_pace_is_kept_over_any_number_of_looks() {
        for (per_minute, looks_at, minutes, most) in
            [(60, 30, 5, 330), (1, 30, 5, 6), (7, 30, 3, 25), (600, 1, 1, 610), (1, 7, 10, 11)]
        {
            let (mut until, mut sent, horizon) = (None, 0, Duration::from_secs(looks_at));
            let mut now = START;
            while now < START + Duration::from_mins(minutes) {
                let pace = Pace::new(per_minute, until, now);
                let due = pace.due_before(now + horizon);
                until = Some(pace.after(due));
                sent += due;
                now = now + horizon;
            }
            let least = u64::from(per_minute) * minutes;
            assert!((least..=most).contains(&sent), "{per_minute} a minute for {minutes} minutes: {sent}");
        }
    }

    #[test]
    fn the_first_message_is_due_at_once_and_a_rest_saves_nothing_up() {
        let now = START + Duration::from_hours(1);
        assert_eq!(Pace::new(1, None, now).due_before(now + Duration::from_secs(1)), 1);
        let rested = Pace::new(60, Some(START), now);
        assert_eq!(rested.due_before(now + Duration::from_secs(10)), 10);
        assert_eq!(rested.after(10), now + Duration::from_secs(10));
    }

    #[test]
    fn the_slower_of_the_paces_says_when_it_is_over() {
        let gap = Duration::from_secs(3);
        let after =
            |remaining, devices, pace| eta(START, remaining, devices, gap, pace).map(|end| end.since(START).as_secs());
        assert_eq!(after(100, 1, None), Some(300));
        assert_eq!(after(100, 10, None), Some(30));
        assert_eq!(after(101, 10, None), Some(33));
        assert_eq!(after(100, 10, Some(10)), Some(600));
        assert_eq!(after(100, 1, Some(600)), Some(300));
        assert_eq!(after(0, 1, None), Some(0));
        assert_eq!(after(5, 0, None), None);
    }
}
