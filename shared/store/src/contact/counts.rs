//! How many contacts there are: counted in the transactions that change them, in several parts, so that those who write at
//! the same time seldom meet. A count is the sum of its parts.

use hantar_domain::ids::GroupId;
use hantar_usecases::ports::{ContactCounts, PortError};

use super::change::Tally;
use crate::items::{Fields, number};
use crate::places::{Place, Table};
use crate::tenant::TenantStore;
use crate::writing::Write;

/// In how many parts is counted. Never fewer than before: all parts are read.
const PARTS: u8 = 16;
const ALL: &str = "al";
const OPTED_OUT: &str = "oo";
const GROUP: &str = "g";

impl TenantStore {
    /// Counts, in a part that chance picks. Nothing where nothing is different.
    pub(super) fn tally(&self, tally: &Tally) -> Option<Write> {
        if tally.is_nothing() {
            return None;
        }
        let named = [(ALL.to_owned(), tally.all), (OPTED_OUT.to_owned(), tally.opted_out)].into_iter();
        let groups = tally.groups.iter().map(|(group, difference)| (format!("{GROUP}{group}"), *difference));
        let sums: Vec<_> = named.chain(groups).filter(|(_, sum)| *sum != 0).collect();
        let parts: Vec<_> = sums.iter().map(|(name, _)| format!("{name} :{name}")).collect();
        let part = self.store.chance() % PARTS;
        let add = Write::update(&Place::contact_counts(self.account, part), format!("ADD {}", parts.join(", ")));
        Some(sums.into_iter().fold(add, |write, (name, sum)| write.with(format!(":{name}"), number(sum))))
    }

    pub(super) async fn read_contact_counts(&self) -> Result<ContactCounts, PortError> {
        let places: Vec<_> = (0..PARTS).map(|part| Place::contact_counts(self.account, part)).collect();
        let (mut all, mut opted_out, mut groups) = (0_i64, 0_i64, std::collections::BTreeMap::<GroupId, i64>::new());
        for item in self.store.get_all(Table::Engine, &places).await? {
            let fields = Fields(&item);
            all += fields.maybe_number::<i64>(ALL)?.unwrap_or(0);
            opted_out += fields.maybe_number::<i64>(OPTED_OUT)?.unwrap_or(0);
            for name in item.keys() {
                if let Some(group) = name.strip_prefix(GROUP).and_then(|group| group.parse().ok()) {
                    *groups.entry(group).or_default() += fields.number::<i64>(name)?;
                }
            }
        }
        // The parts are read one after the other, so what moves meanwhile may show for a moment in none of them.
        let shown = |sum: i64| sum.max(0).unsigned_abs();
        let groups = groups.into_iter().map(|(group, sum)| (group, shown(sum))).filter(|(_, sum)| *sum > 0);
        Ok(ContactCounts { all: shown(all), opted_out: shown(opted_out), groups: groups.collect() })
    }

    /// Counts a group no more that is deleted and empty.
    pub(crate) async fn forget_group_counts(&self, group: GroupId) -> Result<(), PortError> {
        for part in 0..PARTS {
            let place = Place::contact_counts(self.account, part);
            let name = format!("{GROUP}{group}");
            let forget = Write::update(&place, format!("REMOVE {name}")).when(format!("attribute_exists({name})"));
            self.store.write(forget).await?;
        }
        Ok(())
    }
}
