//! Receipts: a companion's receipts settle its queue and travel to who sent the message; a phone's receipts are
//! made here.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::network::chat::Reading;
use crate::network::{Account, Network, Outbound, Session, State};
use crate::stanza;

/// A receipt's `type`s that stay between a companion and its phone.
const BETWEEN_OWN_DEVICES: [&str; 2] = ["peer_msg", "hist_sync"];
/// Those that say that the person read or played something, and those of people who do not tell others so.
const READ: [&str; 2] = ["read", "read-self"];
const PLAYED: [&str; 2] = ["played", "played-self"];

impl Network {
    /// Takes a companion's receipt.
    pub(crate) fn on_receipt(&self, session: Session, outbound: &Outbound, receipt: &Node) {
        let to = stanza::jid(receipt, "to");
        let kind = stanza::attribute(receipt, "type");
        let ids = stanza::receipt_ids(receipt);
        {
            let mut state = self.state();
            // "Read" says nothing about having stored the message; the receipt before it did.
            let says = |kinds: &[&str]| kind.as_deref().is_some_and(|kind| kinds.contains(&kind));
            if !says(&READ) && !says(&PLAYED) {
                for id in &ids {
                    state.settle(session, "message", id, None);
                }
            }
            // Only now: who sees the ack may rely on it that the message does not come again.
            let mut ack = stanza::ack("receipt", receipt, state.now_seconds());
            if let Some(kind) = &kind {
                ack = ack.attr("type", kind.as_ref());
            }
            outbound.send(ack.build());
            let Some(to) = &to else { return };
            if says(&BETWEEN_OWN_DEVICES) {
                return;
            }
            if says(&READ) || says(&PLAYED) {
                state.note_reading(session.account, &ids, says(&PLAYED));
                if says(&["read-self", "played-self"]) {
                    return;
                }
            }
            if kind.as_deref() == Some("server-error") {
                drop(state);
                self.upload_again(session, receipt);
                return;
            }
            let Some(author) = author_of(to, receipt) else { return };
            let Some(target) = state.account_by_jid(&author) else { return };
            if kind.as_deref() != Some("retry") || author.device != 0 {
                state.forward_receipt(session, target, (to, &author), receipt, &ids);
                return;
            }
        }
        let Some(phone) = to.as_ref().and_then(|to| author_of(to, receipt)) else { return };
        for id in ids {
            self.resend_from_phone(&phone, session, &id);
        }
    }

    /// Takes a companion's ack of something we pushed.
    pub(crate) fn on_ack(&self, session: Session, ack: &Node) {
        let class = stanza::owned(ack, "class");
        let id = stanza::owned(ack, "id");
        self.state().settle(session, &class, &id, stanza::attribute(ack, "type").as_deref());
    }
}

/// Whom a receipt is for: in a group, the participant it names.
fn author_of(to: &Jid, receipt: &Node) -> Option<Jid> {
    if is_shared(to) { stanza::jid(receipt, "participant") } else { Some(to.clone()) }
}

/// Whether messages to this JID are for many: a group or the status list.
fn is_shared(jid: &Jid) -> bool {
    jid.is_group() || jid.is_status_broadcast()
}

impl State {
    /// A companion's person read or played something: the phone shows it so too, and tells nobody again.
    fn note_reading(&mut self, account: usize, ids: &[String], played: bool) {
        let Some(account) = self.accounts.get_mut(account) else { return };
        let _told_by_the_companion = account.chat.mark_read(Some(ids));
        if played {
            let _told_by_the_companion = account.chat.mark_played(ids);
        }
    }

