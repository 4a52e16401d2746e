//! How many messages stand in each state: added up by the counter (`jobs/count.rs`), with a mark per shard of the stream that
//! says how far it came. Both are in one item, so that a batch costs one plain write.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::message::{Direction, State};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{PortError, StateCounts};
use sha2::{Digest as _, Sha256};

use crate::items::{Fields, Item, number, text};
use crate::places::Place;
use crate::store::Store;
use crate::tenant::TenantStore;
use crate::writing::{Write, Written};

/// How long a mark is kept after it moved: a stream keeps its records for one day.
const MARKED: Duration = Duration::from_hours(3 * 24);
const INBOUND: &str = "inbound";
const MARK: &str = "m_";

pub(crate) fn name(state: State) -> String {
    format!("out_{state}")
}

/// An item of counts, as read.
pub(crate) struct Counted(pub(crate) Item);

impl Counted {
    /// Differences of one message may be added out of order, so a count can be below zero for a moment.
    pub(crate) fn count(&self, name: &str) -> Result<u64, PortError> {
        Ok(Fields(&self.0).maybe_number::<i64>(name)?.unwrap_or(0).max(0).unsigned_abs())
    }

    /// How many stand in each state.
    pub(crate) fn states(&self) -> Result<BTreeMap<State, u64>, PortError> {
        let mut states = BTreeMap::new();
        for state in State::ALL {
            match self.count(&name(state))? {
                0 => {}
                number => {
                    states.insert(state, number);
                }
            }
        }
        Ok(states)
    }

    /// How far a stream shard was counted.
    pub(crate) fn mark(&self, stream: &str) -> Result<Option<u128>, PortError> {
        Fields(&self.0).maybe_word(&mark_name(stream), |mark| mark.split_once('@')?.0.parse().ok())
    }

    /// Marks of stream shards that ended days ago.
    fn ended_marks(&self, but: &str, now: Timestamp) -> Result<Vec<String>, PortError> {
        let mut ended = Vec::new();
        for name in self.0.keys().filter(|name| name.starts_with(MARK) && *name != but) {
            let moved =
                Fields(&self.0).word(name, |mark| mark.split_once('@')?.1.parse().ok().map(Timestamp::from_seconds))?;
            if now.since(moved) > MARKED {
                ended.push(name.clone());
            }
        }
        Ok(ended)
    }
}

impl Store {
    pub(crate) async fn counted(&self, place: &Place) -> Result<Counted, PortError> {
        Ok(Counted(self.get(place).await?.unwrap_or_default()))
    }

    /// Adds to the counts of an item, in one write with the new mark; `false` when the mark was not at `seen`.
    pub(crate) async fn add_up(
        &self,
        place: &Place,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        mut sums: BTreeMap<String, i64>,
    ) -> Result<bool, PortError> {
        sums.retain(|_, sum| *sum != 0);
        let mark = mark_name(stream);
        let mut expression = format!("SET {mark} = :mark");
        if !sums.is_empty() {
            let parts: Vec<_> = sums.keys().map(|name| format!("{name} :{name}")).collect();
            expression = format!("{expression} ADD {}", parts.join(", "));
        }
        if seen.is_none() {
            // A new shard begins, which is every few hours: the time to look for ended ones.
            let ended = self.counted(place).await?.ended_marks(&mark, self.now())?;
            if !ended.is_empty() {
                expression = format!("{expression} REMOVE {}", ended.join(", "));
            }
        }
        let moved = Write::update(place, expression).with(":mark", text(format!("{through}@{}", self.now().seconds())));
        let moved = match seen {
            Some(seen) => moved.when(format!("begins_with({mark}, :seen)")).with(":seen", text(format!("{seen}@"))),
            None => moved.when(format!("attribute_not_exists({mark})")),
        };
        let moved = sums.iter().fold(moved, |write, (name, sum)| write.with(format!(":{name}"), number(sum)));
        Ok(matches!(self.write(moved).await?, Written::Done(_)))
    }
}

impl TenantStore {
    pub(crate) async fn read_counts(&self) -> Result<StateCounts, PortError> {
        let counted = self.store.counted(&Place::counts(self.account)).await?;
        Ok(StateCounts { outbound: counted.states()?, inbound: counted.count(INBOUND)? })
    }

    pub(crate) async fn read_mark(&self, stream: &str) -> Result<Option<u128>, PortError> {
        self.store.counted(&Place::counts(self.account)).await?.mark(stream)
    }

    pub(crate) async fn count(
        &self,
        stream: &str,
        seen: Option<u128>,
        through: u128,
        differences: &[(Direction, State, i64)],
    ) -> Result<bool, PortError> {
        let mut sums: BTreeMap<String, i64> = BTreeMap::new();
        for (direction, state, difference) in differences {
            let name = if *direction == Direction::Inbound { INBOUND.to_owned() } else { name(*state) };
            *sums.entry(name).or_default() += difference;
        }
        self.store.add_up(&Place::counts(self.account), stream, seen, through, sums).await
    }
}

/// The attribute that holds how far a stream shard was counted, and when that was: `number@seconds`. The numbers have up
/// to 40 digits, more than DynamoDB's own hold; the shards' names are too long and too odd for names of attributes.
fn mark_name(stream: &str) -> String {
    format!("{MARK}{}", hex::encode(&Sha256::digest(stream)[..8]))
}
