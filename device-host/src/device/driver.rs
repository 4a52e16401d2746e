//! The doing: one task per device that feeds the machine and carries out what it says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId, Epoch, StanzaKey};
use hantar_domain::pacing::Pacing;
use hantar_domain::time::Timestamp;
use hantar_usecases::account_key::AccountKeys;
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Clock, DeviceChange, Entropy, KeyError, KeyTable, PortError, Tenant};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::machine::{Action, Input, Machine, Now};
use super::records::{Recorded, facts, record};
use super::task::{Task, result_of};
use super::turns::read_turns;
use super::writing::write;
use crate::rate::Rate;
use crate::standing::{Ours, said};
use crate::whatsapp::client::{BeginError, Connection, Identity};
use crate::whatsapp::events::{Heard, News, Notice};
use crate::whatsapp::inbound::Inbox;
use crate::whatsapp::outbox::Outbox;
use crate::whatsapp::store::{DeviceKeys, Fence, Store};
use crate::whatsapp::transport::{Guard, Server};

/// How many answers are recorded at once.
const RECORDING: usize = 16;
/// How often at most the table is told that frames come.
const SEEN_EVERY: Duration = Duration::from_mins(1);
/// Pauses between tries of what must be written to the device's record.
const PAUSES_MS: [u64; 5] = [20, 100, 500, 2_000, 5_000];
/// A pause before another try to take the device over.
const CLAIM_PAUSE: Duration = Duration::from_secs(1);

/// What all devices of a host share.
pub(crate) struct Shared {
    /// The keys of all devices.
    pub(crate) keys: Arc<dyn KeyTable>,
    /// What keys are sealed with.
    pub(crate) account_keys: Arc<AccountKeys>,
    /// Numbers of messages.
    pub(crate) numbers: Arc<Numbers>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Randomness.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// WhatsApp.
    pub(crate) server: Server,
    /// What we say we are.
    pub(crate) identity: Identity,
    /// How fast to send.
    pub(crate) pacing: Pacing,
    /// How many connections are begun in a second.
    pub(crate) connects: Rate,
    /// How many devices are logged in.
    pub(crate) connected: AtomicUsize,
}

/// One device's place of work.
pub(crate) struct Desk {
    /// Whose.
    pub(crate) account: AccountId,
    /// Which.
    pub(crate) device: DeviceId,
    /// The right under which all is done.
    pub(crate) epoch: Epoch,
    /// The account's records.
    pub(crate) tenant: Arc<dyn Tenant>,
    /// Time.
    pub(crate) clock: Arc<dyn Clock>,
    /// Whether the shard is ours.
    pub(crate) ours: Ours,
    /// What all devices share.
    pub(crate) shared: Arc<Shared>,
}

impl Desk {
    /// Whether this host may still act for the device. To be asked right before each act.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours.holds()
    }

    fn now(&self) -> Now {
        let mut dice = [0; 4];
        self.shared.entropy.fill(&mut dice);
        Now { at: self.clock.now(), dice: u32::from_ne_bytes(dice) }
    }
}

/// How a device is reached.
#[derive(Clone)]
pub(crate) struct Mailbox {
    /// Rung when there may be work. A flag: many rings are one.
    pub(crate) bell: Arc<Notify>,
    /// Says that the host leaves.
    pub(crate) leaving: watch::Receiver<bool>,
}

/// Drives a device until the host leaves, or the device is lost. Dropping the future closes the socket at once.
pub(crate) async fn drive(desk: Arc<Desk>, mailbox: Mailbox) {
    let Some(device) = take_over(&desk, &mailbox).await else { return };
    let (heard_sender, heard) = mpsc::unbounded_channel();
    let driver = Driver {
        machine: Machine::new(desk.shared.pacing),
        connection: None,
        heard,
        heard_sender,
        frames: Arc::default(),
        seen_at: None,
        recording: JoinSet::new(),
        opening: None,
        fence: Fence::default(),
        work: None,
        counted: false,
        stopping: false,
        stanza_key: device.stanza_key,
        desk,
    };
    driver.run(device, mailbox).await;
}

