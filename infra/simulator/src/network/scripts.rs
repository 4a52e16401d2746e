//! What the person on a phone does by itself when a message comes: a script of rules, each with steps. It runs on the
//! network's clock, so a day passes in an instant when a test wants it to.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::network::agenda::Appointment;
use crate::network::{Count, Network, NetworkError, State};

const MAX_RULES: usize = 100;
const MAX_STEPS: usize = 100;
const MAX_TEXT: usize = 65_536;
/// The longest wait of one step: a year.
const MAX_WAIT_MS: u64 = 31_536_000_000;

/// What the person does when a message comes: the first rule that fits is followed, and no other.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The rules, in the order they are tried.
    pub rules: Vec<ScriptRule>,
}

/// When to do what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScriptRule {
    /// What the message must say; any message fits when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Who must have sent it (phone digits); anybody when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How likely the person follows the rule; always when absent. If not, the next rule is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// How many times the rule is still followed; for ever when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// What the person does, one after the other. Nothing: the message is left unread.
    pub steps: Vec<Step>,
}

/// What a message must say. Upper and lower case are the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// This, somewhere in it.
    Contains(String),
    /// This and nothing else but blanks around it.
    Equals(String),
}

/// One thing a person does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Step {
    /// Nothing, for a while.
    Wait {
        /// How long.
        ms: u64,
    },
    /// Reads the message.
    Read,
    /// Types for a while, which the other side sees.
    Type {
        /// How long.
        ms: u64,
    },
    /// Answers.
    Reply {
        /// With this.
        text: String,
    },
    /// Puts an emoji on the message.
    React {
        /// Which.
        emoji: String,
    },
    /// Blocks the sender: what it sends from now on reaches nobody, and it is not told.
    Block,
    /// Takes the block back.
    Unblock,
    /// Switches the phone off for a while. What comes meanwhile waits; the steps after this one follow when it is back.
    Offline {
        /// How long.
        ms: u64,
    },
}

/// A script being followed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Whose script it is.
    pub(crate) phone: usize,
    /// Who sent the message.
    pub(crate) peer: usize,
    /// The message's stanza id.
    pub(crate) message: String,
    /// What is left to do.
    pub(crate) steps: VecDeque<Step>,
}

impl Script {
    fn check(&self) -> Result<(), NetworkError> {
        let invalid = |field, problem| Err(NetworkError::invalid(field, problem));
        if self.rules.len() > MAX_RULES {
            return invalid("rules", "must be at most 100");
        }
        for rule in &self.rules {
            if rule.steps.len() > MAX_STEPS {
                return invalid("steps", "must be at most 100");
            }
            if rule.count == Some(0) {
                return invalid("count", "must be at least 1");
            }
            if rule.probability.is_some_and(|probability| !(0.0..=1.0).contains(&probability)) {
                return invalid("probability", "must be from 0 to 1");
            }
            if let Some(When::Contains(wanted) | When::Equals(wanted)) = &rule.when
                && (wanted.is_empty() || wanted.len() > MAX_TEXT)
            {
                return invalid("when", "must be 1 to 65536 bytes");
            }
        }
        self.rules.iter().flat_map(|rule| &rule.steps).try_for_each(Step::check)
    }
}

impl Step {
    fn check(&self) -> Result<(), NetworkError> {
        match self {
            Self::Wait { ms } | Self::Type { ms } | Self::Offline { ms } if *ms > MAX_WAIT_MS => {
                Err(NetworkError::invalid("ms", "must be at most 31536000000"))
            }
            Self::Reply { text } if text.is_empty() || text.len() > MAX_TEXT => {
                Err(NetworkError::invalid("text", "must be 1 to 65536 bytes"))
            }
            _ => Ok(()),
        }
    }
}

impl ScriptRule {
    fn fits(&self, sender: &str, text: &str) -> bool {
        self.count != Some(0)
            && self.from.as_deref().is_none_or(|from| from == sender)
            && self.when.as_ref().is_none_or(|when| when.fits(text))
    }
}

impl When {
    fn fits(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        match self {
            Self::Contains(wanted) => text.contains(&wanted.to_lowercase()),
            Self::Equals(wanted) => text.trim() == wanted.trim().to_lowercase(),
        }
    }
}

impl Network {
    /// What the person on a phone does by itself.
    pub fn script(&self, phone: &str) -> Result<Script, NetworkError> {
        let state = self.state();
        let account = state.known_phone(phone)?;
        Ok(state.accounts.get(account).map(|account| account.script.clone()).unwrap_or_default())
    }

    /// Changes it. Whatever the person was about to do is forgotten; a phone that is off comes back all the same.
    pub fn set_script(&self, phone: &str, script: Script) -> Result<(), NetworkError> {
        script.check()?;
        let mut state = self.state();
        let account = state.known_phone(phone)?;
        state.agenda.forget_steps_of(account);
        if let Some(entry) = state.accounts.get_mut(account) {
            entry.script = script;
        }
        Ok(())
    }

    /// The person on `phone` blocks the other account, or takes the block back. While it lasts, what the other sends
    /// reaches no device of the account; the other's messages are acknowledged as ever.
    pub fn set_blocked(&self, phone: &str, other: &str, blocked: bool) -> Result<(), NetworkError> {
        let mut state = self.state();
        let (account, other) = (state.known_phone(phone)?, state.known_phone(other)?);
        state.set_blocked(account, other, blocked);
        Ok(())
    }

