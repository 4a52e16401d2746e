//! The job queues on SQS. The table is the truth, so nothing here needs to be exact: a job sent twice or lost is rung
//! again by a sweep.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, DeleteMessageBatchRequestEntry, Message, QueueAttributeName, SendMessageBatchRequestEntry,
};
use hantar_domain::ids::{AccountId, CommandId, DeviceId, EndpointId};
use hantar_domain::webhook::EventId;
use hantar_usecases::ports::{Job, JobQueue, PortError, Queue, Received};
use hantar_wire::jobs::{Job as Body, Parked};

/// How many entries SQS takes in one batch.
const BATCH: usize = 10;
/// The longest delay of SQS.
const MAX_DELAY: Duration = Duration::from_mins(15);
/// The longest long poll of SQS.
const MAX_WAIT: Duration = Duration::from_secs(20);
/// How often a job is received before it goes to the dead letters.
const MAX_RECEIVES: u32 = 20;
/// For how long a received job is hidden: ten webhook calls of 15 seconds each, and some.
const HIDDEN: Duration = Duration::from_mins(3);
/// How long jobs are kept: SQS's most.
const KEPT: Duration = Duration::from_hours(336);
/// How much of a parked thing is kept, in bytes; SQS takes 256 KiB and more.
const MAX_PARKED: usize = 100_000;

/// The queues named `{prefix}-shard-{n}`, `{prefix}-webhooks`, `{prefix}-jobs`, `{prefix}-parked` and, for what was received too often,
/// `{prefix}-dead`.
pub struct SqsQueues {
    client: Client,
    prefix: String,
    urls: Mutex<HashMap<String, String>>,
}

impl SqsQueues {
    /// Queues with names that begin with `prefix`. Calls nobody yet.
    pub fn new(client: Client, prefix: String) -> Self {
        Self { client, prefix, urls: Mutex::default() }
    }

    fn name(&self, queue: Queue) -> String {
        match queue {
            Queue::Shard(shard) => format!("{}-shard-{shard}", self.prefix),
            Queue::Webhooks => format!("{}-webhooks", self.prefix),
            Queue::Jobs => format!("{}-jobs", self.prefix),
        }
    }

    fn parked(&self) -> String {
        format!("{}-parked", self.prefix)
    }

    async fn url(&self, name: &str) -> Result<String, PortError> {
        if let Some(url) = self.urls.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Ok(url.clone());
        }
        let answer = self.client.get_queue_url().queue_name(name).send().await.map_err(failure)?;
        let url = answer.queue_url.unwrap_or_default();
        // As many as there are queues, which are few and fixed.
        self.urls.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), url.clone());
        Ok(url)
    }

    async fn make(&self, name: &str, dead_letters: Option<&str>) -> Result<(), PortError> {
        let mut call = self
            .client
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::VisibilityTimeout, HIDDEN.as_secs().to_string())
            .attributes(QueueAttributeName::MessageRetentionPeriod, KEPT.as_secs().to_string());
        if let Some(arn) = dead_letters {
            let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":"{MAX_RECEIVES}"}}"#);
            call = call.attributes(QueueAttributeName::RedrivePolicy, policy);
        }
        match call.send().await {
            // It is there with other attributes: the operator's choice.
            Err(SdkError::ServiceError(error)) if error.err().is_queue_name_exists() => Ok(()),
            answer => answer.map(drop).map_err(failure),
        }
    }

    async fn arn(&self, name: &str) -> Result<String, PortError> {
        let url = self.url(name).await?;
        let call = self.client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
        let attributes = call.send().await.map_err(failure)?.attributes.unwrap_or_default();
        attributes
            .get(&QueueAttributeName::QueueArn)
            .cloned()
            .ok_or_else(|| PortError::Unavailable { what: "queue", source: format!("{name} has no ARN").into() })
    }
}

#[async_trait]
impl JobQueue for SqsQueues {
    async fn prepare(&self, shards: u16) -> Result<(), PortError> {
        let dead = format!("{}-dead", self.prefix);
        self.make(&dead, None).await?;
        self.make(&self.parked(), None).await?;
        let dead = self.arn(&dead).await?;
        for shard in 0..shards {
            self.make(&self.name(Queue::Shard(hantar_domain::ids::Shard(shard))), Some(&dead)).await?;
        }
        self.make(&self.name(Queue::Webhooks), Some(&dead)).await?;
        self.make(&self.name(Queue::Jobs), Some(&dead)).await
    }

