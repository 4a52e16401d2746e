//! How long to wait before the next connection, with full jitter: many devices lose their connections at one moment and
//! must not come back at one moment.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// Somebody else is connected with these keys: another host, which will show in the lease, or another program.
const REPLACED: Duration = Duration::from_mins(1);
/// WhatsApp refused the log-in for a reason that may pass.
const REFUSED: Duration = Duration::from_secs(30);
/// Half a minute at most.
const MOST_DOUBLINGS: u32 = 5;
const SHORTEST: Duration = Duration::from_millis(50);

/// After `failures` losses in a row: anything up to one, two, four… seconds.
pub(super) fn after_loss(failures: u32, dice: u32) -> Duration {
    let ceiling = FIRST.saturating_mul(1 << failures.min(16)).min(LONGEST);
    part(ceiling, dice).max(SHORTEST)
}

/// After connections that ended before they brought a code: as above, but somebody is waiting before a screen.
pub(super) fn after_failed_pairing(failures: u32, dice: u32) -> Duration {
    after_loss(failures.min(MOST_DOUBLINGS), dice)
}

/// One to two minutes.
pub(super) fn after_replacement(dice: u32) -> Duration {
    REPLACED + part(REPLACED, dice)
}

/// Half a minute to a whole one.
pub(super) fn after_refusal(dice: u32) -> Duration {
    REFUSED + part(REFUSED, dice)
}

fn part(whole: Duration, dice: u32) -> Duration {
    whole.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_are_spread_over_their_whole_length() {
        assert_eq!(after_loss(0, u32::MAX), Duration::from_secs(1));
        assert_eq!(after_loss(3, u32::MAX), Duration::from_secs(8));
        assert_eq!(after_loss(40, u32::MAX), LONGEST);
        assert_eq!(after_loss(3, 0), SHORTEST);
        let half = after_loss(3, u32::MAX / 2);
        assert!(half > Duration::from_millis(3_900) && half < Duration::from_millis(4_100), "{half:?}");
    }

    #[test]
    fn a_replaced_device_stays_away_for_a_minute_at_least() {
        assert!(after_replacement(0) >= Duration::from_mins(1));
        assert!(after_replacement(u32::MAX) <= Duration::from_mins(2));
        assert!(after_refusal(0) >= Duration::from_secs(30));
    }
}
