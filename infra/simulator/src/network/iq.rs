//! Answering requests. A client waits 75 s for an answer, so every IQ gets one: a result, or an error that is
//! counted.

use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::network::{Network, Outbound, Session};
use crate::stanza;

/// How many different unknown requests are told apart.
const MAX_UNKNOWN: usize = 1_000;

/// The namespaces in which clients ask for a sign of life.
const KEEPALIVE: [&str; 2] = ["w:p", "urn:xmpp:ping"];

/// What a request is answered with.
enum Answer {
    Empty,
    With(Node),
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
            outbound.send(stanza::iq_result(&id, None));
            return;
        };
        let namespace = stanza::owned(iq, "xmlns");
        if KEEPALIVE.contains(&namespace.as_str()) && self.state().ignores_keepalive(session) {
            return;
        }
        let child = iq.children().and_then(|children| children.first()).map(|child| child.tag.to_string());
        let child = child.unwrap_or_default();
        outbound.send(match self.answer(session, iq, &namespace, &child) {
            Answer::Empty => stanza::iq_result(&id, None),
            Answer::With(content) => stanza::iq_result(&id, Some(content)),
            Answer::Unknown => self.refuse(&id, &namespace, &child),
        });
        match (namespace.as_str(), child.as_str()) {
            ("passive", "active") => self.state().replay(session),
            ("encrypt", "registration" | "identity" | "list" | "skey" | "type") => self.share_keys_once(session),
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
            ("encrypt", _) => {
                self.upload_keys(session, iq);
                Answer::Empty
            }
            ("usync", _) => self.usync(iq).map_or(Answer::Unknown, Answer::With),
            ("abt", _) => Answer::With(props()),
            ("blocklist", "") => Answer::With(NodeBuilder::new("list").attr("dhash", "none").build()),
            ("privacy", "privacy") => Answer::With(privacy()),
            ("w:m", _) => Answer::With(media_connection()),
            ("w:sync:app:state", _) => Answer::With(unchanged_collections(iq)),
            ("w:g2", "participating") => Answer::With(NodeBuilder::new("groups").build()),
            ("md", "remove-companion-device")
            | (
                "privacy" | "blocklist" | "passive" | "status" | "w:p" | "urn:xmpp:ping" | "urn:xmpp:whatsapp:dirty",
                _,
            ) => Answer::Empty,
            _ => Answer::Unknown,
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

/// Experiment flags: none.
fn props() -> Node {
    NodeBuilder::new("props").attr("protocol", "1").attr("hash", "h1").attr("refresh", "86400").build()
}

fn privacy() -> Node {
    let category = |name: &'static str| NodeBuilder::new("category").attr("name", name).attr("value", "all").build();
    let names = ["last", "online", "profile", "status", "groupadd", "readreceipts", "calladd"];
    NodeBuilder::new("privacy").children(names.map(category)).build()
}

/// Media is not served yet: the port is the discard service.
fn media_connection() -> Node {
    let host = NodeBuilder::new("host").attr("hostname", "127.0.0.1:9").attr("type", "primary").build();
    NodeBuilder::new("media_conn")
        .attr("auth", "a")
        .attr("ttl", "3600")
        .attr("auth_ttl", "3600")
        .attr("max_buckets", "12")
        .children([host])
        .build()
}

/// App state: every collection the client asks for is at version 0, which counts as synchronised.
fn unchanged_collections(iq: &Node) -> Node {
    let asked = iq.get_optional_child("sync").and_then(Node::children).unwrap_or_default();
    let collection = |asked: &Node| {
        let name = stanza::owned(asked, "name");
        NodeBuilder::new("collection").attr("name", name).attr("version", "0").build()
    };
    NodeBuilder::new("sync").children(asked.iter().map(collection)).build()
}

/// The bare JID of an account, which is what a user is called in answers.
pub(crate) fn user(jid: &Jid) -> NodeBuilder {
    NodeBuilder::new("user").attr("jid", jid.clone())
}
