//! Doorbells. The table is the truth: repeats, losses and disorder of jobs are harmless.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use hantar_domain::ids::{
    AccountId, BulkId, CampaignId, CommandId, DeviceId, EndpointId, ErasureId, ExportId, GroupId, ImportId, Shard,
    UploadId,
};
use hantar_domain::webhook::EventId;

use super::PortError;

/// Where a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Queue {
    /// To the host that owns a shard.
    Shard(Shard),
    /// To whoever delivers webhooks.
    Webhooks,
    /// To whoever does long work.
    Jobs,
}

/// Long work of an account, done step by step. Each step may be done twice, and the table says where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Messages of a bulk are put that were paid for.
    Bulk(BulkId),
    /// A campaign's recipients are found, and its messages made a little ahead of its devices.
    Campaign(CampaignId),
    /// Contacts are read from a file.
    Import(ImportId),
    /// A file is made.
    Export(ExportId),
    /// A file that was uploaded to be sent is deleted when its time is over.
    Upload(UploadId),
    /// Contacts are taken out of a group that was deleted.
    Ungroup(GroupId),
    /// Messages with a person who is to be forgotten lose what is personal.
    Forget(ErasureId),
    /// A letter is written about a low balance.
    LowBalance,
    /// All that is left of a deleted account is deleted.
    Erase,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bulk(id) => write!(f, "bulk-{id}"),
            Self::Campaign(id) => write!(f, "campaign-{id}"),
            Self::Import(id) => write!(f, "import-{id}"),
            Self::Export(id) => write!(f, "export-{id}"),
            Self::Upload(id) => write!(f, "upload-{id}"),
            Self::Ungroup(id) => write!(f, "ungroup-{id}"),
            Self::Forget(id) => write!(f, "forget-{id}"),
            Self::LowBalance => f.write_str("low_balance-0"),
            Self::Erase => f.write_str("erase-0"),
        }
    }
}

/// The text is no name of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no name of work")]
pub struct NoWork;

impl FromStr for Work {
    type Err = NoWork;

    fn from_str(text: &str) -> Result<Self, NoWork> {
        let (kind, number) = text.split_once('-').ok_or(NoWork)?;
        let number = number.parse().map_err(|_| NoWork)?;
        Ok(match kind {
            "bulk" => Self::Bulk(BulkId(number)),
            "campaign" => Self::Campaign(CampaignId(number)),
            "import" => Self::Import(ImportId(number)),
            "export" => Self::Export(ExportId(number)),
            "upload" => Self::Upload(UploadId(number)),
            "ungroup" => Self::Ungroup(GroupId(number)),
            "forget" => Self::Forget(ErasureId(number)),
            "low_balance" => Self::LowBalance,
            "erase" => Self::Erase,
            _ => return Err(NoWork),
        })
    }
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
    /// A step of long work is due.
    Work {
        /// Whose.
        account: AccountId,
        /// Which.
        work: Work,
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
    /// Makes the queues where they are missing: `shards` shard queues, the one for webhooks and the one for long work. Repeatable.
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
