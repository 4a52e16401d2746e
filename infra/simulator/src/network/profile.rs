//! What people show of themselves: the words about them, their picture, a business's card.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use wacore_binary::builder::NodeBuilder;
use wacore_binary::{Jid, JidExt as _, Node};

use crate::network::iq::Answer;
use crate::network::{Network, NetworkError, Refusal, Session, State};
use crate::stanza;

const MAX_ABOUT: usize = 139;
const MAX_PICTURE: usize = 1 << 20;
/// How many groups' pictures one request may ask for.
const MAX_PICTURES: usize = 1_000;

/// What an account shows, and whom it lets see and write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Profile {
    pub(crate) about: String,
    pub(crate) about_at: u64,
    pub(crate) picture: Option<Picture>,
    pub(crate) business: Option<Business>,
    pub(crate) privacy: BTreeMap<String, String>,
    /// Whom this account wrote to.
    pub(crate) written_to: BTreeSet<usize>,
    /// Who wrote to this account.
    pub(crate) heard_from: BTreeSet<usize>,
    /// Whether strangers need a token.
    pub(crate) restricted: bool,
    /// Which tokens it takes: a contact's, and one computed from the sender's salt.
    pub(crate) takes_tokens: (bool, bool),
    /// What this account's own tokens for strangers are computed from.
    pub(crate) salt: Vec<u8>,
    /// Whether its companions learn the salt with the history, and by app state.
    pub(crate) salt_by: (bool, bool),
    /// How long its new chats keep messages, and since when it wants so.
    pub(crate) disappearing: (u32, u64),
    /// Experiment flags its companions are told.
    pub(crate) flags: BTreeMap<u32, String>,
}

/// A picture of a person or a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub(crate) id: u64,
    /// Where it is in the media store.
    path: String,
}

/// What a business shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Business {
    /// What it does.
    pub description: String,
    /// Where it is.
    pub address: String,
    /// How to write to it.
    pub email: String,
    /// Where to read of it.
    pub website: String,
    /// What kind of business it is.
    pub category: String,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            about: "Hey there! I am using WhatsApp.".to_owned(),
            about_at: 0,
            picture: None,
            business: None,
            privacy: BTreeMap::new(),
            written_to: BTreeSet::new(),
            heard_from: BTreeSet::new(),
            restricted: false,
            takes_tokens: (true, true),
            salt: Vec::new(),
            salt_by: (false, false),
            disappearing: (0, 0),
            flags: BTreeMap::new(),
        }
    }
}

impl Network {
    /// Answers requests about profiles.
    pub(crate) fn profile_iq(&self, session: Session, iq: &Node, namespace: &str) -> Answer {
        let sets = stanza::attribute(iq, "type").as_deref() == Some("set");
        let child = iq.children().and_then(<[Node]>::first);
        match namespace {
            "status" => self.state().about_iq(session, child.filter(|_| sets)),
            "w:profile:picture" if sets => self.change_picture(session, iq, child),
            "w:profile:picture" => self.picture_answer(session, iq, child),
            _ => self.state().business_iq(session, iq, sets),
        }
    }

    fn picture_answer(&self, session: Session, iq: &Node, asked: Option<&Node>) -> Answer {
        let state = self.state();
        let target = stanza::jid(iq, "target").or_else(|| stanza::jid(iq, "to")).filter(|jid| !jid.user.is_empty());
        let kind = asked.and_then(|asked| stanza::attribute(asked, "type")).unwrap_or("image".into()).into_owned();
        let picture = match target {
            Some(group) if group.is_group() => state.group(&group).and_then(|group| group.picture.as_ref()),
            target => {
                let whom = target.map_or(Some(session.account), |jid| state.account_by_jid(&jid));
                let Some(whom) = whom else { return no_picture(Refusal::NOT_FOUND) };
                let shown = state.accounts.get(whom).filter(|a| a.profile.shows("profile", whom, session.account));
                let Some(account) = shown else { return no_picture(Refusal::NOT_AUTHORIZED) };
                if asked.is_some_and(|asked| state.wants_token(whom, session.account, asked)) {
                    return no_picture(Refusal::NOT_AUTHORIZED);
                }
                account.profile.picture.as_ref()
            }
        };
        let Some(picture) = picture else { return no_picture(Refusal::NOT_FOUND) };
        let url = format!("https://{}{}", self.media().host(), picture.path);
        let node = NodeBuilder::new("picture")
            .attr("id", picture.id)
            .attr("type", kind)
            .attr("url", url)
            .attr("direct_path", picture.path.as_str());
        Answer::With(node.build())
    }

