//! How many messages stand in each state: added up by the relay, with a mark per shard of the stream that says how far it
//! came. Both are in one item, so that a batch costs one plain write.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::message::{Direction, State};
use hantar_domain::time::Timestamp;
use hantar_usecases::ports::{PortError, StateCounts};
use sha2::{Digest as _, Sha256};

use crate::items::{Fields, number, text};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::writing::{Write, Written};

/// How long a mark is kept after it moved: a stream keeps its records for one day.
const MARKED: Duration = Duration::from_hours(3 * 24);
const INBOUND: &str = "inbound";
const MARK: &str = "m_";

fn name(state: State) -> String {
    format!("out_{state}")
}

impl TenantStore {
    pub(crate) async fn read_counts(&self) -> Result<StateCounts, PortError> {
        let item = self.store.get(&Place::counts(self.account)).await?.unwrap_or_default();
        let fields = Fields(&item);
        // Differences of one message may be added out of order, so a count can be below zero for a moment.
        let count = |name: &str| fields.maybe_number::<i64>(name).map(|n| n.unwrap_or(0).max(0).unsigned_abs());
        let mut outbound = BTreeMap::new();
        for state in State::ALL {
            match count(&name(state))? {
                0 => {}
                number => {
                    outbound.insert(state, number);
                }
            }
        }
        Ok(StateCounts { outbound, inbound: count(INBOUND)? })
    }

    pub(crate) async fn read_mark(&self, stream: &str) -> Result<Option<u128>, PortError> {
        let item = self.store.get(&Place::counts(self.account)).await?.unwrap_or_default();
        let mark = mark_name(stream);
        if !item.contains_key(&mark) {
            return Ok(None);
        }
        Fields(&item).word(&mark, |mark| mark.split_once('@')?.0.parse().ok()).map(Some)
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
        sums.retain(|_, sum| *sum != 0);
        let mark = mark_name(stream);
        let mut expression = format!("SET {mark} = :mark");
        if !sums.is_empty() {
            let parts: Vec<_> = sums.keys().map(|name| format!("{name} :{name}")).collect();
            expression = format!("{expression} ADD {}", parts.join(", "));
        }
        if seen.is_none() {
            let ended = self.ended_marks(&mark).await?;
            if !ended.is_empty() {
                expression = format!("{expression} REMOVE {}", ended.join(", "));
            }
        }
        let moved = Write::update(&Place::counts(self.account), expression)
            .with(":mark", text(format!("{through}@{}", self.store.now().seconds())));
        let moved = match seen {
            Some(seen) => moved.when(format!("begins_with({mark}, :seen)")).with(":seen", text(format!("{seen}@"))),
            None => moved.when(format!("attribute_not_exists({mark})")),
        };
        let moved = sums.iter().fold(moved, |write, (name, sum)| write.with(format!(":{name}"), number(sum)));
        Ok(matches!(self.store.write(moved).await?, Written::Done(_)))
    }

    /// Marks of stream shards that ended days ago. Looked for when a new shard begins, which is every few hours.
    async fn ended_marks(&self, but: &str) -> Result<Vec<String>, PortError> {
        let item = self.store.get(&Place::counts(self.account)).await?.unwrap_or_default();
        let now = self.store.now();
        let mut ended = Vec::new();
        for name in item.keys().filter(|name| name.starts_with(MARK) && *name != but) {
            let moved =
                Fields(&item).word(name, |mark| mark.split_once('@')?.1.parse().ok().map(Timestamp::from_seconds))?;
            if now.since(moved) > MARKED {
                ended.push(name.clone());
            }
        }
        Ok(ended)
    }
}

/// The attribute that holds how far a stream shard was counted, and when that was: `number@seconds`. The numbers have up
/// to 40 digits, more than DynamoDB's own hold; the shards' names are too long and too odd for names of attributes.
fn mark_name(stream: &str) -> String {
    format!("{MARK}{}", hex::encode(&Sha256::digest(stream)[..8]))
}
