//! Messages of companions: judge by the fault rules, answer with an ack, fan out to the devices they are
//! encrypted for.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::network::fault_rules::Verdict;
use crate::network::participants::placeholder;
use crate::network::phone_inbound::{PhoneDelivery, Sealed, SealedPart};
use crate::network::stream_errors::stream_error;
use crate::network::{Account, Count, HeldAck, Network, Outbound, Refusal, Session, State};
use crate::stanza;

/// The recipient hears from strangers only with a token, and there was none.
const NO_TOKEN: u16 = 463;

/// Who is to get a message.
enum Recipients {
    /// One account; `blocked` when it does not want to hear from the sender.
    Person {
        blocked: bool,
    },
    /// The accounts of a group or a status list.
    Chat(Vec<usize>),
    Newsletter,
}

/// What all copies of one message have in common.
struct Envelope<'a> {
    stanza: &'a Node,
    sender: Session,
    from_lid: Jid,
    from_pn: Jid,
    name: String,
    to: Jid,
    extras: Vec<Node>,
    now: u64,
}

/// What became of a message, for the connection it came on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Normally,
    /// A rule wants this to be the last thing that is taken from this socket.
    AsTheLast,
}

impl Network {
    pub(crate) fn on_message(&self, session: Session, outbound: &Outbound, message: &Node) -> Taken {
        let ack = stanza::ack("message", message, self.now_seconds());
        let Some(to) = stanza::jid(message, "to") else {
            outbound.send(ack.attr("error", "400").build());
            return Taken::Normally;
        };
        let (recipients, completeness) = {
            let state = self.state();
            (state.recipients(session.account, &to, message), state.completeness(session, &to, message))
        };
        let verdict = self.judge(session, &to);
        if verdict.silence {
            return Taken::Normally;
        }
        let refusal = verdict.refusal.or(recipients.as_ref().err().copied());
        if let Some(code) = refusal {
            self.count(Count::MessagesRefused);
            outbound.send(ack.attr("error", code).build());
            return Taken::Normally;
        }
        self.count(Count::MessagesTaken);
        let ends = verdict.close || verdict.stream_error.is_some();
        if !ends {
            let ack = match completeness.hash {
                Some(hash) => ack.attr("phash", hash),
                None => ack,
            };
            self.answer_message(session, outbound, ack.build(), &verdict);
        }
        match recipients {
            Ok(Recipients::Person { blocked }) => {
                self.fan_out(session, to, message, &completeness.left_out, blocked);
            }
            Ok(Recipients::Chat(audience)) => self.fan_out_to_group(session, &to, message, &audience),
            Ok(Recipients::Newsletter) => self.on_newsletter_message(session, &to, message),
            Err(_) => {}
        }
        if let Some(code) = verdict.stream_error {
            outbound.send(stream_error(code));
            outbound.close();
        } else if verdict.close {
            outbound.cut();
        }
        if ends { Taken::AsTheLast } else { Taken::Normally }
    }

    fn judge(&self, session: Session, to: &Jid) -> Verdict {
        let mut state = self.state();
        let phone = |account: usize| state.accounts.get(account).map(|account| Arc::clone(&account.phone));
        let recipient = state.account_by_jid(to).and_then(phone).unwrap_or_else(|| to.user.as_str().into());
        match phone(session.account) {
            Some(from) => state.faults.judge_message((&from, session.device), &recipient),
            None => Verdict::default(),
        }
    }

    fn answer_message(&self, session: Session, outbound: &Outbound, ack: Node, verdict: &Verdict) {
        let Session { account, device, .. } = session;
        if verdict.hold_ack {
            self.state().hold_ack(HeldAck { account, device, ack });
        } else if let Some(delay) = verdict.delay_ack {
            let network = self.clone();
            tokio::spawn(async move {
                network.clock().pause(delay).await;
                network.state().write_to(account, device, ack);
            });
        } else {
            outbound.send(ack);
        }
    }

