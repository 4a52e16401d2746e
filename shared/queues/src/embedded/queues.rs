//! Queues and their attributes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::Refusal;
use super::requests::{CreateQueue, GetAttributes};

/// Where queue addresses begin. Calls go by the name at their end, so any host may stand before it.
const URL: &str = "http://in.process/000000000000/";
const ARN: &str = "arn:aws:sqs:local:000000000000:";
/// The largest message, and the largest batch: 1 MiB.
pub(super) const MAX_BYTES: i64 = 1024 * 1024;
/// The longest time a message stays invisible after a receive: twelve hours.
pub(super) const MAX_VISIBILITY: i64 = 43_200;
/// The longest delay of a message: fifteen minutes.
pub(super) const MAX_DELAY: i64 = 900;
/// The longest wait of a receive.
pub(super) const MAX_WAIT: i64 = 20;

/// Every attribute that can be set as a number: name, least, most, and what it is if not set.
const NUMBERS: [(&str, i64, i64, i64); 5] = [
    ("DelaySeconds", 0, MAX_DELAY, 0),
    ("MaximumMessageSize", 1_024, MAX_BYTES, MAX_BYTES),
    ("MessageRetentionPeriod", 60, 1_209_600, 345_600),
    ("ReceiveMessageWaitTimeSeconds", 0, MAX_WAIT, 0),
    ("VisibilityTimeout", 0, MAX_VISIBILITY, 30),
];

/// A queue as it stands.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) id: i64,
    pub(super) name: String,
    attributes: BTreeMap<String, String>,
    created_at: i64,
    modified_at: i64,
}

/// When a message has failed often enough, and where it goes then.
#[derive(Debug)]
pub(super) struct Redrive {
    pub(super) queue: String,
    pub(super) after: i64,
}

impl Queue {
    /// A number among the attributes.
    pub(super) fn number(&self, name: &str) -> i64 {
        let set = self.attributes.get(name).and_then(|value| value.parse().ok());
        set.or_else(|| NUMBERS.iter().find(|entry| entry.0 == name).map(|entry| entry.3)).unwrap_or_default()
    }

    /// The redrive policy; `None` if messages are tried for ever.
    pub(super) fn redrive(&self) -> Option<Redrive> {
        redrive(self.attributes.get("RedrivePolicy")?).ok()
    }
}

/// The queue at an address.
pub(super) fn find(connection: &Connection, url: &str) -> Result<Queue, Refusal> {
    named(connection, url.rsplit('/').next().unwrap_or_default())?.ok_or_else(Refusal::no_queue)
}

/// The queue of a name.
pub(super) fn named(connection: &Connection, name: &str) -> Result<Option<Queue>, Refusal> {
    let mut statement = connection
        .prepare_cached("SELECT id, name, attributes, created_at, modified_at FROM queues WHERE name = ?1")?;
    let row = statement.query_row([name], |row| {
        let attributes: String = row.get(2)?;
        let (id, name, created_at, modified_at) = (row.get(0)?, row.get(1)?, row.get(3)?, row.get(4)?);
        let attributes = serde_json::from_str(&attributes).unwrap_or_default();
        Ok(Queue { id, name, attributes, created_at, modified_at })
    });
    Ok(row.optional()?)
}

