//! What is to happen later, on the network's clock: steps of scripts, phones coming back, deliveries that a rule
//! delays. It is kept in the state file, so that a phone that went away for a day comes back after a restart too.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::network::phone_inbound::PhoneDelivery;
use crate::network::scripts::Run;
use crate::network::{Network, State, lock};
use crate::time;

/// More than this is not planned; what comes then does not happen.
const MAX_APPOINTMENTS: usize = 200_000;
/// How many things happen in one go before others get their turn: two scripts that answer each other at once never end.
const MAX_IN_ONE_GO: usize = 1_000;
/// How many happen inside one call that moves the clock.
const MAX_IN_ONE_MOVE: usize = 100_000;
const BREATH: std::time::Duration = std::time::Duration::from_millis(5);

/// Something that is to happen.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Appointment {
    /// The next step of a script.
    Step(Run),
    /// A phone is switched on again.
    BackOnline { phone: usize },
    /// Something reaches a phone that a rule held up.
    Delivery {
        phone: usize,
        delivery: PhoneDelivery,
        /// Whether what comes after it has to wait for it.
        in_order: bool,
    },
}

/// What is to happen, by moment and then in the order it was planned.
#[derive(Default)]
pub(crate) struct Agenda {
    appointments: BTreeMap<(u64, u64), Appointment>,
    planned: u64,
    /// By phone: how many deliveries are on their way in order, and when the last of them arrives.
    deliveries: HashMap<usize, (usize, u64)>,
    /// Scripts whose phone went off in the middle.
    interrupted: Vec<Run>,
}

/// The agenda as it stands in the state file.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct SavedAgenda {
    appointments: Vec<(u64, Appointment)>,
    interrupted: Vec<Run>,
}

impl Agenda {
    pub(crate) fn plan(&mut self, moment_ms: u64, appointment: Appointment) {
        if self.appointments.len() >= MAX_APPOINTMENTS {
            tracing::warn!("too much is planned: something will not happen");
            return;
        }
        self.planned += 1;
        if let Appointment::Delivery { phone, in_order: true, .. } = &appointment {
            let (count, last) = self.deliveries.entry(*phone).or_default();
            *count += 1;
            *last = moment_ms.max(*last);
        }
        self.appointments.insert((moment_ms, self.planned), appointment);
    }

    fn next_moment(&self) -> Option<u64> {
        self.appointments.first_key_value().map(|((moment, _), _)| *moment)
    }

    fn take_due(&mut self, now_ms: u64) -> Option<(u64, Appointment)> {
        let due = self.appointments.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        let (moment, appointment) = (due.key().0, due.remove());
        if let Appointment::Delivery { phone, in_order: true, .. } = &appointment
            && let Some((count, _)) = self.deliveries.get_mut(phone)
        {
            *count -= 1;
            if *count == 0 {
                self.deliveries.remove(phone);
            }
        }
        Some((moment, appointment))
    }

    /// When the last of the deliveries arrives that are on their way to a phone in order, if any are.
    pub(crate) fn last_delivery_to(&self, phone: usize) -> Option<u64> {
        self.deliveries.get(&phone).map(|(_, last)| *last)
    }

    /// Keeps a script until its phone is on again.
    pub(crate) fn interrupt(&mut self, run: Run) {
        if self.interrupted.len() < MAX_APPOINTMENTS {
            self.interrupted.push(run);
        }
    }

    /// The phone is on since this moment: its scripts go on.
    fn resume(&mut self, phone: usize, moment_ms: u64) {
        let (resumed, others) = std::mem::take(&mut self.interrupted).into_iter().partition(|run| run.phone == phone);
        self.interrupted = others;
        let resumed: Vec<Run> = resumed;
        for run in resumed {
            self.plan(moment_ms, Appointment::Step(run));
        }
    }

    /// A phone forgets what it was about to do.
    pub(crate) fn forget_steps_of(&mut self, phone: usize) {
        self.interrupted.retain(|run| run.phone != phone);
        self.appointments.retain(|_, appointment| !matches!(appointment, Appointment::Step(run) if run.phone == phone));
    }

