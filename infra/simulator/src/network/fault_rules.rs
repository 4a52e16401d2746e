//! Applying the rules of `faults.rs`: what they say about a message, a log-in, a connection, a stanza on its way.

use std::sync::Arc;
use std::time::Duration;

use crate::entropy::Dice;
use crate::network::faults::{ActiveFault, Fault, FaultKind};
use crate::network::stanza_log::StanzaDirection;
use crate::network::{NetworkError, Session, State};
use crate::time::Clock;

const MAX_RULES: usize = 1_000;
/// `<failure reason="402">`: banned for a while.
const BANNED: u16 = 402;

/// What the rules say about one message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) refusal: Option<u16>,
    pub(crate) silence: bool,
    pub(crate) hold_ack: bool,
    pub(crate) delay_ack: Option<Duration>,
    pub(crate) close: bool,
    pub(crate) stream_error: Option<u16>,
}

/// Why a log-in fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: u16,
    /// Of a ban: its code, and the seconds that are left.
    pub(crate) ban: Option<(u16, u64)>,
}

/// What the rules do to one stanza on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Disturbance {
    pub(crate) delay_ms: u64,
    pub(crate) lost: bool,
    pub(crate) overtaken: bool,
    pub(crate) bytes_per_second: Option<u32>,
}

/// What goes wrong with one upload or download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaFault {
    Status(u16),
    Slow(Duration),
    Truncated,
    Corrupted,
}

/// The rules in force, in the order they were added.
pub(crate) struct Faults {
    rules: Vec<Rule>,
    last_id: u64,
    clock: Clock,
    seed: u64,
}

struct Rule {
    active: ActiveFault,
    dice: Dice,
}

