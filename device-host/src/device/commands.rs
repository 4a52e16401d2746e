//! Commands: what somebody waits for right now, done beside the driver and never in its way.
//!
//! A command is taken from the table by one host, once, so that a job that comes twice does nothing twice. It is answered
//! before it ends, or not at all: then whoever asked was told so already.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hantar_domain::ids::{CommandId, DeviceId, Epoch};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Answer, Ask, Failed, Outcome, PortError, Tenant};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::desk::Desk;
use crate::rate::Burst;
use crate::whatsapp::client::{Line, NotAnswered};

/// How many commands of one device are carried out at once.
const AT_ONCE: usize = 4;
/// How many numbers a device may look up at once, and how often afterwards. WhatsApp takes offence at a number that asks
/// about many strangers. Counted here, where all askers meet: functions know nothing of each other.
const LOOK_UPS: u32 = 10;
const LOOK_UP_EVERY: Duration = Duration::from_secs(1);

/// The commands of one device that are under way.
pub(super) struct Commands {
    desk: Arc<Desk>,
    look_ups: Arc<Mutex<Burst>>,
    under_way: JoinSet<()>,
}

impl Commands {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let look_ups = Arc::new(Mutex::new(Burst::of(LOOK_UPS, LOOK_UP_EVERY)));
        Self { desk, look_ups, under_way: JoinSet::new() }
    }

    /// Whether there is room for one more.
    pub(super) fn has_room(&self) -> bool {
        self.under_way.len() < AT_ONCE
    }

    /// Carries a command out, on `line` if the device is logged in.
    pub(super) fn begin(&mut self, id: CommandId, line: Option<Line>) {
        let (desk, look_ups) = (Arc::clone(&self.desk), Arc::clone(&self.look_ups));
        self.under_way.spawn(async move {
            if let Err(error) = carry_out(&desk, &look_ups, line.as_ref(), id).await {
                desk.shared.metrics.store_failed("command");
                tracing::warn!(device.id = %desk.device, command.id = %id, %error, "a command could not be answered");
            }
        });
    }

    /// Comes back when one is done; never, when none is under way. May be dropped and called again.
    pub(super) async fn next(&mut self) {
        match self.under_way.join_next().await {
            Some(Ok(())) => {}
            Some(Err(error)) => tracing::error!(%error, "a command ended early"),
            None => std::future::pending().await,
        }
    }

    /// Waits for what is under way: with the connection gone it is over soon.
    pub(super) async fn finish(&mut self) {
        while self.under_way.join_next().await.is_some() {}
    }
}

/// Takes a command, carries it out, stores the answer.
#[tracing::instrument(
    name = "command",
    level = "debug",
    skip_all,
    fields(account.id = %desk.account, device.id = %desk.device, command.id = %id)
)]
async fn carry_out(desk: &Desk, look_ups: &Mutex<Burst>, line: Option<&Line>, id: CommandId) -> Result<(), PortError> {
    let Some(command) = desk.tenant.take_command(desk.device, id, desk.epoch).await? else { return Ok(()) };
    let left = command.expires_at.since(desk.clock.now());
    let acting = async {
        match &command.ask {
            Ask::Number(phone) => look_up(desk, look_ups, line, phone).await,
            Ask::Unknown => Err(Failed::Unsupported),
        }
    };
    let Ok(outcome) = timeout(left, acting).await else {
        tracing::warn!(device.id = %desk.device, command.id = %id, "WhatsApp did not answer while somebody waited");
        return Ok(());
    };
    desk.tenant.answer_command(id, desk.epoch, &outcome).await.map(drop)
}

async fn look_up(desk: &Desk, look_ups: &Mutex<Burst>, line: Option<&Line>, phone: &PhoneNumber) -> Outcome {
    let line = line.filter(|_| desk.is_ours()).ok_or(Failed::NotConnected)?;
    if !look_ups.lock().unwrap_or_else(PoisonError::into_inner).lets_through(desk.clock.running()) {
        return Err(Failed::TooMany);
    }
    line.person_at(phone).await.map(Answer::Number).map_err(|error| match error {
        NotAnswered::Lost => Failed::NotConnected,
        NotAnswered::Refused(code) => Failed::Refused { code },
    })
}

/// Answers a command that is not carried out.
pub(crate) async fn refuse(tenant: &dyn Tenant, device: DeviceId, epoch: Epoch, id: CommandId, why: Failed) {
    let refused = async {
        match tenant.take_command(device, id, epoch).await? {
            Some(_) => tenant.answer_command(id, epoch, &Err(why)).await.map(drop),
            None => Ok(()),
        }
    };
    if let Err(error) = refused.await {
        tracing::warn!(device.id = %device, command.id = %id, %error, "a command could not be refused");
    }
}
