//! How many messages stand in each state: added up by the relay, with a mark per shard of the
//! stream that says how far it came.

use std::collections::BTreeMap;
use std::time::Duration;

use hantar_domain::message::{Direction, State};
use hantar_usecases::ports::{PortError, StateCounts};

use crate::items::{Fields, NewItem, TTL, expiry, number, text};
use crate::places::Place;
use crate::tenant::TenantStore;
use crate::transaction::{Committed, Transaction};
use crate::writing::Write;

/// How long a mark is kept after it moved: a stream keeps its records for one day.
const MARKED: Duration = Duration::from_hours(3 * 24);
const INBOUND: &str = "inbound";

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
        let item = self.store.get(&Place::counted(self.account, stream)).await?;
        match item {
            Some(item) if !Fields(&item).expired(self.store.now())? => {
                Fields(&item).word("th", |digits| digits.parse().ok()).map(Some)
            }
            _ => Ok(None),
        }
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
        let mut writes = vec![self.mark(stream, seen, through)];
        if !sums.is_empty() {
            let parts: Vec<_> = sums.keys().map(|name| format!("{name} :{name}")).collect();
            let added = Write::update(&Place::counts(self.account), format!("ADD {}", parts.join(", ")));
            writes.push(sums.iter().fold(added, |write, (name, sum)| write.with(format!(":{name}"), number(sum))));
        }
        let transaction = Transaction::new(&self.store, self.store.fresh_token(), writes)?;
        Ok(matches!(self.store.transact(&transaction).await?, Committed::Done))
    }

    /// Moves the mark of a stream shard. Its numbers have up to 40 digits, more than DynamoDB's numbers hold.
    fn mark(&self, stream: &str, seen: Option<u128>, through: u128) -> Write {
        let now = self.store.now();
        let place = Place::counted(self.account, stream);
        let mark = NewItem::at(&place).with("th", text(through.to_string())).with(TTL, expiry(now + MARKED)).done();
        match seen {
            Some(seen) => Write::put(&place, mark).when("th = :seen").with(":seen", text(seen.to_string())),
            None => Write::put(&place, mark)
                .when("attribute_not_exists(pk) OR #ttl <= :now")
                .with(":now", number(now.seconds())),
        }
    }
}
