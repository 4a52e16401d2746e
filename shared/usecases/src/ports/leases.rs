//! The stored side of leases: heartbeats of hosts, owners of shards. The rules are in `hantar_domain::lease`.

use async_trait::async_trait;
use hantar_domain::ids::{Epoch, Shard};

use super::PortError;

/// One run of a host process: a new name at each start, and after each lapse of its right.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(pub String);

/// A host's sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Whose.
    pub host: HostId,
    /// Raised by each renewal.
    pub counter: u64,
    /// It is giving its shards back, and takes none any more.
    pub leaving: bool,
    /// Ended: by the host itself as it left, or by a contender. It never lives again.
    pub ended: bool,
}

/// Who owns a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardLease {
    /// Which.
    pub shard: Shard,
    /// Its owner; `None` when it was given back.
    pub owner: Option<HostId>,
    /// Raised by each take-over.
    pub epoch: Epoch,
}

/// Heartbeats and shard owners. All reads are strongly consistent.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Renews a heartbeat from `counter - 1` to `counter` (1 makes it). `false` when it was ended or is not at
    /// `counter - 1`; a repeat of a renewal that had landed answers `true`.
    async fn renew(&self, host: &HostId, counter: u64) -> Result<bool, PortError>;

    /// Says that a host is giving its shards back; from then on others need not leave it a share. A repeat changes
    /// nothing.
    async fn leave(&self, host: &HostId) -> Result<(), PortError>;

    /// Ends a heartbeat that is still at `counter`. `false` when it moved on.
    async fn end(&self, host: &HostId, counter: u64) -> Result<bool, PortError>;

    /// All heartbeats of hosts, ended ones too. Those that are ended, or were not renewed, for a day are cleaned up.
    async fn heartbeats(&self) -> Result<Vec<Heartbeat>, PortError>;

    /// All shards that were ever taken.
    async fn shards(&self) -> Result<Vec<ShardLease>, PortError>;

    /// Takes a shard whose lease is still `seen` (`None`: it never had one). Answers the raised epoch, or `None` when somebody else was faster.
    async fn take(&self, shard: Shard, seen: Option<&ShardLease>, by: &HostId) -> Result<Option<Epoch>, PortError>;

    /// Gives a shard back. Does nothing when it is not `by`'s at `epoch` any more.
    async fn give_back(&self, shard: Shard, by: &HostId, epoch: Epoch) -> Result<(), PortError>;
}