    /// Does the next steps of a script, up to one that takes time. `moment` is when the first of them was due.
    pub(crate) fn do_step(&self, moment: u64, mut run: Run) {
        let Some(numbers) = self.numbers_of(&run) else { return };
        while let Some(step) = run.steps.pop_front() {
            if !self.is_online(run.phone) {
                run.steps.push_front(step);
                self.state().agenda.interrupt(run);
                return;
            }
            self.count(Count::ScriptSteps);
            if let Some(length) = self.follow(&run, &numbers, step, moment) {
                self.state().plan(moment.saturating_add(length), Appointment::Step(run));
                return;
            }
        }
    }

    fn numbers_of(&self, run: &Run) -> Option<(String, String)> {
        let state = self.state();
        let number = |account: usize| state.accounts.get(account).map(|account| account.phone.to_string());
        Some((number(run.phone)?, number(run.peer)?))
    }

    /// Does one step. Gives how long it takes, if it does.
    fn follow(&self, run: &Run, (own, other): &(String, String), step: Step, moment: u64) -> Option<u64> {
        let followed = match step {
            Step::Wait { ms } => return Some(ms),
            Step::Type { ms } => match self.type_from_phone(own, other, "composing") {
                Ok(()) => return Some(ms),
                Err(error) => Err(error),
            },
            Step::Offline { ms } => {
                self.switch(run.phone, false, moment);
                self.state().plan(moment.saturating_add(ms), Appointment::BackOnline { phone: run.phone });
                return None;
            }
            Step::Read => self.mark_read(own, Some(std::slice::from_ref(&run.message))).map(drop),
            Step::Reply { text } => self.send_text(own, other, &text).map(drop),
            Step::React { emoji } => self.react(own, &run.message, &emoji).map(drop),
            Step::Block => self.set_blocked(own, other, true),
            Step::Unblock => self.set_blocked(own, other, false),
        };
        if let Err(error) = followed {
            tracing::warn!(error = &error as &dyn std::error::Error, "a script's step could not be done");
        }
        None
    }

    fn is_online(&self, phone: usize) -> bool {
        self.state().accounts.get(phone).is_some_and(|account| account.online)
    }
}

impl State {
    /// A message was shown on a phone for the first time: its script begins, if a rule fits.
    pub(crate) fn begin_script(&mut self, phone: usize, sender: usize, message: &str, text: &str) {
        let Some(from) = self.accounts.get(sender).map(|account| std::sync::Arc::clone(&account.phone)) else { return };
        let Some(account) = self.accounts.get_mut(phone) else { return };
        let ids = &mut self.ids;
        let rule =
            account.script.rules.iter_mut().find(|rule| {
                rule.fits(&from, text) && rule.probability.is_none_or(|probability| ids.chance(probability))
            });
        let Some(rule) = rule else { return };
        rule.count = rule.count.map(|left| left.saturating_sub(1));
        let steps: VecDeque<Step> = rule.steps.iter().cloned().collect();
        if !steps.is_empty() {
            let now = self.now_ms();
            let run = Run { phone, peer: sender, message: message.to_owned(), steps };
            self.plan(now, Appointment::Step(run));
        }
    }

    pub(crate) fn set_blocked(&mut self, account: usize, other: usize, blocked: bool) {
        if let Some(entry) = self.accounts.get_mut(account) {
            if blocked {
                entry.blocked.insert(other);
            } else {
                entry.blocked.remove(&other);
            }
        }
        self.tell_block_list(account, other, blocked, None);
    }

    /// Whether `account` wants nothing from `sender`.
    pub(crate) fn is_blocked(&self, account: usize, sender: usize) -> bool {
        self.accounts.get(account).is_some_and(|account| account.blocked.contains(&sender))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_fits_by_what_is_said_whatever_the_case() {
        for (when, text, fits) in [
            (When::Contains("HARGA".into()), "berapa harga?", true),
            (When::Contains("harga".into()), "apa khabar", false),
            (When::Equals("stop".into()), " STOP ", true),
            (When::Equals("stop".into()), "please stop", false),
        ] {
            assert_eq!(when.fits(text), fits, "{when:?} {text}");
        }
    }

    #[test]
    fn a_script_reads_from_the_json_the_admin_api_takes() {
        let json = r#"{"rules":[
            {"when":{"contains":"harga"},"count":1,"steps":[{"do":"read"},{"do":"type","ms":1500},{"do":"reply","text":"RM 5"}]},
            {"from":"60123456789","steps":[{"do":"block"},{"do":"offline","ms":86400000}]}]}"#;
        let script: Script = serde_json::from_str(json).unwrap();
        assert!(script.check().is_ok());
        let first = &script.rules[0];
        assert_eq!(first.steps, [Step::Read, Step::Type { ms: 1500 }, Step::Reply { text: "RM 5".into() }]);
        assert_eq!(script.rules[1].from.as_deref(), Some("60123456789"));
        assert!(serde_json::from_str::<Script>(r#"{"rules":[{"stepps":[]}]}"#).is_err());
    }

    #[test]
    fn a_script_that_makes_no_sense_is_refused_by_the_field_to_correct() {
        for (field, rule) in [
            ("count", r#"{"count":0,"steps":[]}"#),
            ("probability", r#"{"probability":-1,"steps":[]}"#),
            ("when", r#"{"when":{"equals":""},"steps":[]}"#),
            ("ms", r#"{"steps":[{"do":"wait","ms":31536000001}]}"#),
            ("text", r#"{"steps":[{"do":"reply","text":""}]}"#),
        ] {
            let script: Script = serde_json::from_str(&format!("{{\"rules\":[{rule}]}}")).unwrap();
            let named = script.check().err().map(|error| error.to_string());
            assert!(named.as_deref().is_some_and(|error| error.starts_with(field)), "{rule}: {named:?}");
        }
    }
}
