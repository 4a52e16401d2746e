//! What a phone shows: its messages in order of arrival, each stanza id once.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::network::receipts::Receipted;

/// Beyond this the oldest messages scroll away.
const MAX_MESSAGES: usize = 100_000;

/// A message as a phone shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneMessage {
    /// The stanza id.
    pub id: String,
    /// The sender's phone digits.
    pub from: String,
    /// The recipient's phone digits.
    pub to: String,
    /// The text or caption, empty when there is none.
    pub text: String,
    /// Whether this account sent it, from the phone or a companion.
    pub from_me: bool,
    /// When it arrived here, in milliseconds since 1970.
    pub received_at: u64,
    /// Whether the person read it; of an own message, whether the other side said so.
    pub read: bool,
}

/// Who said something: an account's number, or nobody for the phone's own account.
pub(crate) type Author = Option<usize>;

pub(crate) struct Chat {
    messages: VecDeque<Entry>,
    /// The running number of each message, for repeats and receipts.
    numbers: HashMap<(Author, String), u64>,
    first_number: u64,
    /// How many messages of others arrived so far; waiters watch it.
    inbound: watch::Sender<usize>,
}

/// A shown message with what belongs to it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    author: Author,
    message: PhoneMessage,
    /// Whom to tell when it is read: the companion that sent it.
    receipt: Option<Receipted>,
}

impl Default for Chat {
    fn default() -> Self {
        Self { messages: VecDeque::new(), numbers: HashMap::new(), first_number: 0, inbound: watch::Sender::new(0) }
    }
}

impl Chat {
    /// Adds a message; false when this author's id was shown before.
    pub(crate) fn add(&mut self, author: Author, message: PhoneMessage, receipt: Option<Receipted>) -> bool {
        let key = (author, message.id.clone());
        if self.numbers.contains_key(&key) {
            return false;
        }
        if self.messages.len() >= MAX_MESSAGES
            && let Some(oldest) = self.messages.pop_front()
        {
            self.numbers.remove(&(oldest.author, oldest.message.id));
            self.first_number += 1;
        }
        self.numbers.insert(key, self.first_number + self.messages.len() as u64);
        let from_me = message.from_me;
        self.messages.push_back(Entry { author, message, receipt });
        if !from_me {
            self.inbound.send_modify(|count| *count += 1);
        }
        true
    }

    pub(crate) fn list(&self) -> Vec<PhoneMessage> {
        self.messages.iter().map(|entry| entry.message.clone()).collect()
    }

    pub(crate) fn save(&self) -> Vec<Entry> {
        self.messages.iter().cloned().collect()
    }

    pub(crate) fn restore(entries: Vec<Entry>) -> Self {
        let mut chat = Self::default();
        for Entry { author, message, receipt } in entries {
            chat.add(author, message, receipt);
        }
        chat
    }

    pub(crate) fn watch_inbound(&self) -> watch::Receiver<usize> {
        self.inbound.subscribe()
    }

    /// The other side read an own message.
    pub(crate) fn peer_read(&mut self, id: &str) {
        let number = self.numbers.get(&(None, id.to_owned())).copied();
        let at = number.and_then(|number| usize::try_from(number - self.first_number).ok());
        if let Some(entry) = at.and_then(|at| self.messages.get_mut(at)) {
            entry.message.read = true;
        }
    }

    /// Marks unread messages of others as read, all or those with these ids. Gives how many there were and whom to
    /// tell about them.
    pub(crate) fn mark_read(&mut self, ids: Option<&[String]>) -> (usize, Vec<Receipted>) {
        let (mut count, mut receipts) = (0, Vec::new());
        for entry in &mut self.messages {
            let message = &mut entry.message;
            if message.from_me || message.read || ids.is_some_and(|ids| !ids.contains(&message.id)) {
                continue;
            }
            message.read = true;
            count += 1;
            receipts.extend(entry.receipt.clone());
        }
        (count, receipts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, from_me: bool) -> PhoneMessage {
        PhoneMessage {
            id: id.into(),
            from: "601".into(),
            to: "602".into(),
            text: String::new(),
            from_me,
            received_at: 0,
            read: false,
        }
    }

    #[test]
    fn an_id_is_shown_once_per_author() {
        let mut chat = Chat::default();
        assert!(chat.add(Some(1), message("A", false), None));
        assert!(!chat.add(Some(1), message("A", false), None));
        assert!(chat.add(Some(2), message("A", false), None));
        assert_eq!((chat.list().len(), *chat.watch_inbound().borrow()), (2, 2));
    }

    #[test]
    fn reading_skips_what_was_read_and_what_was_sent() {
        let mut chat = Chat::default();
        for (id, from_me) in [("A", false), ("B", true), ("C", false)] {
            chat.add(if from_me { None } else { Some(1) }, message(id, from_me), None);
        }
        assert_eq!(chat.mark_read(Some(&["A".into(), "B".into()])).0, 1);
        assert_eq!(chat.mark_read(None).0, 1);
        assert_eq!(chat.mark_read(None).0, 0);
        chat.peer_read("B");
        assert!(chat.list().iter().all(|message| message.read));
    }
}
