//! Groups: who is in one, what its settings are, and the stanza that describes it.

mod changes;
mod community;
mod invitations;
mod iq;
mod joining;
mod messages;
mod phones;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

pub use phones::{GroupChange, GroupView, MemberView};

use crate::network::State;
use crate::network::profile::Picture;

/// WhatsApp's limit, the creator included.
const MAX_MEMBERS: usize = 1_024;
const MAX_GROUPS: usize = 100_000;
const MAX_SUBJECT: usize = 100;
const MAX_DESCRIPTION: usize = 2_048;

/// Settings that are on or off: the tag that switches one on, which also shows it, and the one that switches it off.
const TOGGLES: [(&str, &str); 6] = [
    ("locked", "unlocked"),
    ("announcement", "not_announcement"),
    ("no_frequently_forwarded", "frequently_forwarded_ok"),
    ("allow_admin_reports", "not_allow_admin_reports"),
    ("group_history", "no_group_history"),
    ("allow_non_admin_sub_group_creation", "not_allow_non_admin_sub_group_creation"),
];

/// All groups, by the user part of their JIDs.
pub(crate) type Groups = BTreeMap<String, Group>;

/// A group or a community.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) subject: Statement,
    pub(crate) creator: usize,
    pub(crate) created_at: u64,
    description: Option<(String, Statement)>,
    pub(crate) members: BTreeMap<usize, Role>,
    /// The switched-on toggles, by the tag that shows them.
    toggles: BTreeSet<String>,
    /// Seconds after which messages disappear; zero when they stay.
    ephemeral: u32,
    approval: bool,
    /// The settings with a word for a value: `member_add_mode`, `member_link_mode`.
    modes: BTreeMap<String, String>,
    code: String,
    /// Invitations by message, still unused, by whom they are for.
    invited: BTreeMap<usize, Invitation>,
    /// Who asks to be let in, and since when.
    requests: BTreeMap<usize, u64>,
    pub(crate) place: Place,
    pub(crate) picture: Option<Picture>,
}

/// An invitation to one person, who does not let others add it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) code: String,
    /// In seconds since 1970.
    pub(crate) expires_at: u64,
    by: usize,
}

/// Something somebody set at some time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Statement {
    pub(crate) text: String,
    by: usize,
    at: u64,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Writes and reads.
    Member,
    /// Changes the group.
    Admin,
    /// Made the group.
    SuperAdmin,
}

/// Where a group stands among communities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    #[default]
    Alone,
    /// A community; `closed` when joining needs approval.
    Parent { closed: bool },
    /// A group of a community; `kind` is `default_sub_group`, `general_chat` or empty.
    Under { parent: String, kind: String },
}

impl Role {
    fn attribute(self) -> Option<&'static str> {
        match self {
            Self::Member => None,
            Self::Admin => Some("admin"),
            Self::SuperAdmin => Some("superadmin"),
        }
    }
}

impl Group {
    pub(crate) fn jid(&self) -> Jid {
        Jid::group(self.id.as_str())
    }

    pub(crate) fn is_admin(&self, account: usize) -> bool {
        self.members.get(&account).is_some_and(|role| *role != Role::Member)
    }

    pub(crate) fn has(&self, toggle: &str) -> bool {
        self.toggles.contains(toggle)
    }

    /// Whether a member may write: in an announcement group only admins do.
    pub(crate) fn may_write(&self, account: usize) -> bool {
        self.members.contains_key(&account) && (!self.has("announcement") || self.is_admin(account))
    }
}

impl State {
    /// The group a JID names.
    pub(crate) fn group(&self, jid: &Jid) -> Option<&Group> {
        self.groups.get(jid.user.as_str()).filter(|_| jid.is_group())
    }

    /// `<group>`, as queries and notifications show it.
    fn group_node(&self, group: &Group) -> Node {
        let mut node = NodeBuilder::new("group")
            .attr("id", group.jid())
            .attr("subject", group.subject.text.as_str())
            .attr("s_t", group.subject.at)
            .attr("creation", group.created_at)
            .attr("addressing_mode", "lid")
            .attr("size", group.members.len());
        for (name, account) in [("s_o", group.subject.by), ("creator", group.creator)] {
            if let Some(account) = self.accounts.get(account) {
                node = node.attr(name, account.jid(0, true)).attr(pn_name(name), account.jid(0, false));
            }
        }
        let members = group.members.iter().filter_map(|(account, role)| self.member_node(*account, *role));
        node.children(members.chain(self.setting_nodes(group))).build()
    }

    fn member_node(&self, account: usize, role: Role) -> Option<Node> {
        let account = self.accounts.get(account)?;
        let mut node = NodeBuilder::new("participant")
            .attr("jid", account.jid(0, true))
            .attr("phone_number", account.jid(0, false));
        if let Some(role) = role.attribute() {
            node = node.attr("type", role);
        }
        Some(node.build())
    }

    fn setting_nodes(&self, group: &Group) -> Vec<Node> {
        let mut nodes: Vec<Node> =
            group.toggles.iter().map(|toggle| NodeBuilder::new_dynamic(toggle.clone()).build()).collect();
        if group.ephemeral > 0 {
            nodes.push(NodeBuilder::new("ephemeral").attr("expiration", group.ephemeral).build());
        }
        if group.approval {
            nodes.push(approval_node(true));
        }
        nodes.extend(group.modes.iter().map(|(name, value)| mode_node(name, value)));
        nodes.extend(group.description.as_ref().map(|(id, text)| self.description_node(id, text)));
        match &group.place {
            Place::Alone => {}
            Place::Parent { closed } => {
                let parent = NodeBuilder::new("parent");
                let mode = "default_membership_approval_mode";
                nodes.push(if *closed { parent.attr(mode, "request_required").build() } else { parent.build() });
            }
            Place::Under { parent, kind } => {
                nodes.push(NodeBuilder::new("linked_parent").attr("jid", Jid::group(parent.as_str())).build());
                if !kind.is_empty() {
                    nodes.push(NodeBuilder::new_dynamic(kind.clone()).build());
                }
            }
        }
        nodes
    }

    fn description_node(&self, id: &str, description: &Statement) -> Node {
        let mut node = NodeBuilder::new("description").attr("id", id).attr("t", description.at);
        if let Some(author) = self.accounts.get(description.by) {
            node = node.attr("participant", author.jid(0, true)).attr("participant_pn", author.jid(0, false));
        }
        let body = NodeBuilder::new("body").string_content(description.text.as_str()).build();
        node.children([body]).build()
    }
}

fn pn_name(name: &str) -> &'static str {
    if name == "s_o" { "s_o_pn" } else { "creator_pn" }
}

fn approval_node(on: bool) -> Node {
    let state = if on { "on" } else { "off" };
    let join = NodeBuilder::new("group_join").attr("state", state).build();
    NodeBuilder::new("membership_approval_mode").children([join]).build()
}

fn mode_node(name: &str, value: &str) -> Node {
    NodeBuilder::new_dynamic(name.to_owned()).string_content(value).build()
}

/// The user part of a group's JID.
fn group_id(id: &str) -> &str {
    id.strip_suffix("@g.us").unwrap_or(id)
}
