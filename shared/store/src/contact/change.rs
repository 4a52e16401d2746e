//! What turns one record of a contact into another: its item, the entries that differ, and what is counted.

use std::collections::BTreeMap;

use hantar_domain::ids::GroupId;

use super::entries::entries;
use super::{Record, item};
use crate::items::number;
use crate::places::Place;
use crate::writing::Write;

/// The writes of a change, the one that guards the others in front, and what it does to the counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    pub(super) writes: Vec<Write>,
    pub(super) tally: Tally,
}

/// Differences of counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) all: i64,
    pub(super) opted_out: i64,
    pub(super) groups: BTreeMap<GroupId, i64>,
}

impl Tally {
    fn add(&mut self, record: Option<&Record>, times: i64) {
        let Some(record) = record else { return };
        self.all += times;
        self.opted_out += if record.contact.opted_out { times } else { 0 };
        for group in &record.groups {
            *self.groups.entry(*group).or_default() += times;
        }
    }

    /// Adds what another change does.
    pub(super) fn join(&mut self, other: &Self) {
        self.all += other.all;
        self.opted_out += other.opted_out;
        for (group, difference) in &other.groups {
            *self.groups.entry(*group).or_default() += difference;
        }
    }

    /// Whether nothing is counted differently.
    pub(super) fn is_nothing(&self) -> bool {
        self.all == 0 && self.opted_out == 0 && self.groups.values().all(|difference| *difference == 0)
    }
}

/// What turns `old` into `new`: made, changed or deleted. Nothing but the item itself where all entries stay.
pub(super) fn change(old: Option<&Record>, new: Option<&Record>) -> Change {
    let mut change = Change::default();
    change.tally.add(old, -1);
    change.tally.add(new, 1);
    change.tally.groups.retain(|_, difference| *difference != 0);
    let (before, after) = (old.map(entries).unwrap_or_default(), new.map(entries).unwrap_or_default());
    let seen = |write: Write, record: &Record| write.when("v = :seen").with(":seen", number(record.version));
    let place = |record: &Record| Place::contact(record.contact.account, record.contact.id);
    match (old, new) {
        (None, Some(new)) => change.writes.push(Write::put(&place(new), item(new)).if_new()),
        (Some(old), Some(new)) => change.writes.push(seen(Write::put(&place(new), item(new)), old)),
        (Some(old), None) => change.writes.push(seen(Write::delete(&place(old)), old)),
        (None, None) => {}
    }
    for (index, entry) in after.iter().enumerate().filter(|(_, entry)| !before.contains(entry)) {
        let put = Write::put(&entry.0, entry.1.clone());
        // A number's entry, put for the first time, is what there is one of.
        change.writes.push(if index == 0 { put.if_new() } else { put });
    }
    let gone = before.iter().filter(|(place, _)| after.iter().all(|(kept, _)| kept != place));
    change.writes.extend(gone.map(|(place, _)| Write::delete(place)));
    change
}

#[cfg(test)]
mod tests {
    use hantar_domain::contact::{Contact, MAX_GROUPS_OF_CONTACT};

    use super::super::tests::record;
    use super::*;
    use crate::transaction::MAX_ACTIONS;

    #[test]
    fn what_stays_is_not_written_again() {
        let old = record();
        let attributes = [("plan".to_owned(), "silver".to_owned())].into();
        let new = Record { contact: Contact { attributes, ..old.contact.clone() }, version: 6, ..old.clone() };
        let change = change(Some(&old), Some(&new));
        assert_eq!(change.writes.len(), 1);
        assert!(change.tally.is_nothing());
    }

    #[test]
    fn a_contact_is_counted_in_all_that_it_belongs_to_and_no_more_once_it_is_gone() {
        let record = record();
        let made = change(None, Some(&record)).tally;
        assert_eq!((made.all, made.opted_out, made.groups.len()), (1, 1, 2));
        let mut sum = made;
        sum.join(&change(Some(&record), None).tally);
        assert!(sum.is_nothing());
    }

    #[test]
    fn the_largest_change_fits_into_a_transaction_with_its_counts_and_a_key() {
        let names = |from: u32| (from..from + 20).map(|n| format!("word{n}")).collect::<Vec<_>>().join(" ");
        let groups = |from: u64| (from..from + MAX_GROUPS_OF_CONTACT as u64).map(GroupId).collect();
        let old = record();
        let old = Record {
            contact: Contact { name: Some(names(100)), external_id: Some("a".into()), ..old.contact },
            groups: groups(1),
            ..old
        };
        let contact =
            Contact { name: Some(names(200)), external_id: Some("b".into()), opted_out: false, ..old.contact.clone() };
        let new = Record { contact, groups: groups(100), version: 6 };
        assert!(change(Some(&old), Some(&new)).writes.len() + 2 <= MAX_ACTIONS);
    }
}
