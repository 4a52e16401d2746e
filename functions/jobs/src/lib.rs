//! Handlers woken by a queue, the stream or a timer. Each may run twice, or at two places at once.

mod bulk;
mod campaign;
mod consent;
mod contact;
pub mod count;
pub mod deliver_webhook;
mod erase;
mod export;
mod import;
mod low_balance;
mod pieces;
pub mod relay;
pub mod sweep;
pub mod work;

use std::time::Duration;

/// What is to become of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Done: delete it.
    Done,
    /// Try again after this.
    RetryAfter(Duration),
    /// It can never be done: put it aside for a person, with a stable code.
    Park(&'static str),
}
