//! Acceptances of one account that wait together, and who carries them out.
//!
//! All acceptances of an account change its balance, and DynamoDB refuses transactions that meet on an item. So within
//! a process they stand in a line: whoever gets the turn takes the oldest of those who wait, his own or not, and
//! carries them out as one transaction. While it is under way the next ones gather. Under load this needs a fraction
//! of the transactions (and of the disk's, on one machine); alone, nobody waits. Nothing here needs a runtime: each
//! waiter is driven by its own caller, and if a caller goes away with the turn, the others see that and ask again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use async_lock::{Mutex as Turns, MutexGuard as Turn};
use futures::channel::oneshot;
use hantar_domain::ids::AccountId;
use hantar_usecases::ports::{Acceptance, Accepted, PortError};

use crate::transaction::MAX_ACTIONS;

/// How many acceptances one transaction holds: with keys 25 × 3 writes and the balance, below DynamoDB's 100.
const MAX_GROUP: usize = 25;
/// How many acceptances of one account may wait in a process: some two seconds' worth.
const MAX_WAITING: usize = 2_000;
/// Beyond so many accounts the lines that nobody holds are swept out.
const SWEEP_ABOVE: usize = 1_024;

/// What an acceptance came to.
pub(crate) type Answer = Result<Accepted, PortError>;

/// One acceptance that waits.
pub(crate) struct Waiting {
    pub(crate) acceptance: Acceptance,
    answer: oneshot::Sender<Answer>,
}

/// The line of one account.
#[derive(Default)]
pub(crate) struct Line {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: Turns<()>,
}

/// The lines of all accounts that have one.
#[derive(Default)]
pub(crate) struct Lines(Mutex<HashMap<AccountId, Weak<Line>>>);

impl Lines {
    /// The line of `account`, the same for all who hold it at one time.
    pub(crate) fn of(&self, account: AccountId) -> Arc<Line> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&account).and_then(Weak::upgrade) {
            return line;
        }
        if lines.len() >= SWEEP_ABOVE {
            lines.retain(|_, line| line.strong_count() > 0);
        }
        let line = Arc::new(Line::default());
        lines.insert(account, Arc::downgrade(&line));
        line
    }
}

impl Line {
    /// Waits for the turn: the right to change the account's balance.
    pub(crate) async fn turn(&self) -> Turn<'_, ()> {
        self.turn.lock().await
    }

    /// Joins the line.
    pub(crate) fn join(&self, acceptance: &Acceptance) -> Result<oneshot::Receiver<Answer>, PortError> {
        let mut waiting = self.waiting();
        if waiting.len() >= MAX_WAITING {
            return Err(PortError::Throttled { retry_after: Duration::from_secs(1) });
        }
        let (answer, receiver) = oneshot::channel();
        waiting.push_back(Waiting { acceptance: acceptance.clone(), answer });
        Ok(receiver)
    }

    /// Takes the oldest that fit into one transaction. Two that would write one item (a repeat beside its first, or two
    /// under one key) do not: the later one stays.
    pub(crate) fn group(&self) -> Vec<Waiting> {
        let mut waiting = self.waiting();
        let (mut group, mut rest, mut actions) = (Vec::new(), VecDeque::new(), 1);
        let (mut messages, mut keys) = (HashSet::new(), HashSet::new());
        while let Some(next) = waiting.pop_front() {
            if next.answer.is_canceled() {
                continue;
            }
            let key = next.acceptance.idempotency.as_ref().map(|idempotency| idempotency.key);
            let wanted = 2 + usize::from(key.is_some());
            let id = next.acceptance.message.id;
            if messages.contains(&id) || key.is_some_and(|key| keys.contains(&key)) {
                rest.push_back(next);
                continue;
            }
            if group.len() == MAX_GROUP || actions + wanted > MAX_ACTIONS {
                rest.push_back(next);
                break;
            }
            actions += wanted;
            messages.insert(id);
            keys.extend(key);
            group.push(next);
        }
        rest.append(&mut waiting);
        *waiting = rest;
        group
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Tells the caller, if it is still there.
    pub(crate) fn tell(self, answer: Answer) {
        let _gone = self.answer.send(answer);
    }
}
