//! Newsletters: one writes, everybody who follows reads, nothing is encrypted. The server numbers the messages and
//! counts the reactions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, Node};

use crate::content;
use crate::network::iq::Answer;
use crate::network::phone_inbound::Place;
use crate::network::{Network, Refusal, Session, State};
use crate::stanza;

const MAX_NEWSLETTERS: usize = 10_000;
const MAX_MESSAGES: usize = 10_000;
const MAX_NAME: usize = 100;
/// Clients take only numbers from here on for message numbers.
const FIRST_SERVER_ID: u64 = 100;
const LIVE_SECONDS: u32 = 300;
const MAX_PAGE: usize = 100;

pub(crate) type Newsletters = BTreeMap<String, Newsletter>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Newsletter {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) code: String,
    pub(crate) created_at: u64,
    owner: usize,
    pub(crate) followers: BTreeSet<usize>,
    messages: Vec<Post>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Post {
    id: String,
    server_id: u64,
    at: u64,
    kind: String,
    plaintext: Vec<u8>,
    /// Who reacted with what.
    reactions: BTreeMap<usize, String>,
}

/// What changes about a newsletter; what is absent stays.
pub(crate) struct NewsletterUpdate {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
}

impl Newsletter {
    pub(crate) fn role(&self, account: usize) -> Option<&'static str> {
        if account == self.owner { Some("owner") } else { self.followers.contains(&account).then_some("subscriber") }
    }

    fn jid(&self) -> Jid {
        Jid::newsletter(self.id.as_str())
    }

    fn post_node(&self, post: &Post, viewer: Option<usize>) -> Node {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for code in post.reactions.values() {
            *counts.entry(code).or_default() += 1;
        }
        let counts = counts.into_iter().map(|(code, count)| {
            NodeBuilder::new("reaction").attr("code", code.to_owned()).attr("count", count).build()
        });
        let reactions = NodeBuilder::new("reactions").children(counts).build();
        let mut node = NodeBuilder::new("message").attr("id", post.id.as_str()).attr("server_id", post.server_id);
        node = node.attr("t", post.at).attr("type", post.kind.as_str());
        let Some(viewer) = viewer else { return node.children([reactions]).build() };
        if viewer == self.owner {
            node = node.attr("is_sender", "true");
        }
        node.children([stanza::holding("plaintext", post.plaintext.as_slice()), reactions]).build()
    }
}

impl Network {
    /// Answers a request about a newsletter's messages.
    pub(crate) fn newsletter_iq(&self, session: Session, iq: &Node) -> Answer {
        let Some(child) = iq.children().and_then(<[Node]>::first) else { return Answer::Unknown };
        let state = self.state();
        let to = stanza::jid(iq, "to").filter(wacore_binary::JidExt::is_newsletter);
        let asked = to.or_else(|| stanza::jid(child, "jid")).map(|jid| jid.user.to_string());
        let code = stanza::owned(child, "key");
        let id = asked.or_else(|| state.newsletter_by_code(&code)).unwrap_or_default();
        match child.tag.as_ref() {
            "my_addons" => Answer::With(NodeBuilder::new("my_addons").children([]).build()),
            tag => match state.newsletters.get(&id) {
                None => Answer::Refused(Refusal::NOT_FOUND),
                Some(_) if tag == "live_updates" => {
                    Answer::With(NodeBuilder::new("live_updates").attr("duration", LIVE_SECONDS).build())
                }
                Some(newsletter) if tag == "messages" => Answer::With(newsletter.page(child, Some(session.account))),
                Some(newsletter) if tag == "message_updates" => {
                    let page = newsletter.page(child, None);
                    Answer::With(NodeBuilder::new("message_updates").children([page]).build())
                }
                Some(_) => Answer::Unknown,
            },
        }
    }

    /// Takes a message to a newsletter: a post of its owner, a change of one, or a reaction of anybody.
    pub(crate) fn on_newsletter_message(&self, session: Session, to: &Jid, message: &Node) {
        let kind = stanza::attribute(message, "type").unwrap_or("text".into()).into_owned();
        let mut state = self.state();
        if kind == "reaction" {
            state.react_to_post(session.account, to, message);
            return;
        }
        state.post(session.account, to, message, &kind);
    }
}

impl Newsletter {
    /// The messages a request asks for: so many before or after one.
    fn page(&self, asked: &Node, viewer: Option<usize>) -> Node {
        let number = |name: &str| stanza::owned(asked, name).parse::<u64>().ok();
        let count = number("count").and_then(|count| usize::try_from(count).ok()).unwrap_or(MAX_PAGE).min(MAX_PAGE);
        let (before, after) = (number("before").unwrap_or(u64::MAX), number("after").unwrap_or(0));
        let in_range = |post: &&Post| post.server_id < before && post.server_id >= after;
        let newest: Vec<&Post> = self.messages.iter().rev().filter(in_range).take(count).collect();
        let nodes = newest.into_iter().rev().map(|post| self.post_node(post, viewer));
        NodeBuilder::new("messages").attr("jid", self.jid()).children(nodes).build()
    }
}

impl State {
    pub(crate) fn newsletter_by_code(&self, code: &str) -> Option<String> {
        self.newsletters.values().find(|newsletter| newsletter.code == code).map(|newsletter| newsletter.id.clone())
    }

