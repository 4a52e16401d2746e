//! The network's time, as a test moves it: frozen, so that nothing happens between two steps, or a day on in an
//! instant.

use serde::{Deserialize, Serialize};

use crate::network::{Network, NetworkError};
use crate::time::LATEST_MS;

/// What the network's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NetworkTime {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// Whether it stands still.
    pub frozen: bool,
}

/// What to do with the clock; what is absent stays as it is. It never goes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeChange {
    /// Whether it stands still from now on.
    pub frozen: Option<bool>,
    /// Move to this moment (milliseconds since 1970).
    pub now_ms: Option<u64>,
    /// Move on by this much.
    pub advance_ms: Option<u64>,
}

impl Network {
    /// What the network's clock shows.
    pub fn time(&self) -> NetworkTime {
        NetworkTime { now_ms: self.now_ms(), frozen: self.clock().is_frozen() }
    }

    /// Freezes, frees or moves the clock. What people were to do until the new moment is done when this returns.
    pub fn change_time(&self, change: TimeChange) -> Result<NetworkTime, NetworkError> {
        let target = match change {
            TimeChange { now_ms: Some(_), advance_ms: Some(_), .. } => {
                return Err(NetworkError::invalid("advance_ms", "cannot be given together with now_ms"));
            }
            TimeChange { now_ms: Some(moment), .. } if moment < self.now_ms() => {
                return Err(NetworkError::invalid("now_ms", "must not be in the past: the clock never goes back"));
            }
            TimeChange { now_ms: moment @ Some(_), .. } => moment,
            TimeChange { advance_ms, .. } => advance_ms.map(|length| self.now_ms().saturating_add(length)),
        };
        if target.is_some_and(|target| target > LATEST_MS) {
            return Err(NetworkError::invalid("now_ms", "must be at most 10000000000000"));
        }
        if let Some(frozen) = change.frozen {
            self.clock().freeze(frozen);
        }
        if let Some(target) = target {
            self.clock().move_to(target);
        }
        self.catch_up();
        Ok(self.time())
    }
}
