//! What a person does with messages: write, send a file, react, change a text, take it back, ask, vote. The other
//! side is a person (digits) or a group (its JID).

use buffa::MessageField;
use waproto::whatsapp::message::poll_creation_message::Option as PollOption;
use waproto::whatsapp::message::{PollCreationMessage, PollEncValue, PollUpdateMessage};
use waproto::whatsapp::{Message, MessageContextInfo, MessageKey};

use crate::content;
use crate::content::media::{self, Attachment};
use crate::entropy::key_rng;
use crate::network::media::{MAX_FILE, public_url};
use crate::network::people::digits;
use crate::network::phone_outbound::Letter;
use crate::network::{Network, NetworkError, PhoneMessage, Refusal};

/// Where people put what everybody they know may see.
pub(crate) const STATUS: &str = "status@broadcast";
/// The longest text; the real limit is 65,536 characters.
const MAX_TEXT: usize = 65_536;
/// WhatsApp's limit of a poll's options.
const MAX_OPTIONS: usize = 12;

impl Network {
    /// A phone sends a text to another account, a group or, as a status, to everybody it knows. Gives the stanza id.
    pub fn send_text(&self, from: &str, to: &str, text: &str) -> Result<String, NetworkError> {
        self.send_from_phone(from, to, &Letter::new("text", content::text(checked(text)?)))
    }

    /// A phone sends a file: uploads it and sends the message that points to it. Gives the stanza id.
    pub fn send_file(&self, from: &str, to: &str, file: &Attachment) -> Result<String, NetworkError> {
        let family = media::family_of(&file.kind);
        let family = family.ok_or(NetworkError::invalid("kind", "must be image, video, audio, voice or document"))?;
        if file.view_once && !matches!(file.kind.as_str(), "image" | "video" | "voice") {
            return Err(NetworkError::invalid("view_once", "is for images, videos and voice messages"));
        }
        if file.bytes.is_empty() || file.bytes.len() > MAX_FILE {
            return Err(NetworkError::invalid("file", "must be 1 byte to 100 MiB"));
        }
        let sealed = media::seal(family, &file.bytes);
        let mut sealed = sealed.ok_or(NetworkError::invalid("file", "cannot be encrypted"))?;
        let path = self.media().put(std::mem::take(&mut sealed.data_to_upload).into());
        let message = media::message(file, &sealed, &path, &public_url(&path));
        self.send_from_phone(from, to, &Letter::new("media", message).once(file.view_once))
    }

    /// A phone sends a picture; the short form of [`Network::send_file`].
    pub fn phone_send_image(
        &self,
        phone: &str,
        to: &str,
        bytes: Vec<u8>,
        caption: &str,
    ) -> Result<String, NetworkError> {
        let mime = if bytes.starts_with(b"\x89PNG") { "image/png" } else { "image/jpeg" };
        let (kind, mime, caption) = ("image".to_owned(), mime.to_owned(), caption.to_owned());
        self.send_file(phone, to, &Attachment { kind, bytes, mime, caption, file_name: None, view_once: false })
    }

    /// A person puts an emoji on a message the phone shows, or takes it back with an empty one.
    pub fn react(&self, phone: &str, id: &str, emoji: &str) -> Result<String, NetworkError> {
        let (to, key, _) = self.shown_message(phone, id)?;
        self.send_from_phone(phone, &to, &Letter::new("reaction", content::reaction(key, emoji, self.now_ms())))
    }

    /// A person changes the text of an own message.
    pub fn edit_message(&self, phone: &str, id: &str, text: &str) -> Result<String, NetworkError> {
        let (to, key, message) = self.shown_message(phone, id)?;
        if !message.from_me {
            return Err(NetworkError::invalid("id", "must be a message of this phone"));
        }
        let edit = content::edit(key, checked(text)?, self.now_ms());
        self.send_from_phone(phone, &to, &Letter::new("text", edit).edited("1"))
    }

    /// A person takes an own message back.
    pub fn revoke_message(&self, phone: &str, id: &str) -> Result<String, NetworkError> {
        let (to, key, message) = self.shown_message(phone, id)?;
        if !message.from_me {
            return Err(NetworkError::invalid("id", "must be a message of this phone"));
        }
        self.send_from_phone(phone, &to, &Letter::new("text", content::revoke(key)).edited("7"))
    }