    pub(crate) fn create_newsletter(&mut self, actor: usize, name: &str, text: &str) -> Result<String, Refusal> {
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return Err(Refusal::NOT_ACCEPTABLE);
        }
        if self.newsletters.len() >= MAX_NEWSLETTERS {
            return Err(Refusal::TOO_MANY);
        }
        let id = self.ids.newsletter();
        let newsletter = Newsletter {
            id: id.clone(),
            name: name.to_owned(),
            description: text.to_owned(),
            code: self.ids.invite_code(),
            created_at: self.now_seconds(),
            owner: actor,
            followers: BTreeSet::from([actor]),
            messages: Vec::new(),
        };
        self.newsletters.insert(id.clone(), newsletter);
        Ok(id)
    }

    fn newsletter_of(&mut self, owner: usize, id: &str) -> Result<&mut Newsletter, Refusal> {
        let newsletter = self.newsletters.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if newsletter.owner == owner { Ok(newsletter) } else { Err(Refusal::FORBIDDEN) }
    }

    pub(crate) fn update_newsletter(
        &mut self,
        actor: usize,
        id: &str,
        update: NewsletterUpdate,
    ) -> Result<(), Refusal> {
        let newsletter = self.newsletter_of(actor, id)?;
        if let Some(name) = update.name.filter(|name| !name.is_empty()) {
            newsletter.name = name;
        }
        if let Some(description) = update.description {
            newsletter.description = description;
        }
        Ok(())
    }

    pub(crate) fn delete_newsletter(&mut self, actor: usize, id: &str) -> Result<(), Refusal> {
        self.newsletter_of(actor, id)?;
        self.newsletters.remove(id);
        Ok(())
    }

    pub(crate) fn join_newsletter(&mut self, actor: usize, id: &str) -> Result<(), Refusal> {
        self.newsletters.get_mut(id).ok_or(Refusal::NOT_FOUND)?.followers.insert(actor);
        Ok(())
    }

    pub(crate) fn leave_newsletter(&mut self, actor: usize, id: &str) -> Result<(), Refusal> {
        let newsletter = self.newsletters.get_mut(id).ok_or(Refusal::NOT_FOUND)?;
        if newsletter.owner == actor {
            return Err(Refusal::NOT_ACCEPTABLE);
        }
        newsletter.followers.remove(&actor);
        Ok(())
    }

    /// Whether somebody may write this to a newsletter.
    pub(crate) fn may_post(&self, actor: usize, to: &Jid, message: &Node) -> Result<(), u16> {
        let newsletter = self.newsletters.get(to.user.as_str()).ok_or(Refusal::NOT_FOUND.code)?;
        let reacts = stanza::attribute(message, "type").as_deref() == Some("reaction");
        if newsletter.owner == actor || reacts && newsletter.role(actor).is_some() {
            return Ok(());
        }
        Err(Refusal::FORBIDDEN.code)
    }

    fn post(&mut self, actor: usize, to: &Jid, message: &Node, kind: &str) {
        let at = self.now_seconds();
        let Some(newsletter) = self.newsletters.get_mut(to.user.as_str()) else { return };
        let id = stanza::owned(message, "id");
        let plaintext = stanza::bytes(message.get_optional_child("plaintext"));
        let edit = stanza::attribute(message, "edit").map(std::borrow::Cow::into_owned);
        if edit.is_some() {
            newsletter.change(&id, edit.as_deref(), plaintext);
            return;
        }
        let server_id = newsletter.messages.last().map_or(FIRST_SERVER_ID, |post| post.server_id + 1);
        let post = Post { id, server_id, at, kind: kind.to_owned(), plaintext, reactions: BTreeMap::new() };
        if newsletter.messages.len() >= MAX_MESSAGES {
            newsletter.messages.remove(0);
        }
        newsletter.messages.push(post.clone());
        let (followers, from) = (newsletter.followers.clone(), newsletter.jid());
        let stanza = NodeBuilder::new("message")
            .attr("from", from.clone())
            .attr("id", post.id.as_str())
            .attr("server_id", server_id)
            .attr("t", at)
            .attr("type", kind.to_owned())
            .children([stanza::holding("plaintext", post.plaintext.as_slice())])
            .build();
        let shown = content::read_plain(&post.plaintext);
        for follower in followers.into_iter().filter(|follower| *follower != actor) {
            self.push_to_companions(follower, &stanza);
            if let Some(shown) = shown.clone() {
                let place =
                    Place { id: post.id.clone(), author: Some(actor), group: Some(from.to_string()), recipient: None };
                self.show(follower, place, shown, None, None);
            }
        }
    }

    fn react_to_post(&mut self, actor: usize, to: &Jid, message: &Node) {
        let code = message.get_optional_child("reaction").map(|reaction| stanza::owned(reaction, "code"));
        let server_id: u64 = stanza::owned(message, "server_id").parse().unwrap_or_default();
        let Some(newsletter) = self.newsletters.get_mut(to.user.as_str()) else { return };
        let Some(at) = newsletter.messages.iter().position(|post| post.server_id == server_id) else { return };
        let Some(post) = newsletter.messages.get_mut(at) else { return };
        match code.filter(|code| !code.is_empty()) {
            Some(code) => post.reactions.insert(actor, code),
            None => post.reactions.remove(&actor),
        };
        let post = post.clone();
        let node = newsletter.post_node(&post, None);
        let (followers, from) = (newsletter.followers.clone(), newsletter.jid());
        let messages = NodeBuilder::new("messages").attr("jid", from.clone()).attr("t", self.now_seconds());
        let live = NodeBuilder::new("live_updates").children([messages.children([node]).build()]).build();
        for follower in followers {
            let notification = self.notification("newsletter", &from, live.clone());
            self.push_to_companions(follower, &notification);
        }
    }
}

impl Newsletter {
    /// The owner changes a post, or takes it back when there is nothing in its place.
    fn change(&mut self, id: &str, edit: Option<&str>, plaintext: Vec<u8>) {
        if plaintext.is_empty() || matches!(edit, Some("7" | "8")) {
            self.messages.retain(|post| post.id != id);
        } else if let Some(post) = self.messages.iter_mut().find(|post| post.id == id) {
            post.plaintext = plaintext;
        }
    }
}
