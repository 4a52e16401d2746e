//! Who does not let others add it to groups is invited by a message instead: the answer to the wish to add carries a
//! code, which the message brings to that person and which lets that person in for some days.

use buffa::MessageField;
use waproto::whatsapp::Message;
use waproto::whatsapp::message::GroupInviteMessage;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::iq::Asked;
use super::{Invitation, group_id};
use crate::network::iq::Answer;
use crate::network::phone_outbound::Letter;
use crate::network::{Network, NetworkError, Refusal, State};
use crate::stanza;

type Outcome = Result<Answer, Refusal>;

/// How long an invitation is good for: three days.
const GOOD_FOR_SECONDS: u64 = 259_200;

impl State {
    /// Whether a person lets another add it to groups.
    pub(super) fn may_add(&self, actor: usize, account: usize) -> bool {
        self.accounts.get(account).is_some_and(|entry| entry.profile.shows("groupadd", account, actor))
    }

    /// Notes an invitation, a new one each time.
    pub(super) fn invite(&mut self, actor: usize, id: &str, account: usize) {
        let invitation =
            Invitation { code: self.ids.invite_code(), expires_at: self.now_seconds() + GOOD_FOR_SECONDS, by: actor };
        if let Some(group) = self.groups.get_mut(id) {
            group.invited.insert(account, invitation);
        }
    }

    /// What the answer to the wish to add somebody says of the invitation that takes its place.
    pub(super) fn add_request(&self, id: &str, account: usize) -> Option<Node> {
        let invitation = self.groups.get(id)?.invited.get(&account)?;
        let node = NodeBuilder::new("add_request").attr("code", invitation.code.as_str());
        Some(node.attr("expiration", invitation.expires_at).build())
    }

    /// An invited person comes in by the code in the message.
    pub(super) fn join_by_invitation(&mut self, asked: &Asked<'_>) -> Outcome {
        let code = stanza::owned(asked.child, "code");
        self.accept_invitation(asked.actor, asked.id, &code)
    }

    fn accept_invitation(&mut self, actor: usize, id: &str, code: &str) -> Outcome {
        let now = self.now_seconds();
        let group = self.groups.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        let invitation = group.invited.get(&actor).filter(|invitation| invitation.code == code).ok_or(Refusal::GONE)?;
        if invitation.expires_at <= now || !group.members.contains_key(&invitation.by) {
            return Err(Refusal::GONE);
        }
        group.invited.remove(&actor);
        self.enter(actor, id, "invite")
    }

    pub(super) fn revoke_invitations(&mut self, asked: &Asked<'_>) -> Outcome {
        let named = self.named(asked.child);
        let group = self.groups.get_mut(asked.id).ok_or(Refusal::NOT_FOUND)?;
        if !group.is_admin(asked.actor) {
            return Err(Refusal::FORBIDDEN);
        }
        let revoked: Vec<bool> = named
            .iter()
            .map(|account| account.is_some_and(|account| group.invited.remove(&account).is_some()))
            .collect();
        let nodes: Vec<Node> = asked
            .child
            .get_children_by_tag("participant")
            .zip(named)
            .zip(revoked)
            .map(|((asked, account), revoked)| {
                self.outcome_node(asked, account, (!revoked).then_some(Refusal::NOT_FOUND.code))
            })
            .collect();
        Ok(Answer::With(NodeBuilder::new("revoke").children(nodes).build()))
    }

    /// Whom a person just invited, by their digits, with the message that brings the invitation.
    pub(super) fn invitation_letters(&self, id: &str, accounts: &[usize]) -> Vec<(String, Letter)> {
        let Some(group) = self.groups.get(id) else { return Vec::new() };
        let letter = |account: &usize| {
            let invitation = group.invited.get(account)?;
            let message = GroupInviteMessage {
                group_jid: Some(group.jid().to_string()),
                invite_code: Some(invitation.code.clone()),
                invite_expiration: i64::try_from(invitation.expires_at).ok(),
                group_name: Some(group.subject.text.clone()),
                ..Default::default()
            };
            let message = Message { group_invite_message: MessageField::some(message), ..Default::default() };
            Some((self.accounts.get(*account)?.phone.to_string(), Letter::new("text", message)))
        };
        accounts.iter().filter_map(letter).collect()
    }
}

impl Network {
    /// A person accepts the invitation in a message the phone shows.
    pub fn accept_invitation(&self, phone: &str, id: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        let shown = state.accounts.get(account).and_then(|own| Some(own.chat.entry(id)?.content()));
        let mut shown = shown.ok_or(NetworkError::invalid("id", "is not on this phone"))?;
        let invitation = shown.group_invite_message.take();
        let invitation = invitation.ok_or(NetworkError::invalid("id", "must be an invitation"))?;
        let (group, code) = (invitation.group_jid.unwrap_or_default(), invitation.invite_code.unwrap_or_default());
        state.accept_invitation(account, group_id(&group), &code)?;
        Ok(())
    }
}