impl Faults {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        Self { rules: Vec::new(), last_id: 0, clock, seed }
    }

    pub(crate) fn add(&mut self, fault: Fault) -> Result<u64, NetworkError> {
        fault.check()?;
        self.drop_spent();
        if self.rules.len() >= MAX_RULES {
            return Err(NetworkError::invalid("kind", "there are 1000 rules already"));
        }
        self.last_id += 1;
        let id = self.last_id;
        let until_ms =
            fault.for_seconds.map(|seconds| self.clock.now_ms().saturating_add(seconds.saturating_mul(1_000)));
        let dice = Dice::new(fault.seed.unwrap_or(self.seed.wrapping_add(id)));
        self.rules.push(Rule { active: ActiveFault { id, applied: 0, until_ms, fault }, dice });
        Ok(id)
    }

    pub(crate) fn list(&mut self) -> Vec<ActiveFault> {
        self.drop_spent();
        self.rules.iter().map(|rule| rule.active.clone()).collect()
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.rules.len();
        self.rules.retain(|rule| rule.active.id != id);
        self.rules.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Judges a message; a refusal or silence ends the search, because nothing after it could show.
    pub(crate) fn judge_message(&mut self, from: (&str, u16), to: &str) -> Verdict {
        let mut verdict = Verdict::default();
        self.drop_spent();
        for rule in &mut self.rules {
            if !rule.active.fault.kind.is_about_messages() || !rule.covers(from, to) || !rule.strikes() {
                continue;
            }
            match rule.active.fault.kind {
                FaultKind::Nack { code } => verdict.refusal = Some(code),
                FaultKind::Silence => verdict.silence = true,
                FaultKind::HoldAck => verdict.hold_ack = true,
                FaultKind::DelayAck { ms } => verdict.delay_ack = Some(Duration::from_millis(ms)),
                FaultKind::CloseAfterMessage => verdict.close = true,
                FaultKind::StreamError { code } => verdict.stream_error = Some(code),
                _ => {}
            }
            if verdict.refusal.is_some() || verdict.silence {
                break;
            }
        }
        verdict
    }

    /// Whether the companions of `to` get a placeholder instead of a message from `from`.
    pub(crate) fn withholds(&mut self, from: (&str, u16), to: &str) -> bool {
        self.first(|fault| {
            fault.kind == FaultKind::Placeholder && is_of(fault, Some(from)) && concerns(fault.to.as_deref(), to)
        })
        .is_some()
    }

    /// Whether a receipt for a message from `from` to `to` gets lost.
    pub(crate) fn swallows_receipt(&mut self, from: &str, to: &str) -> bool {
        self.first(|fault| {
            fault.kind == FaultKind::NoReceipts
                && concerns(fault.from.as_deref(), from)
                && concerns(fault.to.as_deref(), to)
        })
        .is_some()
    }

    /// Why a log-in of this device fails, if it does.
    pub(crate) fn login_failure(&mut self, who: (&str, u16)) -> Option<Refusal> {
        let now = self.clock.now_ms();
        let is_about_logins = |kind: &FaultKind| matches!(kind, FaultKind::LoginFailure { .. } | FaultKind::Ban { .. });
        let rule = self.first(|fault| is_about_logins(&fault.kind) && is_of(fault, Some(who)))?;
        match rule.fault.kind {
            FaultKind::LoginFailure { reason } => Some(Refusal { reason, ban: None }),
            FaultKind::Ban { code } => {
                let left_ms = rule.until_ms.unwrap_or(now).saturating_sub(now);
                Some(Refusal { reason: BANNED, ban: Some((code, left_ms.div_ceil(1_000))) })
            }
            _ => None,
        }
    }

    /// Whether a new connection is refused.
    pub(crate) fn refuses_connection(&mut self) -> bool {
        self.first(|fault| fault.kind == FaultKind::RefuseConnections).is_some()
    }

    /// What happens to an upload or a download of this account, which is nobody when the request does not say.
    pub(crate) fn media_fault(&mut self, phone: Option<&str>, upload: bool) -> Option<MediaFault> {
        let applies = |fault: &Fault| {
            let concerned = fault.from.is_none() || fault.from.as_deref() == phone;
            concerned && media_fault(&fault.kind, upload).is_some()
        };
        let rule = self.first(applies)?;
        media_fault(&rule.fault.kind, upload)
    }

    /// Whether a keepalive request of this device stays without an answer.
    pub(crate) fn ignores_keepalive(&mut self, who: (&str, u16)) -> bool {
        self.first(|fault| fault.kind == FaultKind::NoKeepalive && is_of(fault, Some(who))).is_some()
    }

    /// What happens to a stanza on the connection of `who`, who is nobody yet before log-in. For device 0 it is
    /// something on its way to a simulated phone.
    pub(crate) fn disturb(&mut self, who: Option<(&str, u16)>, direction: StanzaDirection) -> Disturbance {
        let mut disturbance = Disturbance::default();
        if self.rules.is_empty() {
            return disturbance;
        }
        self.drop_spent();
        for rule in &mut self.rules {
            if !rule.active.fault.kind.is_about_lines(direction) || !is_of(&rule.active.fault, who) || !rule.strikes() {
                continue;
            }
            match rule.active.fault.kind {
                FaultKind::Latency { ms, jitter_ms } => disturbance.delay_ms += ms + rule.dice.up_to(jitter_ms),
                FaultKind::Loss => disturbance.lost = true,
                FaultKind::Reorder => disturbance.overtaken = true,
                FaultKind::SlowReader { bytes_per_second } | FaultKind::SlowWriter { bytes_per_second } => {
                    disturbance.bytes_per_second = Some(bytes_per_second);
                }
                _ => {}
            }
        }
        disturbance
    }

    /// The first rule that applies and strikes, after it struck.
    fn first(&mut self, applies: impl Fn(&Fault) -> bool) -> Option<ActiveFault> {
        if self.rules.is_empty() {
            return None;
        }
        self.drop_spent();
        let rule =
            self.rules.iter_mut().find_map(|rule| (applies(&rule.active.fault) && rule.strikes()).then_some(rule));
        rule.map(|rule| rule.active.clone())
    }

    fn drop_spent(&mut self) {
        if self.rules.is_empty() {
            return;
        }
        let now = self.clock.now_ms();
        self.rules.retain(|Rule { active, .. }| {
            active.fault.count != Some(0) && active.until_ms.is_none_or(|until| until > now)
        });
    }
}

