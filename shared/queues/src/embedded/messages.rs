//! Messages: in, out, gone, later.

use std::collections::BTreeMap;

use md5::{Digest, Md5};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Value, json};

use super::errors::Refusal;
use super::queues::{self, MAX_DELAY, MAX_VISIBILITY, Queue};
use super::requests::{ChangeVisibility, Delete, Receive, Received, Send};

/// Messages one receive looks at, at most: many may be too old, or dead.
const LOOKS: usize = 1_000;

/// Puts a message in.
pub(super) fn send(connection: &Connection, queue: &Queue, send: &Send, now: i64) -> Result<Value, Refusal> {
    let body = &send.message_body;
    if body.is_empty() {
        return Err(Refusal::new("MissingParameter", "The request must contain the parameter MessageBody."));
    }
    if i64::try_from(body.len()).unwrap_or(i64::MAX) > queue.number("MaximumMessageSize") {
        let limit = queue.number("MaximumMessageSize");
        return Err(Refusal::invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )));
    }
    if !body.chars().all(allowed) {
        return Err(Refusal::new("InvalidMessageContents", "The message contains characters outside the allowed set."));
    }
    let delay = send.delay_seconds.unwrap_or_else(|| queue.number("DelaySeconds"));
    if !(0..=MAX_DELAY).contains(&delay) {
        return Err(Refusal::invalid(format!(
            "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= {MAX_DELAY}."
        )));
    }
    connection
        .prepare_cached("INSERT INTO messages (queue, body, sent_at, visible_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![queue.id, body, now, now + delay * 1000])?;
    Ok(json!({ "MessageId": message_id(connection.last_insert_rowid()), "MD5OfMessageBody": md5(body) }))
}

/// Takes messages that are due, and hides them for a while. Those that were taken too often go to the dead-letter
/// queue instead, and those too old go away.
pub(super) fn receive(
    connection: &Connection,
    queue: &Queue,
    request: &Receive,
    now: i64,
) -> Result<Vec<Received>, Refusal> {
    let wanted = request.max_number_of_messages.unwrap_or(1);
    let hidden = request.visibility_timeout.unwrap_or_else(|| queue.number("VisibilityTimeout"));
    let oldest = now - queue.number("MessageRetentionPeriod") * 1000;
    let redrive = queue.redrive();
    let dead_letters = match &redrive {
        Some(redrive) => queues::named(connection, &redrive.queue)?,
        None => None,
    };
    let mut messages = Vec::new();
    for _ in 0..LOOKS {
        if i64::try_from(messages.len()).unwrap_or(i64::MAX) >= wanted {
            break;
        }
        let Some(due) = next(connection, queue, now)? else { break };
        if due.sent_at < oldest {
            connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([due.id])?;
            continue;
        }
        if let (Some(redrive), Some(target)) = (&redrive, &dead_letters)
            && due.receives >= redrive.after
        {
            bury(connection, queue, target, due.id, now)?;
            continue;
        }
        messages.push(take(connection, queue, request, due, now, now + hidden * 1000)?);
        if hidden == 0 {
            // Visible again at once: the next look would find the same message.
            break;
        }
    }
    Ok(messages)
}

/// Whether anything is due, found without writing.
pub(super) fn any_due(connection: &Connection, queue: &Queue, now: i64) -> Result<bool, Refusal> {
    let sql = "SELECT EXISTS (SELECT 1 FROM messages WHERE queue = ?1 AND visible_at <= ?2)";
    Ok(connection.prepare_cached(sql)?.query_row(params![queue.id, now], |row| row.get(0))?)
}

/// Deletes a message; one that is gone, or was received again since, is no error (AWS: the same).
pub(super) fn delete(connection: &Connection, queue: &Queue, delete: &Delete) -> Result<Value, Refusal> {
    let receipt = Receipt::parse(&delete.receipt_handle, queue)?;
    connection
        .prepare_cached("DELETE FROM messages WHERE id = ?1 AND queue = ?2 AND receives = ?3")?
        .execute(params![receipt.message, queue.id, receipt.receive])?;
    Ok(json!({}))
}

