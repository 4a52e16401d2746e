//! Receives deliveries' doorbells and makes the calls.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use hantar_jobs::Decision;
use hantar_jobs::deliver_webhook::Deliverer;
use hantar_usecases::ports::{Job, Queue, Received};

/// How long one receive waits for a job.
const WAIT: Duration = Duration::from_secs(20);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until it is dropped. Several may run at a time.
pub async fn run(deliverer: Arc<Deliverer>) {
    loop {
        match deliverer.queue.receive(Queue::Webhooks, WAIT).await {
            Ok(received) => {
                let mut calls: FuturesUnordered<_> = received.into_iter().map(|one| handle(&deliverer, one)).collect();
                while calls.next().await.is_some() {}
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the webhook queue did not answer");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A job that fails is left in the queue, which shows it again.
async fn handle(deliverer: &Deliverer, received: Received) {
    let decision = match &received.job {
        Some(Job::Delivery { account, endpoint, event }) => match deliverer.deliver(*account, *endpoint, event).await {
            Ok(decision) => decision,
            Err(error) => {
                tracing::warn!(
                    account.id = account.0,
                    event = event.0,
                    error = &error as &dyn std::error::Error,
                    "a delivery was put off"
                );
                return;
            }
        },
        _ => Decision::Park("not_a_delivery"),
    };
    if let Decision::Park(code) = decision
        && let Err(error) = deliverer.queue.park(code, &format!("{:?}", received.job)).await
    {
        tracing::warn!(error = &error as &dyn std::error::Error, "a job could not be parked");
        return;
    }
    if !matches!(decision, Decision::RetryAfter(_))
        && let Err(error) = deliverer.queue.done(Queue::Webhooks, &[received.receipt]).await
    {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "a done job could not be deleted; it will be seen again"
        );
    }
}
