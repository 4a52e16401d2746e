//! Several writes, all or none. Parameters and token stay the same over every try, so that no try applies twice.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};
use hantar_usecases::ports::PortError;

use crate::errors::{Failure, failure, is_throttle, throttled};
use crate::items::Item;
use crate::store::Store;
use crate::writing::{PAUSES, Write};

/// How many actions DynamoDB takes in one transaction.
pub(crate) const MAX_ACTIONS: usize = 100;
/// How often a transaction whose answer was lost is tried again, after the SDK's own tries.
const LOST_TRIES: usize = 2;

/// A transaction, ready to be sent as often as it takes.
pub(crate) struct Transaction {
    token: String,
    actions: Vec<TransactWriteItem>,
}

/// What became of a transaction.
#[derive(Debug)]
pub(crate) enum Committed {
    /// All writes happened.
    Done,
    /// None did; for each one, in order, whether its own condition failed.
    Refused(Vec<Refusal>),
}

/// What one write had to do with a refusal.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Nothing.
    None,
    /// Its condition failed; the item as it is.
    Condition(Option<Item>),
}

impl Transaction {
    /// `token` names it: at most 36 characters, and never the name of another one.
    pub(crate) fn new(
        store: &Store,
        token: String,
        writes: impl IntoIterator<Item = Write>,
    ) -> Result<Self, PortError> {
        let actions = writes.into_iter().map(|write| write.in_transaction(store)).collect::<Result<_, _>>()?;
        Ok(Self { token, actions })
    }
}

impl Store {
    /// Carries a transaction out, or learns that a condition failed. Under a token that DynamoDB has forgotten (after
    /// ten minutes) "refused" may be the answer to the second try of a transaction that happened.
    pub(crate) async fn transact(&self, transaction: &Transaction) -> Result<Committed, PortError> {
        let (mut pauses, mut lost) = (PAUSES.iter(), 0);
        loop {
            match self.try_transact(transaction).await {
                Ok(committed) => return Ok(committed),
                Err(Failure::Conflict) => match pauses.next() {
                    Some(pause) => self.pause(*pause).await,
                    None => return Err(PortError::Conflict),
                },
                Err(Failure::Lost(_)) if lost < LOST_TRIES => lost += 1,
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// One try.
    pub(crate) async fn try_transact(&self, transaction: &Transaction) -> Result<Committed, Failure> {
        let call = self
            .client()
            .transact_write_items()
            .client_request_token(&transaction.token)
            .set_transact_items(Some(transaction.actions.clone()));
        match call.send().await {
            Ok(_) => Ok(Committed::Done),
            Err(SdkError::ServiceError(error)) if error.err().is_transaction_canceled_exception() => {
                let TransactWriteItemsError::TransactionCanceledException(cancelled) = error.into_err() else {
                    return Err(Failure::Conflict);
                };
                judge(cancelled.cancellation_reasons.unwrap_or_default())
            }
            Err(error) => Err(failure(error)),
        }
    }
}

fn judge(reasons: Vec<CancellationReason>) -> Result<Committed, Failure> {
    let codes = || reasons.iter().filter_map(CancellationReason::code);
    if codes().any(is_throttle) {
        return Err(Failure::Port(throttled()));
    }
    if codes().any(|code| code == "TransactionConflict") {
        return Err(Failure::Conflict);
    }
    if let Some(code) = codes().find(|code| !matches!(*code, "None" | "ConditionalCheckFailed")) {
        let source = format!("the transaction was refused: {code}").into();
        return Err(Failure::Port(PortError::Unavailable { what: "table", source }));
    }
    let refusal = |reason: CancellationReason| match reason.code.as_deref() {
        Some("ConditionalCheckFailed") => Refusal::Condition(reason.item.filter(|item| !item.is_empty())),
        _ => Refusal::None,
    };
    Ok(Committed::Refused(reasons.into_iter().map(refusal).collect()))
}
