//! Answering requests. A client waits 75 s for an answer, so every IQ gets one: a result, or an error that is
//! counted.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::network::{Network, Outbound, Refusal, Session, State};
use crate::stanza;

/// How many different unknown requests are told apart.
const MAX_UNKNOWN: usize = 1_000;

/// The namespaces in which clients ask for a sign of life.
const KEEPALIVE: [&str; 2] = ["w:p", "urn:xmpp:ping"];

/// What a request is answered with.
pub(crate) enum Answer {
    Empty,
    With(Node),
    Refused(Refusal),
    Unknown,
}

impl Network {
    /// Takes an IQ of a client. `session` is absent while the client pairs.
    pub(crate) fn on_iq(&self, session: Option<Session>, outbound: &Outbound, iq: &Node) {
        let id = stanza::owned(iq, "id");
        match stanza::attribute(iq, "type").as_deref() {
            Some("get" | "set") => {}
            Some("result") => return self.companion_signed(&id, iq, outbound),
            Some("error") => return,
            _ => return outbound.send(stanza::iq_error(&id, 400, "bad-request")),
        }
        let Some(session) = session else {
            let answer = self.pairing_iq(outbound, iq);
            outbound.send(self.to_stanza(answer, &id, "md", "link_code_companion_reg"));
            return;
        };
        let namespace = stanza::owned(iq, "xmlns");
        if KEEPALIVE.contains(&namespace.as_str()) && self.state().ignores_keepalive(session) {
            return;
        }
        let child = iq.children().and_then(|children| children.first()).map(|child| child.tag.to_string());
        let child = child.unwrap_or_default();
        let answer = self.answer(session, iq, &namespace, &child);
        let mut answer = self.to_stanza(answer, &id, &namespace, &child);
        // Who was asked answers: of a group, the group.
        if let Some(to) = iq.attrs.get("to") {
            answer.attrs.insert("from", to.clone());
        }
        outbound.send(answer);
        match (namespace.as_str(), child.as_str()) {
            ("passive", "active") => self.state().replay(session),
            ("encrypt", "registration" | "identity" | "list" | "skey" | "type") => {
                self.share_keys_once(session.account, session.device);
            }
            ("md", "remove-companion-device") => self.remove_device(session.account, session.device),
            _ => {}
        }
    }

    fn answer(&self, session: Session, iq: &Node, namespace: &str, child: &str) -> Answer {
        match (namespace, child) {
            ("encrypt", "count") => Answer::With(self.pre_key_count(session)),
            ("encrypt", "digest") => self.key_digest(session).map_or(Answer::Unknown, Answer::With),
            ("encrypt", "key") => Answer::With(self.key_bundles(iq)),
            ("encrypt", "rotate") => {
                self.rotate_signed_key(session, iq);
                Answer::Empty
            }
            ("encrypt", "registration" | "identity" | "list" | "skey" | "type") => {
                self.upload_keys(session, iq);
                Answer::Empty
            }
            ("usync", _) => self.usync(session, iq).map_or(Answer::Unknown, Answer::With),
            ("abt", "props") => Answer::With(self.state().props(session.account)),
            ("blocklist" | "privacy" | "disappearing_mode", _) => self.privacy_iq(session, iq, namespace),
            ("status" | "w:profile:picture" | "w:biz", _) => self.profile_iq(session, iq, namespace),
            ("w:m", "media_conn") => Answer::With(self.media_connection(session)),
            ("w:sync:app:state", _) => self.app_state_iq(session, iq),
            ("w:mex", _) => self.mex_iq(session, iq),
            ("newsletter", _) => self.newsletter_iq(session, iq),
            ("w:g2", _) => self.group_iq(session, iq),
            ("md", "remove-companion-device")
            | ("passive", "active" | "passive")
            | ("w:p" | "urn:xmpp:ping", "" | "ping")
            | ("urn:xmpp:whatsapp:dirty", "clean") => Answer::Empty,
            _ => Answer::Unknown,
        }
    }

    fn to_stanza(&self, answer: Answer, id: &str, namespace: &str, child: &str) -> Node {
        match answer {
            Answer::Empty => stanza::iq_result(id, None),
            Answer::With(content) => stanza::iq_result(id, Some(content)),
            Answer::Refused(Refusal { code, text }) => stanza::iq_error(id, code, text),
            Answer::Unknown => self.refuse(id, namespace, child),
        }
    }

    fn refuse(&self, id: &str, namespace: &str, child: &str) -> Node {
        let mut state = self.state();
        if state.unknown_iqs.len() < MAX_UNKNOWN {
            *state.unknown_iqs.entry(format!("{namespace} {child}")).or_default() += 1;
        }
        stanza::iq_error(id, 501, "feature-not-implemented")
    }
}

impl State {
    /// The experiment flags of an account.
    fn props(&self, account: usize) -> Node {
        let flags = self.accounts.get(account).map(|account| &account.profile.flags);
        let prop = |(code, value): (&u32, &String)| {
            NodeBuilder::new("prop").attr("config_code", *code).attr("config_value", value.as_str()).build()
        };
        NodeBuilder::new("props")
            .attr("protocol", "1")
            .attr("hash", "h1")
            .attr("refresh", "86400")
            .children(flags.into_iter().flatten().map(prop))
            .build()
    }
}

/// The bare JID of an account, which is what a user is called in answers.
pub(crate) fn user(jid: &Jid) -> NodeBuilder {
    NodeBuilder::new("user").attr("jid", jid.clone())
}
