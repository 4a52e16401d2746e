//! A device's line of open messages, and its line of unknown ones: entries that are nothing but keys.
//!
//! A message that was accepted for later enters aside, among the scheduled ones in the order of their due times, so that
//! however many there are they hide nobody. Whoever reads the line after it is due moves its entry to its turn: first
//! the new one, then the old one away, so that a death in between loses nothing.
//!
//! An entry is put and taken away with the message's state, but for two gaps: an answer moves the message first and
//! takes the entry away after it, in a write of its own, which is half the price of a transaction; and a reader may move
//! the entry of a message that ends at this very moment. A stale entry stays then; readers look at the message and clear
//! it away.

use futures::FutureExt;
use hantar_domain::ids::{DeviceId, MessageId};
use hantar_domain::message::{Message, State, Turn};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{OpenTurns, PortError};

use crate::items::{Fields, Item, NewItem};
use crate::places::{OPEN, Place, SCHEDULED, Table, UNKNOWN, lane_of, of_device};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::writing::{Write, side_by_side};

/// How many entries one query reads, and how many of those that fall due together one look takes in at least.
const STRIDE: usize = 256;

/// Where the entry of an open message is put, and where it stands unless it was scheduled and has fallen due.
pub(crate) fn open_place(message: &Message) -> Place {
    scheduled_place(message).unwrap_or_else(|| turn_place(message))
}

fn turn_place(message: &Message) -> Place {
    Place::open(message.account, message.device, turn_of(message))
}

/// Where a message stands that was accepted for later. Not one that its host held: that one has kept its turn.
pub(crate) fn scheduled_place(message: &Message) -> Option<Place> {
    let for_later = message.history.first().is_some_and(|step| step.state == State::Held);
    let due = message.held_until.filter(|_| for_later && message.state == State::Held)?;
    Some(Place::scheduled(message.account, message.device, due, turn_of(message)))
}

/// Where a message stands that is, or was, unknown.
pub(crate) fn unknown_place(message: &Message) -> Option<Place> {
    let step = message.history.iter().rfind(|step| step.state == State::Unknown)?;
    Some(Place::unknown(message.account, message.device, step.at, message.id))
}

/// Where a message may stand in one of the lines, being in `state`.
pub(crate) fn places_in(message: &Message, state: State) -> impl Iterator<Item = Place> {
    let places = match state {
        state if state.is_open() => [Some(turn_place(message)), scheduled_place(message)],
        State::Unknown => [unknown_place(message), None],
        _ => [None, None],
    };
    places.into_iter().flatten()
}

/// Puts an entry.
pub(crate) fn enter(place: &Place) -> Write {
    Write::put(place, NewItem::at(place).done())
}

pub(crate) fn turn_of(message: &Message) -> Turn {
    Turn { lane: message.lane, accepted_at: message.accepted_at, message: message.id }
}

/// An entry of the line.
#[derive(Clone, Copy)]
enum Entry {
    Open(Turn),
    Scheduled(Timestamp, Turn),
}

impl TenantStore {
    pub(crate) async fn line(&self, device: DeviceId, now: Timestamp, limit: usize) -> Result<OpenTurns, PortError> {
        let mut entries = self.entries(device, OPEN, now, limit).await?;
        let sees_all = matches!(entries.last(), Some(Entry::Scheduled(due, _)) if *due > now);
        if entries.len() >= limit && !sees_all {
            // Among the scheduled ones beyond this look some may be due, and more urgent.
            entries.retain(|entry| matches!(entry, Entry::Open(_)));
            entries.extend(self.entries(device, SCHEDULED, now, limit.max(STRIDE)).await?);
        }
        let mut found = OpenTurns::default();
        let mut moves = Vec::new();
        for entry in entries {
            match entry {
                Entry::Open(turn) => found.turns.push(turn),
                Entry::Scheduled(due, _) if due > now => found.next_due = Some(due),
                Entry::Scheduled(due, turn) => {
                    found.turns.push(turn);
                    moves.push(self.take_turn(device, due, turn).boxed());
                }
            }
        }
        side_by_side(moves).await?;
        found.turns.sort_unstable();
        // An entry that was being moved while it was read.
        found.turns.dedup();
        found.turns.truncate(limit);
        Ok(found)
    }

    /// The entries whose keys begin with `prefix`, at most `limit`, up to the first that is not due.
    async fn entries(
        &self,
        device: DeviceId,
        prefix: &'static str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Entry>, PortError> {
        let query = Query::beginning(Table::Business, of_device(self.account, device), prefix);
        let (mut entries, mut start) = (Vec::new(), None);
        while entries.len() < limit {
            let page = self.store.page(&query, start, STRIDE.min(limit - entries.len())).await?;
            for item in &page.items {
                let entry = entry(item)?;
                entries.push(entry);
                if matches!(entry, Entry::Scheduled(due, _) if due > now) {
                    return Ok(entries);
                }
            }
            start = page.next;
            if start.is_none() {
                break;
            }
        }
        Ok(entries)
    }

    /// Moves a scheduled message's entry to its turn. Repeatable.
    pub(crate) async fn take_turn(&self, device: DeviceId, due: Timestamp, turn: Turn) -> Result<(), PortError> {
        self.store.write(enter(&Place::open(self.account, device, turn))).await?;
        self.store.write(Write::delete(&Place::scheduled(self.account, device, due, turn))).await.map(drop)
    }

    pub(crate) async fn leave(&self, device: DeviceId, turn: Turn) -> Result<(), PortError> {
        self.store.write(Write::delete(&Place::open(self.account, device, turn))).await.map(drop)
    }

    pub(crate) async fn unknown(&self, device: DeviceId, limit: usize) -> Result<Vec<MessageId>, PortError> {
        let query = Query::beginning(Table::Business, of_device(self.account, device), UNKNOWN);
        let items = self.store.first(&query, limit).await?;
        items.iter().map(|item| Fields(item).word("sk", |sk| sk.rsplit('#').next()?.parse().ok())).collect()
    }
}

fn entry(item: &Item) -> Result<Entry, PortError> {
    Fields(item).word("sk", |sk| match sk.strip_prefix(SCHEDULED) {
        Some(rest) => {
            let (due, turn) = rest.split_once('#')?;
            Some(Entry::Scheduled(Timestamp(due.parse().ok()?), read_turn(turn)?))
        }
        None => read_turn(sk.strip_prefix(OPEN)?).map(Entry::Open),
    })
}

/// The turn that an entry of those in line says.
pub(crate) fn turn(item: &Item) -> Result<Turn, PortError> {
    Fields(item).word("sk", |sk| read_turn(sk.strip_prefix(OPEN)?))
}

/// `{lane}#{accepted at}#{message}`.
fn read_turn(text: &str) -> Option<Turn> {
    let mut parts = text.split('#');
    let lane = lane_of(parts.next()?)?;
    let accepted_at = Timestamp(parts.next()?.parse().ok()?);
    Some(Turn { lane, accepted_at, message: parts.next()?.parse().ok()? })
}
