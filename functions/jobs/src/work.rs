//! Long work, a step at a time: bulks, campaigns, imports, exports, the end of an account.
//!
//! A step is bounded: it takes some seconds at most, stores how far it came, and says when the next one is due. The entry of
//! the work stands in the table until the work is over, so that whoever dies in a step is followed by whoever the sweep
//! rings. Two may do the same step at a time: what they write is conditional.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::AccountId;
use hantar_domain::time::Timestamp;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Entropy, Fleet, Job, JobQueue, Mail, PortError, Queue, Tenants, Work};

use crate::Decision;

/// For how long a step has the work to itself. A step that takes longer may be done by somebody else, too.
const CLAIMED: Duration = Duration::from_mins(1);
/// What is due later than this waits for the sweep; until then a doorbell is left in the queue.
const RUNG: Duration = Duration::from_mins(10);

/// When the next step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Now: there is more to do.
    Now,
    /// Not before this.
    At(Timestamp),
    /// Never: the work is over.
    Never,
}

/// What long work needs from outside.
pub struct Worker {
    /// The fleet's records.
    pub fleet: Arc<dyn Fleet>,
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Doorbells.
    pub queue: Arc<dyn JobQueue>,
    /// Numbers of new things.
    pub numbers: Arc<Numbers>,
    /// Large things.
    pub blobs: Arc<dyn Blobs>,
    /// Letters.
    pub mail: Arc<dyn Mail>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Worker {
    /// Does one step of some work, if it is due and nobody else is at it.
    pub async fn work(&self, account: AccountId, work: Work) -> Result<Decision, PortError> {
        let now = self.clock.now();
        if !self.fleet.claim_work(account, work, now, now + CLAIMED).await? {
            return Ok(Decision::Done);
        }
        match self.step(account, work).await? {
            Next::Never => self.fleet.end_work(account, work).await?,
            Next::Now => self.again(account, work, self.clock.now()).await?,
            Next::At(due) => self.again(account, work, due).await?,
        }
        Ok(Decision::Done)
    }

    async fn again(&self, account: AccountId, work: Work, due: Timestamp) -> Result<(), PortError> {
        self.fleet.arm_work(account, work, due).await?;
        let wait = due.since(self.clock.now());
        if wait <= RUNG {
            self.queue.send(Queue::Jobs, &[Job::Work { account, work }], wait).await?;
        }
        Ok(())
    }

    async fn step(&self, account: AccountId, work: Work) -> Result<Next, PortError> {
        match work {
            Work::Erase => self.erase(account).await,
            Work::Bulk(_) | Work::Campaign(_) | Work::Import(_) | Work::Export(_) => {
                tracing::warn!(account.id = account.0, %work, "work of a kind that is not done yet");
                Ok(Next::Never)
            }
        }
    }
}
