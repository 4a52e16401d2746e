//! The doing: one task per device that feeds the machine and carries out what it says.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hantar_domain::device::Device;
use hantar_domain::ids::{CommandId, StanzaKey};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{DeviceChange, KeyError, PortError};
use tokio::sync::mpsc;

use super::commands::Commands;
use super::desk::{Desk, Mailbox};
use super::machine::{Action, Input, Machine};
use super::opening::{Open, open};
use super::owning::{End, change, erase, take_over};
use super::records::{Recorded, Recorder, What, facts};
use super::task::{Task, result_of};
use super::turns::read_turns;
use super::writing::write;
use crate::metrics::DeviceStanding;
use crate::standing::said;
use crate::whatsapp::Ending;
use crate::whatsapp::client::BeginError;
use crate::whatsapp::events::{Heard, News, Notice};
use crate::whatsapp::store::Fence;

/// How often at most the table is told that frames come.
const SEEN_EVERY: Duration = Duration::from_mins(1);

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
        heard_at: None,
        was_connected: false,
        posted: None,
        recorder: Recorder::new(Arc::clone(&desk.tenant), Arc::clone(&desk.clock), Arc::clone(&desk.shared.metrics)),
        commands: Commands::new(Arc::clone(&desk)),
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
    /// When something was last heard on a connection; to the minute.
    heard_at: Option<Timestamp>,
    was_connected: bool,
    posted: Option<DeviceStanding>,
    recorder: Recorder,
    commands: Commands,
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
    Outdated,
    Fenced,
    Command(CommandId),
    CommandDone,
}

/// Whether to go on.
enum Course {
    On,
    End,
}

impl Driver {
    async fn run(mut self, device: Device, mut mailbox: Mailbox) {
        let mut course = self.feed(Input::Device(Box::new(device))).await;
        while matches!(course, Course::On) {
            course = match self.next(&mut mailbox).await {
                Event::Input(input) => self.feed(input).await,
                Event::Heard(heard) => self.hear(heard).await,
                Event::Outdated => self.outdated().await,
                Event::Recorded(Recorded { message, stored: true }) => self.feed(Input::Recorded(message)).await,
                Event::Recorded(Recorded { message, stored: false }) => self.feed(Input::NotRecorded(message)).await,
                Event::Opened(opened) => self.opened(opened).await,
                Event::Fenced => self.fenced().await,
                Event::Command(id) => self.command(id),
                Event::CommandDone => Course::On,
            };
            self.tell_seen().await;
            self.count();
            self.post();
        }
        // What was answered on the last breath is still recorded.
        while let Ok(heard) = self.heard.try_recv() {
            for fact in facts(heard, &self.stanza_key) {
                self.recorder.take(fact);
            }
        }
        self.recorder.finish().await;
        self.commands.finish().await;
    }

    async fn next(&mut self, mailbox: &mut Mailbox) -> Event {
        let now = self.desk.clock.now();
        let seen_due = self.seen_at.filter(|_| self.machine.is_online()).map(|at| at + SEEN_EVERY);
        let timer = self.machine.wake_at(now).into_iter().chain(seen_due).min().map(|at| at.since(now));
        let (stopping, has_room) = (self.stopping, self.recorder.has_room());
        let takes_commands = self.commands.has_room();
        tokio::select! {
            biased;
            event = of_connection(self.connection.as_mut(), &self.fence) => event,
            () = said(&mut mailbox.leaving), if !stopping => {
                self.stopping = true;
                Event::Input(Input::Stop)
            }
            recorded = self.recorder.next() => Event::Recorded(recorded),
            Some(heard) = self.heard.recv(), if has_room => Event::Heard(heard),
            opened = result_of(self.opening.as_mut()) => {
                self.opening = None;
                Event::Opened(opened)
            }
            done = result_of(self.work.as_mut()) => {
                self.work = None;
                Event::Input(done)
            }
            () = self.commands.next() => Event::CommandDone,
            Some(id) = mailbox.commands.recv(), if takes_commands => Event::Command(id),
            () = mailbox.bell.notified() => Event::Input(Input::Wake),
            () = sleep(timer) => Event::Input(Input::Timer),
        }
    }

