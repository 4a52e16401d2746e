//! For whom a message should have been encrypted, and for whom it was. Where these differ, the ack carries the hash
//! of who should have got it, so that the sender asks for the devices anew; and who was left out gets a placeholder,
//! for which it can ask its phone.

use std::collections::BTreeSet;
use std::sync::Arc;

use wacore::messages::MessageUtils;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::network::{Session, State};
use crate::stanza;

/// Devices, by account and number; the phone is number 0.
type Devices = BTreeSet<(usize, u16)>;

/// What stands in a message for a device that does not get its content; `kind` says why, when it is not by mistake.
pub(crate) fn placeholder(kind: Option<&'static str>) -> Node {
    let placeholder = NodeBuilder::new("unavailable");
    match kind {
        Some(kind) => placeholder.attr("type", kind).build(),
        None => placeholder.build(),
    }
}

/// What became of a message's list of recipients.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Completeness {
    /// The hash of the right list; absent when the sender's was right.
    pub(crate) hash: Option<String>,
    /// The companions that were left out.
    pub(crate) left_out: Vec<(usize, u16)>,
}

impl State {
    /// Compares a message's list with the devices there are.
    pub(crate) fn completeness(&self, session: Session, to: &Jid, message: &Node) -> Completeness {
        if to.is_group() {
            return Completeness { hash: self.group_hash(to, message), left_out: Vec::new() };
        }
        // A resend is for one device on purpose.
        let on_purpose = stanza::attribute(message, "device_fanout").as_deref() == Some("false");
        let list = message.get_optional_child("participants").filter(|_| !on_purpose && !to.is_status_broadcast());
        let (Some(list), Some(recipient)) = (list, self.account_by_jid(to)) else { return Completeness::default() };
        let mut right: Devices = self.devices_of(&[recipient, session.account]).into_iter().collect();
        right.remove(&session.target());
        let named = list.get_children_by_tag("to").filter_map(|copy| stanza::jid(copy, "jid"));
        let named: Devices = named.filter_map(|jid| Some((self.account_by_jid(&jid)?, jid.device))).collect();
        if named == right {
            return Completeness::default();
        }
        let left_out = right.difference(&named).copied().filter(|(_, device)| *device != 0).collect();
        Completeness { hash: self.hash(&right, to.is_lid()), left_out }
    }

    /// Whether a rule has the recipient's companions get a placeholder instead of the message.
    pub(crate) fn withholds(&mut self, sender: usize, device: u16, recipient: usize) -> bool {
        let phone = |account: usize| self.accounts.get(account).map(|account| Arc::clone(&account.phone));
        match (phone(sender), phone(recipient)) {
            (Some(from), Some(to)) => self.faults.withholds((&from, device), &to),
            _ => false,
        }
    }

    /// The hash of all devices of a group's members, when the sender has another one.
    fn group_hash(&self, to: &Jid, message: &Node) -> Option<String> {
        let said = stanza::attribute(message, "phash")?;
        let members: Vec<usize> = self.group(to)?.members.keys().copied().collect();
        let devices = self.devices_of(&members).into_iter().collect();
        self.hash(&devices, true).filter(|right| *right != said)
    }

    fn hash(&self, devices: &Devices, by_lid: bool) -> Option<String> {
        let jid = |(account, device): &(usize, u16)| Some(self.accounts.get(*account)?.jid(*device, by_lid));
        let jids: Vec<Jid> = devices.iter().filter_map(jid).collect();
        MessageUtils::participant_list_hash(&jids).ok()
    }
}
