//! The engine: one connection to the file, who may use it when, and who is woken by what was sent.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::EngineError;
use super::errors::Refusal;
use super::queues::{self, MAX_BYTES, MAX_VISIBILITY, MAX_WAIT, Queue};
use super::requests::{
    Batch, ChangeVisibility, CreateQueue, Delete, Entry, GetAttributes, GetQueueUrl, ListQueues, One, OneQueue,
    Receive, Received, Send as SendMessage, SetAttributes,
};
use super::{messages, schema};

/// The time in milliseconds since 1970. The engine asks it for everything but the waiting of a long poll.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How often a waiting receive looks for what other processes sent, and for what became due.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// SQS on one SQLite file. Cheap to clone; the clones share the connection. Needs a Tokio runtime.
#[derive(Clone)]
pub struct QueueEngine {
    /// Tokio's lock hands over in order of arrival, and nobody blocks a thread while waiting for it.
    connection: Arc<tokio::sync::Mutex<Connection>>,
    now: Now,
    /// One per queue that anybody waited at or sent to.
    bells: Arc<Mutex<HashMap<String, watch::Sender<()>>>>,
}

impl std::fmt::Debug for QueueEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueueEngine").finish_non_exhaustive()
    }
}

impl QueueEngine {
    /// Opens or creates a queue file. Several processes may open one file.
    pub fn open(path: &Path, now: Now) -> Result<Self, EngineError> {
        Self::start(Connection::open(path).map_err(EngineError::Open)?, now)
    }

    /// Queues that live as long as this engine and its clones.
    pub fn in_memory(now: Now) -> Result<Self, EngineError> {
        Self::start(Connection::open_in_memory().map_err(EngineError::Open)?, now)
    }

    fn start(mut connection: Connection, now: Now) -> Result<Self, EngineError> {
        schema::prepare(&mut connection)?;
        Ok(Self { connection: Arc::new(tokio::sync::Mutex::new(connection)), now, bells: Arc::default() })
    }

    /// The connector to build SDK clients with.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// One request of SQS's JSON protocol: `target` is the header `x-amz-target` or the bare operation. Returns
    /// status, body, and for a refusal the header `x-amzn-query-error`. Dropping the future does not stop a call that
    /// has begun: messages may have been taken, and appear again after their visibility time-out.
    pub async fn call(&self, target: &str, body: &[u8]) -> (u16, String, Option<String>) {
        let operation = target.rsplit('.').next().unwrap_or_default();
        let result = match operation {
            "ReceiveMessage" => self.receive(body).await,
            _ => self.transact(operation, body).await,
        };
        match result {
            Ok(answer) => (200, answer.to_string(), None),
            Err(refusal) => (refusal.status(), refusal.body(), Some(refusal.query_error())),
        }
    }

    async fn transact(&self, operation: &str, body: &[u8]) -> Result<Value, Refusal> {
        let (name, request, now) = (operation.to_owned(), body.to_vec(), (self.now)());
        let answer = self.locked(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let answer = run(&transaction, &name, &request, now)?;
            transaction.commit()?;
            Ok(answer)
        });
        let Answer { value, queue } = answer.await?;
        if let Some(queue) = queue
            && !operation.starts_with("Delete")
        {
            self.bell(&queue).send_replace(());
        }
        Ok(value)
    }

    async fn receive(&self, body: &[u8]) -> Result<Value, Refusal> {
        let request: Receive = decode(body)?;
        let name = request.queue_url.rsplit('/').next().unwrap_or_default().to_owned();
        let queue = self.locked(move |connection| queues::named(connection, &name)).await?;
        let queue = Arc::new(queue.ok_or_else(Refusal::no_queue)?);
        let wait = request.wait_time_seconds.unwrap_or_else(|| queue.number("ReceiveMessageWaitTimeSeconds"));
        check(&request, wait)?;
        let mut bell = self.bell(&queue.name).subscribe();
        let deadline = tokio::time::sleep(Duration::from_secs(wait.unsigned_abs()));
        tokio::pin!(deadline);
        loop {
            bell.mark_unchanged();
            let messages = self.take(&queue, &request).await?;
            if !messages.is_empty() || wait == 0 {
                return Ok(json!({ "Messages": messages }));
            }
            tokio::select! {
                () = &mut deadline => return Ok(json!({})),
                _ = bell.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn take(&self, queue: &Arc<Queue>, request: &Receive) -> Result<Vec<Received>, Refusal> {
        let (queue, request, now) = (queue.clone(), request.clone(), (self.now)());
        self.locked(move |connection| {
            if !messages::any_due(connection, &queue, now)? {
                return Ok(Vec::new());
            }
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let messages = messages::receive(&transaction, &queue, &request, now)?;
            transaction.commit()?;
            Ok(messages)
        })
        .await
    }

    async fn locked<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let mut connection = self.connection.clone().lock_owned().await;
        let done = tokio::task::spawn_blocking(move || work(&mut connection)).await;
        done.unwrap_or_else(|_| Err(Refusal::internal("the work was lost")))
    }

    fn bell(&self, queue: &str) -> watch::Sender<()> {
        let mut bells: MutexGuard<'_, HashMap<_, _>> = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(queue.to_owned()).or_insert_with(|| watch::Sender::new(())).clone()
    }
}

/// What a call answers, and the queue whose messages it was about.
struct Answer {
    value: Value,
    queue: Option<String>,
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self { value, queue: None }
    }
}

