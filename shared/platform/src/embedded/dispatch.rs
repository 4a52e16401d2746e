//! Which of the engine's actions answers which DynamoDB operation, and on which connection it may run.

use dynoxide::actions::vector_lifecycle::VectorIndexLifecycle;
use dynoxide::actions::{self};
use dynoxide::storage::Storage;
use dynoxide::{DynoxideError, Result};
use pollster::block_on;

/// What an operation does to the file, which decides the connection it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One statement: any connection.
    Read,
    /// Several statements that must see one state: any connection, in a read transaction.
    Snapshot,
    /// Changes items: the writing connection.
    Write,
    /// Changes what tables are: the writing connection, and readers must forget what they know.
    Define,
}

/// The kind of an operation; one that is not supported counts as a read, which then refuses it.
pub(super) fn kind(operation: &str) -> Kind {
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => Kind::Write,
        "CreateTable" | "DeleteTable" | "UpdateTable" | "UpdateTimeToLive" | "TagResource" | "UntagResource" => {
            Kind::Define
        }
        "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" | "DescribeTable" => Kind::Snapshot,
        _ => Kind::Read,
    }
}

/// Runs one operation on a connection: JSON in, JSON out. Blocks on SQLite.
pub(super) fn run(storage: &Storage, operation: &str, body: &[u8]) -> Result<String> {
    macro_rules! act {
        ($action:ident) => {
            encode(&block_on(actions::$action::execute(storage, decode(body)?))?)
        };
        ($action:ident, lifecycle) => {
            encode(&block_on(actions::$action::execute(storage, decode(body)?, &VectorIndexLifecycle::new()))?)
        };
    }
    match operation {
        "BatchGetItem" => act!(batch_get_item),
        "BatchWriteItem" => act!(batch_write_item),
        "CreateTable" => act!(create_table),
        "DeleteItem" => act!(delete_item),
        "DeleteTable" => act!(delete_table, lifecycle),
        "DescribeTable" => act!(describe_table, lifecycle),
        "DescribeTimeToLive" => act!(describe_time_to_live),
        "GetItem" => act!(get_item),
        "ListTables" => act!(list_tables),
        "ListTagsOfResource" => act!(list_tags_of_resource),
        "PutItem" => act!(put_item),
        "Query" => act!(query),
        "Scan" => act!(scan),
        "TagResource" => act!(tag_resource),
        "TransactGetItems" => act!(transact_get_items),
        "TransactWriteItems" => act!(transact_write_items),
        "UntagResource" => act!(untag_resource),
        "UpdateItem" => act!(update_item),
        "UpdateTable" => act!(update_table, lifecycle),
        "UpdateTimeToLive" => act!(update_time_to_live),
        unknown => Err(DynoxideError::ValidationException(format!("The operation {unknown} is not supported here"))),
    }
}

fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| DynoxideError::ValidationException(error.to_string()))
}

fn encode<T: serde::Serialize>(answer: &T) -> Result<String> {
    serde_json::to_string(answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}
