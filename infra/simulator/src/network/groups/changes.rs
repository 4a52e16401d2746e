//! What changes a group, whoever asks for it: a companion by a request, a person by the admin API. Every change is
//! told to all devices of all members, the author's too.

use std::collections::{BTreeMap, BTreeSet};

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::{Group, MAX_DESCRIPTION, MAX_GROUPS, MAX_MEMBERS, MAX_SUBJECT, Place, Role, Statement, TOGGLES};
use super::{approval_node, mode_node};
use crate::network::{Refusal, State};

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Subject(String),
    /// The text, or nothing to delete it; the id the client chose; the id it believes to replace.
    Description {
        text: Option<String>,
        id: String,
        previous: Option<String>,
    },
    /// The tag of [`TOGGLES`] that was asked for.
    Toggle(String),
    Ephemeral(u32),
    Approval(bool),
    /// A setting with a word for a value.
    Mode(&'static str, String),
}

/// What happens to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberChange {
    Add,
    Remove,
    Promote,
    Demote,
}

impl MemberChange {
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Promote => "promote",
            Self::Demote => "demote",
        }
    }

    pub(super) fn from_tag(tag: &str) -> Option<Self> {
        [Self::Add, Self::Remove, Self::Promote, Self::Demote].into_iter().find(|change| change.tag() == tag)
    }
}

/// What a new group begins with.
#[derive(Debug, Default)]
pub(super) struct NewGroup {
    pub(super) subject: String,
    pub(super) members: Vec<usize>,
    pub(super) settings: Vec<Setting>,
    pub(super) place: Place,
}

impl State {
    /// Makes a group and tells its members; who does not let the actor add it is invited. Gives its id.
    pub(super) fn create_group(&mut self, actor: usize, new: NewGroup) -> Result<String, Refusal> {
        let subject = checked(&new.subject, MAX_SUBJECT)?;
        if new.members.len() >= MAX_MEMBERS || self.groups.len() >= MAX_GROUPS {
            return Err(Refusal::TOO_MANY);
        }
        let now = self.now_seconds();
        let (id, code) = (self.ids.group(), self.ids.invite_code());
        let (welcome, closed): (Vec<usize>, Vec<usize>) =
            new.members.iter().copied().partition(|member| *member == actor || self.may_add(actor, *member));
        let mut members: BTreeMap<usize, Role> = welcome.into_iter().map(|member| (member, Role::Member)).collect();
        members.insert(actor, Role::SuperAdmin);
        let mut group = Group {
            id: id.clone(),
            subject: Statement { text: subject, by: actor, at: now },
            creator: actor,
            created_at: now,
            description: None,
            members,
            toggles: BTreeSet::new(),
            ephemeral: 0,
            approval: false,
            modes: BTreeMap::new(),
            code,
            invited: BTreeMap::new(),
            requests: BTreeMap::new(),
            place: new.place,
            picture: None,
        };
        for setting in new.settings {
            apply(&mut group, actor, now, setting)?;
        }
        let create = NodeBuilder::new("create").attr("type", "new").children([self.group_node(&group)]).build();
        let everybody = group.members.keys().copied().collect();
        self.groups.insert(id.clone(), group);
        self.notify_group(actor, &id, create, everybody);
        for account in closed {
            self.invite(actor, &id, account);
        }
        Ok(id)
    }

    /// Changes a setting: admins do, and members when the group is not locked.
    pub(super) fn set_in_group(&mut self, actor: usize, id: &str, setting: Setting) -> Result<(), Refusal> {
        let now = self.now_seconds();
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if !group.members.contains_key(&actor) {
            return Err(Refusal::FORBIDDEN);
        }
        let free = matches!(setting, Setting::Subject(_) | Setting::Description { .. } | Setting::Ephemeral(_));
        if !group.is_admin(actor) && (group.has("locked") || !free) {
            return Err(Refusal::FORBIDDEN);
        }
        let told = match apply(group, actor, now, setting)? {
            Told::Node(node) => node,
            Told::Subject => self.subject_node(id),
            Told::Description => self.changed_description(id),
        };
        self.notify_members(actor, id, told);
        Ok(())
    }