/// Every operation but `ReceiveMessage`, inside a write transaction.
fn run(connection: &Transaction<'_>, operation: &str, body: &[u8], now: i64) -> Result<Answer, Refusal> {
    match operation {
        "SendMessage" => one(connection, body, |queue, send| messages::send(connection, queue, send, now)),
        "DeleteMessage" => one(connection, body, |queue, delete| messages::delete(connection, queue, delete)),
        "ChangeMessageVisibility" => one(connection, body, |queue, change: &ChangeVisibility| {
            messages::change_visibility(connection, queue, change, now)
        }),
        "SendMessageBatch" => {
            batch(connection, body, |queue, send: &SendMessage| messages::send(connection, queue, send, now))
        }
        "DeleteMessageBatch" => {
            batch(connection, body, |queue, delete: &Delete| messages::delete(connection, queue, delete))
        }
        "ChangeMessageVisibilityBatch" => batch(connection, body, |queue, change: &ChangeVisibility| {
            messages::change_visibility(connection, queue, change, now)
        }),
        "CreateQueue" => Ok(queues::create(connection, &decode::<CreateQueue>(body)?, now)?.into()),
        "GetQueueUrl" => {
            let request: GetQueueUrl = decode(body)?;
            Ok(queues::url(&queues::find(connection, &request.queue_name)?.name).into())
        }
        "ListQueues" => Ok(queues::list(connection, &decode::<ListQueues>(body)?.queue_name_prefix)?.into()),
        "GetQueueAttributes" => {
            let request: GetAttributes = decode(body)?;
            let queue = queues::find(connection, &request.queue_url)?;
            Ok(queues::describe(connection, &queue, &request, now)?.into())
        }
        "SetQueueAttributes" => {
            let request: SetAttributes = decode(body)?;
            let queue = queues::find(connection, &request.queue_url)?;
            Ok(queues::set(connection, queue, request.attributes, now)?.into())
        }
        "PurgeQueue" => {
            let queue = queues::find(connection, &decode::<OneQueue>(body)?.queue_url)?;
            Ok(queues::purge(connection, &queue)?.into())
        }
        "DeleteQueue" => {
            let queue = queues::find(connection, &decode::<OneQueue>(body)?.queue_url)?;
            Ok(queues::delete(connection, &queue)?.into())
        }
        unknown => {
            let message = format!("The action {unknown} is not valid for this endpoint.");
            Err(Refusal::new("InvalidAction", message))
        }
    }
}

fn one<T: DeserializeOwned>(
    connection: &Transaction<'_>,
    body: &[u8],
    act: impl Fn(&Queue, &T) -> Result<Value, Refusal>,
) -> Result<Answer, Refusal> {
    let request: One<T> = decode(body)?;
    let queue = queues::find(connection, &request.queue_url)?;
    let value = act(&queue, &request.entry)?;
    Ok(Answer { value, queue: Some(queue.name) })
}

fn batch<T: DeserializeOwned + Entry>(
    connection: &Transaction<'_>,
    body: &[u8],
    act: impl Fn(&Queue, &T) -> Result<Value, Refusal>,
) -> Result<Answer, Refusal> {
    let request: Batch<T> = decode(body)?;
    let queue = queues::find(connection, &request.queue_url)?;
    check_batch(&request.entries)?;
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in &request.entries {
        match act(&queue, entry) {
            Ok(mut value) => {
                value["Id"] = json!(entry.id());
                successful.push(value);
            }
            Err(refusal) if !refusal.sender => return Err(refusal),
            Err(Refusal { code, message, sender }) => {
                failed.push(json!({ "Id": entry.id(), "SenderFault": sender, "Code": code, "Message": message }));
            }
        }
    }
    Ok(Answer { value: json!({ "Successful": successful, "Failed": failed }), queue: Some(queue.name) })
}

fn check_batch<T: Entry>(entries: &[T]) -> Result<(), Refusal> {
    let count = entries.len();
    if count == 0 {
        return Err(Refusal::new("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if count > 10 {
        let message = format!("Maximum number of entries per request are 10. You have sent {count}.");
        return Err(Refusal::new("TooManyEntriesInBatchRequest", message));
    }
    if entries.iter().map(Entry::id).collect::<HashSet<_>>().len() < count {
        return Err(Refusal::new("BatchEntryIdsNotDistinct", "Two or more batch entries have the same Id."));
    }
    let bytes = entries.iter().map(Entry::size).sum::<usize>();
    if i64::try_from(bytes).unwrap_or(i64::MAX) > MAX_BYTES {
        let message = format!("Batch requests cannot be longer than {MAX_BYTES} bytes. You have sent {bytes} bytes.");
        return Err(Refusal::new("BatchRequestTooLong", message));
    }
    Ok(())
}

fn check(request: &Receive, wait: i64) -> Result<(), Refusal> {
    let within = |name: &str, value: i64, least: i64, most: i64| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Refusal::invalid(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
        )))
    };
    within("MaxNumberOfMessages", request.max_number_of_messages.unwrap_or(1), 1, 10)?;
    within("WaitTimeSeconds", wait, 0, MAX_WAIT)?;
    within("VisibilityTimeout", request.visibility_timeout.unwrap_or(0), 0, MAX_VISIBILITY)
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}
