//! Who is there and who is typing. Presence is told to whoever subscribed; who was away learns the state of the moment
//! when it is back. A chat state waits for an absent companion a few seconds and is then dropped.

use std::collections::{BTreeMap, VecDeque};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::network::{Network, NetworkError, Session, State};
use crate::stanza;

/// How long a chat state is worth showing.
const CHAT_STATE_TTL_MS: u64 = 3_000;
const MAX_CHAT_STATES: usize = 50;
const MAX_SUBSCRIBERS: usize = 10_000;

/// What is known of an account being there.
#[derive(Default)]
pub(crate) struct Presence {
    /// The devices that said they are in use.
    available: Vec<u16>,
    last_seen: Option<u64>,
    /// Who wants to know: account and device, and whether they named the account by LID.
    subscribers: BTreeMap<(usize, u16), bool>,
    /// Who is typing to this account, by the digits of the person or the JID of the group.
    typing: BTreeMap<String, String>,
}

/// Chat states that wait for a companion, each with the moment it is stale.
pub(crate) type ChatStates = VecDeque<(u64, Node)>;

impl Network {
    /// Takes `<presence>`: a state of the sender, or a wish to know somebody else's.
    pub(crate) fn on_presence(&self, session: Session, presence: &Node) {
        let mut state = self.state();
        let kind = stanza::attribute(presence, "type").unwrap_or("available".into()).into_owned();
        match (kind.as_str(), stanza::jid(presence, "to")) {
            ("subscribe", Some(to)) => state.subscribe(session, &to, presence),
            ("unsubscribe", Some(to)) => {
                let whom = state.account_by_jid(&to).and_then(|account| state.accounts.get_mut(account));
                if let Some(account) = whom {
                    account.presence.subscribers.remove(&session.target());
                }
            }
            ("available" | "unavailable", None) => {
                if let Some(name) = stanza::attribute(presence, "name")
                    && let Some(device) = state.device(session.account, session.device)
                {
                    device.notify = Some(super::pairing::clean_name(&name)).filter(|name| !name.is_empty());
                }
                state.set_available(session.account, session.device, kind == "available");
            }
            _ => {}
        }
    }

    /// Takes `<chatstate>` and brings it to the other side.
    pub(crate) fn on_chat_state(&self, session: Session, chat_state: &Node) {
        let Some(to) = stanza::jid(chat_state, "to") else { return };
        let Some(child) = chat_state.children().and_then(<[Node]>::first) else { return };
        self.state().tell_chat_state(session.account, session.device, &to, child);
    }

    /// A person opens or closes the app on the phone.
    pub fn set_available(&self, phone: &str, available: bool) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        state.set_available(account, 0, available);
        Ok(())
    }

    /// A person types (`composing`), records (`recording`) or stops (`paused`) in the chat with a person or a group.
    pub fn type_from_phone(&self, from: &str, to: &str, what: &str) -> Result<(), NetworkError> {
        let child = match what {
            "composing" | "paused" => NodeBuilder::new_dynamic(what.to_owned()).build(),
            "recording" => NodeBuilder::new("composing").attr("media", "audio").build(),
            _ => return Err(NetworkError::invalid("state", "must be composing, recording or paused")),
        };
        let mut state = self.state();
        let sender = state.known_phone(from)?;
        let to = match to.parse::<Jid>() {
            Ok(jid) if jid.is_group() => jid,
            _ => state.known_phone(to).map(|account| Jid::lid(state.accounts[account].lid.as_ref()))?,
        };
        state.tell_chat_state(sender, 0, &to, &child);
        Ok(())
    }

    /// Who types to this phone now, with what they do (`composing` or `recording`), by phone digits or group JID.
    pub fn typing(&self, phone: &str) -> Result<BTreeMap<String, String>, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        Ok(state.accounts.get(account).map(|account| account.presence.typing.clone()).unwrap_or_default())
    }
}

impl State {
    fn subscribe(&mut self, session: Session, to: &Jid, presence: &Node) {
        let Some(whom) = self.account_by_jid(to) else { return };
        if self.wants_token(whom, session.account, presence) || self.is_blocked(whom, session.account) {
            return;
        }
        let Some(account) = self.accounts.get_mut(whom) else { return };
        if account.presence.subscribers.len() < MAX_SUBSCRIBERS {
            account.presence.subscribers.insert(session.target(), to.is_lid());
        }
        let node = self.presence_node(whom, session.account, to.is_lid());
        self.write_to(session.account, session.device, node);
    }

