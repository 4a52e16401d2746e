//! Waiting: on Tokio's timer, or on a Worker's.

use std::time::Duration;

use async_trait::async_trait;
use hantar_usecases::ports::Sleep;

/// Tokio's timer. It stands still while the machine is suspended: what has a date must look at the clock again after
/// waking.
#[cfg(feature = "tokio")]
#[derive(Clone, Copy, Debug, Default)]
pub struct TokioSleep;

#[cfg(feature = "tokio")]
#[async_trait]
impl Sleep for TokioSleep {
    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// A Worker's timer (`setTimeout`), for the use cases and for the AWS SDK's pauses and time limits.
#[cfg(feature = "worker")]
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerSleep;

#[cfg(feature = "worker")]
#[async_trait]
impl Sleep for WorkerSleep {
    async fn sleep(&self, span: Duration) {
        worker::send::SendFuture::new(worker::Delay::from(span)).await;
    }
}

#[cfg(feature = "worker")]
impl aws_smithy_async::rt::sleep::AsyncSleep for WorkerSleep {
    fn sleep(&self, span: Duration) -> aws_smithy_async::rt::sleep::Sleep {
        aws_smithy_async::rt::sleep::Sleep::new(worker::send::SendFuture::new(worker::Delay::from(span)))
    }
}

#[cfg(all(test, feature = "tokio"))]
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
