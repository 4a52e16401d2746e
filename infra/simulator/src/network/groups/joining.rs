//! Ways into a group: its link, and the admins' decision where joining needs one.

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::iq::Asked;
use super::{Group, Role};
use crate::network::iq::Answer;
use crate::network::{Refusal, State};
use crate::stanza;

type Outcome = Result<Answer, Refusal>;

impl State {
    /// The code of the group's link, a new one when `reset`.
    pub(super) fn invite_code(&mut self, asked: &Asked<'_>, reset: bool) -> Outcome {
        let fresh = self.ids.invite_code();
        let group = self.groups.get_mut(asked.id).ok_or(Refusal::NOT_FOUND)?;
        let all_link = group.modes.get("member_link_mode").is_some_and(|mode| mode == "all_member_link");
        let may = group.is_admin(asked.actor) || (all_link && group.members.contains_key(&asked.actor));
        if !may {
            return Err(Refusal::NOT_AUTHORIZED);
        }
        if reset {
            group.code = fresh;
        }
        let code = group.code.clone();
        if reset {
            let told = NodeBuilder::new("invite").attr("code", code.as_str()).build();
            self.notify_members(asked.actor, asked.id, told);
        }
        Ok(Answer::With(NodeBuilder::new("invite").attr("code", code).build()))
    }

    fn group_by_code(&self, code: &str) -> Result<&Group, Refusal> {
        self.groups.values().find(|group| group.code == code).ok_or(Refusal::NOT_ACCEPTABLE)
    }

    /// What a link shows before one joins.
    pub(super) fn invited_group(&self, asked: &Asked<'_>) -> Outcome {
        let group = self.group_by_code(&stanza::owned(asked.child, "code"))?;
        Ok(Answer::With(self.group_node(group)))
    }

    pub(super) fn join_by_code(&mut self, asked: &Asked<'_>) -> Outcome {
        let id = self.group_by_code(&stanza::owned(asked.child, "code"))?.id.clone();
        self.join_or_ask(asked.actor, &id, "invite")
    }

    /// Lets somebody in, or puts the wish before the admins.
    pub(super) fn join_or_ask(&mut self, actor: usize, id: &str, reason: &'static str) -> Outcome {
        let now = self.now_seconds();
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if group.members.contains_key(&actor) {
            return Err(Refusal::CONFLICT);
        }
        if !group.approval {
            return self.enter(actor, id, reason);
        }
        group.requests.insert(actor, now);
        let admins = group.members.keys().copied().filter(|member| group.is_admin(*member)).collect();
        let jid = group.jid();
        let mut user = NodeBuilder::new("requested_user");
        if let Some(account) = self.accounts.get(actor) {
            user = user.attr("jid", account.jid(0, true)).attr("phone_number", account.jid(0, false));
        }
        let told = NodeBuilder::new("created_membership_requests").attr("request_method", "invite_link");
        self.notify_group(actor, id, told.children([user.build()]).build(), admins);
        Ok(Answer::With(NodeBuilder::new("membership_approval_request").attr("jid", jid).build()))
    }

    pub(super) fn enter(&mut self, actor: usize, id: &str, reason: &'static str) -> Outcome {
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if group.members.len() >= super::MAX_MEMBERS {
            return Err(Refusal::TOO_MANY);
        }
        group.members.insert(actor, Role::Member);
        group.requests.remove(&actor);
        let jid = group.jid();
        let told = self.members_node("add", &[actor], Some(reason));
        self.notify_members(actor, id, told);
        Ok(Answer::With(NodeBuilder::new("group").attr("jid", jid).build()))
    }

    pub(super) fn membership_requests(&self, asked: &Asked<'_>) -> Outcome {
        let group = self.groups.get(asked.id).ok_or(Refusal::NOT_FOUND)?;
        if !group.is_admin(asked.actor) {
            return Err(Refusal::FORBIDDEN);
        }
        let nodes = group.requests.iter().filter_map(|(account, since)| {
            let account = self.accounts.get(*account)?;
            let node = NodeBuilder::new("membership_approval_request")
                .attr("jid", account.jid(0, true))
                .attr("phone_number", account.jid(0, false))
                .attr("request_method", "InviteLink")
                .attr("request_time", *since);
            Some(node.build())
        });
        Ok(Answer::With(NodeBuilder::new("membership_approval_requests").children(nodes).build()))
    }

    /// An admin lets people in or turns them away.
    pub(super) fn decide_requests(&mut self, asked: &Asked<'_>) -> Outcome {
        let approve = asked.child.get_optional_child("approve");
        let decision = approve.or_else(|| asked.child.get_optional_child("reject")).ok_or(Refusal::BAD_REQUEST)?;
        let named = self.named(decision);
        let group = self.groups.get_mut(asked.id).ok_or(Refusal::NOT_FOUND)?;
        if !group.is_admin(asked.actor) {
            return Err(Refusal::FORBIDDEN);
        }
        let waiting: Vec<bool> = named
            .iter()
            .map(|account| account.is_some_and(|account| group.requests.remove(&account).is_some()))
            .collect();
        let entering: Vec<usize> =
            named.iter().zip(&waiting).filter(|(_, waiting)| **waiting).filter_map(|(account, _)| *account).collect();
        if approve.is_some() {
            for account in entering {
                self.enter(account, asked.id, "invite")?;
            }
        } else if !entering.is_empty() {
            let told = self.members_node("revoked_membership_requests", &entering, None);
            self.notify_members(asked.actor, asked.id, told);
        }
        let nodes: Vec<Node> = decision
            .get_children_by_tag("participant")
            .zip(named)
            .zip(waiting)
            .map(|((asked, account), waited)| {
                self.outcome_node(asked, account, (!waited).then_some(Refusal::NOT_FOUND.code))
            })
            .collect();
        let inner = NodeBuilder::new(if approve.is_some() { "approve" } else { "reject" }).children(nodes).build();
        Ok(Answer::With(NodeBuilder::new("membership_requests_action").children([inner]).build()))
    }

    pub(super) fn withdraw_request(&mut self, asked: &Asked<'_>) -> Answer {
        let withdrawn = self.groups.get_mut(asked.id).and_then(|group| group.requests.remove(&asked.actor));
        let nodes: Vec<Node> = asked
            .child
            .get_children_by_tag("participant")
            .map(|line| {
                self.outcome_node(line, Some(asked.actor), withdrawn.is_none().then_some(Refusal::NOT_FOUND.code))
            })
            .collect();
        Answer::With(NodeBuilder::new("cancel_membership_requests").children(nodes).build())
    }
}
