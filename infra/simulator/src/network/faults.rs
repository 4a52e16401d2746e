//! Faults on demand: rules that make the network refuse, swallow, hold, delay or disturb, so that a client's handling
//! of a bad day can be tested. Here is what a rule says; `fault_rules.rs` applies them.

use serde::{Deserialize, Serialize};

use crate::network::{MediaFault, Network, NetworkError};

const MAX_DELAY_MS: u64 = 600_000;
/// The longest a rule can be told to last: ten years.
const MAX_SECONDS: u64 = 315_360_000;

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
    /// A message to a person reaches the phone; the person's companions get a placeholder, for which they can ask the
    /// phone.
    Placeholder,
    /// No receipt about the sender's messages comes back.
    NoReceipts,
    /// A message is taken and delivered, then the sender's socket is cut instead of an ack.
    CloseAfterMessage,
    /// A message is taken and delivered; instead of an ack the sender gets a stream error.
    StreamError {
        /// Such as 515, 409, 403 or 500; see `Network::stream_error`.
        code: u16,
    },
    /// A log-in is answered with `<failure>`.
    LoginFailure {
        /// Such as 401, 403 or 405.
        reason: u16,
    },
    /// The account is banned for a while (`for_seconds`): its sockets are cut, and a log-in is answered with failure
    /// 402, this code and the seconds that are left.
    Ban {
        /// Why, such as 101 (too many people blocked it) to 106.
        code: u16,
    },
    /// A new connection is refused before the upgrade (HTTP 503).
    RefuseConnections,
    /// Every stanza takes its time, in both directions; their order stays.
    Latency {
        /// How many milliseconds (at most ten minutes).
        ms: u64,
        /// Up to so many more, at random.
        #[serde(default)]
        jitter_ms: u64,
    },
    /// A stanza gets lost. TCP loses nothing but a whole connection, so a companion's socket is cut; a simulated phone
    /// never sees it.
    Loss,
    /// A stanza is overtaken by what comes in the second after it.
    Reorder,
    /// The network reads slowly what the client sends, so that the client's buffers fill.
    SlowReader {
        /// At this rate.
        bytes_per_second: u32,
    },
    /// What the network writes arrives slowly.
    SlowWriter {
        /// At this rate.
        bytes_per_second: u32,
    },
    /// Keepalive requests stay without an answer, as on a connection that died without a word.
    NoKeepalive,
    /// An upload is answered with this status; 401 and 403 make a client ask for a new token.
    UploadStatus {
        /// Such as 403 or 507.
        status: u16,
    },
    /// Half of an upload is kept, then it breaks off (503): a client goes on from there.
    UploadBreaks,
    /// A download is answered with this status.
    DownloadStatus {
        /// Such as 403, 404 or 410.
        status: u16,
    },
    /// Uploads and downloads take their time.
    SlowMedia {
        /// How many milliseconds (at most ten minutes).
        ms: u64,
    },
    /// A download ends in the middle.
    TruncatedMedia,
    /// A byte of a download is another one.
    CorruptedMedia,
}

/// A rule: what goes wrong, for whom and how often.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only for this account: the sender of the message, or whose connection it is (phone digits).
    #[serde(default, alias = "phone", skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only for messages to this account (phone digits).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Only for this device of `from`: a companion's number, or 0 for the phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u16>,
    /// How likely the rule applies where it could; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// The seed of its dice; without it, the network's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How long the rule lasts on the network's clock; without it, until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
    /// How many times the rule still applies; without it, until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Fault {
    /// A rule for everybody, for ever.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, from: None, to: None, device: None, probability: None, seed: None, for_seconds: None, count: None }
    }

    pub(crate) fn check(&self) -> Result<(), NetworkError> {
        let invalid = |field, problem| Err(NetworkError::invalid(field, problem));
        if self.count == Some(0) {
            return invalid("count", "must be at least 1");
        }
        if self.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
            return invalid("probability", "must be from 0 to 1");
        }
        if self.for_seconds.is_some_and(|seconds| seconds == 0 || seconds > MAX_SECONDS) {
            return invalid("for_seconds", "must be from 1 to 315360000");
        }
        match self.kind {
            FaultKind::DelayAck { ms } | FaultKind::Latency { ms, .. } | FaultKind::SlowMedia { ms }
                if ms > MAX_DELAY_MS =>
            {
                invalid("ms", "must be at most 600000")
            }
            FaultKind::Latency { jitter_ms, .. } if jitter_ms > MAX_DELAY_MS => {
                invalid("jitter_ms", "must be at most 600000")
            }
            FaultKind::SlowReader { bytes_per_second: 0 } | FaultKind::SlowWriter { bytes_per_second: 0 } => {
                invalid("bytes_per_second", "must be at least 1")
            }
            FaultKind::StreamError { code } => super::stream_errors::check("code", code),
            FaultKind::LoginFailure { reason } => super::stream_errors::check("reason", reason),
            FaultKind::Ban { .. } if self.for_seconds.is_none() => {
                invalid("for_seconds", "must say how long the ban lasts")
            }
            _ => Ok(()),
        }
    }
}

