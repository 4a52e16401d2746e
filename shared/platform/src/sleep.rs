//! Waiting on Tokio's timer. A Worker's timer comes with the crate that runs there.

use std::time::Duration;

use async_trait::async_trait;
use hantar_usecases::ports::Sleep;

/// Tokio's timer. It stands still while the machine is suspended: what has a date must look at the clock again after
/// waking.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioSleep;

#[async_trait]
impl Sleep for TokioSleep {
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sleeping_takes_the_time_asked_for() {
        let start = tokio::time::Instant::now();
        TokioSleep.sleep(Duration::from_hours(1)).await;
        let slept = start.elapsed();
        assert!(slept >= Duration::from_hours(1) && slept < Duration::from_secs(3601), "{slept:?}");
    }
}
