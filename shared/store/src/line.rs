//! A device's line of open messages, and its line of unknown ones: entries that are nothing but keys.
//!
//! An entry is put and taken away with the message's state, but for one gap: an answer moves the message first and
//! takes the entry away after it, in a write of its own, which is half the price of a transaction. If the process dies
//! between the two, a stale entry stays; readers look at the message and clear it away.

use hantar_domain::ids::{DeviceId, MessageId};
use hantar_domain::message::{Message, State, Turn};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::PortError;

use crate::items::{Fields, Item, NewItem};
use crate::places::{OPEN, Place, Table, UNKNOWN, lane_of, of_device};
use crate::reading::Query;
use crate::tenant::TenantStore;
use crate::writing::Write;

/// Where an open message stands.
pub(crate) fn open_place(message: &Message) -> Place {
    let turn = Turn { lane: message.lane, accepted_at: message.accepted_at, message: message.id };
    Place::open(message.account, message.device, turn)
}

/// Where a message stands that is, or was, unknown.
pub(crate) fn unknown_place(message: &Message) -> Option<Place> {
    let step = message.history.iter().rfind(|step| step.state == State::Unknown)?;
    Some(Place::unknown(message.account, message.device, step.at, message.id))
}

/// Where a message stands in one of the lines, being in `state`.
pub(crate) fn place_in(message: &Message, state: State) -> Option<Place> {
    match state {
        state if state.is_open() => Some(open_place(message)),
        State::Unknown => unknown_place(message),
        _ => None,
    }
}

/// Puts an entry.
pub(crate) fn enter(place: &Place) -> Write {
    Write::put(place, NewItem::at(place).done())
}

impl TenantStore {
    pub(crate) async fn line(&self, device: DeviceId, limit: usize) -> Result<Vec<Turn>, PortError> {
        let query = Query::beginning(Table::Business, of_device(self.account, device), OPEN);
        self.store.first(&query, limit).await?.iter().map(turn).collect()
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

fn turn(item: &Item) -> Result<Turn, PortError> {
    Fields(item).word("sk", |sk| {
        let mut parts = sk.strip_prefix(OPEN)?.split('#');
        let lane = lane_of(parts.next()?)?;
        let accepted_at = Timestamp(parts.next()?.parse().ok()?);
        Some(Turn { lane, accepted_at, message: parts.next()?.parse().ok()? })
    })
}