/// Makes a queue; the same once more is the same queue, another by its name is refused.
pub(super) fn create(connection: &Connection, request: &CreateQueue, now: i64) -> Result<Value, Refusal> {
    let name = &request.queue_name;
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 80 || !name.chars().all(valid) {
        return Err(Refusal::invalid(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    check(&request.attributes)?;
    if let Some(queue) = named(connection, name)? {
        let differs = request.attributes.iter().any(|(name, value)| attribute(&queue, name).as_ref() != Some(value));
        if differs {
            let message = "A queue already exists with the same name and a different value for its attributes";
            return Err(Refusal::new("QueueNameExists", message));
        }
    } else {
        let attributes = json!(request.attributes).to_string();
        connection.execute(
            "INSERT INTO queues (name, attributes, created_at, modified_at) VALUES (?1, ?2, ?3, ?3)",
            params![name, attributes, now],
        )?;
    }
    Ok(url(name))
}

/// The answer that names a queue's address.
pub(super) fn url(name: &str) -> Value {
    json!({ "QueueUrl": format!("{URL}{name}") })
}

/// The addresses of the queues whose names begin so, at most 1000.
pub(super) fn list(connection: &Connection, prefix: &str) -> Result<Value, Refusal> {
    let sql = "SELECT name FROM queues WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT 1000";
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map([prefix], |row| row.get::<_, String>(0))?;
    let urls: Vec<_> = names.map(|name| Ok(format!("{URL}{}", name?))).collect::<rusqlite::Result<_>>()?;
    Ok(json!({ "QueueUrls": urls }))
}

/// Sets attributes; those not named stay.
pub(super) fn set(
    connection: &Connection,
    mut queue: Queue,
    changes: BTreeMap<String, String>,
    now: i64,
) -> Result<Value, Refusal> {
    check(&changes)?;
    queue.attributes.extend(changes);
    connection.execute(
        "UPDATE queues SET attributes = ?2, modified_at = ?3 WHERE id = ?1",
        params![queue.id, json!(queue.attributes).to_string(), now],
    )?;
    Ok(json!({}))
}

/// Deletes a queue and what is in it.
pub(super) fn delete(connection: &Connection, queue: &Queue) -> Result<Value, Refusal> {
    purge(connection, queue)?;
    connection.execute("DELETE FROM queues WHERE id = ?1", [queue.id])?;
    Ok(json!({}))
}

/// Deletes what is in a queue.
pub(super) fn purge(connection: &Connection, queue: &Queue) -> Result<Value, Refusal> {
    connection.execute("DELETE FROM messages WHERE queue = ?1", [queue.id])?;
    Ok(json!({}))
}

/// The attributes asked for, the counts among them.
pub(super) fn describe(
    connection: &Connection,
    queue: &Queue,
    request: &GetAttributes,
    now: i64,
) -> Result<Value, Refusal> {
    let mut all: BTreeMap<String, String> =
        NUMBERS.iter().map(|entry| (entry.0.to_owned(), queue.number(entry.0).to_string())).collect();
    all.extend(queue.attributes.clone());
    all.insert("QueueArn".to_owned(), format!("{ARN}{}", queue.name));
    all.insert("CreatedTimestamp".to_owned(), (queue.created_at / 1000).to_string());
    all.insert("LastModifiedTimestamp".to_owned(), (queue.modified_at / 1000).to_string());
    let wants = |name: &str| request.attribute_names.iter().any(|wanted| wanted == "All" || wanted == name);
    for (name, condition) in [
        ("ApproximateNumberOfMessages", "visible_at <= ?2"),
        ("ApproximateNumberOfMessagesNotVisible", "visible_at > ?2 AND receives > 0"),
        ("ApproximateNumberOfMessagesDelayed", "visible_at > ?2 AND receives = 0"),
    ] {
        if wants(name) {
            let sql = format!("SELECT count(*) FROM messages WHERE queue = ?1 AND {condition}");
            let count: i64 = connection.prepare_cached(&sql)?.query_row(params![queue.id, now], |row| row.get(0))?;
            all.insert(name.to_owned(), count.to_string());
        }
    }
    all.retain(|name, _| wants(name));
    Ok(json!({ "Attributes": all }))
}

fn attribute(queue: &Queue, name: &str) -> Option<String> {
    let set = queue.attributes.get(name).cloned();
    set.or_else(|| NUMBERS.iter().find(|entry| entry.0 == name).map(|entry| entry.3.to_string()))
}

fn check(attributes: &BTreeMap<String, String>) -> Result<(), Refusal> {
    for (name, value) in attributes {
        let invalid = || Refusal::new("InvalidAttributeValue", format!("Invalid value for the parameter {name}."));
        if let Some((_, least, most, _)) = NUMBERS.iter().find(|entry| entry.0 == name) {
            let number: i64 = value.parse().map_err(|_| invalid())?;
            if !(*least..=*most).contains(&number) {
                return Err(invalid());
            }
        } else if name == "RedrivePolicy" {
            if !value.is_empty() {
                redrive(value).map_err(|()| invalid())?;
            }
        } else if !matches!(name.as_str(), "SqsManagedSseEnabled" | "KmsMasterKeyId" | "Policy" | "RedriveAllowPolicy")
        {
            return Err(Refusal::new("InvalidAttributeName", format!("Unknown Attribute {name}.")));
        }
    }
    Ok(())
}

fn redrive(policy: &str) -> Result<Redrive, ()> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Policy {
        dead_letter_target_arn: String,
        max_receive_count: Value,
    }
    let policy: Policy = serde_json::from_str(policy).map_err(drop)?;
    // AWS takes the number as a number and as a string.
    let after = policy.max_receive_count.as_i64().or_else(|| policy.max_receive_count.as_str()?.parse().ok());
    let after = after.filter(|after| (1..=1000).contains(after)).ok_or(())?;
    let queue = policy.dead_letter_target_arn.rsplit(':').next().unwrap_or_default().to_owned();
    Ok(Redrive { queue, after })
}

/// The address of a queue, for a dead message's origin.
pub(super) fn arn(connection: &Connection, id: i64) -> Result<Option<String>, Refusal> {
    let mut statement = connection.prepare_cached("SELECT name FROM queues WHERE id = ?1")?;
    let name: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
    Ok(name.map(|name| format!("{ARN}{name}")))
}
