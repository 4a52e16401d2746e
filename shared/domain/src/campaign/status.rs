//! How a campaign stands, and what its owner may ask of it.

use std::fmt;

/// How a campaign stands. Its recipients may still be looked for while it is scheduled, running or paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// It waits for its time.
    Scheduled,
    /// Its messages are being made and sent.
    Running,
    /// It was stopped, by its owner or for a reason; it can go on.
    Paused,
    /// All its messages have left.
    Completed,
    /// It is being taken back.
    Cancelling,
    /// It was taken back.
    Cancelled,
    /// It could not be carried out, and what had not left was taken back.
    Failed,
}

impl Status {
    /// All statuses.
    pub const ALL: [Self; 7] = [
        Self::Scheduled,
        Self::Running,
        Self::Paused,
        Self::Completed,
        Self::Cancelling,
        Self::Cancelled,
        Self::Failed,
    ];

    /// The stored and shown word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }

    /// The status with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether it may still take recipients in.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Scheduled | Self::Running | Self::Paused)
    }

    /// Whether nothing will happen to it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::Failed)
    }

    /// Whether its rows may go to the wire.
    pub const fn standing(self) -> Standing {
        match self {
            Self::Scheduled | Self::Running | Self::Completed => Standing::Running,
            Self::Paused => Standing::Paused,
            Self::Cancelling | Self::Cancelled | Self::Failed => Standing::Over,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Whether rows of a campaign may go to the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// They may.
    Running,
    /// Not now: they keep their turns.
    Paused,
    /// Never: the campaign was cancelled, or is not there.
    Over,
}

/// What is asked of a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// Stop for now.
    Pause,
    /// Go on.
    Resume,
    /// Take it back.
    Cancel,
}

/// The campaign is past this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the campaign is over")]
pub struct TooLate;

impl Order {
    /// The statuses that this order changes.
    pub const fn moves_from(self) -> &'static [Status] {
        match self {
            Self::Pause => &[Status::Scheduled, Status::Running],
            Self::Resume => &[Status::Paused],
            Self::Cancel => &[Status::Scheduled, Status::Running, Status::Paused],
        }
    }

    /// The status that it leads to; `due` says whether the campaign's time has come.
    pub const fn leads_to(self, due: bool) -> Status {
        match self {
            Self::Pause => Status::Paused,
            Self::Resume if due => Status::Running,
            Self::Resume => Status::Scheduled,
            Self::Cancel => Status::Cancelling,
        }
    }

    /// Whether a campaign in `status` is as this order would have it, so that nothing is to be done.
    pub const fn is_met_by(self, status: Status) -> bool {
        match self {
            Self::Pause => matches!(status, Status::Paused),
            Self::Resume => matches!(status, Status::Scheduled | Status::Running),
            Self::Cancel => matches!(status, Status::Cancelling | Status::Cancelled),
        }
    }

    /// The status after this order; `None` when nothing changes.
    pub fn applied_to(self, status: Status, due: bool) -> Result<Option<Status>, TooLate> {
        if self.moves_from().contains(&status) {
            return Ok(Some(self.leads_to(due)));
        }
        if self.is_met_by(status) { Ok(None) } else { Err(TooLate) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_and_lead_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_word(status.word()), Some(status));
        }
    }

    #[test]
    fn what_is_asked_of_a_campaign_follows_the_table() {
        use Order::{Cancel, Pause, Resume};
        use Status::{Cancelled, Cancelling, Completed, Failed, Paused, Running, Scheduled};
        // Order, status, after it when due, after it when not: `None` is too late, the same status nothing to do.
        let table = [
            (Pause, Scheduled, Some(Paused), Some(Paused)),
            (Pause, Running, Some(Paused), Some(Paused)),
            (Pause, Paused, Some(Paused), Some(Paused)),
            (Pause, Completed, None, None),
            (Pause, Cancelling, None, None),
            (Pause, Cancelled, None, None),
            (Pause, Failed, None, None),
            (Resume, Scheduled, Some(Scheduled), Some(Scheduled)),
            (Resume, Running, Some(Running), Some(Running)),
            (Resume, Paused, Some(Running), Some(Scheduled)),
            (Resume, Completed, None, None),
            (Resume, Cancelling, None, None),
            (Resume, Cancelled, None, None),
            (Resume, Failed, None, None),
            (Cancel, Scheduled, Some(Cancelling), Some(Cancelling)),
            (Cancel, Running, Some(Cancelling), Some(Cancelling)),
            (Cancel, Paused, Some(Cancelling), Some(Cancelling)),
            (Cancel, Completed, None, None),
            (Cancel, Cancelling, Some(Cancelling), Some(Cancelling)),
            (Cancel, Cancelled, Some(Cancelled), Some(Cancelled)),
            (Cancel, Failed, None, None),
        ];
        assert_eq!(table.len(), 3 * Status::ALL.len());
        for (order, status, due, early) in table {
            let after = |due| order.applied_to(status, due).map(|moved| moved.unwrap_or(status)).ok();
            assert_eq!((after(true), after(false)), (due, early), "{order:?} {status}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_end() {
        for status in Status::ALL.into_iter().filter(|status| status.is_over()) {
            for order in [Order::Pause, Order::Resume, Order::Cancel] {
                assert!(!order.moves_from().contains(&status), "{order:?} {status}");
            }
        }
    }

    #[test]
    fn rows_of_what_was_taken_back_never_go() {
        for status in Status::ALL {
            let expected = match status {
                Status::Paused => Standing::Paused,
                Status::Cancelling | Status::Cancelled | Status::Failed => Standing::Over,
                _ => Standing::Running,
            };
            assert_eq!(status.standing(), expected, "{status}");
        }
    }
}
