//! What people let others see and who may write to them: privacy settings, block lists, and the tokens that show
//! that a stranger is none.

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::network::iq::Answer;
use crate::network::profile::Profile;
use crate::network::{Network, NetworkError, Refusal, Session, State};
use crate::stanza;

/// The settings there are, with what they are to begin with.
const CATEGORIES: [(&str, &str); 10] = [
    ("last", "all"),
    ("online", "all"),
    ("profile", "all"),
    ("status", "all"),
    ("groupadd", "all"),
    ("readreceipts", "all"),
    ("calladd", "all"),
    ("messages", "all"),
    ("defense", "off"),
    ("stickers", "all"),
];
const MAX_BLOCKED: usize = 10_000;

impl Profile {
    /// Whether `viewer` may see what a category guards.
    pub(crate) fn shows(&self, category: &str, owner: usize, viewer: usize) -> bool {
        if owner == viewer {
            return true;
        }
        match self.privacy.get(category).map_or("all", String::as_str) {
            "none" => false,
            "contacts" | "contact_blacklist" => self.written_to.contains(&viewer),
            "match_last_seen" => self.shows("last", owner, viewer),
            _ => true,
        }
    }
}

impl Network {
    /// Answers requests about privacy settings, block lists and tokens.
    pub(crate) fn privacy_iq(&self, session: Session, iq: &Node, namespace: &str) -> Answer {
        let sets = stanza::attribute(iq, "type").as_deref() == Some("set");
        let child = iq.children().and_then(<[Node]>::first);
        let mut state = self.state();
        match (namespace, child) {
            ("blocklist", Some(item)) if sets => state.change_block_list(session, item),
            ("blocklist", _) => Answer::With(state.block_list(session.account)),
            ("disappearing_mode", Some(mode)) if sets => state.set_disappearing_mode(session, mode),
            ("privacy", Some(child)) if child.tag == "tokens" => state.issue_tokens(session, child),
            ("privacy", Some(child)) if sets => state.change_privacy(session, child),
            ("privacy", _) => Answer::With(state.privacy_settings(session.account)),
            _ => Answer::Unknown,
        }
    }

    /// Whether strangers need a token to write to this account (refusal 463).
    pub fn restrict(&self, phone: &str, restricted: bool) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        if let Some(account) = state.accounts.get_mut(account) {
            account.profile.restricted = restricted;
        }
        Ok(())
    }
}

impl State {
    /// The account's own companions hear of a change to the list.
    pub(crate) fn tell_block_list(&mut self, account: usize, whom: usize, blocked: bool, but: Option<u16>) {
        let (Some(owner), Some(other)) = (self.accounts.get(account), self.accounts.get(whom)) else { return };
        let item = NodeBuilder::new("item")
            .attr("jid", other.jid(0, true))
            .attr("pn_jid", other.jid(0, false))
            .attr("action", if blocked { "block" } else { "unblock" })
            .build();
        let list = NodeBuilder::new("blocklist").attr("dhash", digest(&owner.blocked)).children([item]).build();
        let (from, devices): (Jid, Vec<u16>) = (owner.jid(0, false), owner.devices.keys().copied().collect());
        for device in devices.into_iter().filter(|device| Some(*device) != but) {
            let notification = NodeBuilder::new("notification")
                .attr("from", from.clone())
                .attr("type", "account_sync")
                .attr("id", self.ids.stanza_id())
                .attr("t", self.now_seconds())
                .children([list.clone()]);
            self.push(account, device, notification.build());
        }
    }

    fn change_block_list(&mut self, session: Session, item: &Node) -> Answer {
        let Some(whom) = stanza::jid(item, "jid").and_then(|jid| self.account_by_jid(&jid)) else {
            return Answer::Refused(Refusal::NOT_FOUND);
        };
        let blocked = stanza::attribute(item, "action").as_deref() == Some("block");
        if let Some(entry) = self.accounts.get_mut(session.account) {
            if blocked && entry.blocked.len() < MAX_BLOCKED {
                entry.blocked.insert(whom);
            } else {
                entry.blocked.remove(&whom);
            }
        }
        self.tell_block_list(session.account, whom, blocked, Some(session.device));
        Answer::With(self.block_list(session.account))
    }

    fn block_list(&self, account: usize) -> Node {
        let list = self.accounts.get(account).map(|account| &account.blocked);
        let items = list.into_iter().flatten().filter_map(|blocked| {
            let blocked = self.accounts.get(*blocked)?;
            Some(
                NodeBuilder::new("item")
                    .attr("jid", blocked.jid(0, true))
                    .attr("pn_jid", blocked.jid(0, false))
                    .build(),
            )
        });
        let digest = list.map(digest).unwrap_or_default();
        NodeBuilder::new("list").attr("dhash", digest).attr("addressing_mode", "lid").children(items).build()
    }

    fn privacy_settings(&self, account: usize) -> Node {
        let chosen = self.accounts.get(account).map(|account| &account.profile.privacy);
        let category = |(name, default): (&'static str, &'static str)| {
            let value = chosen.and_then(|chosen| chosen.get(name)).map_or(default, String::as_str);
            NodeBuilder::new("category").attr("name", name).attr("value", value).build()
        };
        NodeBuilder::new("privacy").children(CATEGORIES.map(category)).build()
    }

