//! Receives doorbells of long work and does its steps.

use std::sync::Arc;
use std::time::Duration;

use hantar_jobs::Decision;
use hantar_jobs::work::Worker;
use hantar_usecases::ports::{Job, PortError, Queue, Received};

/// How long one receive waits for a job.
const WAIT: Duration = Duration::from_secs(20);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs until it is dropped. Several may run at a time.
pub async fn run(worker: Arc<Worker>) {
    loop {
        match worker.queue.receive(Queue::Jobs, WAIT).await {
            Ok(received) => {
                for one in received {
                    handle(&worker, one).await;
                }
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the queue of jobs did not answer");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// A step that fails stays noted in the table, and the sweep rings for it.
async fn handle(worker: &Worker, received: Received) {
    let decided = match &received.job {
        Some(Job::Work { account, work }) => worker.work(*account, *work).await,
        _ => Ok(Decision::Park("not_work")),
    };
    let ended = async {
        if let Decision::Park(code) = decided? {
            worker.queue.park(code, &format!("{:?}", received.job)).await?;
        }
        worker.queue.done(Queue::Jobs, &[received.receipt]).await
    };
    if let Err(error) = ended.await {
        let error: &PortError = &error;
        tracing::warn!(job = ?received.job, error = error as &dyn std::error::Error, "a step of long work was put off");
    }
}
