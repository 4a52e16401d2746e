//! Requests in GraphQL ("MEX"): newsletters and the groups of a community. A request names its query by a number that
//! changes with the client's release, so each is known by several.

use serde_json::{Value, json};
use wacore::iq::mex_operations as operations;
use wacore_binary::{Jid, Node};

use crate::network::iq::Answer;
use crate::network::newsletters::{Newsletter, NewsletterUpdate};
use crate::network::{Network, Refusal, Session, State};
use crate::stanza;

/// What a query does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Create,
    Fetch,
    FetchAll,
    Join,
    Leave,
    Update,
    Settings,
    Mute,
    Unmute,
    Admins,
    Delete,
    Subgroups,
    SubgroupCounts,
}

/// The numbers of the queries, first those of one client library, then those of another.
const QUERIES: [(&str, Operation); 21] = [
    (operations::create_newsletter::DOC_ID, Operation::Create),
    (operations::fetch_newsletter::DOC_ID, Operation::Fetch),
    (operations::fetch_all_newsletters_metadata::DOC_ID, Operation::FetchAll),
    (operations::join_newsletter::DOC_ID, Operation::Join),
    (operations::leave_newsletter::DOC_ID, Operation::Leave),
    (operations::update_newsletter::DOC_ID, Operation::Update),
    (operations::update_newsletter_user_setting::DOC_ID, Operation::Settings),
    (operations::fetch_all_subgroups::DOC_ID, Operation::Subgroups),
    (operations::query_subgroup_participant_count::DOC_ID, Operation::SubgroupCounts),
    ("8823471724422422", Operation::Create),
    ("6996806640408138", Operation::Create),
    ("7150902998257522", Operation::Update),
    ("6563316087068696", Operation::Fetch),
    ("6620195908089573", Operation::Fetch),
    ("7871414976211147", Operation::Join),
    ("7238632346214362", Operation::Leave),
    ("29766401636284406", Operation::Mute),
    ("9864994326891137", Operation::Unmute),
    ("7130823597031706", Operation::Admins),
    ("8316537688363079", Operation::Delete),
    ("30062808666639665", Operation::Delete),
];

impl Network {
    /// Answers a GraphQL request.
    pub(crate) fn mex_iq(&self, session: Session, iq: &Node) -> Answer {
        let Some(query) = iq.get_optional_child("query") else { return Answer::Unknown };
        let id = stanza::owned(query, "query_id");
        let Some((_, operation)) = QUERIES.iter().find(|(known, _)| *known == id) else { return Answer::Unknown };
        let body: Value = serde_json::from_slice(&stanza::bytes(Some(query))).unwrap_or_default();
        let answer = self.state().mex(session.account, *operation, &body["variables"]);
        let body = match answer {
            Ok((field, value)) => json!({ "data": { (field): value } }),
            Err(Refusal { code, text }) => json!({
                "data": null,
                "errors": [{
                    "message": text,
                    "extensions": { "error_code": code, "is_retryable": false, "severity": "CRITICAL" },
                }],
            }),
        };
        Answer::With(stanza::holding("result", body.to_string().into_bytes()))
    }
}

