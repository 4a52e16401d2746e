//! Transactions in conflict. AWS refuses a transaction, or a plain write, that meets an item of a transaction still
//! under way; embedded engines and emulators do one thing after another, so they never do.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Call;

/// Beyond so many open windows the past ones are swept out.
const SWEEP_ABOVE: usize = 1_024;

/// The items of transactions under way.
#[derive(Debug, Default)]
pub(super) struct Conflicts {
    windows: HashMap<ItemName, Window>,
}

/// Table and key, in canonical JSON.
type ItemName = (String, String);

#[derive(Debug)]
struct Window {
    until: Instant,
    /// A transaction does not conflict with its own second try.
    token: String,
}

impl Conflicts {
    /// The refusal a call gets, if it meets another transaction's items. A transaction that meets none opens windows
    /// on its own.
    pub(super) fn meet(&mut self, call: &Call, keys: &[String], now: Instant, window: Duration) -> Option<String> {
        match call.operation.as_str() {
            "TransactWriteItems" | "TransactGetItems" => {
                let token = call.text("ClientRequestToken").to_owned();
                let names: Vec<_> = call.actions().map(|(_, action)| name(action, keys)).collect();
                let met: Vec<bool> = names.iter().map(|name| self.open(name, &token, now)).collect();
                if met.contains(&true) {
                    return Some(cancelled(&met));
                }
                if call.operation == "TransactWriteItems" {
                    self.start(names, &token, now, now + window);
                }
                None
            }
            "PutItem" | "UpdateItem" | "DeleteItem" => self.open(&name(&call.body, keys), "", now).then(conflict),
            _ => None,
        }
    }

    fn open(&self, name: &ItemName, token: &str, now: Instant) -> bool {
        self.windows.get(name).is_some_and(|window| window.until > now && (token.is_empty() || window.token != token))
    }

    fn start(&mut self, names: Vec<ItemName>, token: &str, now: Instant, until: Instant) {
        if self.windows.len() > SWEEP_ABOVE {
            self.windows.retain(|_, window| window.until > now);
        }
        for name in names {
            self.windows.insert(name, Window { until, token: token.to_owned() });
        }
    }
}

/// Which item an action is about: its `Key`, or the key attributes of its `Item`.
fn name(action: &Value, keys: &[String]) -> ItemName {
    let table = action.get("TableName").and_then(Value::as_str).unwrap_or_default();
    let attributes = action.get("Key").or_else(|| action.get("Item"));
    let key: BTreeMap<_, _> = keys.iter().filter_map(|key| Some((key, attributes?.get(key)?.to_string()))).collect();
    (table.to_owned(), format!("{key:?}"))
}

fn cancelled(met: &[bool]) -> String {
    let codes: Vec<_> = met.iter().map(|met| if *met { "TransactionConflict" } else { "None" }).collect();
    let reasons: Vec<_> = codes
        .iter()
        .zip(met)
        .map(|(code, met)| match met {
            true => json!({ "Code": code, "Message": "Transaction is ongoing for the item" }),
            false => json!({ "Code": code }),
        })
        .collect();
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": format!(
            "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", ")
        ),
        "CancellationReasons": reasons,
    })
    .to_string()
}

fn conflict() -> String {
    json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionConflictException",
        "message": "Transaction is ongoing for the item",
    })
    .to_string()
}