    /// `<presence>` as one account may see another's.
    fn presence_node(&self, whom: usize, viewer: usize, by_lid: bool) -> Node {
        let mut node = NodeBuilder::new("presence");
        let Some(account) = self.accounts.get(whom) else { return node.build() };
        node = node.attr("from", account.jid(0, by_lid));
        let is_shown = |category| account.profile.shows(category, whom, viewer);
        if !account.presence.available.is_empty() && is_shown("online") {
            return node.build();
        }
        node = node.attr("type", "unavailable");
        match account.presence.last_seen {
            Some(seen) if is_shown("last") => node.attr("last", seen).build(),
            Some(_) => node.attr("last", "deny").build(),
            None => node.build(),
        }
    }

    /// A device comes into use or goes out of it; subscribers hear of it when it changes what they see.
    pub(crate) fn set_available(&mut self, account: usize, device: u16, available: bool) {
        let now = self.now_seconds();
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let presence = &mut entry.presence;
        let before = !presence.available.is_empty();
        presence.available.retain(|known| *known != device);
        if available {
            presence.available.push(device);
        }
        let after = !presence.available.is_empty();
        if before && !after {
            presence.last_seen = Some(now);
        }
        if before == after {
            return;
        }
        let subscribers: Vec<((usize, u16), bool)> =
            presence.subscribers.iter().map(|(who, by_lid)| (*who, *by_lid)).collect();
        for ((viewer, number), by_lid) in subscribers {
            let node = self.presence_node(account, viewer, by_lid);
            match self.device(viewer, number) {
                Some(device) if !device.is_active() => {
                    device.missed_presence.insert(account);
                }
                _ => self.write_to(viewer, number, node),
            }
        }
    }

    /// How those are now whose coming and going a device missed.
    pub(crate) fn missed_presence(&mut self, session: Session) -> Vec<Node> {
        let Some(device) = self.device(session.account, session.device) else { return Vec::new() };
        let missed = std::mem::take(&mut device.missed_presence);
        let state = |account: usize| {
            let by_lid = *self.accounts.get(account)?.presence.subscribers.get(&session.target())?;
            Some(self.presence_node(account, session.account, by_lid))
        };
        missed.into_iter().filter_map(state).collect()
    }

    /// Brings a chat state to every companion of the other side, and notes it on the phones.
    fn tell_chat_state(&mut self, sender: usize, device: u16, to: &Jid, child: &Node) {
        let Some(author) = self.accounts.get(sender) else { return };
        let (lid, digits) = (author.jid(device, true), author.phone.to_string());
        let (audience, shell, chat) = if to.is_group() {
            let members = self.group(to).map(|group| group.members.keys().copied().collect()).unwrap_or_default();
            let shell = NodeBuilder::new("chatstate").attr("from", to.clone()).attr("participant", lid);
            (members, shell, to.to_string())
        } else {
            let whom: Vec<usize> = self.account_by_jid(to).into_iter().collect();
            (whom, NodeBuilder::new("chatstate").attr("from", lid), digits)
        };
        let node = shell.children([child.clone()]).build();
        let doing = match (child.tag.as_ref(), stanza::attribute(child, "media").as_deref()) {
            ("composing", Some("audio")) => Some("recording"),
            ("composing", _) => Some("composing"),
            _ => None,
        };
        for account in audience {
            if account == sender || self.is_blocked(account, sender) {
                continue;
            }
            self.note_typing(account, &chat, doing);
            self.push_chat_state(account, &node);
        }
    }

    fn note_typing(&mut self, account: usize, chat: &str, doing: Option<&'static str>) {
        let Some(entry) = self.accounts.get_mut(account) else { return };
        let typing = &mut entry.presence.typing;
        match doing {
            Some(doing) if typing.len() < MAX_CHAT_STATES => {
                typing.insert(chat.to_owned(), doing.to_owned());
            }
            _ => {
                typing.remove(chat);
            }
        }
    }

    fn push_chat_state(&mut self, account: usize, node: &Node) {
        let stale = self.now_ms() + CHAT_STATE_TTL_MS;
        let Some(entry) = self.accounts.get_mut(account) else { return };
        for device in entry.devices.values_mut() {
            match &device.connected {
                Some(connected) if connected.active => connected.outbound.send(node.clone()),
                _ => {
                    if device.chat_states.len() >= MAX_CHAT_STATES {
                        device.chat_states.pop_front();
                    }
                    device.chat_states.push_back((stale, node.clone()));
                }
            }
        }
    }

    /// What of the waiting chat states is still worth showing.
    pub(crate) fn waiting_chat_states(&mut self, session: Session) -> Vec<Node> {
        let now = self.now_ms();
        let Some(device) = self.device(session.account, session.device) else { return Vec::new() };
        let waiting = std::mem::take(&mut device.chat_states);
        waiting.into_iter().filter(|(stale, _)| *stale > now).map(|(_, node)| node).collect()
    }
}
