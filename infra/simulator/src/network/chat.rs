//! What a phone shows: its messages in order of arrival, each stanza id once.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use waproto::whatsapp::Message;

use crate::content;
use crate::content::media::MediaPointer;
use crate::network::media::PhoneMedia;
use crate::network::receipts::Receipted;

/// Beyond this the oldest messages scroll away.
const MAX_MESSAGES: usize = 100_000;
/// The kinds of messages one plays.
const PLAYABLE: [&str; 4] = ["voice", "video_note", "audio", "video"];

/// A message as a phone shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own on the message")]
pub struct PhoneMessage {
    /// The stanza id.
    pub id: String,
    /// The sender's phone digits.
    pub from: String,
    /// The recipient's phone digits, or the JID of the group, newsletter or status list.
    pub to: String,
    /// The text or caption, empty when there is none.
    pub text: String,
    /// Whether this account sent it, from the phone or a companion.
    pub from_me: bool,
    /// When it arrived here, in milliseconds since 1970.
    pub received_at: u64,
    /// Whether the person read it; of an own message, whether the other side said so.
    pub read: bool,
    /// Whether the person played it, when it can be played; of an own message, whether the other side said so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub played: bool,
    /// A word for the kind, such as `text`, `image`, `reaction` or `vote`.
    #[serde(default)]
    pub kind: String,
    /// The JID of the group, newsletter or status list it stands in; absent in a chat with one person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<String>,
    /// The message it is about: reacted to, edited, revoked or voted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The file it brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<PhoneMedia>,
    /// Who reacted with what, by phone digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reactions: BTreeMap<String, String>,
    /// A poll's options.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Who chose what in a poll, by phone digits.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub votes: BTreeMap<String, Vec<String>>,
    /// Whether its sender changed the text.
    #[serde(default, skip_serializing_if = "is_false")]
    pub edited: bool,
    /// Whether it was taken back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub revoked: bool,
    /// Whether it may be looked at once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub view_once: bool,
    /// Seconds after which it disappears; zero when it stays.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub expires_s: u32,
}

impl PhoneMessage {
    /// The chat it stands in: the JID of a group, or the digits of the other person.
    pub fn other(&self) -> &str {
        let person = if self.from_me { &self.to } else { &self.from };
        self.chat.as_ref().unwrap_or(person)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
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
    pub(crate) message: PhoneMessage,
    #[serde(default)]
    behind: Behind,
}

/// What the phone knows of a message and does not show.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Behind {
    /// Whom to tell when it is read: the companion that sent it.
    pub(crate) receipt: Option<Receipted>,
    /// What votes and the like on it are sealed with.
    pub(crate) secret: Option<Vec<u8>>,
    /// Where its file is and how it is opened.
    pub(crate) file: Option<MediaPointer>,
    /// The message itself, encoded, when the text does not say all of it.
    #[serde(default)]
    pub(crate) original: Option<Arc<[u8]>>,
}

/// Something the person just read or played.
pub(crate) struct Reading {
    pub(crate) id: String,
    pub(crate) author: Author,
    pub(crate) is_in_chat: bool,
    /// Whom to tell: the companion that sent it. Absent when a phone did.
    pub(crate) receipt: Option<Receipted>,
}

/// What a vote is read with.
pub(crate) struct Ballot {
    pub(crate) author: Author,
    pub(crate) secret: Vec<u8>,
    pub(crate) options: Vec<String>,
}

impl Entry {
    fn reading(&self) -> Reading {
        Reading {
            id: self.message.id.clone(),
            author: self.author,
            is_in_chat: self.message.chat.is_some(),
            receipt: self.behind.receipt.clone(),
        }
    }

    /// The message as it is told to companions again; an edited one is its text.
    pub(crate) fn content(&self) -> Message {
        let original = self.behind.original.as_deref().filter(|_| !self.message.edited && !self.message.revoked);
        let original = original.and_then(|bytes| buffa::Message::decode_from_slice(bytes).ok());
        original.unwrap_or_else(|| content::text(&self.message.text))
    }
}

impl Default for Chat {
    fn default() -> Self {
        Self { messages: VecDeque::new(), numbers: HashMap::new(), first_number: 0, inbound: watch::Sender::new(0) }
    }
}

impl Chat {
    /// Adds a message; false when this author's id was shown before.
    pub(crate) fn add(&mut self, author: Author, message: PhoneMessage, behind: Behind) -> bool {
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
        self.apply(&message);
        self.messages.push_back(Entry { author, message, behind });
        if !from_me {
            self.inbound.send_modify(|count| *count += 1);
        }
        true
    }

