//! The write units AWS would bill: read off the answers, for which every write is made to ask.
//!
//! The engine's own figures are taken (checked against AWS by its conformance suite: 1 KB steps, doubled in
//! transactions for the table and not for indexes, deletes by what they delete). Answers to refused writes carry
//! none, yet AWS bills those too, by the size of the item that is there; here they count with the least AWS bills:
//! one unit, two in a transaction.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Call;

/// Units per table.
#[derive(Debug, Default)]
pub(super) struct Meter {
    units: BTreeMap<String, f64>,
}

impl Meter {
    pub(super) fn units(&self) -> BTreeMap<String, f64> {
        self.units.clone()
    }

    /// Counts an answered call.
    pub(super) fn answered(&mut self, call: &Call, answer: &[u8]) {
        if !writes(&call.operation) {
            return;
        }
        let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return };
        match answer.get("ConsumedCapacity") {
            Some(Value::Array(tables)) => tables.iter().for_each(|table| self.add(table)),
            Some(table) => self.add(table),
            None => self.refused_as(call, answer.get("__type").and_then(Value::as_str).unwrap_or_default()),
        }
    }

    /// Counts a call refused before it reached the engine.
    pub(super) fn refused(&mut self, call: &Call, answer: &str) {
        self.answered(call, answer.as_bytes());
    }

    fn add(&mut self, table: &Value) {
        let Some(name) = table.get("TableName").and_then(Value::as_str) else { return };
        // A transaction repeated under its token is billed as reads: it names write units apart, and has none.
        let units = table.get("WriteCapacityUnits").or_else(|| table.get("CapacityUnits")).and_then(Value::as_f64);
        *self.units.entry(name.to_owned()).or_default() += units.unwrap_or_default();
    }

    fn refused_as(&mut self, call: &Call, error: &str) {
        if error.ends_with("#TransactionCanceledException") && call.operation == "TransactWriteItems" {
            for (_, action) in call.actions() {
                let table = action.get("TableName").and_then(Value::as_str).unwrap_or_default();
                *self.units.entry(table.to_owned()).or_default() += 2.0;
            }
        } else if error.ends_with("#ConditionalCheckFailedException") {
            *self.units.entry(call.text("TableName").to_owned()).or_default() += 1.0;
        }
    }
}

/// Makes a write ask for what it consumed; whether the request was changed.
pub(super) fn ask(call: &mut Call) -> bool {
    if !writes(&call.operation) || matches!(call.text("ReturnConsumedCapacity"), "TOTAL" | "INDEXES") {
        return false;
    }
    let Some(body) = call.body.as_object_mut() else { return false };
    body.insert("ReturnConsumedCapacity".to_owned(), json!("INDEXES"));
    true
}

fn writes(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems")
}
