//! Requests in the namespace `w:g2`: reads them, has them done and builds the answers.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node, NodeContent};

use super::changes::{MemberChange, NewGroup, Setting};
use super::{Place, Role, TOGGLES};
use crate::network::iq::Answer;
use crate::network::{Network, Refusal, Session, State};
use crate::stanza;

/// How many groups one request may ask for.
const MAX_BATCH: usize = 10_000;

type Outcome = Result<Answer, Refusal>;

impl Network {
    /// Answers a group request; the first child says what is asked.
    pub(crate) fn group_iq(&self, session: Session, iq: &Node) -> Answer {
        let Some(child) = iq.children().and_then(<[Node]>::first) else { return Answer::Unknown };
        let to = stanza::jid(iq, "to").filter(wacore_binary::JidExt::is_group);
        let id = to.map(|to| to.user.to_string()).unwrap_or_default();
        let reads = stanza::attribute(iq, "type").as_deref() == Some("get");
        if reads && child.tag == "pictures" {
            return self.group_pictures(session.account, child);
        }
        let mut state = self.state();
        let asked = Asked { actor: session.account, id: &id, child };
        let outcome = if reads { state.read_groups(&asked) } else { state.change_groups(&asked) };
        outcome.unwrap_or_else(Answer::Refused)
    }
}

/// A request: who asks, about which group, and the child that says what.
pub(super) struct Asked<'a> {
    pub(super) actor: usize,
    /// Empty when the request is not about one group.
    pub(super) id: &'a str,
    pub(super) child: &'a Node,
}

impl State {
    fn read_groups(&mut self, asked: &Asked<'_>) -> Outcome {
        match asked.child.tag.as_ref() {
            "query" if asked.id.is_empty() => Ok(self.several_groups(asked)),
            "query" => self.one_group(asked),
            "participating" => Ok(self.participating(asked.actor)),
            "invite" if asked.id.is_empty() => self.invited_group(asked),
            "invite" => self.invite_code(asked, false),
            "membership_approval_requests" => self.membership_requests(asked),
            "query_linked" | "linked_groups_participants" | "sub_groups" => self.read_community(asked),
            _ => Ok(Answer::Unknown),
        }
    }

    fn change_groups(&mut self, asked: &Asked<'_>) -> Outcome {
        let tag = asked.child.tag.as_ref();
        if let Some(change) = MemberChange::from_tag(tag) {
            return self.members_changed(asked, change);
        }
        if let Some(setting) = read_setting(asked.child) {
            return self.set_in_group(asked.actor, asked.id, setting?).map(|()| Answer::Empty);
        }
        match tag {
            "create" => self.created(asked),
            "leave" => self.left(asked),
            "invite" if asked.id.is_empty() => self.join_by_code(asked),
            "invite" => self.invite_code(asked, true),
            "accept" => self.join_by_invitation(asked),
            "revoke" => self.revoke_invitations(asked),
            "membership_requests_action" => self.decide_requests(asked),
            "cancel_membership_requests" => Ok(self.withdraw_request(asked)),
            "links" | "unlink" | "delete_parent" | "join_linked_group" => self.change_community(asked),
            "ack" => Ok(Answer::Empty),
            _ => Ok(Answer::Unknown),
        }
    }

    fn one_group(&self, asked: &Asked<'_>) -> Outcome {
        let group = self.groups.get(asked.id).ok_or(Refusal::NOT_FOUND)?;
        if !group.members.contains_key(&asked.actor) && !self.is_in_community_of(asked.actor, group) {
            return Err(Refusal::FORBIDDEN);
        }
        Ok(Answer::With(self.group_node(group)))
    }

    fn several_groups(&self, asked: &Asked<'_>) -> Answer {
        let wanted = asked.child.get_children_by_tag("group").take(MAX_BATCH);
        let nodes = wanted.filter_map(|wanted| stanza::jid(wanted, "jid")).map(|jid| match self.group(&jid) {
            Some(group) if group.members.contains_key(&asked.actor) => self.group_node(group),
            found => {
                let code = if found.is_some() { Refusal::FORBIDDEN.code } else { Refusal::NOT_FOUND.code };
                NodeBuilder::new("group").attr("id", jid).attr("error", code).build()
            }
        });
        Answer::With(NodeBuilder::new("groups").children(nodes).build())
    }

    fn participating(&self, actor: usize) -> Answer {
        let own = self.groups.values().filter(|group| group.members.contains_key(&actor));
        let nodes = own.take(MAX_BATCH).map(|group| self.group_node(group));
        Answer::With(NodeBuilder::new("groups").children(nodes).build())
    }

    fn created(&mut self, asked: &Asked<'_>) -> Outcome {
        let (child, mut settings) = (asked.child, Vec::new());
        for part in child.children().unwrap_or_default() {
            settings.extend(read_setting(part).transpose()?);
        }
        let place = self.asked_place(asked)?;
        let members: Vec<usize> = self.named(child).into_iter().flatten().collect();
        let new = NewGroup { subject: stanza::owned(child, "subject"), members: members.clone(), settings, place };
        let id = self.create_group(asked.actor, new)?;
        self.complete_community(asked, &id)?;
        let group = self.groups.get(&id).ok_or(Refusal::NOT_FOUND)?;
        let mut node = self.group_node(group);
        let closed = members.into_iter().filter(|member| !group.members.contains_key(member));
        let closed: Vec<Node> = closed.filter_map(|member| self.closed_node(&id, member)).collect();
        if let Some(NodeContent::Nodes(parts)) = &mut node.content {
            parts.extend(closed);
        }
        Ok(Answer::With(node))
    }

