//! What a timer does about once a minute: looks after every device's messages, and rings for deliveries that are due.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::Shard;
use hantar_usecases::ports::{Clock, DueDelivery, Fleet, Job, JobQueue, PortError, Queue, Tenants};
use hantar_usecases::sweep_device::{Swept, sweep_device};

/// A delivery that fell due less than this ago is probably being made: its own doorbell rang.
const GRACE: Duration = Duration::from_secs(15);
/// How many deliveries one sweep rings for.
const DELIVERIES: usize = 1000;
/// How much long work one sweep rings for.
const WORK: usize = 1000;
/// A delivery that is due for so long was perhaps forgotten by the table, which keeps none for ever.
const LONG_DUE: Duration = Duration::from_hours(24);

/// What sweeping needs from outside.
pub struct Sweeper {
    /// The fleet's records.
    pub fleet: Arc<dyn Fleet>,
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Doorbells.
    pub queue: Arc<dyn JobQueue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Sweeper {
    /// Sweeps all devices of a shard. One device's failure does not keep the others from being swept; the first
    /// failure is answered.
    pub async fn shard(&self, shard: Shard) -> Result<Swept, PortError> {
        let (mut total, mut rings, mut failure) = (Swept::default(), Vec::new(), None);
        for (account, device) in self.fleet.devices_of(shard).await? {
            let tenant = self.tenants.for_account(account);
            match sweep_device(tenant.as_ref(), self.clock.as_ref(), device).await {
                Ok(swept) => {
                    total.silent += swept.silent;
                    total.refunded += swept.refunded;
                    if swept.ring {
                        rings.push(Job::Device { account, device });
                    }
                }
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if !rings.is_empty() {
            total.ring = true;
            self.queue.send(Queue::Shard(shard), &rings, Duration::ZERO).await?;
        }
        failure.map_or(Ok(total), Err)
    }

    /// Rings for deliveries that are due, and clears the entries of those that are gone. Answers how many it rang for.
    pub async fn deliveries(&self) -> Result<usize, PortError> {
        let now = self.clock.now();
        let mut jobs = Vec::new();
        for due in self.fleet.due_deliveries(now - GRACE, DELIVERIES).await? {
            if now.since(due.due_at) >= LONG_DUE && self.is_gone(&due).await? {
                self.fleet.forget_due(&due).await?;
            } else {
                let DueDelivery { account, endpoint, event, .. } = due;
                jobs.push(Job::Delivery { account, endpoint, event });
            }
        }
        if !jobs.is_empty() {
            self.queue.send(Queue::Webhooks, &jobs, Duration::ZERO).await?;
        }
        Ok(jobs.len())
    }

    /// Rings for long work whose next step is due. Answers how much it rang for.
    pub async fn work(&self) -> Result<usize, PortError> {
        let due = self.fleet.due_work(self.clock.now(), WORK).await?;
        let jobs: Vec<Job> = due.into_iter().map(|one| Job::Work { account: one.account, work: one.work }).collect();
        if !jobs.is_empty() {
            self.queue.send(Queue::Jobs, &jobs, Duration::ZERO).await?;
        }
        Ok(jobs.len())
    }

    async fn is_gone(&self, due: &DueDelivery) -> Result<bool, PortError> {
        let tenant = self.tenants.for_account(due.account);
        Ok(tenant.delivery(due.endpoint, &due.event).await?.is_none())
    }
}