    pub(crate) fn save(&self) -> SavedAgenda {
        let appointments = self.appointments.iter().map(|((moment, _), planned)| (*moment, planned.clone()));
        SavedAgenda { appointments: appointments.collect(), interrupted: self.interrupted.clone() }
    }

    pub(crate) fn restore(saved: SavedAgenda) -> Self {
        let mut agenda = Self { interrupted: saved.interrupted, ..Self::default() };
        for (moment, appointment) in saved.appointments {
            agenda.plan(moment, appointment);
        }
        agenda
    }
}

impl State {
    pub(crate) fn plan(&mut self, moment_ms: u64, appointment: Appointment) {
        self.agenda.plan(moment_ms, appointment);
        self.planned.notify_one();
    }

    pub(crate) fn resume_scripts(&mut self, phone: usize, moment_ms: u64) {
        self.agenda.resume(phone, moment_ms);
        self.planned.notify_one();
    }
}

impl Network {
    /// Does what is due, for as long as it is polled.
    pub(crate) async fn keep_appointments(self) {
        let planned = std::sync::Arc::clone(&self.state().planned);
        loop {
            let next = self.state().agenda.next_moment();
            let comes = async {
                match next {
                    Some(moment) => self.clock().reaches(moment).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = comes => {
                    if self.do_what_is_due(MAX_IN_ONE_GO) >= MAX_IN_ONE_GO {
                        time::pause(BREATH).await;
                    }
                }
                () = planned.notified() => {}
            }
        }
    }

    /// The clock was moved: everything that became due happens before the mover goes on.
    pub(crate) fn catch_up(&self) {
        self.do_what_is_due(MAX_IN_ONE_MOVE);
    }

    /// Does what is due, in order, one thing after the other. Gives how many things.
    fn do_what_is_due(&self, most: usize) -> usize {
        let _turn = lock(&self.inner.appointments_turn);
        for done in 0..most {
            let due = {
                let mut state = self.state();
                let now = state.now_ms();
                state.agenda.take_due(now)
            };
            match due {
                None => return done,
                Some((moment, Appointment::Step(run))) => self.do_step(moment, run),
                Some((moment, Appointment::BackOnline { phone })) => self.switch(phone, true, moment),
                Some((_, Appointment::Delivery { phone, delivery, .. })) => self.hand_to_phone(phone, delivery),
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(phone: usize) -> Appointment {
        Appointment::BackOnline { phone }
    }

    fn due(agenda: &mut Agenda, now_ms: u64) -> Vec<usize> {
        let phone = |appointment| match appointment {
            Appointment::BackOnline { phone } | Appointment::Delivery { phone, .. } => phone,
            Appointment::Step(run) => run.phone,
        };
        std::iter::from_fn(|| agenda.take_due(now_ms)).map(|(_, appointment)| phone(appointment)).collect()
    }

    #[test]
    fn what_is_due_comes_in_order_of_moment_and_then_of_planning() {
        let mut agenda = Agenda::default();
        for (moment, phone) in [(20, 1), (10, 2), (20, 3), (30, 4)] {
            agenda.plan(moment, back(phone));
        }
        assert_eq!(agenda.next_moment(), Some(10));
        assert_eq!(due(&mut agenda, 20), [2, 1, 3]);
        let mut restored = Agenda::restore(agenda.save());
        assert_eq!(due(&mut restored, 30), [4]);
    }

    #[test]
    fn a_phone_that_is_on_again_goes_on_with_what_was_interrupted() {
        let mut agenda = Agenda::default();
        let run = |phone| Run { phone, peer: 9, message: "A".into(), steps: Vec::new().into() };
        agenda.interrupt(run(1));
        agenda.interrupt(run(2));
        agenda.resume(1, 50);
        assert_eq!(due(&mut agenda, 50), [1]);
        agenda.forget_steps_of(2);
        agenda.resume(2, 60);
        assert_eq!(due(&mut agenda, 60), [0; 0]);
    }
}
