//! How long an invocation may still take. Lambda ends a process at its deadline in the middle of whatever it does, and then
//! the whole batch is repeated; so work stops a moment earlier and says how far it came.

use std::time::Duration;

use hantar_domain::time::Timestamp;
use hantar_usecases::ports::Clock;

/// What answering takes, and a difference between the two clocks.
const RESERVE: Duration = Duration::from_millis(300);

/// The moment at which an invocation is ended, from `lambda_runtime`'s milliseconds since 1970.
pub(crate) fn deadline(milliseconds: u64) -> Timestamp {
    Timestamp(i64::try_from(milliseconds.saturating_mul(1000)).unwrap_or(i64::MAX))
}

/// How much time there is for work; nothing when it is over.
pub(crate) fn time_left(clock: &dyn Clock, deadline: Timestamp) -> Duration {
    deadline.since(clock.now()).saturating_sub(RESERVE)
}