/// Claims the keys, then reads the record: nothing is read before the claim.
async fn take_over(desk: &Desk, mailbox: &Mailbox) -> Option<Device> {
    loop {
        match claim_and_read(desk).await {
            Ok(device) => return device,
            Err(KeyError::Fenced) => {
                tracing::info!(device.id = %desk.device, "the device belongs to another host");
                return None;
            }
            Err(KeyError::Port(error)) => {
                tracing::warn!(device.id = %desk.device, %error, "the device cannot be taken over yet");
                tokio::time::sleep(CLAIM_PAUSE).await;
            }
        }
        if *mailbox.leaving.borrow() {
            return None;
        }
    }
}

async fn claim_and_read(desk: &Desk) -> Result<Option<Device>, KeyError> {
    desk.shared.keys.claim(desk.device, desk.epoch).await?;
    Ok(desk.tenant.device(desk.device).await?)
}

/// A connection and its news.
struct Open {
    connection: Connection,
    notices: mpsc::UnboundedReceiver<Notice>,
}

struct Driver {
    desk: Arc<Desk>,
    machine: Machine,
    connection: Option<Open>,
    opening: Option<Task<Result<Open, BeginError>>>,
    /// Of the connection, or of the one being begun.
    fence: Fence,
    heard: mpsc::UnboundedReceiver<Heard>,
    heard_sender: mpsc::UnboundedSender<Heard>,
    frames: Arc<AtomicBool>,
    seen_at: Option<Timestamp>,
    recording: JoinSet<Recorded>,
    work: Option<Task<Input>>,
    counted: bool,
    /// The machine was told that the host leaves.
    stopping: bool,
    stanza_key: StanzaKey,
}

/// What the driver waited for.
enum Event {
    Input(Input),
    Heard(Heard),
    Recorded(Recorded),
    Opened(Result<Open, BeginError>),
    Fenced,
}

/// Whether to go on.
enum Course {
    On,
    End,
}

/// The device is another host's, or all is done.
struct End;

impl Driver {
    async fn run(mut self, device: Device, mut mailbox: Mailbox) {
        let mut course = self.feed(Input::Device(Box::new(device))).await;
        while matches!(course, Course::On) {
            course = match self.next(&mut mailbox).await {
                Event::Input(input) => self.feed(input).await,
                Event::Heard(heard) => self.hear(heard).await,
                Event::Recorded(Recorded { message, stored: true }) => self.feed(Input::Recorded(message)).await,
                Event::Recorded(Recorded { message, stored: false }) => self.feed(Input::NotRecorded(message)).await,
                Event::Opened(opened) => self.opened(opened).await,
                Event::Fenced => self.fenced().await,
            };
            self.tell_seen().await;
            self.count();
        }
        // What was answered on the last breath is still recorded.
        while self.recording.join_next().await.is_some() {}
    }

    async fn next(&mut self, mailbox: &mut Mailbox) -> Event {
        let now = self.desk.clock.now();
        let seen_due = self.seen_at.filter(|_| self.machine.is_online()).map(|at| at + SEEN_EVERY);
        let timer = self.machine.wake_at(now).into_iter().chain(seen_due).min().map(|at| at.since(now));
        let stopping = self.stopping;
        tokio::select! {
            biased;
            event = of_connection(self.connection.as_mut(), &self.fence) => event,
            () = said(&mut mailbox.leaving), if !stopping => {
                self.stopping = true;
                Event::Input(Input::Stop)
            }
            Some(Ok(recorded)) = self.recording.join_next(), if !self.recording.is_empty() => Event::Recorded(recorded),
            Some(heard) = self.heard.recv(), if self.recording.len() < RECORDING => Event::Heard(heard),
            opened = result_of(self.opening.as_mut()) => {
                self.opening = None;
                Event::Opened(opened)
            }
            done = result_of(self.work.as_mut()) => {
                self.work = None;
                Event::Input(done)
            }
            () = mailbox.bell.notified() => Event::Input(Input::Wake),
            () = sleep(timer) => Event::Input(Input::Timer),
        }
    }

