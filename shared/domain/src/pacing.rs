//! How fast a device may send, so that its number lives long.

use std::str::FromStr;
use std::time::Duration;

use crate::message::Lane;
use crate::time::Timestamp;

/// The longest gap that may be asked for.
const LONGEST: Duration = Duration::from_hours(1);

/// The least time between two messages of a lane on one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pacing {
    /// Between two rows of campaigns. Replies and single messages are asked for by a person and go at once.
    pub campaign_gap: Duration,
}

impl Default for Pacing {
    /// Three seconds between campaign rows: twenty a minute.
    fn default() -> Self {
        Self { campaign_gap: Duration::from_secs(3) }
    }
}

/// The text is no gap between campaign rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected seconds from 0 to 3600, such as 3 or 0.5")]
pub struct NoGap;

impl FromStr for Pacing {
    type Err = NoGap;

    /// Reads the seconds between two rows of campaigns.
    fn from_str(text: &str) -> Result<Self, NoGap> {
        let seconds: f64 = text.trim().parse().map_err(|_| NoGap)?;
        let campaign_gap = Duration::try_from_secs_f64(seconds).map_err(|_| NoGap)?;
        if campaign_gap > LONGEST { Err(NoGap) } else { Ok(Self { campaign_gap }) }
    }
}

impl Pacing {
    /// When a message of `lane` may go: `None` means now. `last_campaign` is when the last campaign row went.
    pub fn due(&self, lane: Lane, last_campaign: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        if lane != Lane::Campaign {
            return None;
        }
        last_campaign.map(|last| last + self.campaign_gap).filter(|due| *due > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_read_in_seconds() {
        let millis = |text: &str| text.parse::<Pacing>().map(|pacing| pacing.campaign_gap.as_millis());
        assert_eq!(
            (millis("3"), millis(" 0.02 "), millis("0"), millis("3600")),
            (Ok(3000), Ok(20), Ok(0), Ok(3_600_000))
        );
        for text in ["", "x", "-1", "3601", "NaN", "inf", "1e300"] {
            assert_eq!(millis(text), Err(NoGap), "{text}");
        }
    }

    #[test]
    fn only_campaign_rows_wait_for_one_another() {
        let pacing = Pacing::default();
        let now = Timestamp::from_seconds(100);
        assert_eq!(pacing.due(Lane::Single, Some(now), now), None);
        assert_eq!(pacing.due(Lane::Reply, Some(now), now), None);
        assert_eq!(pacing.due(Lane::Campaign, None, now), None);
        assert_eq!(pacing.due(Lane::Campaign, Some(now), now), Some(Timestamp::from_seconds(103)));
        assert_eq!(pacing.due(Lane::Campaign, Some(Timestamp::from_seconds(97)), now), None);
    }
}
