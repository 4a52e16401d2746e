//! One owned shard: its devices, and the doorbells that ring for them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hantar_domain::ids::{AccountId, CommandId, DeviceId, Epoch, Shard};
use hantar_usecases::ports::{Failed, Fleet, Job, JobQueue, PortError, Queue, Received, Tenants};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinError, JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::device::commands::refuse;
use crate::device::desk::{Desk, Mailbox, Shared};
use crate::device::driver::drive;
use crate::standing::{Ours, Standing, said};

/// How long one call waits for a job.
const LONG_POLL: Duration = Duration::from_secs(20);
/// After the queue failed.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the shard is looked through for devices that nobody rang for.
const REREAD: Duration = Duration::from_secs(30);
/// How many commands wait for one device; what comes then is told that it is too much.
const COMMANDS_WAIT: usize = 32;
/// How many are told so at once; beyond that they hear nothing.
const REFUSALS: usize = 64;

/// What working for shards takes.
pub(crate) struct Workplace {
    /// The shards' devices.
    pub(crate) fleet: Arc<dyn Fleet>,
    /// Their accounts' records.
    pub(crate) tenants: Arc<dyn Tenants>,
    /// Doorbells.
    pub(crate) queue: Arc<dyn JobQueue>,
    /// The number of shards.
    pub(crate) shards: u16,
    /// What all devices share.
    pub(crate) shared: Arc<Shared>,
    /// How many devices have a task.
    pub(crate) devices: AtomicUsize,
    held: AtomicUsize,
    /// The host's right to act, as of its last renewal.
    standing: Mutex<Option<Arc<Standing>>>,
}

impl Workplace {
    /// A place with no shards yet.
    pub(crate) fn new(
        fleet: Arc<dyn Fleet>,
        tenants: Arc<dyn Tenants>,
        queue: Arc<dyn JobQueue>,
        shards: u16,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            fleet,
            tenants,
            queue,
            shards,
            shared,
            devices: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            standing: Mutex::default(),
        }
    }

    /// How many shards are worked for.
    pub(crate) fn shards_held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Whether the host's right to act holds now.
    pub(crate) fn is_leased(&self) -> bool {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        standing.as_ref().is_some_and(|standing| standing.holds())
    }

    pub(crate) fn set_standing(&self, standing: &Arc<Standing>) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(standing));
    }

    pub(crate) fn set_shards(&self, count: usize) {
        self.held.store(count, Ordering::Relaxed);
    }
}

/// The work for one shard. Dropping it stops all of it at once.
pub(crate) struct ShardWork {
    leaving: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl ShardWork {
    pub(crate) fn start(place: Arc<Workplace>, shard: Shard, epoch: Epoch, ours: Ours) -> Self {
        let (leaving, leave) = watch::channel(false);
        let intake = Intake {
            place,
            shard,
            epoch,
            ours,
            leaving: leave,
            bells: HashMap::new(),
            tasks: JoinSet::new(),
            refusals: JoinSet::new(),
        };
        Self { leaving, task: tokio::spawn(intake.run()) }
    }

    /// Sockets close, and nothing more is written.
    pub(crate) fn stop_at_once(self) {
        self.task.abort();
    }

    /// No more jobs are taken; devices finish what is on the wire; after `limit` all is stopped at once.
    pub(crate) async fn finish(mut self, limit: Duration) {
        self.leaving.send_replace(true);
        if timeout(limit, &mut self.task).await.is_err() {
            tracing::warn!("some devices did not finish in time");
        }
    }
}

impl Drop for ShardWork {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Intake {
    place: Arc<Workplace>,
    shard: Shard,
    epoch: Epoch,
    ours: Ours,
    leaving: watch::Receiver<bool>,
    bells: HashMap<DeviceId, Bell>,
    tasks: JoinSet<DeviceId>,
    refusals: JoinSet<()>,
}

/// The outer side of a device's mailbox.
struct Bell {
    wakes: Arc<Notify>,
    commands: mpsc::Sender<CommandId>,
    task: AbortHandle,
}

impl Intake {
    async fn run(mut self) {
        let mut rereads = interval(REREAD);
        rereads.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut leaving = self.leaving.clone();
        let mut jobs = Jobs::begin(Arc::clone(&self.place), self.shard);
        loop {
            tokio::select! {
                biased;
                () = said(&mut leaving) => break,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => self.ended(ended),
                _ = rereads.tick() => self.reread().await,
                Some(received) = jobs.next() => self.ring(received),
            }
        }
        drop(jobs);
        while let Some(ended) = self.tasks.join_next().await {
            self.ended(ended);
        }
    }

    /// New devices begin; known ones go on; those that are deleted are let go.
    async fn reread(&mut self) {
        match self.place.fleet.devices_of(self.shard).await {
            Ok(devices) => {
                let known: HashSet<DeviceId> = devices.iter().map(|(_, device)| *device).collect();
                self.let_go(&known);
                for (account, device) in devices {
                    self.employ(account, device);
                }
            }
            Err(error) => {
                self.place.shared.metrics.store_failed("shard");
                tracing::warn!(shard = %self.shard, %error, "the devices of a shard cannot be read");
            }
        }
    }

