//! Who is who: whether a number is on the network, its LID, and its devices with the phone's signature over them.

use buffa::Message as _;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};
use waproto::whatsapp::{ADVKeyIndexList, ADVSignedKeyIndexList};

use crate::entropy::key_rng;
use crate::network::iq::user;
use crate::network::pairing::raw_id;
use crate::network::{Account, Network, Session};
use crate::stanza;

const MAX_USERS: usize = 1_024;
/// What a key index signature covers begins with these bytes.
const KEY_INDEX_PREFIX: [u8; 2] = [6, 2];

impl Network {
    /// Answers a `<usync>` query; `None` when there is none in the IQ.
    pub(crate) fn usync(&self, session: Session, iq: &Node) -> Option<Node> {
        let asked = iq.get_optional_child("usync")?;
        let protocols: Vec<String> = asked
            .get_optional_child("query")
            .and_then(Node::children)
            .unwrap_or_default()
            .iter()
            .map(|protocol| protocol.tag.to_string())
            .collect();
        let users = asked.get_optional_child("list").into_iter().flat_map(|list| list.get_children_by_tag("user"));
        let users: Vec<Node> =
            users.take(MAX_USERS).filter_map(|user| self.describe(session.account, user, &protocols)).collect();
        let handled = protocols.into_iter().map(|protocol| NodeBuilder::new_dynamic(protocol).build());
        let parts =
            [NodeBuilder::new("result").children(handled).build(), NodeBuilder::new("list").children(users).build()];
        let answer = NodeBuilder::new("usync")
            .attr("sid", stanza::owned(asked, "sid"))
            .attr("index", "0")
            .attr("last", "true")
            .attr("mode", "query")
            .attr("context", "interactive");
        Some(answer.children(parts).build())
    }

    fn describe(&self, viewer: usize, asked: &Node, protocols: &[String]) -> Option<Node> {
        let jid = stanza::jid(asked, "jid").or_else(|| contact_number(asked))?.to_non_ad();
        let wants = |name: &str| protocols.iter().any(|protocol| protocol == name);
        let state = self.state();
        let Some(index) = state.account_by_jid(&jid) else {
            return Some(user(&jid).children([contact("out")]).build());
        };
        let account = state.accounts.get(index)?;
        let mut parts = Vec::new();
        if wants("contact") {
            parts.push(contact("in"));
        }
        if wants("lid") {
            parts.push(NodeBuilder::new("lid").attr("val", Jid::lid(account.lid.as_ref())).build());
        }
        if wants("devices") {
            parts.push(devices(account, index, state.now_seconds())?);
        }
        let shown = protocols.iter().filter_map(|name| account.shown(name, index, viewer));
        Some(user(&jid).children(parts.into_iter().chain(shown)).build())
    }
}

impl Account {
    /// What a protocol about profiles tells of an account.
    fn shown(&self, protocol: &str, own: usize, viewer: usize) -> Option<Node> {
        let profile = &self.profile;
        let hidden = |tag: &'static str, code: u16| {
            let error = NodeBuilder::new("error").attr("code", code).build();
            Some(NodeBuilder::new(tag).children([error]).build())
        };
        match protocol {
            "status" if !profile.shows("status", own, viewer) => hidden("status", 401),
            "status" => {
                let status = NodeBuilder::new("status").attr("t", profile.about_at);
                Some(status.string_content(profile.about.as_str()).build())
            }
            "picture" => match profile.picture.as_ref().filter(|_| profile.shows("profile", own, viewer)) {
                Some(picture) => Some(NodeBuilder::new("picture").attr("id", picture.id).build()),
                None => hidden("picture", 404),
            },
            "business" if profile.business.is_some() => Some(verified_name()),
            "disappearing_mode" => {
                let (duration, since) = profile.disappearing;
                Some(NodeBuilder::new("disappearing_mode").attr("duration", duration).attr("t", since).build())
            }
            _ => None,
        }
    }
}

/// A business is told from a person by its name's certificate, which the simulator does not sign.
fn verified_name() -> Node {
    let name = NodeBuilder::new("verified_name").attr("verified_level", "unknown").attr("serial", "1").build();
    NodeBuilder::new("business").children([name]).build()
}

fn contact(presence: &'static str) -> Node {
    NodeBuilder::new("contact").attr("type", presence).build()
}

/// `<contact>+60123456789</contact>`, which is how a client asks about a number it has no JID for.
fn contact_number(user: &Node) -> Option<Jid> {
    let text = user.get_optional_child("contact")?.content_as_string()?;
    Some(Jid::pn(text.trim_start_matches('+')))
}

fn devices(account: &Account, index: usize, now: u64) -> Option<Node> {
    let phone = NodeBuilder::new("device").attr("id", "0").build();
    let companions = account.devices.iter().map(|(number, device)| {
        NodeBuilder::new("device").attr("id", *number).attr("key-index", device.key_index).build()
    });
    let list = std::iter::once(phone).chain(companions);
    let indexes = NodeBuilder::new("key-index-list").attr("ts", now).bytes(key_indexes(account, index, now)?);
    let parts = [NodeBuilder::new("device-list").attr("hash", "h").children(list).build(), indexes.build()];
    Some(NodeBuilder::new("devices").children(parts).build())
}

/// The phone's signed statement of which companions are its own.
pub(crate) fn key_indexes(account: &Account, index: usize, now: u64) -> Option<Vec<u8>> {
    let valid: Vec<u32> = std::iter::once(0).chain(account.devices.values().map(|device| device.key_index)).collect();
    let details = ADVKeyIndexList {
        raw_id: Some(raw_id(index)),
        timestamp: Some(now),
        current_index: valid.iter().copied().max(),
        valid_indexes: valid,
        ..Default::default()
    }
    .encode_to_vec();
    let covered = [&KEY_INDEX_PREFIX[..], &details].concat();
    let signature = account.identity.calculate_signature(&covered, &mut key_rng()).ok()?;
    let signed = ADVSignedKeyIndexList {
        details: Some(details),
        account_signature: Some(signature.to_vec()),
        account_signature_key: Some(account.identity.public_key.public_key_bytes().to_vec()),
    };
    Some(signed.encode_to_vec())
}
