//! Getting stanzas to a companion: every message, receipt and notification stays in the device's queue until the
//! client acknowledged it, and comes again on the next connection.

use std::collections::VecDeque;
use std::sync::Arc;

use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use crate::network::{Network, Session, State};
use crate::stanza;

/// Beyond this the oldest is dropped, as the real server drops what waited too long.
const MAX_QUEUE: usize = 50_000;
const MAX_HELD_ACKS: usize = 100_000;

/// What waits for one device.
#[derive(Default)]
pub(crate) struct DeviceQueue(VecDeque<Queued>);

struct Queued {
    stanza: Arc<Node>,
    id: String,
    /// The connection it was written to, zero when none.
    written_on: u64,
}

/// An ack that a rule withholds.
pub(crate) struct HeldAck {
    pub(crate) account: usize,
    pub(crate) device: u16,
    pub(crate) ack: Node,
}

impl DeviceQueue {
    fn add(&mut self, stanza: Arc<Node>, written_on: u64) {
        if self.0.len() >= MAX_QUEUE {
            self.0.pop_front();
        }
        let id = stanza::owned(&stanza, "id");
        self.0.push_back(Queued { stanza, id, written_on });
    }

    /// Takes out the first stanza of this tag and id. Clients answer in order, so it is near the front.
    fn settle(&mut self, tag: &str, id: &str, kind: Option<&str>) {
        let is_it = |queued: &Queued| {
            queued.id == id
                && queued.stanza.tag == tag
                && kind.is_none_or(|kind| stanza::attribute(&queued.stanza, "type").as_deref() == Some(kind))
        };
        if let Some(at) = self.0.iter().position(is_it) {
            self.0.remove(at);
        }
    }

    /// The queued stanzas, encoded.
    pub(crate) fn save(&self) -> Vec<Vec<u8>> {
        self.0.iter().filter_map(|queued| wacore_binary::marshal_auto(&queued.stanza).ok()).collect()
    }

    /// Stanzas that cannot be read any more are left out.
    pub(crate) fn restore(encoded: &[Vec<u8>]) -> Self {
        let mut queue = Self::default();
        for stanza in encoded {
            if let Ok(plain) = wacore_binary::util::unpack(stanza)
                && let Ok(stanza) = wacore_binary::marshal::unmarshal_ref(&plain)
            {
                queue.add(Arc::new(stanza.to_owned()), 0);
            }
        }
        queue
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl State {
    /// Queues a stanza for a device and writes it when the device is there. Unknown devices get nothing.
    pub(crate) fn push(&mut self, account: usize, device: u16, stanza: Node) {
        let Some(device) = self.device(account, device) else { return };
        let stanza = Arc::new(stanza);
        let written_on = match &device.connected {
            Some(connected) if connected.active => {
                connected.outbound.send(Arc::clone(&stanza));
                connected.connection
            }
            _ => 0,
        };
        device.queue.add(stanza, written_on);
    }

    /// Queues a stanza for every companion of an account.
    pub(crate) fn push_to_companions(&mut self, account: usize, stanza: &Node) {
        let companions: Vec<u16> =
            self.accounts.get(account).into_iter().flat_map(|account| account.devices.keys().copied()).collect();
        for device in companions {
            self.push(account, device, stanza.clone());
        }
    }

    /// Writes a stanza that is not worth keeping, such as an ack.
    pub(crate) fn write_to(&self, account: usize, device: u16, stanza: Node) {
        let device = self.accounts.get(account).and_then(|account| account.devices.get(&device));
        if let Some(connected) = device.and_then(|device| device.connected.as_ref()) {
            connected.outbound.send(stanza);
        }
    }

    /// The client has taken responsibility for this stanza.
    pub(crate) fn settle(&mut self, session: Session, tag: &str, id: &str, kind: Option<&str>) {
        if let Some(device) = self.device(session.account, session.device) {
            device.queue.settle(tag, id, kind);
        }
    }

    pub(crate) fn hold_ack(&mut self, held: HeldAck) {
        if self.held_acks.len() < MAX_HELD_ACKS {
            self.held_acks.push(held);
        }
    }

    /// Writes what waited, oldest first and marked as such, then says that this was all.
    pub(crate) fn replay(&mut self, session: Session) {
        let Some(device) = self.device(session.account, session.device) else { return };
        let Some(connected) = device.connected.as_mut().filter(|c| c.connection == session.connection) else { return };
        let mut count = 0_u32;
        for queued in device.queue.0.iter_mut().filter(|queued| queued.written_on != session.connection) {
            queued.written_on = session.connection;
            let mut stanza = Node::clone(&queued.stanza);
            stanza.attrs.insert("offline", "1");
            connected.outbound.send(stanza);
            count += 1;
        }
        connected.active = true;
        let offline = NodeBuilder::new("offline").attr("count", count).build();
        let done = NodeBuilder::new("ib").attr("from", stanza::server()).children([offline]).build();
        connected.outbound.send(done);
        let signs: Vec<Node> =
            self.missed_presence(session).into_iter().chain(self.waiting_chat_states(session)).collect();
        for sign in signs {
            self.write_to(session.account, session.device, sign);
        }
    }
}

impl Network {
    /// Sends every withheld ack, oldest first, to the connection its device has now; gives how many there were.
    pub fn release_acks(&self) -> usize {
        let mut state = self.state();
        let held = std::mem::take(&mut state.held_acks);
        let count = held.len();
        for HeldAck { account, device, ack } in held {
            state.write_to(account, device, ack);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(queue: &DeviceQueue) -> Vec<&str> {
        queue.0.iter().map(|queued| queued.id.as_str()).collect()
    }

    fn queue(ids: &[&str]) -> DeviceQueue {
        let mut queue = DeviceQueue::default();
        for id in ids {
            queue.add(Arc::new(NodeBuilder::new("message").attr("id", *id).build()), 0);
        }
        queue
    }

    #[test]
    fn of_too_much_the_oldest_is_dropped() {
        let mut queue = DeviceQueue::default();
        let stanza = Arc::new(NodeBuilder::new("message").attr("id", "old").build());
        queue.add(stanza, 0);
        let stanza = Arc::new(NodeBuilder::new("message").attr("id", "new").build());
        for _ in 0..MAX_QUEUE {
            queue.add(Arc::clone(&stanza), 0);
        }
        assert_eq!((queue.len(), ids(&queue)[0]), (MAX_QUEUE, "new"));
    }

    #[test]
    fn an_answer_settles_one_stanza_of_its_id_and_no_other() {
        let mut queue = queue(&["A", "B", "A"]);
        queue.settle("message", "A", None);
        assert_eq!(ids(&queue), ["B", "A"]);
        queue.settle("receipt", "B", None);
        queue.settle("message", "B", Some("text"));
        queue.settle("message", "C", None);
        assert_eq!(ids(&queue), ["B", "A"]);
    }
}
