//! The last stretch to a simulated phone, where blocks stop what comes (but not in a group) and fault rules delay or lose it.

use crate::network::agenda::Appointment;
use crate::network::phone_inbound::PhoneDelivery;
use crate::network::stanza_log::StanzaDirection;
use crate::network::{Count, Network, State};

/// The phone's own device number.
const PHONE: u16 = 0;
/// How long what is overtaken stays behind.
const OVERTAKEN_MS: u64 = 1_000;

impl Network {
    /// Hands something to a phone, or keeps it until the phone is on. Rules may delay or lose it.
    pub(crate) fn deliver_to_phone(&self, phone: usize, delivery: PhoneDelivery) {
        let at_once = {
            let mut state = self.state();
            let sender = delivery.sender();
            if sender != phone && !delivery.is_in_group() && state.is_blocked(phone, sender) {
                return;
            }
            state.go_the_last_stretch(phone, delivery)
        };
        match at_once {
            Arrival::Now(delivery) => self.hand_to_phone(phone, delivery),
            Arrival::Never => self.count(Count::StanzasLost),
            Arrival::Later => {}
        }
    }
}

enum Arrival {
    Now(PhoneDelivery),
    Later,
    Never,
}

impl State {
    fn go_the_last_stretch(&mut self, phone: usize, delivery: PhoneDelivery) -> Arrival {
        let Some(number) = self.accounts.get(phone).map(|account| std::sync::Arc::clone(&account.phone)) else {
            return Arrival::Never;
        };
        let disturbance = self.faults.disturb(Some((&number, PHONE)), StanzaDirection::In);
        let before = self.agenda.last_delivery_to(phone);
        if disturbance.lost {
            return Arrival::Never;
        }
        if before.is_none() && disturbance.delay_ms == 0 && !disturbance.overtaken {
            return Arrival::Now(delivery);
        }
        let mut moment = self.now_ms().saturating_add(disturbance.delay_ms);
        if disturbance.overtaken {
            moment = moment.saturating_add(OVERTAKEN_MS);
            self.plan(moment, Appointment::Delivery { phone, delivery, in_order: false });
        } else {
            moment = moment.max(before.unwrap_or_default());
            self.plan(moment, Appointment::Delivery { phone, delivery, in_order: true });
        }
        Arrival::Later
    }
}