    fn change_privacy(&mut self, session: Session, privacy: &Node) -> Answer {
        let mut changed = Vec::new();
        for category in privacy.get_children_by_tag("category") {
            let name = stanza::owned(category, "name");
            if !CATEGORIES.iter().any(|(known, _)| *known == name) {
                return Answer::Refused(Refusal::BAD_REQUEST);
            }
            let value = stanza::owned(category, "value");
            let node = NodeBuilder::new("category").attr("name", name.as_str()).attr("value", value.as_str());
            changed.push(node.attr("dhash", "1").build());
            if let Some(account) = self.accounts.get_mut(session.account) {
                account.profile.privacy.insert(name, value);
            }
        }
        Answer::With(NodeBuilder::new("privacy").children(changed).build())
    }

    fn set_disappearing_mode(&mut self, session: Session, mode: &Node) -> Answer {
        let Ok(seconds) = stanza::owned(mode, "duration").parse() else {
            return Answer::Refused(Refusal::BAD_REQUEST);
        };
        let now = self.now_seconds();
        let Some(account) = self.accounts.get_mut(session.account) else { return Answer::Unknown };
        account.profile.disappearing = (seconds, now);
        let from = account.jid(0, false);
        let mode = NodeBuilder::new("disappearing_mode").attr("duration", seconds).attr("t", now).build();
        self.tell_everybody(session, "disappearing_mode", &from, &mode);
        Answer::Empty
    }

    /// A client vouches for people: each gets a token of it, on all their companions.
    fn issue_tokens(&mut self, session: Session, tokens: &Node) -> Answer {
        for asked in tokens.get_children_by_tag("token") {
            let Some(to) = stanza::jid(asked, "jid").and_then(|jid| self.account_by_jid(&jid)) else { continue };
            self.issue_token(session.account, to, &stanza::owned(asked, "t"));
        }
        Answer::With(NodeBuilder::new("tokens").children([]).build())
    }

    pub(crate) fn issue_token(&mut self, issuer: usize, to: usize, t: &str) {
        let Some(account) = self.accounts.get(issuer) else { return };
        let (Some(bytes), from, lid) = (self.token(issuer, to), account.jid(0, false), account.jid(0, true)) else {
            return;
        };
        let token = NodeBuilder::new("token").attr("type", "trusted_contact").attr("t", t).bytes(bytes).build();
        let notification = NodeBuilder::new("notification")
            .attr("from", from)
            .attr("sender_lid", lid)
            .attr("type", "privacy_token")
            .attr("id", self.ids.stanza_id())
            .attr("t", self.now_seconds())
            .children([NodeBuilder::new("tokens").children([token]).build()])
            .build();
        self.push_to_companions(to, &notification);
    }

    /// The token by which `holder` shows `issuer` that it is no stranger.
    fn token(&self, issuer: usize, holder: usize) -> Option<Vec<u8>> {
        let (issuer, holder) = (self.accounts.get(issuer)?, self.accounts.get(holder)?);
        let mut mac = Hmac::<Sha256>::new_from_slice(&issuer.app_state_key).ok()?;
        mac.update(holder.lid.as_bytes());
        Some(mac.finalize().into_bytes().to_vec())
    }

    /// Whether `recipient` hears from strangers only with a token and `stanza` of `sender` has none that is good.
    pub(crate) fn wants_token(&self, recipient: usize, sender: usize, stanza: &Node) -> bool {
        let Some(account) = self.accounts.get(recipient).filter(|account| account.profile.restricted) else {
            return false;
        };
        if recipient == sender || account.profile.written_to.contains(&sender) {
            return false;
        }
        let held = |tag: &str| stanza::bytes(stanza.get_optional_child(tag));
        let contact = self.token(recipient, sender).is_some_and(|token| held("tctoken") == token);
        let salt = self.accounts.get(sender).map(|sender| sender.profile.salt.as_slice()).unwrap_or_default();
        let computed = wacore::iq::tctoken::compute_cs_token(salt, &account.jid(0, true).to_string());
        let chosen = !salt.is_empty() && held("cstoken") == computed;
        !(contact && account.profile.takes_tokens.0 || chosen && account.profile.takes_tokens.1)
    }

    /// Somebody wrote to somebody: no stranger any more.
    pub(crate) fn note_contact(&mut self, sender: usize, recipient: usize) {
        if let Some(account) = self.accounts.get_mut(sender) {
            account.profile.written_to.insert(recipient);
        }
        if let Some(account) = self.accounts.get_mut(recipient) {
            account.profile.heard_from.insert(sender);
        }
    }
}

/// Stands for a list, so that a client sees whether its copy is the current one.
fn digest(list: &BTreeSet<usize>) -> String {
    format!("1{:08x}", list.iter().fold(7_usize, |sum, entry| sum.wrapping_mul(31).wrapping_add(*entry)) & 0xFFFF_FFFF)
}
