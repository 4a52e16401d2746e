//! What is to go wrong, and when: the part of the faults that a test writes.

use std::ops::RangeInclusive;
use std::time::Duration;

use aws_smithy_runtime_api::client::result::ConnectorError;
use serde_json::json;

use super::Call;

/// What goes wrong. The default plan is the good day: nothing does.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    /// For how long from a transaction's start its items are in conflict with others; AWS: some 5 to 10 ms. `None`:
    /// never.
    pub conflict_window: Option<RangeInclusive<Duration>>,
    /// The key attributes of all tables, for telling items apart. Attributes that an item lacks do not matter.
    pub keys: Vec<String>,
    /// Refusals because of too much load; the first that fits counts.
    pub throttles: Vec<Throttle>,
    /// Calls that never come back; the first that fits counts.
    pub losses: Vec<Loss>,
    /// How much longer each call takes.
    pub latency: RangeInclusive<Duration>,
}

impl Default for FaultPlan {
    fn default() -> Self {
        Self {
            conflict_window: None,
            keys: vec!["pk".to_owned(), "sk".to_owned()],
            throttles: Vec::new(),
            losses: Vec::new(),
            latency: Duration::ZERO..=Duration::ZERO,
        }
    }
}

impl FaultPlan {
    /// Transactions conflict as on AWS, and nothing else is wrong.
    pub fn conflicting() -> Self {
        let window = Duration::from_millis(5)..=Duration::from_millis(10);
        Self { conflict_window: Some(window), ..Self::default() }
    }

    pub(super) fn throttled(&mut self, call: &Call, dice: &mut fastrand::Rng) -> Option<ThrottleError> {
        let hit = self.throttles.iter_mut().find_map(|rule| rule.calls.meets(call, dice).then_some(rule.error));
        self.throttles.retain(|rule| !rule.calls.spent());
        hit
    }

    pub(super) fn lost(&mut self, call: &Call, dice: &mut fastrand::Rng) -> Option<Loss> {
        let hit = self.losses.iter_mut().find_map(|rule| rule.calls.meets(call, dice).then(|| rule.clone()));
        self.losses.retain(|rule| !rule.calls.spent());
        hit
    }
}

/// Which calls a rule is about. The SDK tries throttled and lost calls again: each try is a call.
#[derive(Debug, Clone)]
pub struct Calls {
    /// The operation, as `PutItem`; `None`: all.
    pub operation: Option<String>,
    /// A piece of the request's JSON, as a key's value; `None`: all.
    pub containing: Option<String>,
    /// How many of those.
    pub when: When,
}

/// How many of the calls that a rule is about it hits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Each with this probability, from 0 to 1.
    Chance(f64),
    /// The next so many, then the rule is gone.
    Next(u32),
}

impl Calls {
    /// The next so many calls of an operation.
    pub fn next(operation: &str, count: u32) -> Self {
        Self { operation: Some(operation.to_owned()), containing: None, when: When::Next(count) }
    }

    /// Calls of all operations, each with a probability.
    pub fn any(probability: f64) -> Self {
        Self { operation: None, containing: None, when: When::Chance(probability) }
    }

    fn meets(&mut self, call: &Call, dice: &mut fastrand::Rng) -> bool {
        let about = self.operation.as_ref().is_none_or(|operation| *operation == call.operation)
            && self.containing.as_ref().is_none_or(|piece| call.body.to_string().contains(piece));
        about
            && match &mut self.when {
                When::Chance(probability) => dice.f64() < *probability,
                When::Next(0) => false,
                When::Next(left) => {
                    *left -= 1;
                    true
                }
            }
    }

    fn spent(&self) -> bool {
        self.when == When::Next(0)
    }
}

/// Calls that are refused because of too much load, before anything happens.
#[derive(Debug, Clone)]
pub struct Throttle {
    /// Which.
    pub calls: Calls,
    /// With what.
    pub error: ThrottleError,
}

/// The three ways DynamoDB says "too much".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThrottleError {
    /// A partition or table is at its limit.
    ProvisionedThroughputExceeded,
    /// The account is at its limit.
    RequestLimitExceeded,
    /// The control plane, or an on-demand table that grows.
    Throttling,
}

impl ThrottleError {
    pub(super) fn body(self) -> String {
        let name = match self {
            Self::ProvisionedThroughputExceeded => "dynamodb.v20120810#ProvisionedThroughputExceededException",
            Self::RequestLimitExceeded => "dynamodb.v20120810#RequestLimitExceeded",
            Self::Throttling => "coral.availability#ThrottlingException",
        };
        json!({ "__type": format!("com.amazonaws.{name}"), "message": "Rate of requests exceeds the allowed throughput." })
            .to_string()
    }
}

/// Calls whose caller learns nothing.
#[derive(Debug, Clone)]
pub struct Loss {
    /// Which.
    pub calls: Calls,
    /// Whether the call is carried out all the same: the answer is lost, or else the question.
    pub executed: bool,
    /// What the caller sees.
    pub error: LostAs,
}

/// How a lost call looks. The SDK tries both again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostAs {
    /// A broken connection.
    Io,
    /// No answer in time.
    Timeout,
}

impl LostAs {
    pub(super) fn error(self) -> ConnectorError {
        match self {
            Self::Io => ConnectorError::io("the connection broke (injected)".into()),
            Self::Timeout => ConnectorError::timeout("no answer in time (injected)".into()),
        }
    }
}
