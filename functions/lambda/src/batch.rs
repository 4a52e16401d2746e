//! What is answered about a batch: which records are to be given again (`ReportBatchItemFailures`).

use serde::Serialize;

/// The answer to a batch, as Lambda's event source mappings read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BatchAnswer {
    #[serde(rename = "batchItemFailures")]
    failures: Vec<Failure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    item: String,
}

impl BatchAnswer {
    /// All records are done.
    pub fn done() -> Self {
        Self::default()
    }

    /// Of a stream: everything from this sequence number on is to be given again. An empty one is the whole batch.
    pub fn from(sequence: &str) -> Self {
        Self { failures: vec![Failure { item: sequence.to_owned() }] }
    }

    /// Of a queue: these messages are to be given again.
    pub fn failed(messages: impl IntoIterator<Item = String>) -> Self {
        Self { failures: messages.into_iter().map(|item| Failure { item }).collect() }
    }

    /// What is to be given again.
    pub fn items(&self) -> impl Iterator<Item = &str> {
        self.failures.iter().map(|failure| failure.item.as_str())
    }
}
