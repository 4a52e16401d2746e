//! Webhooks: what subscribers hear, how it is signed, and what their answer means.
//!
//! Signing follows Standard Webhooks 1.0.0: `v1,base64(HMAC-SHA256(secret, "{id}.{timestamp}.{body}"))`.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::ids::{AccountId, DeviceId, EndpointId, MessageId};
use crate::time::Timestamp;

/// How long one call may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of a subscriber's answer is read.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How much of a subscriber's answer is kept with the attempt.
pub const KEPT_ANSWER_BYTES: usize = 512;
/// How many endpoints an account may have.
pub const MAX_ENDPOINTS: usize = 50;

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// An outbound message changed its state.
    MessageStatus,
    /// A message came in.
    MessageReceived,
    /// A device changed its status.
    DeviceStatus,
    /// The balance fell below the threshold that the account set.
    CreditsLow,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::MessageStatus, Self::MessageReceived, Self::DeviceStatus, Self::CreditsLow];

    /// The name that subscribers know.
    pub const fn word(self) -> &'static str {
        match self {
            Self::MessageStatus => "message.status",
            Self::MessageReceived => "message.received",
            Self::DeviceStatus => "device.status",
            Self::CreditsLow => "credits.low",
        }
    }

    /// The kind with this name.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The name of one event: the same on every delivery, retry and replay. It holds no dot, because the signed text
/// separates its parts by dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub String);

impl EventId {
    /// Step number `step` (its place in the history) of a message; an inbound message has step 0 alone.
    pub fn message(account: AccountId, message: MessageId, step: usize) -> Self {
        Self(format!("msg_{account}_{message}_{step}"))
    }

    /// Change number `seq` of a device's status.
    pub fn device(device: DeviceId, seq: u64) -> Self {
        Self(format!("dev_{device}_{seq}"))
    }

    /// The balance of an account became low for the time of number `number`.
    pub fn low_balance(account: AccountId, number: u64) -> Self {
        Self(format!("low_{account}_{number}"))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which events an endpoint wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// All, also kinds that come to be later.
    All,
    /// These.
    Kinds(Vec<EventKind>),
}

/// A subscription names a kind that does not exist, or none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// Nothing is subscribed to.
    #[error("name at least one event, or `*` for all")]
    Empty,
    /// Number `index` is not known.
    #[error("there is no event `{name}`")]
    Unknown {
        /// Its place in the list.
        index: usize,
        /// The name given.
        name: String,
    },
}

impl Subscription {
    /// Reads names; `*` stands for all.
    pub fn parse(names: &[String]) -> Result<Self, SubscriptionError> {
        if names.is_empty() {
            return Err(SubscriptionError::Empty);
        }
        let mut kinds = Vec::new();
        let mut all = false;
        for (index, name) in names.iter().enumerate() {
            match EventKind::from_word(name) {
                _ if name == "*" => all = true,
                Some(kind) if kinds.contains(&kind) => {}
                Some(kind) => kinds.push(kind),
                None => return Err(SubscriptionError::Unknown { index, name: name.clone() }),
            }
        }
        Ok(if all { Self::All } else { Self::Kinds(kinds) })
    }

    /// The names, as given back.
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Self::All => vec!["*"],
            Self::Kinds(kinds) => kinds.iter().map(|kind| kind.word()).collect(),
        }
    }

    /// Whether `kind` is wanted.
    pub fn wants(&self, kind: EventKind) -> bool {
        match self {
            Self::All => true,
            Self::Kinds(kinds) => kinds.contains(&kind),
        }
    }
}

/// What an endpoint's deliveries are signed with. Never logged, and stored only sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret([u8; 32]);

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(..)")
    }
}

impl SigningSecret {
    /// From 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The text that is shown once: `whsec_` and base64.
    pub fn shown(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.0))
    }

    /// The `webhook-signature` header of a delivery.
    pub fn sign(&self, id: &EventId, at: Timestamp, body: &[u8]) -> String {
        // A key of any length is taken by HMAC, so this cannot fail; an empty signature would verify nowhere.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{}.", at.seconds()).as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// A subscriber's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose.
    pub account: AccountId,
    /// Its number.
    pub id: EndpointId,
    /// Where to.
    pub url: String,
    /// What.
    pub subscription: Subscription,
    /// What its deliveries are signed with, sealed under the account's data key.
    pub sealed_secret: Vec<u8>,
    /// Switched off by us, with the reason's code (`gone`: it answered 410).
    pub disabled: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What came of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The subscriber answered.
    Status {
        /// Its HTTP status.
        code: u16,
        /// The `Retry-After` that it asked for.
        retry_after: Option<Duration>,
    },
    /// It did not, or its address may not be called: a stable code (`timeout`, `connect`, `refused_address`).
    Failure(&'static str),
}

/// What to do after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Delivered.
    Done,
    /// Call again after this.
    RetryAfter(Duration),
    /// Switch the endpoint off: it said that it is gone for good.
    Disable,
    /// All attempts are used up.
    GiveUp,
}

