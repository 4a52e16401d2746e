//! Reading a device's open messages from the table: what may be written now, and when the next held one is due.
//!
//! Rows of a paused campaign keep their turns and are left out: whoever resumes it rings. Rows of one that is over are
//! cancelled here, should whoever cancelled it not have come to them yet.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::campaign::Standing;
use hantar_domain::ids::{CampaignId, DeviceId, MessageId};
use hantar_domain::message::{Message, OpenMessage, State, Turn};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{OpenTurns, PortError, Tenant};

use super::machine::Turns;

/// How many messages to hold ready: two windows.
const READY: usize = 32;
/// How much of the line one look takes; four times as much when it shows nothing but held ones.
const LOOK: usize = 128;
/// The furthest look. Beyond that come the next ones when these are gone.
const FURTHEST: usize = 4096;
/// How many messages are read at once.
const CHUNK: usize = 50;

/// Reads the line of `device`, leaving some out. A thorough reading goes through all of it, for messages that were on
/// the wire when another host or process died.
pub(super) async fn read_turns(
    tenant: &dyn Tenant,
    device: DeviceId,
    now: Timestamp,
    leave_out: &BTreeSet<MessageId>,
    thorough: bool,
) -> Result<Turns, PortError> {
    let mut limit = if thorough { FURTHEST } else { (LOOK + leave_out.len()).min(FURTHEST) };
    loop {
        let OpenTurns { turns, next_due } = tenant.open_turns(device, now, limit).await?;
        let whole = turns.len() < limit;
        let mut found = look(tenant, device, turns, now, leave_out, thorough).await?;
        found.next_due = found.next_due.into_iter().chain(next_due).min();
        if thorough {
            found.ready.extend(unanswered(tenant, device, leave_out).await?);
        }
        found.more |= !whole;
        if whole || !found.ready.is_empty() || limit >= FURTHEST {
            // Nothing but held and written ones as far as one can see: not to be read again before one is due.
            found.more &= !found.ready.is_empty();
            return Ok(found);
        }
        limit = (limit * 4).min(FURTHEST);
    }
}

async fn look(
    tenant: &dyn Tenant,
    device: DeviceId,
    mut line: Vec<Turn>,
    now: Timestamp,
    leave_out: &BTreeSet<MessageId>,
    thorough: bool,
) -> Result<Turns, PortError> {
    let mut found = Turns::default();
    let mut standings = BTreeMap::new();
    line.retain(|turn| !leave_out.contains(&turn.message));
    for turns in line.chunks(CHUNK) {
        if found.ready.len() >= READY && !thorough {
            found.more = true;
            break;
        }
        let ids: Vec<_> = turns.iter().map(|turn| turn.message).collect();
        let messages = tenant.messages(&ids).await?;
        learn_standings(tenant, &messages, &mut standings).await?;
        for turn in turns {
            let message = messages.iter().find(|message| message.id == turn.message);
            match place(*turn, message, &standings, now) {
                Place::Ready(message) if message.state == State::Dispatched || found.ready.len() < READY => {
                    found.ready.push(*message);
                }
                Place::Ready(_) => found.more = true,
                Place::Held(due) => found.next_due = Some(found.next_due.map_or(due, |known| known.min(due))),
                Place::Paused => {}
                Place::Over => drop(tenant.cancel(turn.message, None, now).await?),
                Place::Gone => tenant.forget_turn(device, *turn).await?,
            }
        }
    }
    Ok(found)
}

/// Asks about campaigns that were not asked about in this reading.
async fn learn_standings(
    tenant: &dyn Tenant,
    messages: &[Message],
    known: &mut BTreeMap<CampaignId, Standing>,
) -> Result<(), PortError> {
    let named: BTreeSet<_> = messages.iter().filter_map(|message| message.campaign).collect();
    let unknown: Vec<_> = named.into_iter().filter(|campaign| !known.contains_key(campaign)).collect();
    if !unknown.is_empty() {
        let standings = tenant.campaigns().standings(&unknown).await?;
        let standing = |campaign| standings.get(campaign).copied().unwrap_or(Standing::Over);
        known.extend(unknown.iter().map(|campaign| (*campaign, standing(campaign))));
    }
    Ok(())
}

/// Messages that were called `unknown` while nobody could write them again: older than all that is open.
async fn unanswered(
    tenant: &dyn Tenant,
    device: DeviceId,
    leave_out: &BTreeSet<MessageId>,
) -> Result<Vec<OpenMessage>, PortError> {
    let mut ids = tenant.unknown_messages(device, FURTHEST).await?;
    ids.retain(|id| !leave_out.contains(id));
    let mut found = Vec::new();
    for ids in ids.chunks(CHUNK) {
        for message in tenant.messages(ids).await? {
            if message.state == State::Unknown
                && !message.refunded
                && let Some(phone) = message.phone
            {
                let turn = Turn { lane: message.lane, accepted_at: message.accepted_at, message: message.id };
                found.push(OpenMessage {
                    turn,
                    state: message.state,
                    held_until: None,
                    campaign: message.campaign,
                    phone,
                    body: message.body,
                    media: message.media,
                    attached: message.attached,
                    stanza: message.stanza,
                });
            }
        }
    }
    Ok(found)
}

enum Place {
    Ready(Box<OpenMessage>),
    Held(Timestamp),
    Paused,
    Over,
    Gone,
}

fn place(turn: Turn, message: Option<&Message>, standings: &BTreeMap<CampaignId, Standing>, now: Timestamp) -> Place {
    let Some(message) = message.filter(|message| message.state.is_open()) else { return Place::Gone };
    let Some(phone) = message.phone.clone() else { return Place::Gone };
    if let Some(campaign) = message.campaign.filter(|_| !message.state.is_unanswered()) {
        match standings.get(&campaign) {
            Some(Standing::Running) => {}
            Some(Standing::Paused) => return Place::Paused,
            Some(Standing::Over) | None => return Place::Over,
        }
    }
    if message.state == State::Held
        && let Some(due) = message.held_until.filter(|due| *due > now)
    {
        return Place::Held(due);
    }
    let (body, stanza) = (message.body.clone(), message.stanza.clone());
    let (media, attached) = (message.media.clone(), message.attached.clone());
    let (state, held_until, campaign) = (message.state, message.held_until, message.campaign);
    Place::Ready(Box::new(OpenMessage { turn, state, held_until, campaign, phone, body, media, attached, stanza }))
}
