//! Asking the host that owns a device: a command in the table, a job that says so, and a wait for the answer.

use std::time::Duration;

use hantar_domain::ids::{AccountId, CommandId, DeviceId, Shard};

use crate::looks::{Looks, PATIENCE};
use crate::ports::{
    Answer, Ask, Clock, Command, Entropy, Failed, Fleet, Job, JobQueue, Outcome, PortError, Queue, Sleep, Tenant,
};

/// What asking takes.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Says how many shards there are.
    pub fleet: &'a dyn Fleet,
    /// Rings.
    pub queue: &'a dyn JobQueue,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Waiting.
    pub sleep: &'a dyn Sleep,
    /// Randomness.
    pub entropy: &'a dyn Entropy,
    /// The number of shards that this installation wants; what is stored wins.
    pub shards: u16,
}

/// Why a device did not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Its host says why.
    #[error("the device's host did not do it: {0:?}")]
    Failed(Failed),
    /// Nobody said anything in ten seconds: see how the device stands, and ask again.
    #[error("nobody answered the command {0}")]
    NoAnswer(CommandId),
    /// A port failed: see there.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl Asking<'_> {
    /// Asks `device`, which must be one of the account's, and waits up to ten seconds. Each run asks anew.
    pub async fn ask(
        &self,
        tenant: &dyn Tenant,
        account: AccountId,
        device: DeviceId,
        ask: Ask,
    ) -> Result<Answer, AskError> {
        let shard = Shard::of(device, self.fleet.shard_count(self.shards).await?);
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let id = CommandId(bytes);
        let command = Command { id, device, ask, expires_at: self.clock.now() + PATIENCE };
        tenant.put_command(&command).await?;
        // By whoever waits, not by the relay: the way over a stream takes longer than an answer may.
        let job = Job::Command { account, device, command: id };
        self.queue.send(Queue::Shard(shard), &[job], Duration::ZERO).await?;
        match self.wait(tenant, &command).await? {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(failed)) => Err(AskError::Failed(failed)),
            None => {
                tracing::warn!(account.id = %account, device.id = %device, command.id = %id, "nobody answered a command");
                Err(AskError::NoAnswer(id))
            }
        }
    }

    async fn wait(&self, tenant: &dyn Tenant, command: &Command) -> Result<Option<Outcome>, PortError> {
        let mut looks = Looks::new();
        // Looking takes time, too: the clock ends it, and where that stands still, the number of looks.
        while self.clock.now() < command.expires_at && looks.next(self.sleep).await {
            if let Some(outcome) = tenant.answer_of(command.id).await? {
                return Ok(Some(outcome));
            }
        }
        Ok(None)
    }
}