/// Sets how long from now a received message stays hidden.
pub(super) fn change_visibility(
    connection: &Connection,
    queue: &Queue,
    change: &ChangeVisibility,
    now: i64,
) -> Result<Value, Refusal> {
    let receipt = Receipt::parse(&change.receipt_handle, queue)?;
    let Some(hidden) = change.visibility_timeout.filter(|hidden| (0..=MAX_VISIBILITY).contains(hidden)) else {
        return Err(Refusal::invalid(format!("VisibilityTimeout must be between 0 and {MAX_VISIBILITY} seconds.")));
    };
    let mut statement =
        connection.prepare_cached("SELECT visible_at FROM messages WHERE id = ?1 AND queue = ?2 AND receives = ?3")?;
    let found = statement.query_row(params![receipt.message, queue.id, receipt.receive], |row| row.get::<_, i64>(0));
    match found.optional()? {
        None => Err(Refusal::invalid(
            "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.",
        )),
        Some(until) if until <= now => {
            Err(Refusal::new("MessageNotInflight", "The specified message isn't in flight."))
        }
        Some(_) => {
            connection
                .prepare_cached("UPDATE messages SET visible_at = ?2 WHERE id = ?1")?
                .execute(params![receipt.message, now + hidden * 1000])?;
            Ok(json!({}))
        }
    }
}

/// A message that may be taken.
struct Due {
    id: i64,
    body: String,
    sent_at: i64,
    first_received_at: Option<i64>,
    receives: i64,
    died_in: Option<i64>,
}

fn next(connection: &Connection, queue: &Queue, now: i64) -> Result<Option<Due>, Refusal> {
    let mut statement = connection.prepare_cached(NEXT)?;
    let due = statement.query_row(params![queue.id, now], |row| {
        Ok(Due {
            id: row.get(0)?,
            body: row.get(1)?,
            sent_at: row.get(2)?,
            first_received_at: row.get(3)?,
            receives: row.get(4)?,
            died_in: row.get(5)?,
        })
    });
    Ok(due.optional()?)
}

/// The message due the longest.
pub(super) const NEXT: &str = "SELECT id, body, sent_at, first_received_at, receives, died_in FROM messages \
     WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, id LIMIT 1";

fn take(
    connection: &Connection,
    queue: &Queue,
    request: &Receive,
    due: Due,
    now: i64,
    visible_at: i64,
) -> Result<Received, Refusal> {
    let receives = due.receives + 1;
    connection
        .prepare_cached(
            "UPDATE messages SET visible_at = ?2, receives = ?3, first_received_at = coalesce(first_received_at, ?4)
             WHERE id = ?1",
        )?
        .execute(params![due.id, visible_at, receives, now])?;
    let mut attributes = BTreeMap::from([
        ("SenderId", "local".to_owned()),
        ("SentTimestamp", due.sent_at.to_string()),
        ("ApproximateReceiveCount", receives.to_string()),
        ("ApproximateFirstReceiveTimestamp", due.first_received_at.unwrap_or(now).to_string()),
    ]);
    if let Some(origin) = due.died_in
        && let Some(arn) = queues::arn(connection, origin)?
    {
        attributes.insert("DeadLetterQueueSourceArn", arn);
    }
    let names = [&request.attribute_names, &request.message_system_attribute_names];
    attributes.retain(|name, _| names.iter().any(|names| names.iter().any(|wanted| wanted == "All" || wanted == name)));
    Ok(Received {
        message_id: message_id(due.id),
        receipt_handle: Receipt { queue: queue.id, message: due.id, receive: receives }.handle(),
        md5_of_body: md5(&due.body),
        body: due.body,
        attributes,
    })
}

fn bury(connection: &Connection, queue: &Queue, target: &Queue, message: i64, now: i64) -> Result<(), Refusal> {
    connection
        .prepare_cached(
            "UPDATE messages SET queue = ?2, visible_at = ?3, receives = 0, first_received_at = NULL, died_in = ?4
             WHERE id = ?1",
        )?
        .execute(params![message, target.id, now, queue.id])?;
    Ok(())
}

/// Which receive of which message a handle stands for.
struct Receipt {
    queue: i64,
    message: i64,
    receive: i64,
}

impl Receipt {
    fn handle(&self) -> String {
        format!("{}.{}.{}", self.queue, self.message, self.receive)
    }

    fn parse(handle: &str, queue: &Queue) -> Result<Self, Refusal> {
        let mut parts = handle.split('.').map(|part| part.parse::<i64>().ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten(), parts.next()) {
            (Some(of), Some(message), Some(receive), None) if of == queue.id => {
                Ok(Self { queue: of, message, receive })
            }
            _ => Err(Refusal::receipt(handle)),
        }
    }
}

/// A UUID by its looks, and as unique as the row in its file.
fn message_id(row: i64) -> String {
    format!("00000000-0000-4000-8000-{row:012x}")
}

fn md5(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// The characters of XML 1.0, which SQS allows (`SendMessage` in the API reference).
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..='\u{10FFFF}')
}