/// A rule in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActiveFault {
    /// Its number.
    pub id: u64,
    /// How often it applied so far.
    pub applied: u64,
    /// When it ends, in milliseconds since 1970 on the network's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// The rule; `count` is what is left of it.
    #[serde(flatten)]
    pub fault: Fault,
}

impl Network {
    /// Adds a rule and gives its number.
    pub fn add_fault(&self, fault: Fault) -> Result<u64, NetworkError> {
        let banned = matches!(fault.kind, FaultKind::Ban { .. }).then(|| fault.clone());
        let mut state = self.state();
        let id = state.faults.add(fault)?;
        if let Some(ban) = banned {
            state.cut_connections(|phone, device| {
                ban.from.as_deref().is_none_or(|from| from == phone) && ban.device.is_none_or(|only| only == device)
            });
        }
        Ok(id)
    }

    /// The rules in force.
    pub fn faults(&self) -> Vec<ActiveFault> {
        self.state().faults.list()
    }

    /// Removes a rule; false when there is none with this number.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.state().faults.remove(id)
    }

    /// Removes all rules. Held acks stay held until they are released.
    pub fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// What happens to an upload or a download, and of whom; nobody when the request does not say whose it is.
    pub(crate) fn media_fault(&self, phone: Option<&str>, upload: bool) -> Option<MediaFault> {
        self.state().faults.media_fault(phone, upload)
    }

    /// Whether a new connection has to be turned away.
    pub(crate) fn refuses_connection(&self) -> bool {
        self.state().faults.refuses_connection()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_from_the_json_the_admin_api_takes() {
        let fault: Fault = serde_json::from_str(r#"{"kind":"delay_ack","ms":5,"to":"601","count":3}"#).unwrap();
        let expected = Fault { to: Some("601".into()), count: Some(3), ..Fault::new(FaultKind::DelayAck { ms: 5 }) };
        assert_eq!(fault, expected);
        let fault: Fault =
            serde_json::from_str(r#"{"kind":"latency","ms":5,"phone":"601","device":0,"probability":0.5}"#).unwrap();
        let latency = FaultKind::Latency { ms: 5, jitter_ms: 0 };
        let (from, device) = (Some("601".into()), Some(0));
        assert_eq!(fault, Fault { from, device, probability: Some(0.5), ..Fault::new(latency) });
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused_by_the_field_to_correct() {
        for (field, json) in [
            ("count", r#"{"kind":"silence","count":0}"#),
            ("probability", r#"{"kind":"silence","probability":1.5}"#),
            ("for_seconds", r#"{"kind":"silence","for_seconds":0}"#),
            ("for_seconds", r#"{"kind":"ban","code":101}"#),
            ("ms", r#"{"kind":"latency","ms":600001}"#),
            ("ms", r#"{"kind":"delay_ack","ms":600001}"#),
            ("jitter_ms", r#"{"kind":"latency","ms":1,"jitter_ms":600001}"#),
            ("bytes_per_second", r#"{"kind":"slow_reader","bytes_per_second":0}"#),
            ("code", r#"{"kind":"stream_error","code":200}"#),
            ("reason", r#"{"kind":"login_failure","reason":1}"#),
        ] {
            let fault: Fault = serde_json::from_str(json).unwrap();
            let named = fault.check().err().map(|error| error.to_string());
            assert!(named.as_deref().is_some_and(|error| error.starts_with(field)), "{json}: {named:?}");
        }
    }
}