    /// The pictures of several groups, as far as there are any and one is in the groups.
    pub(crate) fn group_pictures(&self, viewer: usize, asked: &Node) -> Answer {
        let state = self.state();
        let wanted = asked.get_children_by_tag("picture").take(MAX_PICTURES);
        let nodes = wanted.filter_map(|wanted| {
            let jid = stanza::jid(wanted, "jid")?;
            let group = state.group(&jid).filter(|group| group.members.contains_key(&viewer))?;
            let picture = group.picture.as_ref()?;
            let node = NodeBuilder::new("picture")
                .attr("jid", jid)
                .attr("id", picture.id)
                .attr("type", stanza::attribute(wanted, "type").unwrap_or("preview".into()).into_owned())
                .attr("url", format!("https://{}{}", self.media().host(), picture.path))
                .attr("direct_path", picture.path.as_str());
            Some(node.build())
        });
        let nodes: Vec<Node> = nodes.collect();
        Answer::With(NodeBuilder::new("pictures").children(nodes).build())
    }

    fn change_picture(&self, session: Session, iq: &Node, child: Option<&Node>) -> Answer {
        let bytes = stanza::bytes(child);
        if bytes.len() > MAX_PICTURE {
            return Answer::Refused(Refusal::NOT_ACCEPTABLE);
        }
        let path = (!bytes.is_empty()).then(|| self.media().put(bytes.into()));
        let target =
            stanza::jid(iq, "target").or_else(|| stanza::jid(iq, "to")).filter(wacore_binary::JidExt::is_group);
        let mut state = self.state();
        match state.set_picture(session.account, target.as_ref(), path) {
            Ok(Some(id)) => Answer::With(NodeBuilder::new("picture").attr("id", id).build()),
            Ok(None) => Answer::Empty,
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    /// A person takes a picture, or none.
    pub fn set_picture(&self, phone: &str, picture: Option<Vec<u8>>) -> Result<(), NetworkError> {
        let path = picture.map(|bytes| self.media().put(bytes.into()));
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        state.set_picture(account, None, path)?;
        Ok(())
    }

    /// A person changes the words about them.
    pub fn set_about(&self, phone: &str, about: &str) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        state.set_about(account, about)?;
        Ok(())
    }

    /// Makes an account a business, or a person again.
    pub fn set_business(&self, phone: &str, business: Option<Business>) -> Result<(), NetworkError> {
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        if let Some(account) = state.accounts.get_mut(account) {
            account.profile.business = business;
        }
        Ok(())
    }
}

impl State {
    fn about_iq(&mut self, session: Session, set: Option<&Node>) -> Answer {
        let Some(status) = set else { return Answer::Empty };
        let text = String::from_utf8_lossy(&stanza::bytes(Some(status))).into_owned();
        match self.set_about(session.account, &text) {
            Ok(()) => Answer::Empty,
            Err(refusal) => Answer::Refused(refusal),
        }
    }

    fn set_about(&mut self, account: usize, about: &str) -> Result<(), Refusal> {
        if about.chars().count() > MAX_ABOUT {
            return Err(Refusal::NOT_ACCEPTABLE);
        }
        let now = self.now_seconds();
        let entry = self.accounts.get_mut(account).ok_or(Refusal::NOT_FOUND)?;
        (entry.profile.about, entry.profile.about_at) = (about.to_owned(), now);
        let from = entry.jid(0, false);
        let set = NodeBuilder::new("set").string_content(about).build();
        self.tell_everybody(Session { account, device: 0, connection: 0 }, "status", &from, &set);
        Ok(())
    }