    async fn send(&self, to: Queue, jobs: &[Job], delay: Duration) -> Result<(), PortError> {
        let url = self.url(&self.name(to)).await?;
        let delay = seconds(delay, MAX_DELAY);
        for jobs in jobs.chunks(BATCH) {
            let mut call = self.client.send_message_batch().queue_url(&url);
            for (index, job) in jobs.iter().enumerate() {
                let entry = SendMessageBatchRequestEntry::builder().id(index.to_string()).delay_seconds(delay);
                call = call.entries(entry.message_body(body(job).body()).build().map_err(unbuilt)?);
            }
            all_taken(&call.send().await.map_err(failure)?.failed)?;
        }
        Ok(())
    }

    async fn receive(&self, from: Queue, wait: Duration) -> Result<Vec<Received>, PortError> {
        let url = self.url(&self.name(from)).await?;
        let call = self.client.receive_message().queue_url(url).max_number_of_messages(10);
        let answer = call.wait_time_seconds(seconds(wait, MAX_WAIT)).send().await.map_err(failure)?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(received).collect())
    }

    async fn park(&self, code: &str, text: &str) -> Result<(), PortError> {
        let url = self.url(&self.parked()).await?;
        let text = &text[..text.floor_char_boundary(MAX_PARKED)];
        let body = Parked { code: code.to_owned(), text: text.to_owned() }.body();
        self.client.send_message().queue_url(url).message_body(body).send().await.map(drop).map_err(failure)
    }

    async fn done(&self, from: Queue, receipts: &[String]) -> Result<(), PortError> {
        let url = self.url(&self.name(from)).await?;
        for receipts in receipts.chunks(BATCH) {
            let mut call = self.client.delete_message_batch().queue_url(&url);
            for (index, receipt) in receipts.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(receipt);
                call = call.entries(entry.build().map_err(unbuilt)?);
            }
            let mut failed = call.send().await.map_err(failure)?.failed;
            // Deleted before, or received again by somebody else: then the receipt is void, and there is nothing to do.
            failed.retain(|entry| entry.code() != "ReceiptHandleIsInvalid");
            all_taken(&failed)?;
        }
        Ok(())
    }
}

fn body(job: &Job) -> Body {
    match job {
        Job::Device { account, device } => Body::device(*account, *device),
        Job::Command { account, device, command } => Body::command(*account, *device, *command),
        Job::Delivery { account, endpoint, event } => Body::delivery(*account, *endpoint, event),
        Job::Work { account, work } => Body::work(*account, &work.to_string()),
    }
}

/// `None` for a command whose id is none, and for work that this release does not know.
fn job(body: Body) -> Option<Job> {
    Some(match body {
        Body::Device { account, device } => Job::Device { account: AccountId(account), device: DeviceId(device) },
        Body::Command { account, device, command } => {
            Job::Command { account: AccountId(account), device: DeviceId(device), command: CommandId::parse(&command)? }
        }
        Body::Delivery { account, endpoint, event } => {
            Job::Delivery { account: AccountId(account), endpoint: EndpointId(endpoint), event: EventId(event) }
        }
        Body::Work { account, work } => Job::Work { account: AccountId(account), work: work.parse().ok()? },
    })
}

/// The doorbell that a message's body is; `None` when it is none of ours. For those whom messages are handed to.
pub fn job_of_body(text: &str) -> Option<Job> {
    Body::parse(text).and_then(job)
}

/// A message without a receipt could not be deleted: it is left to appear again.
fn received(message: Message) -> Option<Received> {
    let known = message.body.as_deref().and_then(job_of_body);
    Some(Received { job: known, receipt: message.receipt_handle? })
}

/// Whole seconds, rounded up, within what SQS takes.
fn seconds(span: Duration, most: Duration) -> i32 {
    let span = span.min(most);
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn all_taken(failed: &[BatchResultErrorEntry]) -> Result<(), PortError> {
    let Some(first) = failed.first() else { return Ok(()) };
    let text = format!("{} entries of a batch failed, the first with {}", failed.len(), first.code());
    Err(PortError::Unavailable { what: "queue", source: text.into() })
}

fn unbuilt(error: BuildError) -> PortError {
    PortError::Unavailable { what: "queue", source: Box::new(error) }
}

fn failure<E, R>(error: SdkError<E, R>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match error.code() {
        Some("ThrottlingException" | "RequestThrottled" | "OverLimit") => {
            PortError::Throttled { retry_after: Duration::from_secs(1) }
        }
        _ => PortError::Unavailable { what: "queue", source: Box::new(error) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up_to_seconds_within_the_limit() {
        assert_eq!(seconds(Duration::ZERO, MAX_WAIT), 0);
        assert_eq!(seconds(Duration::from_millis(1), MAX_WAIT), 1);
        assert_eq!(seconds(Duration::from_secs(99), MAX_WAIT), 20);
    }
}
