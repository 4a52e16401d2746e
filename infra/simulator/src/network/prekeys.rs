//! The key server: uploads, counts, digests and bundles.

use std::sync::Arc;

use wacore::prekeys::compute_key_bundle_digest;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use wacore_libsignal::protocol::{IdentityKey, PreKeyBundle, PublicKey, SignalProtocolError};

use crate::network::accounts::SignedPreKey;
use crate::network::iq::user;
use crate::network::{Device, Network, Session, lock};
use crate::signal::{PublishedBundle, SignalError};
use crate::stanza::{bytes, holding};

/// Clients hold 812; twice that is more than any upload adds up to.
const MAX_ONE_TIME_KEYS: usize = 2_048;
/// Curve25519 ("DJB"), the only key type there is.
const KEY_TYPE: [u8; 1] = [5];
/// How many users one request may ask for.
const MAX_USERS: usize = 1_024;

impl Network {
    pub(crate) fn pre_key_count(&self, session: Session) -> Node {
        let mut state = self.state();
        let count = state.device(session.account, session.device).map_or(0, |device| device.one_time.len());
        NodeBuilder::new("count").attr("value", count).build()
    }

    pub(crate) fn upload_keys(&self, session: Session, iq: &Node) {
        let mut state = self.state();
        let Some(device) = state.device(session.account, session.device) else { return };
        if let Some(signed) = iq.get_optional_child("skey") {
            device.signed = read_signed(signed);
        }
        let keys = iq.get_optional_child("list").into_iter().flat_map(|list| list.get_children_by_tag("key"));
        for key in keys {
            if device.one_time.len() >= MAX_ONE_TIME_KEYS {
                device.one_time.pop_front();
            }
            let pair = (bytes(key.get_optional_child("id")), bytes(key.get_optional_child("value")));
            device.one_time.push_back(pair);
        }
    }

    pub(crate) fn rotate_signed_key(&self, session: Session, iq: &Node) {
        let signed = iq.get_optional_child("rotate").and_then(|rotate| rotate.get_optional_child("skey"));
        let mut state = self.state();
        if let (Some(signed), Some(device)) = (signed, state.device(session.account, session.device)) {
            device.signed = read_signed(signed);
        }
    }

    /// What the server holds for a device, so that it can check it against its own store.
    pub(crate) fn key_digest(&self, session: Session) -> Option<Node> {
        let mut state = self.state();
        let device = state.device(session.account, session.device)?;
        let values: Vec<&[u8]> = device.one_time.iter().map(|(_, value)| value.as_slice()).collect();
        let signed = &device.signed;
        let hash = compute_key_bundle_digest(&device.identity, &signed.key, &signed.signature, &values);
        let ids = device.one_time.iter().map(|(id, _)| holding("id", id.as_slice()));
        let mut children = head(device.registration, &device.identity);
        children.push(signed_node(&signed.id, &signed.key, &signed.signature));
        children.push(NodeBuilder::new("list").children(ids).build());
        children.push(holding("hash", hash));
        Some(NodeBuilder::new("digest").children(children).build())
    }

    /// The keys of the devices somebody wants to write to; each answer uses up a one-time key.
    pub(crate) fn key_bundles(&self, iq: &Node) -> Node {
        let asked = iq.get_optional_child("key").into_iter().flat_map(|key| key.get_children_by_tag("user"));
        let jids = asked.take(MAX_USERS).filter_map(|asked| crate::stanza::jid(asked, "jid"));
        NodeBuilder::new("list").children(jids.map(|jid| self.bundle_of(&jid))).build()
    }

    fn bundle_of(&self, jid: &Jid) -> Node {
        let keys = if jid.device == 0 { self.phone_bundle(jid) } else { self.companion_bundle(jid) };
        let answer = user(jid);
        match keys {
            Some(keys) => answer.attr("t", self.now_seconds()).children(keys).build(),
            None => answer.children([NodeBuilder::new("error").attr("code", "404").build()]).build(),
        }
    }

    fn phone_bundle(&self, jid: &Jid) -> Option<Vec<Node>> {
        let endpoint = {
            let state = self.state();
            Arc::clone(&state.accounts.get(state.account_by_jid(jid)?)?.endpoint)
        };
        let bundle = lock(&endpoint).publish();
        Some(phone_keys(&bundle))
    }

    fn companion_bundle(&self, jid: &Jid) -> Option<Vec<Node>> {
        let mut state = self.state();
        let account = state.account_by_jid(jid)?;
        let device = state.device(account, jid.device)?;
        let mut keys = head(device.registration, &device.identity);
        keys.push(signed_node(&device.signed.id, &device.signed.key, &device.signed.signature));
        if let Some((id, value)) = device.one_time.pop_front() {
            keys.push(key_node(&id, &value));
        }
        keys.push(holding("device-identity", device.signed_identity.as_slice()));
        state.ask_for_keys(account, jid.device);
        Some(keys)
    }

    /// A companion's bundle for a phone of ours, which is not behind a socket.
    pub(crate) fn bundle_for_phone(&self, account: usize, number: u16) -> Option<Result<PreKeyBundle, SignalError>> {
        let mut state = self.state();
        let device = state.device(account, number)?;
        let bundle = take_bundle(device, number).map_err(SignalError::Keys);
        state.ask_for_keys(account, number);
        Some(bundle)
    }
}

/// The key part of a phone's bundle, also used in its retry receipts.
pub(crate) fn phone_keys(bundle: &PublishedBundle) -> Vec<Node> {
    let mut keys = head(bundle.registration, &bundle.identity);
    keys.push(signed_node(&id24(bundle.signed_id), &bundle.signed_key, &bundle.signature));
    keys.push(key_node(&id24(bundle.one_time_id), &bundle.one_time_key));
    keys
}

fn take_bundle(device: &mut Device, number: u16) -> Result<PreKeyBundle, SignalProtocolError> {
    let one_time = match device.one_time.pop_front() {
        Some((id, key)) => Some((number24(&id).into(), PublicKey::from_djb_public_key_bytes(&key)?)),
        None => None,
    };
    PreKeyBundle::new(
        device.registration,
        u32::from(number).into(),
        one_time,
        number24(&device.signed.id).into(),
        PublicKey::from_djb_public_key_bytes(&device.signed.key)?,
        device.signed.signature.clone(),
        IdentityKey::new(PublicKey::from_djb_public_key_bytes(&device.identity)?),
    )
}

fn head(registration: u32, identity: &[u8]) -> Vec<Node> {
    vec![holding("registration", registration.to_be_bytes()), holding("type", KEY_TYPE), holding("identity", identity)]
}

fn key_node(id: &[u8], value: &[u8]) -> Node {
    NodeBuilder::new("key").children([holding("id", id), holding("value", value)]).build()
}

fn signed_node(id: &[u8], value: &[u8], signature: &[u8]) -> Node {
    let parts = [holding("id", id), holding("value", value), holding("signature", signature)];
    NodeBuilder::new("skey").children(parts).build()
}

fn read_signed(node: &Node) -> SignedPreKey {
    let part = |name| bytes(node.get_optional_child(name));
    SignedPreKey { id: part("id"), key: part("value"), signature: part("signature") }
}

/// Key ids are three bytes on the wire.
fn id24(id: u32) -> [u8; 3] {
    let [_, a, b, c] = id.to_be_bytes();
    [a, b, c]
}

fn number24(id: &[u8]) -> u32 {
    id.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}
