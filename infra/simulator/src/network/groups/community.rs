//! Communities: a parent group and the groups under it. A new community gets its announcement group, and a general
//! chat when asked for.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use super::changes::{MemberChange, NewGroup, Setting};
use super::iq::Asked;
use super::{Group, Place, Role};
use crate::network::iq::Answer;
use crate::network::{Refusal, State};
use crate::stanza;

type Outcome = Result<Answer, Refusal>;

impl Group {
    fn is_parent(&self) -> bool {
        matches!(self.place, Place::Parent { .. })
    }

    /// Whether it is the announcement group its community was made with.
    pub(crate) fn is_default(&self) -> bool {
        matches!(&self.place, Place::Under { kind, .. } if kind == "default_sub_group")
    }

    fn is_under(&self, parent: &str) -> bool {
        matches!(&self.place, Place::Under { parent: own, .. } if own == parent)
    }
}

impl State {
    /// Makes the groups every community has, and tells a parent of its new group.
    pub(super) fn complete_community(&mut self, asked: &Asked<'_>, id: &str) -> Result<(), Refusal> {
        let Some(group) = self.groups.get(id) else { return Ok(()) };
        if let Place::Under { parent, .. } = &group.place {
            let parent = parent.clone();
            self.tell_linked(asked.actor, &parent, &[id.to_owned()], "link");
            return Ok(());
        }
        if !group.is_parent() {
            return Ok(());
        }
        let mut kinds = vec!["default_sub_group"];
        if asked.child.get_optional_child("create_general_chat").is_some() {
            kinds.push("general_chat");
        }
        let subject = group.subject.text.clone();
        for kind in kinds {
            let place = Place::Under { parent: id.to_owned(), kind: kind.to_owned() };
            let announcement = Setting::Toggle("announcement".to_owned());
            let settings = if kind == "default_sub_group" { vec![announcement] } else { Vec::new() };
            let new = NewGroup { subject: subject.clone(), members: Vec::new(), settings, place };
            self.create_group(asked.actor, new)?;
        }
        Ok(())
    }

    /// Whether somebody who is not in a group may see it, because it belongs to their community.
    pub(super) fn is_in_community_of(&self, account: usize, group: &Group) -> bool {
        let Place::Under { parent, .. } = &group.place else { return false };
        self.groups.get(parent).is_some_and(|parent| parent.members.contains_key(&account))
    }

    /// The groups of a community, the announcement group first.
    pub(crate) fn linked_groups(&self, parent: &str) -> Vec<&Group> {
        let mut linked: Vec<&Group> = self.groups.values().filter(|group| group.is_under(parent)).collect();
        linked.sort_by_key(|group| !group.is_default());
        linked
    }

    fn parent(&self, asked: &Asked<'_>) -> Result<&Group, Refusal> {
        let parent = self.groups.get(asked.id).filter(|group| group.is_parent()).ok_or(Refusal::NOT_FOUND)?;
        parent.members.contains_key(&asked.actor).then_some(parent).ok_or(Refusal::FORBIDDEN)
    }

    pub(super) fn read_community(&self, asked: &Asked<'_>) -> Outcome {
        let parent = self.parent(asked)?;
        let linked = self.linked_groups(&parent.id);
        match asked.child.tag.as_ref() {
            "query_linked" => {
                let wanted = stanza::jid(asked.child, "jid").unwrap_or_default();
                let group = linked.into_iter().find(|group| group.id == wanted.user.as_str());
                Ok(linked_group(self.group_node(group.ok_or(Refusal::NOT_FOUND)?)))
            }
            "sub_groups" => {
                let nodes = linked.into_iter().map(|group| self.group_node(group));
                Ok(Answer::With(NodeBuilder::new("sub_groups").children(nodes).build()))
            }
            _ => {
                let mut everybody: std::collections::BTreeSet<usize> = parent.members.keys().copied().collect();
                everybody.extend(linked.iter().flat_map(|group| group.members.keys().copied()));
                let nodes = everybody.into_iter().filter_map(|account| self.member_node(account, Role::Member));
                Ok(Answer::With(NodeBuilder::new("linked_groups_participants").children(nodes).build()))
            }
        }
    }

    pub(super) fn change_community(&mut self, asked: &Asked<'_>) -> Outcome {
        let parent = self.parent(asked)?;
        let is_admin = parent.is_admin(asked.actor);
        match asked.child.tag.as_ref() {
            "join_linked_group" => self.join_linked(asked),
            _ if !is_admin => Err(Refusal::FORBIDDEN),
            "links" => self.link_groups(asked),
            "unlink" => Ok(self.unlink_groups(asked)),
            _ => Ok(self.delete_parent(asked)),
        }
    }

