//! Batches of an SQS queue. Each message is handled on its own, several at a time, and those that failed or were not begun in
//! time are answered, so that they alone are seen again.

use std::time::Duration;

use futures::StreamExt as _;
use hantar_domain::time::Timestamp;
use hantar_domain::webhook::CALL_TIMEOUT;
use hantar_jobs::Decision;
use hantar_jobs::deliver_webhook::Deliverer;
use hantar_jobs::work::Worker;
use hantar_queues::job_of_body;
use hantar_usecases::ports::{Clock, Job, JobQueue, PortError};
use serde::Deserialize;

use crate::batch::BatchAnswer;
use crate::time_left::time_left;

/// How many messages are handled at a time.
const AT_A_TIME: usize = 10;
/// A webhook's call is not begun with less time than this.
const FOR_A_CALL: Duration = Duration::from_secs(CALL_TIMEOUT.as_secs() + 3);
/// A step of long work is not begun with less time than this.
const FOR_A_STEP: Duration = Duration::from_secs(12);

/// A batch of a queue.
#[derive(Clone, Debug, Deserialize)]
pub struct QueueEvent {
    #[serde(rename = "Records")]
    records: Vec<QueueMessage>,
}

#[derive(Clone, Debug, Deserialize)]
struct QueueMessage {
    #[serde(rename = "messageId")]
    id: String,
    body: String,
}

/// What one message takes at most, when the whole batch has to be done, and what can never be done.
struct Batch<'a> {
    clock: &'a dyn Clock,
    queue: &'a dyn JobQueue,
    deadline: Timestamp,
    needs: Duration,
}

/// Calls subscribers.
pub async fn webhooks(deliverer: &Deliverer, event: &QueueEvent, deadline: Timestamp) -> BatchAnswer {
    let (clock, queue) = (deliverer.clock.as_ref(), deliverer.queue.as_ref());
    let batch = Batch { clock, queue, deadline, needs: FOR_A_CALL };
    let handle = async |body: &str| match job_of_body(body) {
        Some(Job::Delivery { account, endpoint, event }) => deliverer.deliver(account, endpoint, &event).await,
        _ => Ok(Decision::Park("not_a_delivery")),
    };
    batch.each(event, handle).await
}

/// Does steps of long work. What is no job of this release is put aside for a person.
pub async fn work(worker: &Worker, event: &QueueEvent, deadline: Timestamp) -> BatchAnswer {
    let (clock, queue) = (worker.clock.as_ref(), worker.queue.as_ref());
    let batch = Batch { clock, queue, deadline, needs: FOR_A_STEP };
    let handle = async |body: &str| match job_of_body(body) {
        Some(Job::Work { account, work }) => worker.work(account, work).await,
        _ => Ok(Decision::Park("unknown_job")),
    };
    batch.each(event, handle).await
}

impl Batch<'_> {
    async fn each(&self, event: &QueueEvent, handle: impl AsyncFn(&str) -> Result<Decision, PortError>) -> BatchAnswer {
        let handle = &handle;
        let one = |message: QueueMessage| async move { (!self.one(&message, handle).await).then_some(message.id) };
        let failed = futures::stream::iter(event.records.clone()).map(one).buffer_unordered(AT_A_TIME);
        BatchAnswer::failed(failed.filter_map(std::future::ready).collect::<Vec<_>>().await)
    }

    /// Whether the message is done with.
    async fn one(&self, message: &QueueMessage, handle: impl AsyncFn(&str) -> Result<Decision, PortError>) -> bool {
        let left = time_left(self.clock, self.deadline);
        if left < self.needs {
            tracing::warn!(queue_message = message.id, "too little time is left for a job; it will be seen again");
            return false;
        }
        let decided = async {
            match handle(&message.body).await? {
                Decision::Done => Ok(true),
                Decision::RetryAfter(_) => Ok(false),
                Decision::Park(code) => self.queue.park(code, &message.body).await.map(|()| true),
            }
        };
        match tokio::time::timeout(left, decided).await {
            Ok(Ok(done)) => done,
            Ok(Err::<_, PortError>(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(queue_message = message.id, error, "a job was put off");
                false
            }
            Err(_) => {
                tracing::warn!(queue_message = message.id, "a job took too long; it will be seen again");
                false
            }
        }
    }
}