    /// Feeds the machine, and what comes of its actions, until nothing more comes at once.
    async fn feed(&mut self, input: Input) -> Course {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if input == Input::Ended {
                self.close().await;
            }
            for action in self.machine.step(input, self.desk.now()) {
                match self.act(action).await {
                    Ok(Some(input)) => inputs.push_back(input),
                    Ok(None) => {}
                    Err(End) => return Course::End,
                }
            }
        }
        Course::On
    }

    async fn hear(&mut self, heard: Heard) -> Course {
        for fact in facts(heard, &self.stanza_key) {
            // A receipt says that the server took it, too: the answer itself may be lost.
            if matches!(self.feed(Input::Answered(fact.message)).await, Course::End) {
                return Course::End;
            }
            self.recording.spawn(record(Arc::clone(&self.desk.tenant), Arc::clone(&self.desk.clock), fact));
        }
        Course::On
    }

    /// Carries out an action; answers what it came to, where that is known at once.
    async fn act(&mut self, action: Action) -> Result<Option<Input>, End> {
        match action {
            Action::Connect { pairing } => {
                self.fence = Fence::default();
                self.opening =
                    Some(Task::begin(open(Arc::clone(&self.desk), self.fence.clone(), self.news(), pairing)));
            }
            Action::Disconnect => self.close().await,
            Action::Settle => {
                if let Some(open) = &self.connection {
                    open.connection.settle();
                }
            }
            Action::EraseKeys => erase(&self.desk).await?,
            Action::Change(wanted) => change(&self.desk, &wanted).await?,
            Action::ReadDevice => self.work = Some(Task::begin(read_device(Arc::clone(&self.desk)))),
            Action::ReadTurns { leave_out, thorough } => {
                let desk = Arc::clone(&self.desk);
                self.work = Some(Task::begin(async move {
                    let read = read_turns(desk.tenant.as_ref(), desk.device, desk.clock.now(), &leave_out, thorough);
                    read.await.map_or_else(|error| unread(&error, Input::TurnsUnread), Input::Turns)
                }));
            }
            Action::Write(message) => {
                let id = message.turn.message;
                let Some(open) = &self.connection else { return Ok(Some(Input::NotWritten(id))) };
                let (desk, line) = (Arc::clone(&self.desk), open.connection.line());
                self.work = Some(Task::begin(async move { write(&desk, &line, &message).await }));
            }
            Action::Finish => return Err(End),
        }
        Ok(None)
    }

    fn news(&self) -> (News, mpsc::UnboundedReceiver<Notice>) {
        let (notices, received) = mpsc::unbounded_channel();
        (News::new(notices, self.heard_sender.clone(), Arc::clone(&self.frames)), received)
    }

    async fn opened(&mut self, opened: Result<Open, BeginError>) -> Course {
        match opened {
            Ok(open) => {
                self.connection = Some(open);
                Course::On
            }
            Err(BeginError::KeysMissing) => {
                self.feed(Input::LoggedOut { reason: "keys_missing".into(), certain: false }).await
            }
            Err(error) => {
                tracing::warn!(device.id = %self.desk.device, %error, "a connection could not be begun");
                // Perhaps because the device is lost: then it ends here.
                self.fenced().await
            }
        }
    }

    /// The keys say that another host was here, or that what they hold must not be stored: ask, and begin anew.
    async fn fenced(&mut self) -> Course {
        self.connection = None;
        self.opening = None;
        match self.desk.shared.keys.claim(self.desk.device, self.desk.epoch).await {
            Err(KeyError::Fenced) => {
                tracing::info!(device.id = %self.desk.device, "the device belongs to another host");
                Course::End
            }
            Ok(()) | Err(KeyError::Port(_)) => self.feed(Input::Ended).await,
        }
    }

    async fn close(&mut self) {
        self.opening = None;
        if let Some(open) = self.connection.take()
            && self.desk.is_ours()
        {
            open.connection.close().await;
        }
        self.fence.shut().await;
    }

    /// Once a minute at most: frames come.
    async fn tell_seen(&mut self) {
        let now = self.desk.clock.now();
        let due = self.seen_at.is_none_or(|at| now.since(at) >= SEEN_EVERY);
        if !due || !self.machine.is_online() {
            return;
        }
        self.seen_at = Some(now);
        if self.frames.swap(false, Ordering::Relaxed) {
            let desk = &self.desk;
            let seen = DeviceChange::Seen(now);
            if let Err(error) = desk.tenant.change_device(desk.device, &seen, Some(desk.epoch)).await {
                tracing::debug!(device.id = %desk.device, %error, "when a device was last seen is not noted");
            }
        }
    }

    fn count(&mut self) {
        let online = self.machine.is_online();
        let connected = &self.desk.shared.connected;
        match (online, std::mem::replace(&mut self.counted, online)) {
            (true, false) => connected.fetch_add(1, Ordering::Relaxed),
            (false, true) => connected.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.fence.trip();
        if self.counted {
            self.desk.shared.connected.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

async fn erase(desk: &Desk) -> Result<(), End> {
    for pause in PAUSES_MS {
        match desk.shared.keys.erase(desk.device, desk.epoch).await {
            Ok(()) => return Ok(()),
            Err(KeyError::Fenced) => return Err(End),
            Err(KeyError::Port(error)) => tracing::debug!(device.id = %desk.device, %error, "keys are not erased yet"),
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    // Whoever pairs next finds them and tries again.
    tracing::warn!(device.id = %desk.device, "the keys of an unlinked device could not be erased");
    Ok(())
}

async fn change(desk: &Desk, change: &DeviceChange) -> Result<(), End> {
    let mut conflict = false;
    for pause in PAUSES_MS {
        match desk.tenant.change_device(desk.device, change, Some(desk.epoch)).await {
            Ok(_) => return Ok(()),
            Err(error) => {
                conflict |= matches!(error, PortError::Conflict);
                tracing::debug!(device.id = %desk.device, %error, "a device's record is not changed yet");
            }
        }
        if conflict && matches!(desk.shared.keys.claim(desk.device, desk.epoch).await, Err(KeyError::Fenced)) {
            return Err(End);
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    tracing::warn!(device.id = %desk.device, ?change, "a device's record could not be changed");
    Ok(())
}

/// Waits for its turn, then begins a connection with the stored keys.
async fn open(
    desk: Arc<Desk>,
    fence: Fence,
    (news, notices): (News, mpsc::UnboundedReceiver<Notice>),
    pairing: bool,
) -> Result<Open, BeginError> {
    let shared = &desk.shared;
    shared.connects.turn().await;
    let unread = |error: PortError| BeginError::Build(error.to_string());
    let key = shared.account_keys.of(desk.account).await.map_err(unread)?;
    let device = desk.tenant.device(desk.device).await.map_err(unread)?;
    let stanza_key = device.ok_or_else(|| BeginError::Build("the device is gone".into()))?.stanza_key;
    let (table, entropy) = (Arc::clone(&shared.keys), Arc::clone(&shared.entropy));
    let keys = DeviceKeys { table, device: desk.device, epoch: desk.epoch, key, entropy, fence: fence.clone() };
    let (numbers, clock) = (Arc::clone(&shared.numbers), Arc::clone(&desk.clock));
    let inbox = Inbox::new(Arc::clone(&desk.tenant), numbers, clock, desk.account, desk.device);
    let outbox = Outbox { tenant: Arc::clone(&desk.tenant), device: desk.device, stanza_key };
    let store = Store::new(keys, inbox, outbox);
    let guard = guard(&desk, &fence);
    let begun = Connection::begin(store, shared.server.clone(), guard, &shared.identity, pairing, news).await;
    begun.map(|connection| Open { connection, notices })
}

/// Right before each write: the shard is ours, and the keys do not say otherwise.
fn guard(desk: &Desk, fence: &Fence) -> Guard {
    let (ours, fence) = (desk.ours.clone(), fence.clone());
    Arc::new(move || ours.holds() && !fence.is_tripped())
}

async fn read_device(desk: Arc<Desk>) -> Input {
    match desk.tenant.device(desk.device).await {
        Ok(Some(device)) => Input::Device(Box::new(device)),
        Ok(None) => Input::DeviceUnread,
        Err(error) => unread(&error, Input::DeviceUnread),
    }
}

fn unread(error: &PortError, input: Input) -> Input {
    tracing::debug!(%error, "the table could not be read");
    input
}

async fn of_connection(open: Option<&mut Open>, fence: &Fence) -> Event {
    let Some(open) = open else { return std::future::pending().await };
    tokio::select! {
        biased;
        () = fence.tripped() => Event::Fenced,
        notice = open.notices.recv() => Event::Input(input(notice.unwrap_or(Notice::Ended))),
    }
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

fn input(notice: Notice) -> Input {
    match notice {
        Notice::Connected => Input::Connected,
        Notice::Ended => Input::Ended,
        Notice::Replaced => Input::Replaced,
        Notice::LoggedOut { reason, certain } => Input::LoggedOut { reason, certain },
        Notice::Outdated => Input::Outdated,
        Notice::Banned { reason } => Input::Banned { reason },
        Notice::Refused { reason } => Input::Refused { reason },
        Notice::PairingCode { text, valid_for } => Input::Code { text, valid_for },
        Notice::CodesExhausted => Input::CodesExhausted,
        Notice::Paired { phone, lid } => Input::Paired { phone, lid },
    }
}
