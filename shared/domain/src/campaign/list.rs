//! The list of recipients that comes with a request, as it is kept until all of them are taken in: entry by entry, so that
//! it is read on from any entry's beginning.
//!
//! An entry is its length (four bytes, the least first) and its texts, each with its length before it: a contact's number
//! alone, or phone, name and attributes. An absent name is an empty one.

use std::collections::BTreeMap;

use crate::ids::ContactId;

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Somebody as they were given.
    Row {
        /// In any spelling.
        phone: String,
        /// What they are called.
        name: Option<String>,
        /// Values for merge fields.
        attributes: BTreeMap<String, String>,
    },
    /// A contact.
    Contact(ContactId),
}

impl Listed {
    /// Writes an entry behind others.
    pub fn write(&self, list: &mut Vec<u8>) {
        let start = list.len();
        list.extend([0; 4]);
        match self {
            Self::Contact(id) => put(list, &id.to_string()),
            Self::Row { phone, name, attributes } => {
                put(list, phone);
                put(list, name.as_deref().unwrap_or_default());
                for text in attributes.iter().flat_map(|(name, value)| [name, value]) {
                    put(list, text);
                }
            }
        }
        let length = u32::try_from(list.len() - start - 4).unwrap_or(u32::MAX);
        list[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Reads the first entry of `list`, and how many bytes it takes; `None` when it is not there whole, or damaged.
    pub fn read(list: &[u8]) -> Option<(Self, usize)> {
        let (mut entry, length) = text(list)?;
        let mut texts = Vec::new();
        while !entry.is_empty() {
            let (one, read) = text(entry)?;
            texts.push(std::str::from_utf8(one).ok()?.to_owned());
            entry = &entry[read..];
        }
        let mut texts = texts.into_iter();
        let first = texts.next()?;
        let Some(name) = texts.next() else { return Some((Self::Contact(first.parse().ok()?), length)) };
        let mut attributes = BTreeMap::new();
        while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            attributes.insert(name, value);
        }
        Some((Self::Row { phone: first, name: Some(name).filter(|name| !name.is_empty()), attributes }, length))
    }
}

fn put(list: &mut Vec<u8>, text: &str) {
    list.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
    list.extend(text.as_bytes());
}

/// The bytes behind their length, and how many both take.
fn text(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((rest.get(..length)?, length.checked_add(4)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed() -> impl Strategy<Value = Listed> {
        let attributes = prop::collection::btree_map("[a-z]{1,5}", ".{0,20}", 0..4);
        let name = prop::option::of(".{1,10}");
        prop_oneof![
            any::<u64>().prop_map(|id| Listed::Contact(ContactId(id))),
            (".{0,20}", name, attributes).prop_map(|(phone, name, attributes)| Listed::Row { phone, name, attributes }),
        ]
    }

    proptest! {
        #[test]
        fn a_list_is_read_back_entry_by_entry_and_a_part_of_one_is_not_taken_for_one(
            entries in prop::collection::vec(listed(), 1..20), cut in 1_usize..4,
        ) {
            let mut list = Vec::new();
            for entry in &entries {
                entry.write(&mut list);
            }
            let (mut place, mut read) = (0, Vec::new());
            while place < list.len() {
                let (entry, length) = Listed::read(&list[place..]).unwrap();
                prop_assert_eq!(Listed::read(&list[place..place + length - cut.min(length)]), None);
                read.push(entry);
                place += length;
            }
            prop_assert_eq!(read, entries);
        }

        #[test]
        fn damaged_bytes_are_no_entry_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            if let Some((_, length)) = Listed::read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
