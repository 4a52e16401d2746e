//! What companions write in groups: one ciphertext for all members, and the sender's key for the devices that do not
//! have it yet.

use std::collections::HashMap;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::network::messages::is_carried;
use crate::network::phone_inbound::{PhoneDelivery, Sealed, SealedPart};
use crate::network::{Network, Refusal, Session, State};
use crate::stanza;

/// What all copies of a group message have in common.
struct Envelope<'a> {
    stanza: &'a Node,
    sender: Session,
    shell: Node,
    /// The sender's key and the like, by account and device.
    alone: HashMap<(usize, u16), Node>,
    for_all: Option<Node>,
    extras: Vec<Node>,
}

impl State {
    /// Who gets what is sent to a shared chat; the code of the refusal when the sender may not write there.
    pub(crate) fn audience(&self, sender: usize, to: &Jid, message: &Node) -> Result<Vec<usize>, u16> {
        if to.is_status_broadcast() {
            let list = message.get_optional_child("participants");
            let named = list.into_iter().flat_map(|list| list.get_children_by_tag("to"));
            let accounts = named.filter_map(|to| self.account_by_jid(&stanza::jid(to, "jid")?));
            let mut accounts: Vec<usize> = accounts.chain([sender]).collect();
            accounts.sort_unstable();
            accounts.dedup();
            return Ok(accounts);
        }
        let group = self.group(to).ok_or(Refusal::NOT_FOUND.code)?;
        if !group.may_write(sender) {
            return Err(Refusal::FORBIDDEN.code);
        }
        Ok(group.members.keys().copied().collect())
    }
}

impl Network {
    /// Brings a message to every device of a shared chat but the one it came from; or to one device alone, when it
    /// is a resend.
    pub(crate) fn fan_out_to_group(&self, session: Session, to: &Jid, message: &Node, audience: &[usize]) {
        let mut phones = Vec::new();
        {
            let mut state = self.state();
            let Some(envelope) = Envelope::new(&state, session, to, message) else { return };
            let mut targets = Vec::new();
            match stanza::jid(message, "participant") {
                Some(one) => targets.extend(state.account_by_jid(&one).map(|account| (account, one.device))),
                None => targets.extend(state.devices_of(audience)),
            }
            for (account, device) in targets {
                if (account, device) == (session.account, session.device)
                    || state.blocks_in_status(account, session, to)
                {
                    continue;
                }
                let parts = envelope.parts(account, device);
                if parts.is_empty() {
                    continue;
                }
                if device == 0 {
                    phones.push((account, envelope.for_phone(to, &parts)));
                } else {
                    let children = parts.into_iter().chain(envelope.extras.iter().cloned());
                    state.push(account, device, envelope.copy(children.collect()));
                }
            }
        }
        for (account, delivery) in phones {
            self.deliver_to_phone(account, delivery);
        }
    }
}

impl State {
    /// Every device of these accounts, the phones (device 0) too.
    pub(crate) fn devices_of(&self, accounts: &[usize]) -> Vec<(usize, u16)> {
        let all = accounts.iter().flat_map(|account| {
            let companions = self.accounts.get(*account).into_iter().flat_map(|entry| entry.devices.keys().copied());
            std::iter::once(0).chain(companions).map(|device| (*account, device))
        });
        all.collect()
    }

    /// Who blocked somebody does not see their status.
    fn blocks_in_status(&self, account: usize, sender: Session, to: &Jid) -> bool {
        to.is_status_broadcast() && self.is_blocked(account, sender.account)
    }
}

impl<'a> Envelope<'a> {
    fn new(state: &State, sender: Session, to: &Jid, stanza: &'a Node) -> Option<Self> {
        let account = state.accounts.get(sender.account)?;
        let kind = stanza::attribute(stanza, "type").unwrap_or("text".into()).into_owned();
        let mut shell = NodeBuilder::new("message")
            .attr("id", stanza::owned(stanza, "id"))
            .attr("from", to.clone())
            .attr("participant", account.jid(sender.device, true))
            .attr("participant_pn", account.jid(0, false))
            .attr("type", kind)
            .attr("t", state.now_seconds())
            .attr("notify", account.notify(sender.device).to_owned());
        if to.is_group() {
            shell = shell.attr("addressing_mode", "lid");
        }
        if let Some(edit) = stanza::attribute(stanza, "edit") {
            shell = shell.attr("edit", edit.into_owned());
        }
        let list = stanza.get_optional_child("participants");
        let alone = list.into_iter().flat_map(|list| list.get_children_by_tag("to")).filter_map(|copy| {
            let jid = stanza::jid(copy, "jid")?;
            Some(((state.account_by_jid(&jid)?, jid.device), copy.get_optional_child("enc")?.clone()))
        });
        Some(Self {
            stanza,
            sender,
            shell: shell.build(),
            alone: alone.collect(),
            for_all: stanza.get_optional_child("enc").cloned(),
            extras: stanza.children().unwrap_or_default().iter().filter(|node| is_carried(node)).cloned().collect(),
        })
    }

    fn copy(&self, children: Vec<Node>) -> Node {
        let mut copy = self.shell.clone();
        copy.content = Some(wacore_binary::NodeContent::Nodes(children));
        copy
    }

    fn parts(&self, account: usize, device: u16) -> Vec<Node> {
        let alone = self.alone.get(&(account, device)).cloned();
        alone.into_iter().chain(self.for_all.clone()).collect()
    }

    fn for_phone(&self, to: &Jid, parts: &[Node]) -> PhoneDelivery {
        PhoneDelivery::Sealed(Sealed {
            id: stanza::owned(self.stanza, "id"),
            sender: self.sender.account,
            device: self.sender.device,
            by_lid: true,
            group: Some(to.to_string()),
            parts: parts.iter().map(SealedPart::new).collect(),
        })
    }
}