    /// Brings a message to the devices it is encrypted for; `blocked` when the recipient does not want it.
    fn fan_out(&self, session: Session, to: Jid, message: &Node, left_out: &[(usize, u16)], blocked: bool) {
        let mut phones = Vec::new();
        {
            let mut state = self.state();
            let now = state.now_seconds();
            let mut withheld_from = None;
            if let Some(recipient) = state.account_by_jid(&to).filter(|recipient| *recipient != session.account) {
                state.note_contact(session.account, recipient);
                withheld_from = Some(recipient).filter(|_| state.withholds(session.account, session.device, recipient));
            }
            let Some(envelope) =
                state.accounts.get(session.account).map(|sender| Envelope::new(session, sender, to, message, now))
            else {
                return;
            };
            for (jid, encrypted) in envelope.copies() {
                let Some(account) = state.account_by_jid(&jid) else { continue };
                if blocked && account != session.account {
                    continue;
                }
                if jid.device == 0 {
                    phones.push((account, envelope.for_phone(&encrypted)));
                } else {
                    let by_lid = envelope.to.is_lid() && state.goes_by_lid(account);
                    let content = if withheld_from == Some(account) { placeholder(None) } else { encrypted };
                    state.push(account, jid.device, envelope.for_companion(account, by_lid, content));
                }
            }
            for (account, device) in left_out.iter().filter(|(account, _)| !blocked || *account == session.account) {
                let by_lid = envelope.to.is_lid() && state.goes_by_lid(*account);
                state.push(*account, *device, envelope.for_companion(*account, by_lid, placeholder(None)));
            }
        }
        for (account, delivery) in phones {
            self.deliver_to_phone(account, delivery);
        }
    }
}

impl State {
    /// Who is to get what is sent to `to`, or the code of the refusal.
    fn recipients(&self, sender: usize, to: &Jid, message: &Node) -> Result<Recipients, u16> {
        if to.is_newsletter() {
            return self.may_post(sender, to, message).map(|()| Recipients::Newsletter);
        }
        if to.is_group() || to.is_status_broadcast() {
            return self.audience(sender, to, message).map(Recipients::Chat);
        }
        let recipient = self.account_by_jid(to).ok_or(Refusal::NOT_FOUND.code)?;
        // Who has not moved to LIDs may not write to one.
        if to.is_lid() && !self.goes_by_lid(sender) {
            return Err(Refusal::BAD_REQUEST.code);
        }
        if self.wants_token(recipient, sender, message) {
            return Err(NO_TOKEN);
        }
        Ok(Recipients::Person { blocked: self.is_blocked(recipient, sender) })
    }
}

/// What stands in a message's stanza beside its content and reaches whoever gets it.
pub(crate) fn is_carried(node: &Node) -> bool {
    matches!(node.tag.as_ref(), "device-identity" | "reporting" | "meta" | "biz" | "bot")
}

impl<'a> Envelope<'a> {
    fn new(session: Session, sender: &Account, to: Jid, stanza: &'a Node, now: u64) -> Self {
        let extras = stanza.children().unwrap_or_default().iter().filter(|node| is_carried(node)).cloned().collect();
        Self {
            stanza,
            sender: session,
            from_lid: sender.jid(session.device, true),
            from_pn: sender.jid(session.device, false),
            name: sender.notify(session.device).to_owned(),
            to,
            extras,
            now,
        }
    }

    /// Every device the message is encrypted for. A message with a bare `<enc>` (peer traffic, a resend) is for the
    /// device in `to` alone.
    fn copies(&self) -> Vec<(Jid, Node)> {
        let encrypted = |node: &Node| node.get_optional_child("enc").cloned();
        match self.stanza.get_optional_child("participants") {
            Some(list) => list
                .get_children_by_tag("to")
                .filter_map(|copy| Some((stanza::jid(copy, "jid")?, encrypted(copy)?)))
                .collect(),
            None => encrypted(self.stanza).map(|enc| (self.to.clone(), enc)).into_iter().collect(),
        }
    }

    /// The copy for a companion, which knows the sender by LID or by number.
    fn for_companion(&self, account: usize, by_lid: bool, content: Node) -> Node {
        let from = if by_lid { &self.from_lid } else { &self.from_pn };
        let mut copy = NodeBuilder::new("message")
            .attr("id", stanza::owned(self.stanza, "id"))
            .attr("from", from.clone())
            .attr("type", stanza::attribute(self.stanza, "type").unwrap_or("text".into()).into_owned())
            .attr("t", self.now)
            .attr("notify", self.name.as_str());
        for name in ["category", "edit"] {
            if let Some(value) = stanza::attribute(self.stanza, name) {
                copy = copy.attr(name, value.into_owned());
            }
        }
        if account == self.sender.account {
            copy = copy.attr("recipient", self.to.to_non_ad());
        }
        copy = if by_lid {
            copy.attr("addressing_mode", "lid").attr("sender_pn", self.from_pn.to_non_ad())
        } else {
            copy.attr("sender_lid", self.from_lid.to_non_ad())
        };
        copy.children(std::iter::once(content).chain(self.extras.iter().cloned())).build()
    }

    fn for_phone(&self, encrypted: &Node) -> PhoneDelivery {
        PhoneDelivery::Sealed(Sealed {
            id: stanza::owned(self.stanza, "id"),
            sender: self.sender.account,
            device: self.sender.device,
            by_lid: self.to.is_lid(),
            group: None,
            parts: vec![SealedPart::new(encrypted)],
        })
    }
}