    /// Devices that are in the list no more are deleted with their accounts: their sockets close, and nothing is written for
    /// them again. Whoever is at work was in the list before, which is read strongly consistent.
    fn let_go(&mut self, known: &HashSet<DeviceId>) {
        self.bells.retain(|device, bell| {
            let stays = known.contains(device);
            if !stays {
                tracing::info!(device.id = %device, "the device is deleted");
                bell.task.abort();
            }
            stays
        });
    }

    fn ring(&mut self, jobs: Vec<Job>) {
        while self.refusals.try_join_next().is_some() {}
        for job in jobs {
            match job {
                Job::Device { account, device } => {
                    if let Some(bell) = self.bell(account, device) {
                        bell.wakes.notify_one();
                    }
                }
                Job::Command { account, device, command } => self.command(account, device, command),
                Job::Delivery { .. } | Job::Work { .. } => {
                    tracing::warn!(shard = %self.shard, "a job that is not a device's came to a shard");
                }
            }
        }
    }

    fn command(&mut self, account: AccountId, device: DeviceId, command: CommandId) {
        let sent = self.bell(account, device).map(|bell| bell.commands.try_send(command));
        match sent {
            Some(Err(TrySendError::Full(_))) if self.refusals.len() < REFUSALS => {
                let (tenant, epoch) = (self.place.tenants.for_account(account), self.epoch);
                self.refusals.spawn(async move { refuse(&*tenant, device, epoch, command, Failed::Busy).await });
            }
            Some(Err(_)) => tracing::warn!(device.id = %device, command.id = %command, "a command was passed over"),
            Some(Ok(())) | None => {}
        }
    }

    /// The bell of a device, which has a task from now on; `None` for a device of another shard.
    fn bell(&mut self, account: AccountId, device: DeviceId) -> Option<&Bell> {
        if Shard::of(device, self.place.shards) != self.shard {
            tracing::warn!(device.id = %device, shard = %self.shard, "a job came to a shard that is not its device's");
            return None;
        }
        self.employ(account, device);
        self.bells.get(&device)
    }

    /// Gives a device its task, if it has none.
    fn employ(&mut self, account: AccountId, device: DeviceId) {
        if self.bells.contains_key(&device) {
            return;
        }
        let bell = Arc::new(Notify::new());
        let (sender, commands) = mpsc::channel(COMMANDS_WAIT);
        let desk = Arc::new(Desk {
            account,
            device,
            epoch: self.epoch,
            tenant: self.place.tenants.for_account(account),
            clock: Arc::clone(&self.place.shared.clock),
            ours: self.ours.clone(),
            shared: Arc::clone(&self.place.shared),
        });
        let mailbox = Mailbox { bell: Arc::clone(&bell), commands, leaving: self.leaving.clone() };
        let counted = Counted::new(Arc::clone(&self.place));
        let task = self.tasks.spawn(async move {
            drive(desk, mailbox).await;
            drop(counted);
            device
        });
        self.bells.insert(device, Bell { wakes: bell, commands: sender, task });
    }

    /// The device's task is over: the next ring or look gives it another one.
    fn ended(&mut self, ended: Result<DeviceId, JoinError>) {
        match ended {
            Ok(device) => drop(self.bells.remove(&device)),
            // We did, and know.
            Err(error) if error.is_cancelled() => {}
            Err(_) => {
                // It panicked, and nobody knows which: whoever has no task any more begins again.
                tracing::error!(shard = %self.shard, "a device's task ended in a panic");
                self.bells.clear();
                self.tasks.abort_all();
            }
        }
    }
}

/// Counts a device for as long as its task lives.
struct Counted(Arc<Workplace>);

impl Counted {
    fn new(place: Arc<Workplace>) -> Self {
        place.devices.fetch_add(1, Ordering::Relaxed);
        Self(place)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.devices.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The shard's jobs, received in a task of their own: a call that waits must not be cut off, or its jobs stay hidden.
struct Jobs {
    received: tokio::sync::mpsc::Receiver<Vec<Job>>,
    task: JoinHandle<()>,
}

impl Jobs {
    fn begin(place: Arc<Workplace>, shard: Shard) -> Self {
        let (sender, received) = tokio::sync::mpsc::channel(1);
        let task = tokio::spawn(async move {
            loop {
                let jobs = match receive(place.queue.as_ref(), Queue::Shard(shard)).await {
                    Ok(jobs) => jobs,
                    Err(error) => {
                        place.shared.metrics.store_failed("queue");
                        tracing::warn!(%shard, %error, "jobs cannot be received");
                        tokio::time::sleep(PAUSE).await;
                        continue;
                    }
                };
                if sender.send(jobs).await.is_err() {
                    return;
                }
            }
        });
        Self { received, task }
    }

    async fn next(&mut self) -> Option<Vec<Job>> {
        self.received.recv().await
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Receives jobs and deletes them: they only say where to look, and the table is looked at when a device begins, too.
async fn receive(queue: &dyn JobQueue, from: Queue) -> Result<Vec<Job>, PortError> {
    let received = queue.receive(from, LONG_POLL).await?;
    if received.is_empty() {
        return Ok(Vec::new());
    }
    for Received { receipt, .. } in received.iter().filter(|received| received.job.is_none()) {
        queue.park("unreadable_job", receipt).await?;
    }
    let (jobs, receipts): (Vec<_>, Vec<_>) =
        received.into_iter().map(|received| (received.job, received.receipt)).unzip();
    queue.done(from, &receipts).await?;
    Ok(jobs.into_iter().flatten().collect())
}