impl State {
    /// Does what is asked; gives the field of the answer and its value.
    fn mex(&mut self, actor: usize, operation: Operation, variables: &Value) -> Result<(&'static str, Value), Refusal> {
        let input = &variables["input"];
        let id = newsletter_id(variables["newsletter_id"].as_str().or(input["newsletter_id"].as_str()));
        match operation {
            Operation::Create => {
                let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
                let id = self.create_newsletter(actor, &text("name"), &text("description"))?;
                self.newsletter_value(actor, &id).map(|value| ("xwa2_newsletter_create", value))
            }
            Operation::Fetch => {
                let key = input["key"].as_str().unwrap_or_default();
                let found = match input["type"].as_str() {
                    Some("INVITE") => self.newsletter_by_code(key),
                    _ => Some(newsletter_id(Some(key))),
                };
                let known = found.filter(|id| self.newsletters.contains_key(id));
                let value = known.map(|id| self.newsletter_value(actor, &id)).transpose()?;
                Ok(("xwa2_newsletter", value.unwrap_or(Value::Null)))
            }
            Operation::FetchAll => {
                let own = self.newsletters.values().filter(|newsletter| newsletter.role(actor).is_some());
                let values: Vec<Value> = own.map(|newsletter| describe(newsletter, actor)).collect();
                Ok(("xwa2_newsletter_subscribed", Value::Array(values)))
            }
            Operation::Join => {
                self.join_newsletter(actor, &id)?;
                self.newsletter_value(actor, &id).map(|value| ("xwa2_newsletter_join_v2", value))
            }
            Operation::Leave => {
                self.leave_newsletter(actor, &id)?;
                Ok(("xwa2_newsletter_leave_v2", json!({ "id": jid(&id) })))
            }
            Operation::Update => {
                let text = |name: &str| variables["updates"][name].as_str().map(str::to_owned);
                let update = NewsletterUpdate { name: text("name"), description: text("description") };
                self.update_newsletter(actor, &id, update)?;
                self.newsletter_value(actor, &id).map(|value| ("xwa2_newsletter_update", value))
            }
            Operation::Settings => Ok(("xwa2_newsletter_update_user_setting", json!({ "id": jid(&id) }))),
            Operation::Mute => Ok(("xwa2_newsletter_mute_v2", json!({ "id": jid(&id) }))),
            Operation::Unmute => Ok(("xwa2_newsletter_unmute_v2", json!({ "id": jid(&id) }))),
            Operation::Admins => Ok(("xwa2_newsletter_admin", json!({ "admin_count": 1 }))),
            Operation::Delete => {
                self.delete_newsletter(actor, &id)?;
                Ok(("xwa2_newsletter_delete_v2", json!({ "id": jid(&id) })))
            }
            Operation::Subgroups | Operation::SubgroupCounts => {
                let parent = variables["group_id"].as_str().or(input["group_jid"].as_str()).unwrap_or_default();
                Ok(("xwa2_group_query_by_id", self.subgroups(parent.trim_end_matches("@g.us"))))
            }
        }
    }

    fn newsletter_value(&self, viewer: usize, id: &str) -> Result<Value, Refusal> {
        self.newsletters.get(id).map(|newsletter| describe(newsletter, viewer)).ok_or(Refusal::NOT_FOUND)
    }

    fn subgroups(&self, parent: &str) -> Value {
        let describe = |group: &super::groups::Group| {
            json!({
                "id": group.jid().to_string(),
                "subject": { "value": group.subject.text },
                "participants_count": group.members.len(),
                "total_participants_count": group.members.len(),
            })
        };
        let linked = self.linked_groups(parent);
        let (default, others): (Vec<_>, Vec<_>) = linked.into_iter().partition(|group| group.is_default());
        let edges: Vec<Value> = others.into_iter().map(|group| json!({ "node": describe(group) })).collect();
        json!({
            "id": Jid::group(parent).to_string(),
            "default_sub_group": default.first().map(|group| describe(group)),
            "sub_groups": { "edges": edges },
        })
    }
}

fn newsletter_id(jid: Option<&str>) -> String {
    jid.unwrap_or_default().trim_end_matches("@newsletter").to_owned()
}

fn jid(id: &str) -> String {
    Jid::newsletter(id).to_string()
}

/// A newsletter as clients read it; numbers stand in strings.
fn describe(newsletter: &Newsletter, viewer: usize) -> Value {
    let at = newsletter.created_at.to_string();
    json!({
        "id": jid(&newsletter.id),
        "state": { "type": "ACTIVE" },
        "thread_metadata": {
            "creation_time": at,
            "name": { "id": at, "text": newsletter.name, "update_time": at },
            "description": { "id": at, "text": newsletter.description, "update_time": at },
            "invite": newsletter.code,
            "handle": null,
            "picture": { "direct_path": "", "id": at, "type": "IMAGE" },
            "preview": { "direct_path": "", "id": at, "type": "PREVIEW" },
            "settings": { "reaction_codes": { "value": "ALL" } },
            "subscribers_count": newsletter.followers.len().to_string(),
            "verification": "UNVERIFIED",
        },
        "viewer_metadata": {
            "mute": "OFF",
            "role": newsletter.role(viewer).unwrap_or("guest"),
        },
    })
}