    /// Adds, removes, promotes or demotes. Gives the code of each member's failure, if it failed.
    pub(super) fn change_members(
        &mut self,
        actor: usize,
        id: &str,
        change: MemberChange,
        accounts: &[usize],
    ) -> Result<Vec<(usize, Option<u16>)>, Refusal> {
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if !group.members.contains_key(&actor) {
            return Err(Refusal::FORBIDDEN);
        }
        let all_add = group.modes.get("member_add_mode").is_none_or(|mode| mode == "all_member_add");
        let may = group.is_admin(actor) || (change == MemberChange::Add && all_add);
        if !may {
            return Err(Refusal::FORBIDDEN);
        }
        let mut told: BTreeSet<usize> = group.members.keys().copied().collect();
        let closed: BTreeSet<usize> = accounts
            .iter()
            .copied()
            .filter(|account| change == MemberChange::Add && !told.contains(account) && !self.may_add(actor, *account))
            .collect();
        for account in &closed {
            self.invite(actor, id, *account);
        }
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        let mut outcomes = Vec::with_capacity(accounts.len());
        for account in accounts {
            let refused = closed.contains(account).then_some(Refusal::FORBIDDEN.code);
            outcomes.push((*account, refused.or_else(|| group.change(*account, change))));
        }
        let changed: Vec<usize> =
            outcomes.iter().filter(|(_, failure)| failure.is_none()).map(|(account, _)| *account).collect();
        if changed.is_empty() {
            return Ok(outcomes);
        }
        told.extend(&changed);
        if change == MemberChange::Remove {
            self.forget_sender_keys(id);
        }
        let node = self.members_node(change.tag(), &changed, None);
        self.notify_group(actor, id, node, told);
        Ok(outcomes)
    }

    /// A member goes.
    pub(super) fn leave_group(&mut self, actor: usize, id: &str) -> Result<(), Refusal> {
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        let everybody: BTreeSet<usize> = group.members.keys().copied().collect();
        group.members.remove(&actor).ok_or(Refusal::NOT_FOUND)?;
        group.keep_an_admin();
        if group.members.is_empty() {
            self.groups.remove(id);
        }
        self.forget_sender_keys(id);
        let node = self.members_node("remove", &[actor], Some("leave"));
        self.notify_group(actor, id, node, everybody);
        Ok(())
    }

    /// Tells every device of every member.
    pub(super) fn notify_members(&mut self, actor: usize, id: &str, child: Node) {
        let members = self.groups.get(id).map(|group| group.members.keys().copied().collect()).unwrap_or_default();
        self.notify_group(actor, id, child, members);
    }

    pub(super) fn notify_group(&mut self, actor: usize, id: &str, child: Node, to: BTreeSet<usize>) {
        let Some(author) = self.accounts.get(actor) else { return };
        let (lid, pn, name) = (author.jid(0, true), author.jid(0, false), author.name.clone());
        let notification = NodeBuilder::new("notification")
            .attr("from", wacore_binary::Jid::group(id))
            .attr("type", "w:gp2")
            .attr("id", self.ids.stanza_id())
            .attr("participant", lid)
            .attr("participant_pn", pn)
            .attr("addressing_mode", "lid")
            .attr("notify", name)
            .attr("t", self.now_seconds())
            .children([child])
            .build();
        for account in to {
            self.push_to_companions(account, &notification);
        }
    }

    /// `<add>` and its like, naming members.
    pub(super) fn members_node(&self, tag: &'static str, accounts: &[usize], reason: Option<&'static str>) -> Node {
        let members = accounts.iter().filter_map(|account| self.member_node(*account, Role::Member));
        let mut node = NodeBuilder::new(tag);
        if let Some(reason) = reason {
            node = node.attr("reason", reason);
        }
        node.children(members).build()
    }

    /// Who left must not read on: each phone's next message in the group begins a new sender key.
    fn forget_sender_keys(&mut self, id: &str) {
        for account in &mut self.accounts {
            account.sender_key_holders.remove(id);
        }
    }

