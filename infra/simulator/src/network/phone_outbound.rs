//! What a phone sends: texts to people, copies to its own companions, keys to a new companion, and all of these
//! again when a companion could not decrypt them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp::Message;

use crate::content;
use crate::network::accounts::companion_address;
use crate::network::people::digits;
use crate::network::phone_inbound::PhoneDelivery;
use crate::network::{Network, NetworkError, Session, lock};
use crate::signal::{SignalEndpoint, SignalError};

/// How many of its last stanzas a phone can encrypt again.
const MAX_SENT: usize = 500;
/// The longest text; the real limit is 65,536 characters.
const MAX_TEXT: usize = 65_536;

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

/// The two ends of a text, looked up once.
struct Route {
    id: String,
    now: u64,
    sender: usize,
    recipient: usize,
    sender_pn: Jid,
    sender_lid: Jid,
    recipient_pn: Jid,
    name: String,
    endpoint: Arc<Mutex<SignalEndpoint>>,
    recipient_devices: Vec<u16>,
    own_devices: Vec<u16>,
}

impl Network {
    /// A phone sends a text to another account: to its phone and all its companions, on- or offline, and copies to
    /// the sender's own companions. Gives the stanza id.
    pub fn send_text(&self, from: &str, to: &str, text: &str) -> Result<String, NetworkError> {
        let to = digits("to", to)?;
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(NetworkError::invalid("text", "must be 1 to 65536 bytes"));
        }
        let route = self.route(from, to)?;
        let message = content::text(text);
        let padded: Arc<[u8]> = content::padded(&message).into();
        let shell = route.shell_for_recipient();
        // Held over the whole send, so that two sends of one phone do not cross.
        let endpoint = Arc::clone(&route.endpoint);
        let mut endpoint = lock(&endpoint);
        for device in &route.recipient_devices {
            self.send_sealed(&mut endpoint, &route, (route.recipient, *device), &shell, &padded)?;
        }
        let copy: Arc<[u8]> = content::padded(&content::sent_copy(message, route.recipient_pn.to_string())).into();
        let shell = route.shell_for_own();
        for device in &route.own_devices {
            self.send_sealed(&mut endpoint, &route, (route.sender, *device), &shell, &copy)?;
        }
        {
            let mut state = self.state();
            let (from, to) = (from.to_owned(), to.to_owned());
            state.add_message(route.sender, None, &route.id, from, to, text.to_owned(), None);
        }
        drop(endpoint);
        let plain = PhoneDelivery::Plain { id: route.id.clone(), sender: route.sender, text: text.to_owned() };
        self.deliver_to_phone(route.recipient, plain);
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
        let Some(encrypted) = self.encrypt(endpoint, &sent, new_session)? else { return Ok(()) };
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

    /// The `<enc>` for a companion, starting a session where there is none; `None` when the companion is gone.
    fn encrypt(
        &self,
        endpoint: &mut SignalEndpoint,
        sent: &SentStanza,
        new_session: bool,
    ) -> Result<Option<Node>, SignalError> {
        let (account, device) = sent.target;
        let lid = self.state().accounts.get(account).map(|account| Arc::clone(&account.lid));
        let Some(lid) = lid else { return Ok(None) };
        let peer = companion_address(&lid, device);
        if new_session || !endpoint.has_session(&peer) {
            let Some(bundle) = self.bundle_for_phone(account, device) else { return Ok(None) };
            endpoint.start_session(&peer, &bundle?)?;
        }
        let sealed = endpoint.encrypt(&peer, &sent.padded)?;
        Ok(Some(NodeBuilder::new("enc").attr("v", "2").attr("type", sealed.kind).bytes(sealed.bytes).build()))
    }

    /// Gives a companion that uploaded its first keys the app-state keys and an empty history.
    pub(crate) fn share_keys_once(&self, session: Session) {
        let first = {
            let mut state = self.state();
            let device = state.device(session.account, session.device);
            device.is_some_and(|device| !std::mem::replace(&mut device.keys_shared, true))
        };
        if first {
            self.share_keys(session.account, session.device);
        }
    }

    /// Sends app-state keys and an empty history from a phone to one of its companions.
    pub(crate) fn share_keys(&self, account: usize, device: u16) {
        let prepared = {
            let mut state = self.state();
            let ids = [state.ids.stanza_id(), state.ids.stanza_id()];
            state
                .accounts
                .get(account)
                .map(|entry| (ids, entry.jid(0, false), entry.app_state_key, Arc::clone(&entry.endpoint)))
        };
        let Some((ids, from, key, endpoint)) = prepared else { return };
        let messages = [content::key_share(&key, self.now_ms()), content::empty_history()];
        let mut endpoint = lock(&endpoint);
        for (id, message) in ids.into_iter().zip(messages) {
            let sent = peer_stanza(id, (account, device), &from, &message, self.now_seconds());
            if let Err(error) = self.send_stanza(&mut endpoint, account, sent, false) {
                tracing::warn!(error = &error as &dyn std::error::Error, "a phone could not share its keys");
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
    fn shell_for_recipient(&self) -> Node {
        message(&self.id, self.sender_lid.clone(), self.now)
            .attr("type", "text")
            .attr("notify", self.name.as_str())
            .attr("addressing_mode", "lid")
            .attr("sender_pn", self.sender_pn.clone())
            .build()
    }

    fn shell_for_own(&self) -> Node {
        message(&self.id, self.sender_pn.clone(), self.now)
            .attr("type", "text")
            .attr("recipient", self.recipient_pn.clone())
            .attr("notify", self.name.as_str())
            .build()
    }
}

fn message(id: &str, from: Jid, now: u64) -> NodeBuilder {
    NodeBuilder::new("message").attr("id", id).attr("from", from).attr("t", now)
}

/// Traffic between a phone and its companion, which no chat shows.
fn peer_stanza(id: String, target: (usize, u16), from: &Jid, inner: &Message, now: u64) -> SentStanza {
    let shell = message(&id, from.clone(), now).attr("type", "text").attr("category", "peer").build();
    SentStanza { id, target, shell, padded: content::padded(inner).into() }
}
