//! How fast a device may send, so that its number lives long.

use std::time::Duration;

use crate::message::Lane;
use crate::time::Timestamp;

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