    /// Feeds the machine, and what comes of its actions, until nothing more comes at once.
    async fn feed(&mut self, input: Input) -> Course {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            if let Some(reason) = end_of_connection(&input) {
                self.desk.shared.metrics.ended(reason);
            }
            match input {
                Input::Ended(_) => {
                    if let Some(open) = &self.connection {
                        open.connection.cut();
                    }
                    self.close().await;
                }
                Input::Connected => {
                    self.was_connected = true;
                    self.heard_at = Some(self.desk.clock.now());
                }
                _ => {}
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
            if let What::Answer { error } = &fact.what {
                let begun = self.machine.begun_at(fact.message);
                let after = begun.map(|at| self.desk.clock.now().since(at));
                self.desk.shared.metrics.answered(after, error.as_deref());
            }
            // A receipt says that the server took it, too: the answer itself may be lost.
            if matches!(self.feed(Input::Answered(fact.message)).await, Course::End) {
                return Course::End;
            }
            self.recorder.take(fact);
        }
        Course::On
    }

    /// Of no concern to the machine: it changes nothing of what the device is or does next.
    fn command(&mut self, id: CommandId) -> Course {
        let open = self.connection.as_ref().filter(|_| self.machine.is_online());
        self.commands.begin(id, open.map(|open| open.connection.line()));
        Course::On
    }

    /// Carries out an action; answers what it came to, where that is known at once.
    async fn act(&mut self, action: Action) -> Result<Option<Input>, End> {
        match action {
            Action::Connect { pairing } => {
                if self.was_connected && !pairing {
                    self.desk.shared.metrics.reconnects();
                }
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
                    read.await.map_or_else(|error| unread(&desk, &error, Input::TurnsUnread), Input::Turns)
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
            Ok(()) | Err(KeyError::Port(_)) => self.feed(Input::Ended(Ending::Lost)).await,
        }
    }

    /// This version is refused: perhaps the fleet knows of a newer one by now, or finds one.
    async fn outdated(&mut self) -> Course {
        let Some(version) = self.connection.as_ref().map(|open| open.version) else { return Course::On };
        let newer = self.desk.shared.versions.is_superseded(version).await;
        self.feed(Input::Outdated { newer }).await
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
            self.heard_at = Some(now);
            let desk = &self.desk;
            let seen = DeviceChange::Seen(now);
            if let Err(error) = desk.tenant.change_device(desk.device, &seen, Some(desk.epoch)).await {
                tracing::debug!(device.id = %desk.device, %error, "when a device was last seen is not noted");
            }
        }
    }

    /// Puts on the board how the device stands.
    fn post(&mut self) {
        let standing = self.machine.standing(self.desk.clock.now(), self.heard_at);
        if self.posted.replace(standing) != Some(standing) {
            self.desk.shared.metrics.post(self.desk.device, standing);
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
        self.desk.shared.metrics.take_down(self.desk.device);
        if self.counted {
            self.desk.shared.connected.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

async fn read_device(desk: Arc<Desk>) -> Input {
    match desk.tenant.device(desk.device).await {
        Ok(Some(device)) => Input::Device(Box::new(device)),
        Ok(None) => Input::DeviceUnread,
        Err(error) => unread(&desk, &error, Input::DeviceUnread),
    }
}

fn unread(desk: &Desk, error: &PortError, input: Input) -> Input {
    desk.shared.metrics.store_failed("read");
    tracing::debug!(%error, "the table could not be read");
    input
}

async fn of_connection(open: Option<&mut Open>, fence: &Fence) -> Event {
    let Some(open) = open else { return std::future::pending().await };
    tokio::select! {
        biased;
        () = fence.tripped() => Event::Fenced,
        notice = open.notices.recv() => event(notice.unwrap_or(Notice::Ended(Ending::Lost))),
    }
}

/// The reason by which the end of a connection is counted.
fn end_of_connection(input: &Input) -> Option<&'static str> {
    Some(match input {
        Input::Ended(ending) => ending.word(),
        Input::Replaced => "replaced",
        Input::LoggedOut { .. } => "logged_out",
        Input::Outdated { .. } => "outdated",
        Input::Banned { .. } => "banned",
        Input::Refused { .. } => "refused",
        _ => return None,
    })
}

async fn sleep(span: Option<Duration>) {
    match span {
        Some(span) => tokio::time::sleep(span).await,
        None => std::future::pending().await,
    }
}

fn event(notice: Notice) -> Event {
    Event::Input(match notice {
        Notice::Outdated => return Event::Outdated,
        Notice::Connected => Input::Connected,
        Notice::Ended(ending) => Input::Ended(ending),
        Notice::Replaced => Input::Replaced,
        Notice::LoggedOut { reason, certain } => Input::LoggedOut { reason, certain },
        Notice::Banned { reason } => Input::Banned { reason },
        Notice::Refused { reason } => Input::Refused { reason },
        Notice::PairingCode { text, valid_for } => Input::Code { text, valid_for },
        Notice::CodesExhausted => Input::CodesExhausted,
        Notice::Paired { phone, lid } => Input::Paired { phone, lid },
    })
}