    /// What a reaction, edit, revocation or vote does to the message it is about.
    fn apply(&mut self, change: &PhoneMessage) {
        let Some(about) = &change.about else { return };
        let Some(entry) = self.messages.iter_mut().rev().find(|entry| entry.message.id == *about) else { return };
        let message = &mut entry.message;
        // Reactions and votes are anybody's; a text is changed by its author, or taken back by an admin.
        let is_author = message.from == change.from;
        match change.kind.as_str() {
            "reaction" if change.text.is_empty() => {
                message.reactions.remove(&change.from);
            }
            "reaction" => {
                message.reactions.insert(change.from.clone(), change.text.clone());
            }
            "vote" => {
                message.votes.insert(change.from.clone(), change.options.clone());
            }
            "edit" if is_author => {
                message.text.clone_from(&change.text);
                message.edited = true;
            }
            "revoke" if is_author || message.chat.is_some() => {
                message.text.clear();
                message.media = None;
                message.revoked = true;
            }
            _ => {}
        }
    }

    /// The poll or other message with this id, as far as votes on it need it.
    pub(crate) fn ballot(&self, id: &str) -> Option<Ballot> {
        let entry = self.messages.iter().rev().find(|entry| entry.message.id == id)?;
        Some(Ballot {
            author: entry.author,
            secret: entry.behind.secret.clone()?,
            options: entry.message.options.clone(),
        })
    }

    /// The file of a message: how others open it, and where the phone keeps what it opened.
    pub(crate) fn file(&self, id: &str) -> Option<(MediaPointer, String)> {
        let entry = self.messages.iter().rev().find(|entry| entry.message.id == id)?;
        Some((entry.behind.file.clone()?, entry.message.media.as_ref()?.path.clone()?))
    }

    /// The newest messages that say something, oldest first.
    pub(crate) fn newest(&self, count: usize) -> Vec<Entry> {
        let said = self.messages.iter().rev().filter(|entry| entry.message.about.is_none());
        let mut newest: Vec<Entry> = said.take(count).cloned().collect();
        newest.reverse();
        newest
    }

    /// The messages of one chat before a message, the newest of them, oldest first.
    pub(crate) fn older(&self, chat: &str, before: &str, count: usize) -> Vec<Entry> {
        let messages: Vec<&Entry> = self.messages.iter().rev().filter(|entry| entry.message.other() == chat).collect();
        let after = messages.iter().position(|entry| entry.message.id == before);
        let older = messages.into_iter().skip(after.map_or(0, |at| at + 1)).take(count);
        let mut older: Vec<Entry> = older.cloned().collect();
        older.reverse();
        older
    }

    /// The message with this id.
    pub(crate) fn find(&self, id: &str) -> Option<&PhoneMessage> {
        self.entry(id).map(|entry| &entry.message)
    }

    /// The same with what belongs to it.
    pub(crate) fn entry(&self, id: &str) -> Option<&Entry> {
        self.messages.iter().rev().find(|entry| entry.message.id == id)
    }

    pub(crate) fn list(&self) -> Vec<PhoneMessage> {
        self.messages.iter().map(|entry| entry.message.clone()).collect()
    }

    pub(crate) fn save(&self) -> Vec<Entry> {
        self.messages.iter().cloned().collect()
    }

    pub(crate) fn restore(entries: Vec<Entry>) -> Self {
        let mut chat = Self::default();
        for Entry { author, message, behind } in entries {
            chat.add(author, message, behind);
        }
        chat
    }

    pub(crate) fn watch_inbound(&self) -> watch::Receiver<usize> {
        self.inbound.subscribe()
    }

    /// The other side read an own message, or also played it.
    pub(crate) fn peer_read(&mut self, id: &str, played: bool) {
        let number = self.numbers.get(&(None, id.to_owned())).copied();
        let at = number.and_then(|number| usize::try_from(number - self.first_number).ok());
        if let Some(entry) = at.and_then(|at| self.messages.get_mut(at)) {
            entry.message.read = true;
            entry.message.played |= played;
        }
    }

    /// Marks messages of others that can be played as played, and as read: those with these ids. Gives which were.
    pub(crate) fn mark_played(&mut self, ids: &[String]) -> Vec<Reading> {
        let mut played = Vec::new();
        for entry in self.messages.iter_mut().filter(|entry| ids.contains(&entry.message.id)) {
            let message = &mut entry.message;
            let playable = PLAYABLE.contains(&message.kind.as_str()) || message.view_once;
            if playable && !message.from_me && !message.played {
                (message.played, message.read) = (true, true);
                played.push(entry.reading());
            }
        }
        played
    }

