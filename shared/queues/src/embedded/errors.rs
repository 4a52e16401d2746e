//! SQS's refusals: their names, in the JSON protocol and in the old query protocol, and their status.

use serde_json::json;

/// A refusal of one call or of one entry of a batch.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The name in the JSON protocol.
    pub(super) code: &'static str,
    /// What the caller should know.
    pub(super) message: String,
    /// Whether the caller is to blame.
    pub(super) sender: bool,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), sender: true }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(super) fn no_queue() -> Self {
        Self::new("QueueDoesNotExist", "The specified queue does not exist.")
    }

    pub(super) fn receipt(handle: &str) -> Self {
        Self::new(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )
    }

    /// The engine's own failure, which the SDK repeats.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self { code: "InternalFailure", message: message.into(), sender: false }
    }

    pub(super) fn status(&self) -> u16 {
        if self.sender { 400 } else { 500 }
    }

    pub(super) fn body(&self) -> String {
        json!({ "__type": format!("com.amazonaws.sqs#{}", self.code), "message": self.message }).to_string()
    }

    /// The header `x-amzn-query-error`: the name in the query protocol, which SDKs report as the code.
    pub(super) fn query_error(&self) -> String {
        let fault = if self.sender { "Sender" } else { "Receiver" };
        match self.code {
            "QueueDoesNotExist" => format!("AWS.SimpleQueueService.NonExistentQueue;{fault}"),
            "QueueNameExists" => format!("QueueAlreadyExists;{fault}"),
            code @ ("TooManyEntriesInBatchRequest"
            | "BatchRequestTooLong"
            | "EmptyBatchRequest"
            | "BatchEntryIdsNotDistinct"
            | "MessageNotInflight") => format!("AWS.SimpleQueueService.{code};{fault}"),
            code => format!("{code};{fault}"),
        }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "the queue file failed");
        Self::internal(error.to_string())
    }
}