    /// Somebody who could not be put into a new group, with the invitation instead.
    fn closed_node(&self, id: &str, account: usize) -> Option<Node> {
        let mut node = self.member_node(account, Role::Member)?;
        node.attrs.insert("error", Refusal::FORBIDDEN.code.to_string());
        node.content = self.add_request(id, account).map(|request| NodeContent::Nodes(vec![request]));
        Some(node)
    }

    fn asked_place(&self, asked: &Asked<'_>) -> Result<Place, Refusal> {
        if let Some(parent) = asked.child.get_optional_child("parent") {
            let closed = stanza::attribute(parent, "default_membership_approval_mode").is_some();
            return Ok(Place::Parent { closed });
        }
        let Some(parent) = asked.child.get_optional_child("linked_parent") else { return Ok(Place::Alone) };
        let parent = stanza::jid(parent, "jid").and_then(|jid| self.group(&jid)).ok_or(Refusal::NOT_FOUND)?;
        let free = parent.has("allow_non_admin_sub_group_creation") && parent.members.contains_key(&asked.actor);
        if !parent.is_admin(asked.actor) && !free {
            return Err(Refusal::FORBIDDEN);
        }
        Ok(Place::Under { parent: parent.id.clone(), kind: String::new() })
    }

    fn members_changed(&mut self, asked: &Asked<'_>, change: MemberChange) -> Outcome {
        let named = self.named(asked.child);
        let known: Vec<usize> = named.iter().flatten().copied().collect();
        let outcomes = self.change_members(asked.actor, asked.id, change, &known)?;
        let (asked_id, asked_jids) = (asked.id, asked.child.get_children_by_tag("participant"));
        let nodes: Vec<Node> = asked_jids
            .zip(&named)
            .map(|(asked, account)| {
                let outcome = outcomes.iter().find(|(changed, _)| Some(*changed) == *account);
                let failure = outcome.map_or(Some(Refusal::NOT_FOUND.code), |(_, failure)| *failure);
                let mut node = self.outcome_node(asked, *account, failure);
                let invitation = account.filter(|_| failure == Some(Refusal::FORBIDDEN.code));
                let invitation = invitation.and_then(|account| self.add_request(asked_id, account));
                node.content = invitation.map(|request| NodeContent::Nodes(vec![request]));
                node
            })
            .collect();
        if change == MemberChange::Remove && stanza::attribute(asked.child, "linked_groups").is_some() {
            self.remove_from_linked_groups(asked, &known);
        }
        Ok(Answer::With(NodeBuilder::new(change.tag()).children(nodes).build()))
    }

    /// One line of the answer to a change of members.
    pub(super) fn outcome_node(&self, asked: &Node, account: Option<usize>, failure: Option<u16>) -> Node {
        let mut node = NodeBuilder::new("participant");
        match account.and_then(|account| self.accounts.get(account)) {
            Some(account) => node = node.attr("jid", account.jid(0, true)).attr("phone_number", account.jid(0, false)),
            None => node = node.attr("jid", stanza::owned(asked, "jid")),
        }
        match failure {
            Some(code) => node.attr("error", code).build(),
            None => node.attr("type", "200").build(),
        }
    }

    fn left(&mut self, asked: &Asked<'_>) -> Outcome {
        let mut answers = Vec::new();
        for group in asked.child.children().unwrap_or_default() {
            let jid = stanza::jid(group, "id").or_else(|| stanza::jid(group, "parent_group_jid"));
            let id = jid.map(|jid| jid.user.to_string()).unwrap_or_default();
            self.leave_group(asked.actor, &id)?;
            answers.push(NodeBuilder::new("group").attr("id", Jid::group(id)).build());
        }
        Ok(Answer::With(NodeBuilder::new("leave").children(answers).build()))
    }

    /// The accounts behind the `<participant>`s of a node; nobody for who is not on the network.
    pub(super) fn named(&self, node: &Node) -> Vec<Option<usize>> {
        let participants = node.get_children_by_tag("participant");
        participants.map(|named| stanza::jid(named, "jid").and_then(|jid| self.account_by_jid(&jid))).collect()
    }
}

/// The setting a node asks for, if it asks for one.
fn read_setting(node: &Node) -> Option<Result<Setting, Refusal>> {
    let text = |node: Option<&Node>| String::from_utf8_lossy(&stanza::bytes(node)).into_owned();
    let tag = node.tag.as_ref();
    Some(Ok(match tag {
        "subject" => Setting::Subject(text(Some(node))),
        "description" => Setting::Description {
            text: node.get_optional_child("body").map(|body| text(Some(body))),
            id: stanza::owned(node, "id"),
            previous: stanza::attribute(node, "prev").map(std::borrow::Cow::into_owned),
        },
        "ephemeral" => match stanza::owned(node, "expiration").parse() {
            Ok(seconds) => Setting::Ephemeral(seconds),
            Err(_) => return Some(Err(Refusal::BAD_REQUEST)),
        },
        "not_ephemeral" => Setting::Ephemeral(0),
        "membership_approval_mode" => {
            let join = node.get_optional_child("group_join");
            Setting::Approval(join.is_some_and(|join| stanza::attribute(join, "state").as_deref() == Some("on")))
        }
        "member_add_mode" => Setting::Mode("member_add_mode", text(Some(node))),
        "member_link_mode" => Setting::Mode("member_link_mode", text(Some(node))),
        tag if TOGGLES.iter().any(|(on, off)| *on == tag || *off == tag) => Setting::Toggle(tag.to_owned()),
        _ => return None,
    }))
}
