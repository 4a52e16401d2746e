//! Faults on demand: rules that make the network refuse, swallow, hold or delay, so that a client's handling of
//! a bad day can be tested.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::network::NetworkError;

const MAX_RULES: usize = 1_000;
const MAX_DELAY_MS: u64 = 600_000;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// A message is refused with this code in its ack and reaches nobody.
    Nack {
        /// Such as 463, 479 or 400.
        code: u16,
    },
    /// A message is swallowed: no ack, no delivery.
    Silence,
    /// A message is delivered, its ack waits for `release_acks`.
    HoldAck,
    /// A message is delivered, its ack comes later.
    DelayAck {
        /// By how many milliseconds (at most ten minutes).
        ms: u64,
    },
    /// No receipt about the sender's messages comes back.
    NoReceipts,
    /// A message is taken and delivered, then the sender's socket is cut instead of an ack.
    CloseAfterMessage,
    /// A log-in is answered with `<failure>`.
    LoginFailure {
        /// Such as 401, 403 or 405.
        reason: u16,
    },
    /// A new connection is refused before the upgrade (HTTP 503).
    RefuseConnections,
}

/// A rule: what goes wrong, for whom and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only for this account: the sender of the message, or who logs in (phone digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only for messages to this account (phone digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// How many times the rule still applies; without it, until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Fault {
    /// A rule for everybody, for ever.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, from: None, to: None, count: None }
    }
}

/// A rule in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActiveFault {
    /// Its number.
    pub id: u64,
    /// How often it applied so far.
    pub applied: u64,
    /// The rule; `count` is what is left of it.
    #[serde(flatten)]
    pub fault: Fault,
}

/// What the rules say about one message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) refusal: Option<u16>,
    pub(crate) silence: bool,
    pub(crate) hold_ack: bool,
    pub(crate) delay_ack: Option<Duration>,
    pub(crate) close: bool,
}

/// The rules in force, in the order they were added.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Vec<ActiveFault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> Result<u64, NetworkError> {
        if fault.count == Some(0) {
            return Err(NetworkError::invalid("count", "must be at least 1"));
        }
        if matches!(fault.kind, FaultKind::DelayAck { ms } if ms > MAX_DELAY_MS) {
            return Err(NetworkError::invalid("ms", "must be at most 600000"));
        }
        if self.rules.len() >= MAX_RULES {
            return Err(NetworkError::invalid("kind", "there are 1000 rules already"));
        }
        self.last_id += 1;
        self.rules.push(ActiveFault { id: self.last_id, applied: 0, fault });
        Ok(self.last_id)
    }

    pub(crate) fn list(&self) -> Vec<ActiveFault> {
        self.rules.clone()
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.id != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Judges a message; a refusal or silence ends the search, because nothing after it could show.
    pub(crate) fn judge_message(&mut self, from: &str, to: &str) -> Verdict {
        let mut verdict = Verdict::default();
        for rule in self.rules.iter_mut().filter(|rule| rule.covers(from, to)) {
            match rule.fault.kind {
                FaultKind::Nack { code } => verdict.refusal = Some(code),
                FaultKind::Silence => verdict.silence = true,
                FaultKind::HoldAck => verdict.hold_ack = true,
                FaultKind::DelayAck { ms } => verdict.delay_ack = Some(Duration::from_millis(ms)),
                FaultKind::CloseAfterMessage => verdict.close = true,
                FaultKind::NoReceipts | FaultKind::LoginFailure { .. } | FaultKind::RefuseConnections => continue,
            }
            rule.apply();
            if verdict.refusal.is_some() || verdict.silence {
                break;
            }
        }
        self.drop_spent();
        verdict
    }

    /// Whether a receipt for a message from `from` to `to` gets lost.
    pub(crate) fn swallows_receipt(&mut self, from: &str, to: &str) -> bool {
        self.first(|rule| rule.fault.kind == FaultKind::NoReceipts && rule.covers(from, to)).is_some()
    }

    /// The reason with which a log-in of this account fails.
    pub(crate) fn login_failure(&mut self, phone: &str) -> Option<u16> {
        let applies = |rule: &ActiveFault| {
            matches!(rule.fault.kind, FaultKind::LoginFailure { .. }) && concerns(rule.fault.from.as_deref(), phone)
        };
        match self.first(applies)? {
            FaultKind::LoginFailure { reason } => Some(reason),
            _ => None,
        }
    }

    /// Whether a new connection is refused.
    pub(crate) fn refuses_connection(&mut self) -> bool {
        self.first(|rule| rule.fault.kind == FaultKind::RefuseConnections).is_some()
    }

    fn first(&mut self, applies: impl Fn(&ActiveFault) -> bool) -> Option<FaultKind> {
        let rule = self.rules.iter_mut().find(|rule| applies(rule))?;
        rule.apply();
        let kind = rule.fault.kind.clone();
        self.drop_spent();
        Some(kind)
    }

    fn drop_spent(&mut self) {
        self.rules.retain(|rule| rule.fault.count != Some(0));
    }
}

impl ActiveFault {
    fn covers(&self, from: &str, to: &str) -> bool {
        concerns(self.fault.from.as_deref(), from) && concerns(self.fault.to.as_deref(), to)
    }

    fn apply(&mut self) {
        self.applied += 1;
        self.fault.count = self.fault.count.map(|left| left.saturating_sub(1));
    }
}

fn concerns(wanted: Option<&str>, phone: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == phone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_to(kind: FaultKind, to: &str, count: Option<u32>) -> Fault {
        Fault { kind, from: None, to: Some(to.into()), count }
    }

    #[test]
    fn a_rule_applies_as_often_as_it_counts_and_only_to_whom_it_names() {
        let mut faults = Faults::default();
        faults.add(only_to(FaultKind::Nack { code: 463 }, "601", Some(2))).unwrap();
        assert_eq!(faults.judge_message("609", "602"), Verdict::default());
        assert_eq!(faults.judge_message("609", "601").refusal, Some(463));
        assert_eq!(faults.judge_message("609", "601").refusal, Some(463));
        assert_eq!(faults.judge_message("609", "601"), Verdict::default());
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_refusal_leaves_the_rules_after_it_untouched() {
        let mut faults = Faults::default();
        faults.add(Fault::new(FaultKind::Nack { code: 400 })).unwrap();
        let held = faults.add(Fault { count: Some(1), ..Fault::new(FaultKind::HoldAck) }).unwrap();
        assert!(!faults.judge_message("1", "2").hold_ack);
        assert_eq!(faults.list().iter().find(|rule| rule.id == held).unwrap().applied, 0);
    }

    #[test]
    fn rules_about_log_in_and_receipts_do_not_touch_messages() {
        let mut faults = Faults::default();
        faults.add(Fault { from: Some("601".into()), ..Fault::new(FaultKind::LoginFailure { reason: 405 }) }).unwrap();
        faults.add(Fault::new(FaultKind::NoReceipts)).unwrap();
        assert_eq!(faults.judge_message("601", "602"), Verdict::default());
        assert_eq!((faults.login_failure("602"), faults.login_failure("601")), (None, Some(405)));
        assert!(faults.swallows_receipt("601", "602") && !faults.refuses_connection());
    }

    #[test]
    fn a_rule_reads_from_the_json_the_admin_api_takes() {
        let fault: Fault = serde_json::from_str(r#"{"kind":"delay_ack","ms":5,"to":"601","count":3}"#).unwrap();
        assert_eq!(fault, only_to(FaultKind::DelayAck { ms: 5 }, "601", Some(3)));
    }
}
