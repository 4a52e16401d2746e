//! What SQS's JSON protocol asks, as far as this engine answers it. Unknown fields are passed over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `CreateQueue`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// `GetQueueUrl`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    pub(super) queue_name: String,
}

/// `ListQueues`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    #[serde(default)]
    pub(super) queue_name_prefix: String,
}

/// `PurgeQueue`, `DeleteQueue`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OneQueue {
    pub(super) queue_url: String,
}

/// `GetQueueAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

/// `SetQueueAttributes`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetAttributes {
    pub(super) queue_url: String,
    pub(super) attributes: BTreeMap<String, String>,
}

/// `SendMessage`, and an entry of its batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Send {
    #[serde(default)]
    pub(super) id: String,
    pub(super) message_body: String,
    pub(super) delay_seconds: Option<i64>,
}

/// `DeleteMessage`, and an entry of its batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete {
    #[serde(default)]
    pub(super) id: String,
    pub(super) receipt_handle: String,
}

/// `ChangeMessageVisibility`, and an entry of its batch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    #[serde(default)]
    pub(super) id: String,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: Option<i64>,
}

/// A call about one message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct One<T> {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) entry: T,
}

/// A call about up to ten messages.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<T> {
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<T>,
}

/// An entry of a batch: it has a name of the caller's.
pub(super) trait Entry {
    fn id(&self) -> &str;
    /// What counts towards the batch's size.
    fn size(&self) -> usize {
        0
    }
}

impl Entry for Send {
    fn id(&self) -> &str {
        &self.id
    }
    fn size(&self) -> usize {
        self.message_body.len()
    }
}

impl Entry for Delete {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Entry for ChangeVisibility {
    fn id(&self) -> &str {
        &self.id
    }
}

/// `ReceiveMessage`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Receive {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
}

/// One received message.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received {
    pub(super) message_id: String,
    pub(super) receipt_handle: String,
    pub(super) body: String,
    #[serde(rename = "MD5OfBody")]
    pub(super) md5_of_body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) attributes: BTreeMap<&'static str, String>,
}