    /// A person asks with a choice of answers; one may be chosen, or any number.
    pub fn send_poll(
        &self,
        from: &str,
        to: &str,
        question: &str,
        options: &[String],
        single: bool,
    ) -> Result<String, NetworkError> {
        if !(2..=MAX_OPTIONS).contains(&options.len()) {
            return Err(NetworkError::invalid("options", "must be 2 to 12"));
        }
        let option = |name: &String| PollOption { option_name: Some(name.clone()), ..Default::default() };
        let poll = PollCreationMessage {
            name: Some(checked(question)?.to_owned()),
            options: options.iter().map(option).collect(),
            selectable_options_count: Some(u32::from(single)),
            ..Default::default()
        };
        let secret: [u8; 32] = rand::RngExt::random(&mut key_rng());
        let context = MessageContextInfo { message_secret: Some(secret.to_vec()), ..Default::default() };
        let message = Message {
            poll_creation_message_v3: MessageField::some(poll),
            message_context_info: MessageField::some(context),
            ..Default::default()
        };
        self.send_from_phone(from, to, &Letter::new("poll", message))
    }

    /// A person votes in a poll the phone shows.
    pub fn vote(&self, phone: &str, id: &str, chosen: &[String]) -> Result<String, NetworkError> {
        let (to, key, message) = self.shown_message(phone, id)?;
        if chosen.iter().any(|option| !message.options.contains(option)) {
            return Err(NetworkError::invalid("options", "must be among the options of the poll"));
        }
        let (creator, voter, secret) = self.ballot(phone, id)?;
        let hashes: Vec<Vec<u8>> =
            chosen.iter().map(|option| wacore::poll::compute_option_hash(option).to_vec()).collect();
        let sealed = wacore::poll::encrypt_poll_vote_with_secret(&hashes, &secret, id, &creator, &voter);
        let (payload, iv) = sealed.map_err(|_| NetworkError::invalid("id", "must be a poll"))?;
        let vote = PollUpdateMessage {
            poll_creation_message_key: MessageField::some(key),
            vote: MessageField::some(PollEncValue { enc_payload: Some(payload), enc_iv: Some(iv.to_vec()) }),
            sender_timestamp_ms: i64::try_from(self.now_ms()).ok(),
            ..Default::default()
        };
        let message = Message { poll_update_message: MessageField::some(vote), ..Default::default() };
        self.send_from_phone(phone, &to, &Letter::new("poll", message))
    }

    /// Who made a poll, who votes (as JIDs), and what votes are sealed with.
    fn ballot(&self, phone: &str, id: &str) -> Result<(String, String, Vec<u8>), NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        let voter = state.accounts.get(account).ok_or(Refusal::NOT_FOUND)?;
        let ballot = voter.chat.ballot(id).ok_or(NetworkError::invalid("id", "must be a poll"))?;
        let creator = state.accounts.get(ballot.author.unwrap_or(account)).ok_or(Refusal::NOT_FOUND)?;
        Ok((creator.jid(0, true).to_string(), voter.jid(0, true).to_string(), ballot.secret))
    }

    /// A shown message with the chat it stands in and the key others know it by.
    fn shown_message(&self, phone: &str, id: &str) -> Result<(String, MessageKey, PhoneMessage), NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        let own = state.accounts.get(account).ok_or(Refusal::NOT_FOUND)?;
        let message = own.chat.find(id).cloned().ok_or(NetworkError::invalid("id", "is not on this phone"))?;
        let other = if message.from_me { &message.to } else { &message.from };
        let to = message.chat.clone().unwrap_or_else(|| other.clone());
        let lid = |phone: &str| {
            let account = state.accounts.get(state.account_by_phone(phone)?)?;
            Some(account.jid(0, true).to_string())
        };
        let key = MessageKey {
            remote_jid: message.chat.clone().or_else(|| lid(other)),
            from_me: Some(message.from_me),
            id: Some(id.to_owned()),
            participant: message.chat.as_ref().and_then(|_| lid(&message.from)),
        };
        Ok((to, key, message))
    }

    /// Sends to a person or a group. Who is written to for the first time is no stranger any more.
    pub(crate) fn send_from_phone(&self, from: &str, to: &str, letter: &Letter) -> Result<String, NetworkError> {
        if to.ends_with("@g.us") || to == STATUS {
            return self.send_to_group(from, to, letter);
        }
        let to = to.split('@').next().unwrap_or(to);
        let id = self.send_to_person(from, to, letter)?;
        let mut state = self.state();
        let (sender, recipient) = (state.known_phone(from)?, state.known_phone(digits("to", to)?)?);
        if !state.accounts.get(sender).is_some_and(|account| account.profile.written_to.contains(&recipient)) {
            state.note_contact(sender, recipient);
            let now = state.now_seconds().to_string();
            state.issue_token(sender, recipient, &now);
        }
        Ok(id)
    }
}

fn checked(text: &str) -> Result<&str, NetworkError> {
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(NetworkError::invalid("text", "must be 1 to 65536 bytes"));
    }
    Ok(text)
}
