//! Messages of companions: judge by the fault rules, answer with an ack, fan out to the devices they are
//! encrypted for.

use std::sync::Arc;

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::network::fault_rules::Verdict;
use crate::network::phone_inbound::{PhoneDelivery, Sealed};
use crate::network::stream_errors::stream_error;
use crate::network::{Account, Count, HeldAck, Network, Outbound, Session};
use crate::stanza;

/// The recipient is not on the network.
const UNKNOWN_RECIPIENT: u16 = 404;

/// What all copies of one message have in common.
struct Envelope<'a> {
    stanza: &'a Node,
    sender: Session,
    from: Jid,
    name: String,
    phone: Arc<str>,
    lid: Arc<str>,
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
        let (verdict, known) = self.judge(session, &to);
        if verdict.silence {
            return Taken::Normally;
        }
        let refusal = verdict.refusal.or((!known).then_some(UNKNOWN_RECIPIENT));
        if let Some(code) = refusal {
            self.count(Count::MessagesRefused);
            outbound.send(ack.attr("error", code).build());
            return Taken::Normally;
        }
        self.count(Count::MessagesTaken);
        let ends = verdict.close || verdict.stream_error.is_some();
        if !ends {
            self.answer_message(session, outbound, ack.build(), &verdict);
        }
        self.fan_out(session, to, message);
        if let Some(code) = verdict.stream_error {
            outbound.send(stream_error(code));
            outbound.close();
        } else if verdict.close {
            outbound.cut();
        }
        if ends { Taken::AsTheLast } else { Taken::Normally }
    }

    fn judge(&self, session: Session, to: &Jid) -> (Verdict, bool) {
        let mut state = self.state();
        let phone = |account: usize| state.accounts.get(account).map(|account| Arc::clone(&account.phone));
        let recipient = state.account_by_jid(to);
        match (phone(session.account), recipient.and_then(phone)) {
            (Some(from), Some(to)) => (state.faults.judge_message((&from, session.device), &to), true),
            _ => (Verdict::default(), false),
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

    fn fan_out(&self, session: Session, to: Jid, message: &Node) {
        let mut phones = Vec::new();
        {
            let mut state = self.state();
            let now = state.now_seconds();
            let Some(envelope) =
                state.accounts.get(session.account).map(|sender| Envelope::new(session, sender, to, message, now))
            else {
                return;
            };
            for (jid, encrypted) in envelope.copies() {
                let Some(account) = state.account_by_jid(&jid) else { continue };
                if account != session.account && state.is_blocked(account, session.account) {
                    continue;
                }
                if jid.device == 0 {
                    phones.push((account, envelope.for_phone(&encrypted)));
                } else {
                    state.push(account, jid.device, envelope.for_companion(account, encrypted));
                }
            }
        }
        for (account, delivery) in phones {
            self.deliver_to_phone(account, delivery);
        }
    }
}

impl<'a> Envelope<'a> {
    fn new(session: Session, sender: &Account, to: Jid, stanza: &'a Node, now: u64) -> Self {
        let extras = stanza.get_children_by_tag("device-identity").cloned().collect();
        Self {
            stanza,
            sender: session,
            from: sender.jid(session.device, to.is_lid()),
            name: sender.name.clone(),
            phone: Arc::clone(&sender.phone),
            lid: Arc::clone(&sender.lid),
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

    fn for_companion(&self, account: usize, encrypted: Node) -> Node {
        let mut copy = NodeBuilder::new("message")
            .attr("id", stanza::owned(self.stanza, "id"))
            .attr("from", self.from.clone())
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
        copy = if self.to.is_lid() {
            copy.attr("addressing_mode", "lid").attr("sender_pn", Jid::pn(self.phone.as_ref()))
        } else {
            copy.attr("sender_lid", Jid::lid(self.lid.as_ref()))
        };
        copy.children(std::iter::once(encrypted).chain(self.extras.iter().cloned())).build()
    }

    fn for_phone(&self, encrypted: &Node) -> PhoneDelivery {
        PhoneDelivery::Sealed(Sealed {
            id: stanza::owned(self.stanza, "id"),
            sender: self.sender.account,
            device: self.sender.device,
            by_lid: self.to.is_lid(),
            kind: stanza::owned(encrypted, "type"),
            ciphertext: stanza::bytes(Some(encrypted)),
        })
    }
}
