//! Ringing for devices that have work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hantar_domain::ids::{AccountId, DeviceId, Shard};

use crate::ports::{Job, JobQueue, PortError, Queue};

/// Rings once for each of these devices, at the shard that is its own. Repeatable.
pub async fn ring_devices(
    queue: &dyn JobQueue,
    shards: u16,
    account: AccountId,
    devices: impl IntoIterator<Item = DeviceId> + Send,
) -> Result<(), PortError> {
    let mut of_shards: BTreeMap<Shard, BTreeSet<DeviceId>> = BTreeMap::new();
    for device in devices {
        of_shards.entry(Shard::of(device, shards)).or_default().insert(device);
    }
    for (shard, devices) in of_shards {
        let jobs: Vec<Job> = devices.into_iter().map(|device| Job::Device { account, device }).collect();
        queue.send(Queue::Shard(shard), &jobs, Duration::ZERO).await?;
    }
    Ok(())
}