    /// Sets or deletes the picture of an account or, with `group`, of a group. Gives the new id.
    fn set_picture(&mut self, actor: usize, group: Option<&Jid>, path: Option<String>) -> Result<Option<u64>, Refusal> {
        let picture = path.map(|path| Picture { id: self.ids.picture(), path });
        let id = picture.as_ref().map(|picture| picture.id);
        let author = self.accounts.get(actor).map(|account| account.jid(0, true)).ok_or(Refusal::NOT_FOUND)?;
        let told = |jid: &Jid| {
            let node = NodeBuilder::new(if id.is_some() { "set" } else { "delete" });
            let node = node.attr("jid", jid.clone()).attr("author", author.clone());
            match id {
                Some(id) => node.attr("id", id).build(),
                None => node.build(),
            }
        };
        if let Some(jid) = group {
            let group = self.groups.get_mut(jid.user.as_str()).ok_or(Refusal::NOT_FOUND)?;
            if !group.is_admin(actor) && (group.has("locked") || !group.members.contains_key(&actor)) {
                return Err(Refusal::FORBIDDEN);
            }
            group.picture = picture;
            let members: Vec<usize> = group.members.keys().copied().collect();
            let child = told(jid);
            for member in members {
                let notification = self.notification("picture", jid, child.clone());
                self.push_to_companions(member, &notification);
            }
            return Ok(id);
        }
        let account = self.accounts.get_mut(actor).ok_or(Refusal::NOT_FOUND)?;
        account.profile.picture = picture;
        let jid = account.jid(0, false);
        let child = told(&jid);
        self.tell_everybody(Session { account: actor, device: 0, connection: 0 }, "picture", &jid, &child);
        Ok(id)
    }

    fn business_iq(&mut self, session: Session, iq: &Node, sets: bool) -> Answer {
        let Some(asked) = iq.get_optional_child("business_profile") else { return Answer::Unknown };
        if sets {
            let text = |tag: &str| String::from_utf8_lossy(&stanza::bytes(asked.get_optional_child(tag))).into_owned();
            let Some(account) = self.accounts.get_mut(session.account) else { return Answer::Unknown };
            account.profile.business = Some(Business {
                description: text("description"),
                address: text("address"),
                email: text("email"),
                website: text("website"),
                category: String::new(),
            });
            return Answer::Empty;
        }
        let wanted = asked.get_children_by_tag("profile").filter_map(|profile| stanza::jid(profile, "jid"));
        let profiles = wanted.filter_map(|jid| {
            let account = self.accounts.get(self.account_by_jid(&jid)?)?;
            Some(business_node(&jid, account.profile.business.as_ref()?))
        });
        Answer::With(NodeBuilder::new("business_profile").attr("v", "116").children(profiles).build())
    }

    pub(crate) fn notification(&mut self, kind: &'static str, from: &Jid, child: Node) -> Node {
        NodeBuilder::new("notification")
            .attr("from", from.clone())
            .attr("type", kind)
            .attr("id", self.ids.stanza_id())
            .attr("t", self.now_seconds())
            .children([child])
            .build()
    }

    /// Tells every connected companion but the author's device; who is away asks when it is back.
    pub(crate) fn tell_everybody(&mut self, author: Session, kind: &'static str, from: &Jid, child: &Node) {
        let connected: Vec<(usize, u16)> = self
            .accounts
            .iter()
            .enumerate()
            .flat_map(|(account, entry)| {
                let active = entry.devices.iter().filter(|(_, device)| device.is_active());
                active.map(move |(number, _)| (account, *number))
            })
            .filter(|target| *target != author.target())
            .collect();
        for (account, device) in connected {
            if !self.is_blocked(author.account, account) {
                let notification = self.notification(kind, from, child.clone());
                self.push(account, device, notification);
            }
        }
    }
}

fn business_node(jid: &Jid, business: &Business) -> Node {
    let line = |tag: &'static str, text: &str| NodeBuilder::new(tag).bytes(text.as_bytes()).build();
    let category = NodeBuilder::new("category").attr("id", "1").bytes(business.category.as_bytes()).build();
    NodeBuilder::new("profile")
        .attr("jid", jid.clone())
        .children([
            line("description", &business.description),
            line("address", &business.address),
            line("email", &business.email),
            line("website", &business.website),
            NodeBuilder::new("categories").children([category]).build(),
        ])
        .build()
}

/// "There is none to see", inside a result, as clients read it.
fn no_picture(why: Refusal) -> Answer {
    let error = NodeBuilder::new("error").attr("code", why.code).attr("text", why.text).build();
    Answer::With(NodeBuilder::new("picture").children([error]).build())
}
