//! How a phone sends: messages to people, copies to its own companions, keys to a new companion, and all of these
//! again when a companion could not decrypt them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp::Message;

use crate::content::{self, Content, Shown};
use crate::network::accounts::companion_address;
use crate::network::participants::placeholder;
use crate::network::people::digits;
use crate::network::phone_inbound::{PhoneDelivery, Place, Plain};
use crate::network::{Network, NetworkError, Session, lock};
use crate::signal::{SignalEndpoint, SignalError};

/// What a placeholder says of what may be seen once.
pub(crate) const VIEW_ONCE: &str = "view_once";
/// How many of its last stanzas a phone can encrypt again.
const MAX_SENT: usize = 500;

/// The last stanzas a phone sent to companions.
#[derive(Default)]
pub(crate) struct SentStanzas(VecDeque<SentStanza>);

#[derive(Clone)]
struct SentStanza {
    id: String,
    target: (usize, u16),
    /// The stanza without its ciphertext.
    shell: Node,
    padded: Arc<[u8]>,
}

impl SentStanzas {
    fn remember(&mut self, sent: SentStanza) {
        if self.0.len() >= MAX_SENT {
            self.0.pop_front();
        }
        self.0.push_back(sent);
    }

    fn find(&self, id: &str, target: (usize, u16)) -> Option<SentStanza> {
        self.0.iter().rev().find(|sent| sent.id == id && sent.target == target).cloned()
    }
}

/// A message a phone is about to send, with what its stanza says of it.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) message: Message,
    /// `text`, `media`, `poll` or `reaction`.
    pub(crate) kind: &'static str,
    /// `1` for an edit, `7` for a revocation.
    pub(crate) edit: Option<&'static str>,
    /// Whether it may be looked at once, which only phones show.
    pub(crate) once: bool,
}

impl Letter {
    pub(crate) fn new(kind: &'static str, message: Message) -> Self {
        Self { message, kind, edit: None, once: false }
    }

    pub(crate) fn once(self, once: bool) -> Self {
        Self { once, ..self }
    }

    pub(crate) fn edited(self, edit: &'static str) -> Self {
        Self { edit: Some(edit), ..self }
    }

    /// What the phones of the simulator show of it.
    pub(crate) fn shown(&self) -> Box<Shown> {
        match content::read(&content::padded(&self.message)).map(|opened| opened.content) {
            Some(Content::Shown(shown)) => shown,
            _ => Box::default(),
        }
    }

    /// The attributes every stanza with this letter has.
    pub(crate) fn stanza(&self, id: &str, now: u64, name: &str) -> NodeBuilder {
        let stanza = NodeBuilder::new("message")
            .attr("id", id)
            .attr("t", now)
            .attr("type", self.kind)
            .attr("notify", name.to_owned());
        match self.edit {
            Some(edit) => stanza.attr("edit", edit),
            None => stanza,
        }
    }
}

/// The two ends of a message to a person, looked up once.
struct Route {
    id: String,
    now: u64,
    sender: usize,
    recipient: usize,
    sender_pn: Jid,
    sender_lid: Jid,
    recipient_pn: Jid,
    /// Whether the recipient knows people by LID.
    by_lid: bool,
    /// Whether a rule withholds the message from the recipient's companions.
    withheld: bool,
    name: String,
    endpoint: Arc<Mutex<SignalEndpoint>>,
    recipient_devices: Vec<u16>,
    own_devices: Vec<u16>,
}

impl Network {
    /// A phone sends to another account: to its phone and all its companions, on- or offline, and copies to the
    /// sender's own companions. Gives the stanza id.
    pub(crate) fn send_to_person(&self, from: &str, to: &str, letter: &Letter) -> Result<String, NetworkError> {
        let route = self.route(from, digits("to", to)?)?;
        let padded: Arc<[u8]> = content::padded(&letter.message).into();
        // Held over the whole send, so that two sends of one phone do not cross.
        let endpoint = Arc::clone(&route.endpoint);
        let mut endpoint = lock(&endpoint);
        let (for_recipient, for_own) = (route.shell_for_recipient(letter), route.shell_for_own(letter));
        let once = letter.once.then_some(VIEW_ONCE);
        for device in &route.recipient_devices {
            let target = (route.recipient, *device);
            if letter.once || route.withheld {
                self.state().push(target.0, target.1, withheld(for_recipient.clone(), once));
            } else {
                self.send_sealed(&mut endpoint, &route, target, &for_recipient, &padded)?;
            }
        }
        let copy = content::sent_copy(letter.message.clone(), route.recipient_pn.to_string());
        let copy = content::padded(&copy).into();
        for device in &route.own_devices {
            let target = (route.sender, *device);
            if letter.once {
                self.state().push(target.0, target.1, withheld(for_own.clone(), once));
            } else {
                self.send_sealed(&mut endpoint, &route, target, &for_own, &copy)?;
            }
        }
        let shown = letter.shown();
        let media = self.media_of(&shown);
        let recipient = Some(route.recipient_pn.user.to_string());
        let place = Place { id: route.id.clone(), author: None, group: None, recipient };
        self.state().show(route.sender, place, Shown::clone(&shown), media, None);
        drop(endpoint);
        let plain = Plain { id: route.id.clone(), sender: route.sender, group: None, shown };
        self.deliver_to_phone(route.recipient, PhoneDelivery::Plain(plain));
        Ok(route.id)
    }

