//! Looking after a device's messages: rings for what was missed, calls silence by its name, gives credits back.
//!
//! Runs for every device about once a minute. Doing it twice, or at two places at once, changes nothing.

use std::collections::HashMap;
use std::time::Duration;

use hantar_domain::credits::refund_due;
use hantar_domain::ids::{DeviceId, MessageId};
use hantar_domain::message::{ACK_PATIENCE, Fact, Message, State, Turn};
use hantar_domain::time::Timestamp;

use crate::ports::{Applied, Clock, PortError, Tenant};

/// A queued message older than this was perhaps missed: the doorbell may be lost.
const MISSED_AFTER: Duration = Duration::from_mins(1);
/// How much of a device's line one sweep looks at: as much as its host does.
const LOOKED_AT: usize = 4096;

/// What a sweep found to do elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// The device has work: ring.
    pub ring: bool,
    /// Messages that were called `unknown`.
    pub silent: usize,
    /// Messages whose credit was given back.
    pub refunded: usize,
}

/// What is to be done with one entry of a device's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Fine,
    Ring,
    Silent,
    Stale,
}

fn look_at(message: Option<&Message>, now: Timestamp) -> Finding {
    let Some(message) = message else { return Finding::Stale };
    let age = now.since(message.updated_at);
    match message.state {
        State::Queued if age >= MISSED_AFTER => Finding::Ring,
        State::Held if message.held_until.is_none_or(|due| due <= now) => Finding::Ring,
        State::Dispatched if age >= ACK_PATIENCE => Finding::Silent,
        state if state.is_open() => Finding::Fine,
        _ => Finding::Stale,
    }
}

/// Sweeps one device.
pub async fn sweep_device(tenant: &dyn Tenant, clock: &dyn Clock, device: DeviceId) -> Result<Swept, PortError> {
    let mut swept = Swept::default();
    let now = clock.now();
    let turns = tenant.open_turns(device, now, LOOKED_AT).await?.turns;
    let ids: Vec<_> = turns.iter().map(|turn| turn.message).collect();
    let messages: HashMap<_, _> = read(tenant, &ids).await?.into_iter().map(|message| (message.id, message)).collect();
    for turn in turns {
        sweep_turn(tenant, device, turn, messages.get(&turn.message), now, &mut swept).await?;
    }
    let unknown = tenant.unknown_messages(device, LOOKED_AT).await?;
    for message in read(tenant, &unknown).await? {
        if waited_enough(&message, now) && tenant.refund_unknown(message.id, now).await? {
            swept.refunded += 1;
        }
    }
    Ok(swept)
}

async fn read(tenant: &dyn Tenant, ids: &[MessageId]) -> Result<Vec<Message>, PortError> {
    if ids.is_empty() { Ok(vec![]) } else { tenant.messages(ids).await }
}

/// Whether an entry among the unknown ones is to go: its message waited for a day, or its entry is stale. A refund that
/// is not due clears the entry away, too.
fn waited_enough(message: &Message, now: Timestamp) -> bool {
    message.state != State::Unknown || message.refunded || refund_due(message, now).is_some()
}

async fn sweep_turn(
    tenant: &dyn Tenant,
    device: DeviceId,
    turn: Turn,
    message: Option<&Message>,
    now: Timestamp,
    swept: &mut Swept,
) -> Result<(), PortError> {
    match look_at(message, now) {
        Finding::Fine => {}
        Finding::Ring => swept.ring = true,
        Finding::Stale => tenant.forget_turn(device, turn).await?,
        Finding::Silent => {
            // Another sweep may have been faster, or the answer has come just now.
            let applied = tenant.record(turn.message, Fact::Silence, now).await?;
            swept.silent += usize::from(matches!(applied, Applied::Moved(_)));
        }
    }
    Ok(())
}