impl State {
    pub(crate) fn ignores_keepalive(&mut self, session: Session) -> bool {
        let phone = self.accounts.get(session.account).map(|account| Arc::clone(&account.phone));
        phone.is_some_and(|phone| self.faults.ignores_keepalive((&phone, session.device)))
    }
}

impl FaultKind {
    fn is_about_messages(&self) -> bool {
        matches!(
            self,
            Self::Nack { .. }
                | Self::Silence
                | Self::HoldAck
                | Self::DelayAck { .. }
                | Self::CloseAfterMessage
                | Self::StreamError { .. }
        )
    }

    fn is_about_lines(&self, direction: StanzaDirection) -> bool {
        match self {
            Self::Latency { .. } | Self::Loss | Self::Reorder => true,
            Self::SlowReader { .. } => direction == StanzaDirection::In,
            Self::SlowWriter { .. } => direction == StanzaDirection::Out,
            _ => false,
        }
    }
}

impl Rule {
    fn covers(&self, from: (&str, u16), to: &str) -> bool {
        is_of(&self.active.fault, Some(from)) && concerns(self.active.fault.to.as_deref(), to)
    }

    /// Throws the dice, and counts when the rule applies.
    fn strikes(&mut self) -> bool {
        let fault = &mut self.active.fault;
        if fault.count == Some(0) || fault.probability.is_some_and(|probability| !self.dice.chance(probability)) {
            return false;
        }
        self.active.applied += 1;
        fault.count = fault.count.map(|left| left.saturating_sub(1));
        true
    }
}

/// Whether a rule is about this device. A rule that names nobody is about everybody, also about who is nobody yet.
fn is_of(fault: &Fault, who: Option<(&str, u16)>) -> bool {
    match who {
        Some((phone, device)) => {
            concerns(fault.from.as_deref(), phone) && fault.device.is_none_or(|only| only == device)
        }
        None => fault.from.is_none() && fault.device.is_none(),
    }
}

fn media_fault(kind: &FaultKind, upload: bool) -> Option<MediaFault> {
    match *kind {
        FaultKind::UploadStatus { status } if upload => Some(MediaFault::Status(status)),
        FaultKind::UploadBreaks if upload => Some(MediaFault::Truncated),
        FaultKind::DownloadStatus { status } if !upload => Some(MediaFault::Status(status)),
        FaultKind::SlowMedia { ms } => Some(MediaFault::Slow(Duration::from_millis(ms))),
        FaultKind::TruncatedMedia if !upload => Some(MediaFault::Truncated),
        FaultKind::CorruptedMedia if !upload => Some(MediaFault::Corrupted),
        _ => None,
    }
}

