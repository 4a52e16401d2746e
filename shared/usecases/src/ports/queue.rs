//! Doorbells. The table is the truth: repeats, losses and disorder of jobs are harmless.

use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::{AccountId, CommandId, DeviceId, EndpointId, Shard};
use hantar_domain::webhook::EventId;

use super::PortError;

/// Where a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// To the host that owns a shard.
    Shard(Shard),
    /// To whoever delivers webhooks.
    Webhooks,
}

/// A doorbell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Job {
    /// A device has work: new messages, a cancelled one, or pairing is wanted.
    Device {
        /// Whose.
        account: AccountId,
        /// Which.
        device: DeviceId,
    },
    /// Somebody waits for a command to be carried out.
    Command {
        /// Whose.
        account: AccountId,
        /// By which device.
        device: DeviceId,
        /// Which.
        command: CommandId,
    },
    /// A delivery is due.
    Delivery {
        /// Whose.
        account: AccountId,
        /// To which endpoint.
        endpoint: EndpointId,
        /// Which event.
        event: EventId,
    },
}

/// A job as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The job; `None` when its text is not one of ours, and then it is to be parked.
    pub job: Option<Job>,
    /// To delete it with.
    pub receipt: String,
}

/// Queues.
#[async_trait]
pub trait JobQueue: Send + Sync {
    /// Makes the queues where they are missing: `shards` shard queues and the one for webhooks. Repeatable.
    async fn prepare(&self, shards: u16) -> Result<(), PortError>;

    /// Sends jobs, to be seen after `delay` (at most 15 minutes). After an error some may have been sent.
    async fn send(&self, to: Queue, jobs: &[Job], delay: Duration) -> Result<(), PortError>;

    /// Receives up to ten jobs, waiting up to `wait` (at most 20 s) for the first.
    async fn receive(&self, from: Queue, wait: Duration) -> Result<Vec<Received>, PortError>;

    /// Puts something that can never be handled aside for a person, with a stable code, in the queue of parked things.
    async fn park(&self, code: &str, text: &str) -> Result<(), PortError>;

    /// Deletes received jobs.
    async fn done(&self, from: Queue, receipts: &[String]) -> Result<(), PortError>;
}