    fn route(&self, from: &str, to: &str) -> Result<Route, NetworkError> {
        let mut state = self.state();
        let (sender, recipient) = (state.known_phone(from)?, state.known_phone(to)?);
        if sender == recipient {
            return Err(NetworkError::invalid("to", "must be another phone"));
        }
        let id = state.ids.stanza_id();
        let blocked = state.is_blocked(recipient, sender);
        let withheld = state.withholds(sender, 0, recipient);
        let account = |index: usize, phone: &str| {
            state.accounts.get(index).ok_or_else(|| NetworkError::UnknownPhone(phone.to_owned()))
        };
        let (from, to) = (account(sender, from)?, account(recipient, to)?);
        Ok(Route {
            id,
            now: state.now_seconds(),
            sender,
            recipient,
            sender_pn: from.jid(0, false),
            sender_lid: from.jid(0, true),
            recipient_pn: to.jid(0, false),
            by_lid: to.migrated_at.is_some(),
            withheld,
            name: from.name.clone(),
            endpoint: Arc::clone(&from.endpoint),
            recipient_devices: if blocked { Vec::new() } else { to.devices.keys().copied().collect() },
            own_devices: from.devices.keys().copied().collect(),
        })
    }

    /// Encrypts for one companion, remembers it and queues it.
    fn send_sealed(
        &self,
        endpoint: &mut SignalEndpoint,
        route: &Route,
        target: (usize, u16),
        shell: &Node,
        padded: &Arc<[u8]>,
    ) -> Result<(), SignalError> {
        let sent = SentStanza { id: route.id.clone(), target, shell: shell.clone(), padded: Arc::clone(padded) };
        self.send_stanza(endpoint, route.sender, sent, false)
    }

    fn send_stanza(
        &self,
        endpoint: &mut SignalEndpoint,
        sender: usize,
        sent: SentStanza,
        new_session: bool,
    ) -> Result<(), SignalError> {
        let encrypted = self.encrypt(endpoint, sent.target, &sent.padded, new_session)?;
        let Some(encrypted) = encrypted else { return Ok(()) };
        let mut stanza = sent.shell.clone();
        stanza.content = Some(wacore_binary::NodeContent::Nodes(vec![encrypted]));
        let (account, device) = sent.target;
        let mut state = self.state();
        if let Some(sender) = state.accounts.get_mut(sender) {
            sender.sent.remember(sent);
        }
        state.push(account, device, stanza);
        Ok(())
    }

    /// Remembers what a phone sent to a companion in another way than [`Self::send_stanza`], so that it can be sent
    /// again.
    pub(crate) fn remember_sent(&self, sender: usize, id: &str, target: (usize, u16), shell: Node, padded: Arc<[u8]>) {
        if let Some(sender) = self.state().accounts.get_mut(sender) {
            sender.sent.remember(SentStanza { id: id.to_owned(), target, shell, padded });
        }
    }

    /// The `<enc>` for a companion, starting a session where there is none; `None` when the companion is gone.
    pub(crate) fn encrypt(
        &self,
        endpoint: &mut SignalEndpoint,
        (account, device): (usize, u16),
        padded: &[u8],
        new_session: bool,
    ) -> Result<Option<Node>, SignalError> {
        let lid = self.state().accounts.get(account).map(|account| Arc::clone(&account.lid));
        let Some(lid) = lid else { return Ok(None) };
        let peer = companion_address(&lid, device);
        if new_session || !endpoint.has_session(&peer) {
            let Some(bundle) = self.bundle_for_phone(account, device) else { return Ok(None) };
            endpoint.start_session(&peer, &bundle?)?;
        }
        let sealed = endpoint.encrypt(&peer, padded)?;
        Ok(Some(NodeBuilder::new("enc").attr("v", "2").attr("type", sealed.kind).bytes(sealed.bytes).build()))
    }