    fn subject_node(&self, id: &str) -> Node {
        let mut node = NodeBuilder::new("subject");
        if let Some(group) = self.groups.get(id) {
            node = node.attr("subject", group.subject.text.as_str()).attr("s_t", group.subject.at);
            if let Some(author) = self.accounts.get(group.subject.by) {
                node = node.attr("s_o", author.jid(0, true)).attr("s_o_pn", author.jid(0, false));
            }
        }
        node.build()
    }

    fn changed_description(&self, id: &str) -> Node {
        let description = self.groups.get(id).and_then(|group| group.description.as_ref());
        match description {
            Some((id, text)) => self.description_node(id, text),
            None => NodeBuilder::new("description").children([NodeBuilder::new("delete").build()]).build(),
        }
    }
}

/// How a change is told: some take the whole state to describe.
enum Told {
    Node(Node),
    Subject,
    Description,
}

fn apply(group: &mut Group, actor: usize, at: u64, setting: Setting) -> Result<Told, Refusal> {
    Ok(match setting {
        Setting::Subject(text) => {
            group.subject = Statement { text: checked(&text, MAX_SUBJECT)?, by: actor, at };
            Told::Subject
        }
        Setting::Description { text, id, previous } => {
            let current = group.description.as_ref().map(|(id, _)| id.as_str());
            if previous.as_deref() != current && current.is_some() {
                return Err(Refusal::CONFLICT);
            }
            let text = text.map(|text| checked(&text, MAX_DESCRIPTION)).transpose()?;
            group.description = text.map(|text| (id, Statement { text, by: actor, at }));
            Told::Description
        }
        Setting::Toggle(tag) => {
            let (on, _) = TOGGLES.iter().find(|(on, off)| *on == tag || *off == tag).ok_or(Refusal::BAD_REQUEST)?;
            if *on == tag {
                group.toggles.insert((*on).to_owned());
            } else {
                group.toggles.remove(*on);
            }
            Told::Node(NodeBuilder::new_dynamic(tag).build())
        }
        Setting::Ephemeral(seconds) => {
            group.ephemeral = seconds;
            let node = NodeBuilder::new("ephemeral").attr("expiration", seconds).build();
            Told::Node(if seconds > 0 { node } else { NodeBuilder::new("not_ephemeral").build() })
        }
        Setting::Approval(on) => {
            group.approval = on;
            Told::Node(approval_node(on))
        }
        Setting::Mode(name, value) => {
            let node = mode_node(name, &value);
            group.modes.insert(name.to_owned(), value);
            Told::Node(node)
        }
    })
}

impl Group {
    /// Changes one member; gives the code of the failure.
    fn change(&mut self, account: usize, change: MemberChange) -> Option<u16> {
        let role = self.members.get(&account).copied();
        match (change, role) {
            (MemberChange::Add, Some(_)) => return Some(Refusal::CONFLICT.code),
            (MemberChange::Add, None) if self.members.len() >= MAX_MEMBERS => return Some(Refusal::TOO_MANY.code),
            (MemberChange::Add, None) => {
                self.requests.remove(&account);
                self.members.insert(account, Role::Member);
            }
            (_, None) => return Some(Refusal::NOT_FOUND.code),
            (MemberChange::Remove | MemberChange::Demote, Some(Role::SuperAdmin)) => {
                return Some(Refusal::NOT_ACCEPTABLE.code);
            }
            (MemberChange::Remove, Some(_)) => {
                self.members.remove(&account);
            }
            (MemberChange::Promote, Some(Role::Member)) => {
                self.members.insert(account, Role::Admin);
            }
            (MemberChange::Promote, Some(_)) => {}
            (MemberChange::Demote, Some(_)) => {
                self.members.insert(account, Role::Member);
            }
        }
        None
    }

    /// A group without an admin makes its first member one.
    fn keep_an_admin(&mut self) {
        if self.members.values().all(|role| *role == Role::Member)
            && let Some(role) = self.members.values_mut().next()
        {
            *role = Role::Admin;
        }
    }
}

fn checked(text: &str, limit: usize) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > limit {
        return Err(Refusal::NOT_ACCEPTABLE);
    }
    Ok(text.to_owned())
}