/// Pauses before the second, third, … attempt: about three days in all.
const PAUSES: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// Judges the answer to attempt number `attempt` (the first is 1). `jitter` in `0.0..1.0` spreads the pauses by up to
/// a fifth, so that one outage does not end in one crowd.
pub fn judge(answer: &Answer, attempt: u32, jitter: f64) -> Verdict {
    let asked = match answer {
        Answer::Status { code: 200..=299, .. } => return Verdict::Done,
        Answer::Status { code: 410, .. } => return Verdict::Disable,
        Answer::Status { code: 429 | 502 | 503 | 504, retry_after } => retry_after.unwrap_or_default(),
        Answer::Status { .. } | Answer::Failure(_) => Duration::ZERO,
    };
    let Some(pause) = PAUSES.get(attempt.saturating_sub(1) as usize) else { return Verdict::GiveUp };
    let spread = pause.mul_f64(1.0 + 0.2 * jitter.clamp(0.0, 1.0));
    Verdict::RetryAfter(spread.max(asked.min(Duration::from_hours(24))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        // Secret, id, time and payload of the Standard Webhooks reference tests.
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}");
        assert_eq!(STANDARD.encode(mac.finalize().into_bytes()), "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let secret = SigningSecret::from_bytes([3; 32]);
        let id = EventId::message(AccountId(1), MessageId(2), 3);
        let mut ours = Hmac::<Sha256>::new_from_slice(&[3; 32]).unwrap();
        ours.update(b"msg_1_2_3.5.{}");
        let expected = format!("v1,{}", STANDARD.encode(ours.finalize().into_bytes()));
        assert_eq!(secret.sign(&id, Timestamp(5_900_000), b"{}"), expected);
    }

    #[test]
    fn event_ids_hold_no_dot() {
        let device = EventId::device(DeviceId(3), 4);
        for id in [EventId::message(AccountId(1), MessageId(2), 0), device, EventId::low_balance(AccountId(1), 2)] {
            assert!(!id.0.contains('.'), "{id}");
        }
    }

    #[test]
    fn subscriptions_are_read_and_given_back() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(Subscription::parse(&names(&["*"])), Ok(Subscription::All));
        let one = Subscription::parse(&names(&["message.status", "message.status"])).unwrap();
        assert_eq!(one.names(), ["message.status"]);
        assert!(one.wants(EventKind::MessageStatus) && !one.wants(EventKind::DeviceStatus));
        assert_eq!(Subscription::parse(&[]), Err(SubscriptionError::Empty));
        let unknown = Subscription::parse(&names(&["*", "nonsense"]));
        assert_eq!(unknown, Err(SubscriptionError::Unknown { index: 1, name: "nonsense".into() }));
    }

    #[test]
    fn answers_are_judged_by_the_standard() {
        let status = |code| Answer::Status { code, retry_after: None };
        assert_eq!(judge(&status(204), 1, 0.0), Verdict::Done);
        assert_eq!(judge(&status(410), 1, 0.0), Verdict::Disable);
        for answer in [status(301), status(400), status(500), Answer::Failure("timeout")] {
            assert_eq!(judge(&answer, 1, 0.0), Verdict::RetryAfter(Duration::from_secs(5)), "{answer:?}");
        }
        let busy = Answer::Status { code: 429, retry_after: Some(Duration::from_secs(90)) };
        assert_eq!(judge(&busy, 1, 0.0), Verdict::RetryAfter(Duration::from_secs(90)));
        assert_eq!(judge(&status(500), 10, 0.0), Verdict::GiveUp);
    }

    #[test]
    fn pauses_are_spread_by_a_fifth_at_most() {
        assert_eq!(judge(&Answer::Failure("timeout"), 2, 1.0), Verdict::RetryAfter(Duration::from_mins(6)));
    }
}