fn concerns(wanted: Option<&str>, phone: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == phone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Setting;

    fn faults() -> Faults {
        let clock = Clock::new(Setting::default());
        clock.freeze(true);
        Faults::new(clock, 7)
    }

    #[test]
    fn a_rule_applies_as_often_as_it_counts_and_only_to_whom_it_names() {
        let mut faults = faults();
        let only_to = Fault { to: Some("601".into()), count: Some(2), ..Fault::new(FaultKind::Nack { code: 463 }) };
        faults.add(only_to).unwrap();
        assert_eq!(faults.judge_message(("609", 33), "602"), Verdict::default());
        assert_eq!(faults.judge_message(("609", 33), "601").refusal, Some(463));
        assert_eq!(faults.judge_message(("609", 33), "601").refusal, Some(463));
        assert_eq!(faults.judge_message(("609", 33), "601"), Verdict::default());
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_rule_for_one_device_spares_the_others() {
        let mut faults = faults();
        faults.add(Fault { device: Some(33), ..Fault::new(FaultKind::Silence) }).unwrap();
        assert!(faults.judge_message(("609", 33), "601").silence && !faults.judge_message(("609", 34), "601").silence);
    }

    #[test]
    fn a_refusal_leaves_the_rules_after_it_untouched() {
        let mut faults = faults();
        faults.add(Fault::new(FaultKind::Nack { code: 400 })).unwrap();
        let held = faults.add(Fault { count: Some(1), ..Fault::new(FaultKind::HoldAck) }).unwrap();
        assert!(!faults.judge_message(("1", 33), "2").hold_ack);
        assert_eq!(faults.list().iter().find(|rule| rule.id == held).unwrap().applied, 0);
    }

    #[test]
    fn rules_about_log_in_receipts_and_lines_do_not_touch_messages() {
        let mut faults = faults();
        faults.add(Fault { from: Some("601".into()), ..Fault::new(FaultKind::LoginFailure { reason: 405 }) }).unwrap();
        faults.add(Fault::new(FaultKind::NoReceipts)).unwrap();
        faults.add(Fault::new(FaultKind::Loss)).unwrap();
        assert_eq!(faults.judge_message(("601", 33), "602"), Verdict::default());
        assert_eq!(faults.login_failure(("602", 33)), None);
        assert_eq!(faults.login_failure(("601", 33)), Some(Refusal { reason: 405, ban: None }));
        assert!(faults.swallows_receipt("601", "602") && !faults.refuses_connection());
    }

    #[test]
    fn the_same_seed_throws_the_same_dice() {
        let refused = |seed: u64| {
            let mut faults = faults();
            let rule = Fault { probability: Some(0.5), seed: Some(seed), ..Fault::new(FaultKind::Nack { code: 500 }) };
            faults.add(rule).unwrap();
            (0..64).map(|_| faults.judge_message(("601", 33), "602").refusal.is_some()).collect::<Vec<_>>()
        };
        assert_eq!(refused(1), refused(1));
        assert_ne!(refused(1), refused(2));
        assert!((10..54).contains(&refused(1).iter().filter(|refused| **refused).count()));
    }

    #[test]
    fn a_ban_tells_what_is_left_of_it_and_ends_on_the_networks_clock() {
        let mut faults = faults();
        let ban = Fault { for_seconds: Some(60), ..Fault::new(FaultKind::Ban { code: 101 }) };
        faults.add(ban).unwrap();
        faults.clock.move_to(faults.clock.now_ms() + 10_500);
        assert_eq!(faults.login_failure(("601", 33)), Some(Refusal { reason: 402, ban: Some((101, 50)) }));
        faults.clock.move_to(faults.clock.now_ms() + 50_000);
        assert_eq!(faults.login_failure(("601", 33)), None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn disturbances_add_up_and_know_their_direction() {
        let mut faults = faults();
        let anns = |kind| Fault { from: Some("601".into()), ..Fault::new(kind) };
        for kind in [
            FaultKind::Latency { ms: 100, jitter_ms: 10 },
            FaultKind::Latency { ms: 50, jitter_ms: 0 },
            FaultKind::SlowReader { bytes_per_second: 9 },
        ] {
            faults.add(anns(kind)).unwrap();
        }
        let ann = Some(("601", 33));
        let (read, written) = (faults.disturb(ann, StanzaDirection::In), faults.disturb(ann, StanzaDirection::Out));
        assert!((150..=160).contains(&read.delay_ms) && (150..=160).contains(&written.delay_ms));
        assert_eq!((read.bytes_per_second, written.bytes_per_second), (Some(9), None));
        for other in [None, Some(("602", 33))] {
            assert_eq!(faults.disturb(other, StanzaDirection::In), Disturbance::default());
        }
    }
}
