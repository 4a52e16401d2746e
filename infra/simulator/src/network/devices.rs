//! Telling who needs to know that an account's devices changed: a companion linked or unlinked, the phone replaced by
//! a new one, the number changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::KeyPair;

use crate::entropy::key_rng;
use crate::network::people::digits;
use crate::network::usync::key_indexes;
use crate::network::{Network, NetworkError, State};
use crate::signal::SignalEndpoint;
use crate::stanza;

/// A companion with fewer one-time keys than this is asked for more.
const FEW_KEYS: usize = 5;

impl Network {
    /// A person puts the account on a new phone: it has another identity, and all companions are unlinked.
    pub fn replace_phone(&self, phone: &str) -> Result<(), NetworkError> {
        self.unlink(phone, None)?;
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let identity = KeyPair::generate(&mut key_rng());
        let endpoint = SignalEndpoint::generate(identity.clone(), state.ids.registration())?;
        let Some(entry) = state.accounts.get_mut(account) else { return Ok(()) };
        entry.identity = identity;
        entry.endpoint = Arc::new(Mutex::new(endpoint));
        entry.app_state_key = rand::RngExt::random(&mut key_rng());
        entry.app_state.clear();
        entry.gate.forget_companions();
        entry.sender_key_holders = HashMap::new();
        let from = entry.jid(0, true);
        let changed = NodeBuilder::new("identity").build();
        state.tell_contacts(account, "encrypt", &from, &changed);
        Ok(())
    }

    /// A person keeps the account and takes another number. The LID stays; all companions are unlinked, for they log
    /// in by number.
    pub fn change_number(&self, phone: &str, new: &str) -> Result<(), NetworkError> {
        let new = digits("new", new)?;
        if self.state().account_by_phone(new).is_some() {
            return Err(NetworkError::PhoneExists(new.to_owned()));
        }
        self.unlink(phone, None)?;
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let digits: Arc<str> = new.into();
        let Some(entry) = state.accounts.get_mut(account) else { return Ok(()) };
        let before = std::mem::replace(&mut entry.phone, Arc::clone(&digits));
        let lid = entry.jid(0, true);
        state.renumber(account, &before, digits);
        let modify = NodeBuilder::new("modify")
            .attr("old", Jid::pn(before.as_ref()))
            .attr("new", Jid::pn(new))
            .attr("old_lid", lid.clone())
            .attr("new_lid", lid)
            .build();
        state.tell_contacts(account, "contacts", &stanza::server(), &modify);
        Ok(())
    }
}

impl State {
    /// Who knows an account: who wrote to it, and whom it wrote to.
    pub(crate) fn contacts(&self, account: usize) -> BTreeSet<usize> {
        let profile = self.accounts.get(account).map(|account| &account.profile);
        profile.map(|profile| profile.written_to.union(&profile.heard_from).copied().collect()).unwrap_or_default()
    }

    fn tell_contacts(&mut self, account: usize, kind: &'static str, from: &Jid, child: &Node) {
        for contact in self.contacts(account) {
            let notification = self.notification(kind, from, child.clone());
            self.push_to_companions(contact, &notification);
        }
    }

    /// Tells contacts and the account's other companions that one was linked or unlinked.
    pub(crate) fn tell_devices(&mut self, account: usize, device: u16, added: bool) {
        let now = self.now_seconds();
        let Some(entry) = self.accounts.get(account) else { return };
        let mut list = NodeBuilder::new("key-index-list").attr("ts", now);
        if added && let Some(signed) = key_indexes(entry, account, now) {
            list = list.bytes(signed);
        }
        let list = list.build();
        let mut changed = NodeBuilder::new("device").attr("jid", entry.jid(device, true));
        if let Some(companion) = entry.devices.get(&device) {
            changed = changed.attr("key-index", companion.key_index);
        }
        let tag = if added { "add" } else { "remove" };
        let child = NodeBuilder::new(tag).children([changed.build(), list.clone()]).build();
        let (lid, pn) = (entry.jid(0, true), entry.jid(0, false));
        let phone = NodeBuilder::new("device").attr("jid", pn.clone()).build();
        let all = entry.devices.iter().map(|(number, companion)| {
            let jid = entry.jid(*number, false);
            NodeBuilder::new("device").attr("jid", jid).attr("key-index", companion.key_index).build()
        });
        let all: Vec<Node> = std::iter::once(phone).chain(all).chain([list]).collect();
        let own = NodeBuilder::new("devices").attr("dhash", "2:1").attr("t", now).children(all).build();
        let siblings: Vec<u16> = entry.devices.keys().copied().filter(|sibling| *sibling != device).collect();
        for sibling in siblings {
            let notification = self.notification("account_sync", &pn, own.clone());
            self.push(account, sibling, notification);
        }
        self.tell_contacts(account, "devices", &lid, &child);
    }

    /// Asks a companion for more one-time keys when it runs low.
    pub(crate) fn ask_for_keys(&mut self, account: usize, device: u16) {
        let left = self.device(account, device).map_or(0, |device| device.one_time.len());
        // Asked once as the number falls below; at every log-in the client counts by itself.
        if left + 1 != FEW_KEYS {
            return;
        }
        let count = NodeBuilder::new("count").attr("value", left).build();
        let notification = self.notification("encrypt", &stanza::server(), count);
        self.push(account, device, notification);
    }
}
