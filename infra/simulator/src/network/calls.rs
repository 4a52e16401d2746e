//! Calls, as far as signals go: who rings whom, and that it is declined or over. No voice flows.

use std::collections::VecDeque;

use serde::Serialize;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::network::{Network, NetworkError, Outbound, Session, State};
use crate::stanza;

const MAX_CALLS: usize = 1_000;

/// A call as a phone lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneCall {
    /// The call's id.
    pub id: String,
    /// Who rings, as phone digits.
    pub from: String,
    /// Who is rung, as phone digits.
    pub to: String,
    /// `ringing`, `rejected`, `accepted` or `ended`.
    pub state: String,
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
}

/// The newest calls.
#[derive(Default)]
pub(crate) struct Calls(VecDeque<PhoneCall>);

impl Network {
    /// Takes `<call>` of a companion and brings it to the other side.
    pub(crate) fn on_call(&self, session: Session, outbound: &Outbound, call: &Node) {
        let mut state = self.state();
        let ack = stanza::ack("call", call, state.now_seconds());
        let action = call.children().and_then(<[Node]>::first);
        let kind = action.map(|action| action.tag.to_string()).unwrap_or_default();
        outbound.send(ack.attr("type", kind).build());
        let (Some(to), Some(action)) = (stanza::jid(call, "to"), action) else { return };
        let Some(target) = state.account_by_jid(&to) else { return };
        state.signal(session.account, session.device, target, action);
    }

    /// A person rings another from the phone. Gives the call's id.
    pub fn ring(&self, from: &str, to: &str, video: bool) -> Result<String, NetworkError> {
        let mut state = self.state();
        let (caller, callee) = (state.known_phone(from)?, state.known_phone(to)?);
        let id = state.ids.stanza_id();
        let mut offer = state.call_node(caller, "offer", &id);
        if video {
            offer = offer.children([NodeBuilder::new("video").build()]);
        } else {
            offer = offer.children([NodeBuilder::new("audio").attr("enc", "opus").attr("rate", "16000").build()]);
        }
        let offer = offer.build();
        state.signal(caller, 0, callee, &offer);
        Ok(id)
    }

    /// A person ends a call: the callee declines it, the caller hangs up.
    pub fn hang_up(&self, phone: &str, id: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let call = state.calls.0.iter().rev().find(|call| call.id == id).cloned();
        let call = call.ok_or(NetworkError::invalid("id", "is no call"))?;
        let (caller, callee) = (state.known_phone(&call.from)?, state.known_phone(&call.to)?);
        let (tag, other) = if account == callee { ("reject", caller) } else { ("terminate", callee) };
        let action = state.call_node(caller, tag, id).build();
        state.signal(account, 0, other, &action);
        Ok(())
    }

    /// The calls a phone had a part in, oldest first.
    pub fn calls(&self, phone: &str) -> Result<Vec<PhoneCall>, NetworkError> {
        let state = self.state();
        state.known_phone(phone)?;
        Ok(state.calls.0.iter().filter(|call| call.from == phone || call.to == phone).cloned().collect())
    }
}

impl State {
    fn call_node(&self, caller: usize, tag: &'static str, id: &str) -> NodeBuilder {
        let creator = self.accounts.get(caller).map(|account| account.jid(0, true)).unwrap_or_default();
        NodeBuilder::new(tag).attr("call-id", id.to_owned()).attr("call-creator", creator)
    }

    /// Books a signal and brings it to every companion of the other side; a decision ends it on the own other ones.
    fn signal(&mut self, sender: usize, device: u16, target: usize, action: &Node) {
        if self.is_blocked(target, sender) {
            return;
        }
        self.book_call(sender, target, action);
        let Some(author) = self.accounts.get(sender) else { return };
        let shell = NodeBuilder::new("call")
            .attr("from", author.jid(device, true))
            .attr("sender_pn", author.jid(0, false))
            .attr("notify", author.notify(device).to_owned())
            .attr("platform", "android")
            .attr("version", "2.24.7.72")
            .attr("e", "0")
            .attr("t", self.now_seconds());
        let id = self.ids.stanza_id();
        let call = shell.attr("id", id).children([action.clone()]).build();
        self.push_to_companions(target, &call);
        self.stop_ringing_elsewhere(sender, device, action);
    }

    /// One device took or declined the call: the account's others stop ringing.
    fn stop_ringing_elsewhere(&mut self, account: usize, device: u16, action: &Node) {
        let reason = match action.tag.as_ref() {
            "accept" => "accepted_elsewhere",
            "reject" => "rejected_elsewhere",
            _ => return,
        };
        let Some(entry) = self.accounts.get(account) else { return };
        let (own, others): (_, Vec<u16>) =
            (entry.jid(0, true), entry.devices.keys().copied().filter(|other| *other != device).collect());
        let mut over = NodeBuilder::new("terminate").attr("reason", reason);
        for name in ["call-id", "call-creator"] {
            over = over.attr(name, stanza::owned(action, name));
        }
        let over = over.build();
        for other in others {
            let call = NodeBuilder::new("call")
                .attr("from", own.clone())
                .attr("id", self.ids.stanza_id())
                .attr("t", self.now_seconds());
            self.push(account, other, call.children([over.clone()]).build());
        }
    }

    fn book_call(&mut self, sender: usize, target: usize, action: &Node) {
        let id = stanza::owned(action, "call-id");
        let state = match action.tag.as_ref() {
            "offer" => "ringing",
            "reject" => "rejected",
            "accept" => "accepted",
            "terminate" => "ended",
            _ => return,
        };
        if let Some(call) = self.calls.0.iter_mut().find(|call| call.id == id) {
            if !matches!(call.state.as_str(), "rejected" | "ended") {
                state.clone_into(&mut call.state);
            }
            return;
        }
        let digits = |account: usize| self.accounts.get(account).map(|account| account.phone.to_string());
        let (from, to) = (digits(sender).unwrap_or_default(), digits(target).unwrap_or_default());
        if self.calls.0.len() >= MAX_CALLS {
            self.calls.0.pop_front();
        }
        let at_ms = self.now_ms();
        self.calls.0.push_back(PhoneCall { id, from, to, state: state.to_owned(), at_ms });
    }
}