    fn join_linked(&mut self, asked: &Asked<'_>) -> Outcome {
        let wanted = stanza::jid(asked.child, "jid").unwrap_or_default();
        let id = wanted.user.to_string();
        if !self.groups.get(&id).is_some_and(|group| group.is_under(asked.id)) {
            return Err(Refusal::NOT_FOUND);
        }
        self.join_or_ask(asked.actor, &id, "linked_group_join")?;
        let group = self.groups.get(&id).ok_or(Refusal::NOT_FOUND)?;
        Ok(linked_group(self.group_node(group)))
    }

    fn link_groups(&mut self, asked: &Asked<'_>) -> Outcome {
        let link = asked.child.get_optional_child("link").ok_or(Refusal::BAD_REQUEST)?;
        let (mut nodes, mut linked) = (Vec::new(), Vec::new());
        for wanted in link.get_children_by_tag("group") {
            let jid = stanza::jid(wanted, "jid").unwrap_or_default();
            let node = NodeBuilder::new("group").attr("jid", jid.clone());
            let failure = self.link_one(asked, jid.user.as_str()).err();
            if let Some(refusal) = failure {
                nodes.push(node.attr("error", refusal.code).build());
            } else {
                nodes.push(node.build());
                linked.push(jid.user.to_string());
            }
        }
        self.tell_linked(asked.actor, asked.id, &linked, "link");
        let link = NodeBuilder::new("link").attr("link_type", "sub_group").children(nodes).build();
        Ok(Answer::With(NodeBuilder::new("links").children([link]).build()))
    }

    fn link_one(&mut self, asked: &Asked<'_>, id: &str) -> Result<(), Refusal> {
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if !group.is_admin(asked.actor) {
            return Err(Refusal::FORBIDDEN);
        }
        if group.place != Place::Alone {
            return Err(Refusal::CONFLICT);
        }
        group.place = Place::Under { parent: asked.id.to_owned(), kind: String::new() };
        let members: Vec<usize> = group.members.keys().copied().collect();
        if let Some(parent) = self.groups.get_mut(asked.id) {
            for member in members {
                parent.members.entry(member).or_insert(Role::Member);
            }
        }
        Ok(())
    }

    fn unlink_groups(&mut self, asked: &Asked<'_>) -> Answer {
        let (mut nodes, mut unlinked) = (Vec::new(), Vec::new());
        for wanted in asked.child.get_children_by_tag("group") {
            let jid = stanza::jid(wanted, "jid").unwrap_or_default();
            let node = NodeBuilder::new("group").attr("jid", jid.clone());
            match self.groups.get_mut(jid.user.as_str()).filter(|group| group.is_under(asked.id)) {
                Some(group) => {
                    group.place = Place::Alone;
                    nodes.push(node.build());
                    unlinked.push(jid.user.to_string());
                }
                None => nodes.push(node.attr("error", Refusal::NOT_FOUND.code).build()),
            }
        }
        self.tell_linked(asked.actor, asked.id, &unlinked, "unlink");
        Answer::With(NodeBuilder::new("unlink").attr("unlink_type", "sub_group").children(nodes).build())
    }

    /// A community ends; its groups live on, but for those it was made with.
    fn delete_parent(&mut self, asked: &Asked<'_>) -> Answer {
        let told = NodeBuilder::new("delete").attr("reason", "delete_parent").build();
        self.notify_members(asked.actor, asked.id, told);
        self.groups.remove(asked.id);
        self.groups.retain(
            |_, group| !matches!(&group.place, Place::Under { parent, kind } if parent == asked.id && !kind.is_empty()),
        );
        for group in self.groups.values_mut().filter(|group| group.is_under(asked.id)) {
            group.place = Place::Alone;
        }
        Answer::Empty
    }

    pub(super) fn remove_from_linked_groups(&mut self, asked: &Asked<'_>, accounts: &[usize]) {
        let linked: Vec<String> = self.linked_groups(asked.id).into_iter().map(|group| group.id.clone()).collect();
        for id in linked {
            // Whoever asked may not be in each of the groups; that one then keeps its members.
            let _unchanged = self.change_members(asked.actor, &id, MemberChange::Remove, accounts);
        }
    }

    /// Tells a community and the groups concerned that they belong together now, or no longer.
    fn tell_linked(&mut self, actor: usize, parent: &str, groups: &[String], tag: &'static str) {
        let told = |other: &str, kind: &'static str| {
            let group = NodeBuilder::new("group").attr("jid", Jid::group(other)).build();
            let name = if tag == "link" { "link_type" } else { "unlink_type" };
            NodeBuilder::new(tag).attr(name, kind).children([group]).build()
        };
        for id in groups {
            let (to_parent, to_group): (Node, Node) = (told(id, "sub_group"), told(parent, "parent_group"));
            self.notify_members(actor, parent, to_parent);
            self.notify_members(actor, id, to_group);
        }
    }
}

fn linked_group(group: Node) -> Answer {
    Answer::With(NodeBuilder::new("linked_group").children([group]).build())
}
