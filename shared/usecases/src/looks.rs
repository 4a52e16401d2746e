//! Waiting for what another process is to write to a table. The pauses between two looks grow, so that what comes fast is
//! seen fast, and what comes slowly costs few reads.

use std::time::Duration;

use crate::ports::Sleep;

/// How long a caller waits in all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
const FIRST: Duration = Duration::from_millis(30);
const LONGEST: Duration = Duration::from_millis(500);

/// The pauses of one wait: 26, of ten seconds together.
pub(crate) struct Looks {
    pause: Duration,
    left: Duration,
}

impl Looks {
    pub(crate) const fn new() -> Self {
        Self { pause: FIRST, left: PATIENCE }
    }

    /// Pauses before the next look; `false`, and no pause, when there is to be none.
    pub(crate) async fn next(&mut self, sleep: &dyn Sleep) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.pause.min(self.left);
        self.left -= pause;
        self.pause = (self.pause * 3 / 2).min(LONGEST);
        sleep.sleep(pause).await;
        true
    }
}