    /// Gives a companion that uploaded its first keys the app-state keys and the history; a phone that is off does so
    /// when it is on again.
    pub(crate) fn share_keys_once(&self, account: usize, device: u16) {
        let first = {
            let mut state = self.state();
            let is_on = state.accounts.get(account).is_some_and(|account| account.online);
            let device = state.device(account, device).filter(|device| is_on && !device.one_time.is_empty());
            device.is_some_and(|device| !std::mem::replace(&mut device.keys_shared, true))
        };
        if first {
            self.share_keys(account, device);
        }
    }

    /// Sends app-state keys and the history from a phone to one of its companions.
    pub(crate) fn share_keys(&self, account: usize, device: u16) {
        let key = self.state().accounts.get(account).map(|entry| entry.app_state_key);
        let Some(key) = key else { return };
        let messages = vec![content::key_share(&key, self.now_ms()), self.first_history(account)];
        self.tell_companion(account, device, messages);
    }

    /// Sends messages from a phone to one of its companions that no chat shows.
    pub(crate) fn tell_companion(&self, account: usize, device: u16, messages: Vec<Message>) {
        let prepared = {
            let mut state = self.state();
            let ids: Vec<String> = messages.iter().map(|_| state.ids.stanza_id()).collect();
            let entry = state.accounts.get(account);
            entry.map(|entry| (ids, entry.jid(0, false), Arc::clone(&entry.endpoint), state.now_seconds()))
        };
        let Some((ids, from, endpoint, now)) = prepared else { return };
        let mut endpoint = lock(&endpoint);
        for (id, message) in ids.into_iter().zip(messages) {
            let sent = peer_stanza(id, (account, device), &from, &message, now);
            if let Err(error) = self.send_stanza(&mut endpoint, account, sent, false) {
                tracing::warn!(error = &error as &dyn std::error::Error, "a phone could not write to its companion");
            }
        }
    }

    /// A companion could not decrypt what the phone `to` sent: encrypt it again on a new session.
    pub(crate) fn resend_from_phone(&self, to: &Jid, requester: Session, id: &str) {
        let found = {
            let state = self.state();
            state.account_by_jid(to).and_then(|phone| {
                let account = state.accounts.get(phone)?;
                Some((phone, account.sent.find(id, requester.target())?, Arc::clone(&account.endpoint)))
            })
        };
        let Some((phone, sent, endpoint)) = found else { return };
        if let Err(error) = self.send_stanza(&mut lock(&endpoint), phone, sent, true) {
            tracing::warn!(error = &error as &dyn std::error::Error, message.id = %id, "a phone could not resend");
        }
    }
}

impl Route {
    fn shell_for_recipient(&self, letter: &Letter) -> Node {
        let shell = letter.stanza(&self.id, self.now, &self.name);
        if !self.by_lid {
            return shell.attr("from", self.sender_pn.clone()).attr("sender_lid", self.sender_lid.clone()).build();
        }
        shell
            .attr("from", self.sender_lid.clone())
            .attr("addressing_mode", "lid")
            .attr("sender_pn", self.sender_pn.clone())
            .build()
    }

    fn shell_for_own(&self, letter: &Letter) -> Node {
        letter
            .stanza(&self.id, self.now, &self.name)
            .attr("from", self.sender_pn.clone())
            .attr("recipient", self.recipient_pn.clone())
            .build()
    }
}

/// The stanza of a message for a companion that is told that there is something, and not what.
pub(crate) fn withheld(mut shell: Node, why: Option<&'static str>) -> Node {
    shell.content = Some(wacore_binary::NodeContent::Nodes(vec![placeholder(why)]));
    shell
}

fn message(id: &str, from: Jid, now: u64) -> NodeBuilder {
    NodeBuilder::new("message").attr("id", id).attr("from", from).attr("t", now)
}

/// Traffic between a phone and its companion, which no chat shows.
fn peer_stanza(id: String, target: (usize, u16), from: &Jid, inner: &Message, now: u64) -> SentStanza {
    let shell = message(&id, from.clone(), now).attr("type", "text").attr("category", "peer").build();
    SentStanza { id, target, shell, padded: content::padded(inner).into() }
}
