//! Long work, a step at a time: bulks, campaigns, imports, exports, the end of an account.
//!
//! A step is bounded: it takes some seconds at most, stores how far it came, and says when the next one is due. The entry of
//! the work stands in the table until the work is over, so that whoever dies in a step is followed by whoever the sweep
//! rings. Two may do the same step at a time: what they write is conditional.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::{AccountId, UploadId};
use hantar_domain::pacing::Pacing;
use hantar_domain::time::Timestamp;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Blobs, Clock, Entropy, Fleet, Job, JobQueue, Mail, PortError, Queue, Tenants, Work};
use hantar_usecases::upload_file::uploaded;

use crate::{Decision, export, import};

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
    /// The fleet's fixed number of shards.
    pub shards: u16,
    /// How fast devices send campaigns.
    pub pacing: Pacing,
}

impl Worker {
    /// Does one step of some work, if it is due and nobody else is at it.
    pub async fn work(&self, account: AccountId, work: Work) -> Result<Decision, PortError> {
        let now = self.clock.now();
        if !self.fleet.claim_work(account, work, now, now + CLAIMED).await? {
            return Ok(Decision::Done);
        }
        match self.take_step(account, work).await? {
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

    /// Does one step, due or not, whoever else is at it: for whoever answers for that.
    pub async fn take_step(&self, account: AccountId, work: Work) -> Result<Next, PortError> {
        match work {
            Work::Bulk(id) => self.bulk(account, id).await,
            Work::Campaign(id) => self.campaign(account, id).await,
            Work::Ungroup(group) => self.clear_group(account, group).await,
            Work::Forget(erasure) => self.forget_person(account, erasure).await,
            Work::LowBalance => self.write_letters(account).await,
            Work::Import(id) => import::step(self, account, id).await,
            Work::Export(id) => export::step(self, account, id).await,
            Work::Upload(id) => self.delete_upload(account, id).await,
            Work::Erase => self.erase(account).await,
        }
    }

    /// Deletes a file whose time is over. Its record goes by its own expiry.
    async fn delete_upload(&self, account: AccountId, id: UploadId) -> Result<Next, PortError> {
        let kept = self.tenants.for_account(account).files().uploads(&[id]).await?.pop();
        if let Some(upload) = kept.filter(|upload| upload.kept_until > self.clock.now()) {
            return Ok(Next::At(upload.kept_until));
        }
        self.blobs.delete(&uploaded(account, id)).await?;
        Ok(Next::Never)
    }
}
