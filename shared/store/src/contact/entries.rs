//! The entries that a contact is found by, all made of its item: its number (backwards), the words of its name, the
//! caller's reference, that it opted out, and its groups.

use hantar_domain::contact::search::words;
use hantar_domain::ids::ContactId;
use hantar_usecases::ports::PortError;

use super::Record;
use crate::items::{Fields, Item, NewItem, number, text};
use crate::places::Place;

/// What stands in front of each word in an entry, so that a filter finds beginnings of words and nothing else.
pub(super) const BEFORE: &str = " ";

/// All entries of a contact. The first one is its number's, of which there is one in the account.
pub(super) fn entries(record: &Record) -> Vec<(Place, Item)> {
    let contact = &record.contact;
    let (account, id) = (contact.account, contact.id);
    let bare = |place: Place| (place.clone(), NewItem::at(&place).done());
    let owner = Place::contact_number(account, &contact.phone);
    let mut entries = vec![(owner.clone(), NewItem::at(&owner).with("i", number(id)).done())];
    let words = contact.name.as_deref().map(words).unwrap_or_default();
    let all: String = words.iter().flat_map(|word| [BEFORE, word.as_str()]).collect();
    entries.extend(words.iter().map(|word| {
        let place = Place::contact_word(account, word, id);
        (place.clone(), NewItem::at(&place).with("n", text(&all)).done())
    }));
    entries
        .extend(contact.external_id.as_deref().map(|reference| bare(Place::contact_reference(account, reference, id))));
    entries.extend(contact.opted_out.then(|| bare(Place::contact_opted_out(account, id))));
    entries.extend(record.groups.iter().map(|group| bare(Place::member(account, *group, id))));
    entries
}

/// The contact that a number's entry leads to.
pub(super) fn named(entry: &Item) -> Result<ContactId, PortError> {
    Fields(entry).number("i").map(ContactId)
}

/// The contact that another entry leads to: its number ends the sort key.
pub(super) fn at_end(entry: &Item) -> Result<ContactId, PortError> {
    Fields(entry).word("sk", |sk| sk.rsplit('#').next()?.parse().ok())
}