    /// A person read or played something on the phone: the companions that sent it are told, and the phones show it,
    /// unless the person does not let others know; in groups that is not asked. Gives how much it was.
    pub(crate) fn tell_of_reading(&mut self, reader: usize, what: Vec<Reading>, kind: &'static str) -> usize {
        let count = what.len();
        let privacy = self.accounts.get(reader).and_then(|account| account.profile.privacy.get("readreceipts"));
        let keeps_quiet = privacy.is_some_and(|value| value == "none");
        for reading in what.into_iter().filter(|reading| reading.is_in_chat || !keeps_quiet) {
            let Some(author) = reading.author else { continue };
            let told = match &reading.receipt {
                Some(receipt) => self.phone_receipt(reader, receipt, Some(kind)),
                None => !self.receipt_gets_lost(author, reader),
            };
            if let Some(account) = self.accounts.get_mut(author).filter(|_| told && !reading.is_in_chat) {
                account.chat.peer_read(&reading.id, kind == "played");
            }
        }
        count
    }

    fn forward_receipt(
        &mut self,
        session: Session,
        target: usize,
        (to, author): (&Jid, &Jid),
        receipt: &Node,
        ids: &[String],
    ) {
        let own = target == session.account;
        if !own && self.receipt_gets_lost(target, session.account) {
            return;
        }
        let Some(sender) = self.accounts.get(session.account) else { return };
        let reader = sender.jid(session.device, author.is_lid());
        let mut copy =
            NodeBuilder::new("receipt").attr("id", stanza::owned(receipt, "id")).attr("t", self.now_seconds());
        copy = if is_shared(to) {
            copy.attr("from", to.clone()).attr("participant", reader)
        } else {
            copy.attr("from", reader)
        };
        for name in ["type", "recipient", "category"] {
            if let Some(value) = receipt.attrs.get(name) {
                copy = copy.attr(name, value.clone());
            }
        }
        let copy = copy.apply_content(receipt.content.clone()).build();
        if author.device != 0 {
            self.push(target, author.device, copy);
            return;
        }
        let Some(account) = self.accounts.get_mut(target) else { return };
        let kind = stanza::attribute(receipt, "type");
        if !own && matches!(kind.as_deref(), Some("read" | "played")) {
            for id in ids {
                account.chat.peer_read(id, kind.as_deref() == Some("played"));
            }
        }
        let companions: Vec<u16> = account.devices.keys().copied().collect();
        for device in companions.into_iter().filter(|device| !own || *device != session.device) {
            self.push(target, device, copy.clone());
        }
    }

    /// Whether a rule swallows what `reader` says about a message of `author`.
    pub(crate) fn receipt_gets_lost(&mut self, author: usize, reader: usize) -> bool {
        let phone = |account: usize| self.accounts.get(account).map(|account| Arc::clone(&account.phone));
        match (phone(author), phone(reader)) {
            (Some(author), Some(reader)) => self.faults.swallows_receipt(&author, &reader),
            _ => true,
        }
    }

    /// A receipt of a phone to the companion that sent the message; `kind` is absent for "delivered". Gives whether
    /// no rule swallowed it.
    pub(crate) fn phone_receipt(&mut self, phone: usize, about: &Receipted, kind: Option<&'static str>) -> bool {
        if phone != about.sender && self.receipt_gets_lost(about.sender, phone) {
            return false;
        }
        let Some(account) = self.accounts.get(phone) else { return false };
        let mut receipt = about.receipt_from(account).attr("t", self.now_seconds());
        if let Some(kind) = kind {
            receipt = receipt.attr("type", kind);
        }
        self.push(about.sender, about.device, receipt.build());
        true
    }
}

/// The message a phone's receipt is about, and the device that sent it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipted {
    pub(crate) id: String,
    pub(crate) sender: usize,
    pub(crate) device: u16,
    pub(crate) by_lid: bool,
    /// The JID of the group it was sent to.
    pub(crate) group: Option<String>,
}

impl Receipted {
    /// A receipt of an account's phone about this message: in a group, the group's with the phone as participant.
    pub(crate) fn receipt_from(&self, phone: &Account) -> NodeBuilder {
        let receipt = NodeBuilder::new("receipt").attr("id", self.id.as_str());
        match &self.group {
            Some(group) => receipt.attr("from", group.as_str()).attr("participant", phone.jid(0, true)),
            None => receipt.attr("from", phone.jid(0, self.by_lid)),
        }
    }
}