    /// Marks unread messages of others as read, all or those with these ids. Gives which were.
    pub(crate) fn mark_read(&mut self, ids: Option<&[String]>) -> Vec<Reading> {
        let mut read = Vec::new();
        for entry in &mut self.messages {
            let message = &mut entry.message;
            if message.from_me || message.read || ids.is_some_and(|ids| !ids.contains(&message.id)) {
                continue;
            }
            message.read = true;
            read.push(entry.reading());
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, from_me: bool) -> PhoneMessage {
        let (id, from, to) = (id.into(), "601".into(), "602".into());
        PhoneMessage { id, from, to, from_me, ..PhoneMessage::default() }
    }

    fn change(id: &str, kind: &str, text: &str) -> PhoneMessage {
        let (kind, text, about) = (kind.into(), text.into(), Some("A".into()));
        PhoneMessage { text, kind, about, ..message(id, false) }
    }

    #[test]
    fn a_reaction_an_edit_and_a_revocation_change_the_message_they_are_about() {
        let mut chat = Chat::default();
        chat.add(Some(1), message("A", false), Behind::default());
        chat.add(Some(1), change("B", "reaction", "👍"), Behind::default());
        chat.add(Some(1), change("C", "edit", "other"), Behind::default());
        let shown = chat.find("A").unwrap();
        assert_eq!((shown.reactions["601"].as_str(), shown.text.as_str(), shown.edited), ("👍", "other", true));
        chat.add(Some(1), change("D", "reaction", ""), Behind::default());
        chat.add(Some(1), change("E", "revoke", ""), Behind::default());
        let shown = chat.find("A").unwrap();
        assert!(shown.reactions.is_empty() && shown.text.is_empty() && shown.revoked);
    }

    #[test]
    fn nobody_changes_the_text_of_somebody_else() {
        let mut chat = Chat::default();
        chat.add(Some(1), message("A", false), Behind::default());
        for kind in ["edit", "revoke"] {
            chat.add(Some(2), PhoneMessage { from: "603".into(), ..change(kind, kind, "other") }, Behind::default());
        }
        let shown = chat.find("A").unwrap();
        assert!(!shown.edited && !shown.revoked);
    }

    #[test]
    fn an_id_is_shown_once_per_author() {
        let mut chat = Chat::default();
        assert!(chat.add(Some(1), message("A", false), Behind::default()));
        assert!(!chat.add(Some(1), message("A", false), Behind::default()));
        assert!(chat.add(Some(2), message("A", false), Behind::default()));
        assert_eq!((chat.list().len(), *chat.watch_inbound().borrow()), (2, 2));
    }

    #[test]
    fn reading_skips_what_was_read_and_what_was_sent() {
        let mut chat = Chat::default();
        for (id, from_me) in [("A", false), ("B", true), ("C", false)] {
            chat.add(if from_me { None } else { Some(1) }, message(id, from_me), Behind::default());
        }
        assert_eq!(chat.mark_read(Some(&["A".into(), "B".into()])).len(), 1);
        assert_eq!(chat.mark_read(None).len(), 1);
        assert_eq!(chat.mark_read(None).len(), 0);
        chat.peer_read("B", false);
        assert!(chat.list().iter().all(|message| message.read && !message.played));
        chat.peer_read("B", true);
        assert!(chat.find("B").unwrap().played);
    }

    #[test]
    fn what_can_be_played_is_played_once() {
        let mut chat = Chat::default();
        for (id, kind) in [("A", "voice"), ("B", "text")] {
            chat.add(Some(1), PhoneMessage { kind: kind.into(), ..message(id, false) }, Behind::default());
        }
        let ids = ["A", "B", "C"].map(str::to_owned);
        assert_eq!((chat.mark_played(&ids).len(), chat.mark_played(&ids).len()), (1, 0));
        let played: Vec<bool> = chat.list().iter().map(|message| message.played && message.read).collect();
        assert_eq!(played, [true, false]);
    }

    #[test]
    fn a_message_is_told_again_as_it_was_unless_its_author_changed_it() {
        let mut chat = Chat::default();
        let image = waproto::whatsapp::message::ImageMessage::default();
        let picture = Message { image_message: buffa::MessageField::some(image), ..Default::default() };
        let original = Some(buffa::Message::encode_to_vec(&picture).into());
        chat.add(Some(1), message("A", false), Behind { original, ..Behind::default() });
        assert_eq!(chat.entry("A").unwrap().content(), picture);
        chat.add(Some(1), change("B", "edit", "other"), Behind::default());
        assert_eq!(chat.entry("A").unwrap().content(), content::text("other"));
    }
}
