//! The stream of the business table becomes doorbells, events for subscribers, and entries of the consent ledger. What it
//! becomes besides, counts, is `count.rs`.
//!
//! One worker reads each stream shard in order. A batch that fails is read again: rings repeat harmlessly, deliveries
//! are stored once by (endpoint, event), consents once by their message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hantar_domain::device::Device;
use hantar_domain::ids::{AccountId, DeviceId, Shard};
use hantar_domain::message::{Direction, Message, State};
use hantar_domain::webhook::{Endpoint, EventId, EventKind};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::{Change, Clock, Delivery, DeliveryState, Job, JobQueue, PortError, Queue, Tenants};
use hantar_wire::webhook as body;

/// What the relay needs from outside.
pub struct Relay {
    /// Tenants' records.
    pub tenants: Arc<dyn Tenants>,
    /// Doorbells.
    pub queue: Arc<dyn JobQueue>,
    /// The fleet's fixed number of shards.
    pub shards: u16,
    /// Numbers of the answers to those who opt out.
    pub numbers: Arc<Numbers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// One record of the stream.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its number within its stream shard; rises.
    pub sequence: u128,
    /// What it says.
    pub change: Change,
}

/// An event on its way to subscribers.
pub(crate) struct Event {
    pub(crate) account: AccountId,
    pub(crate) id: EventId,
    pub(crate) kind: EventKind,
    pub(crate) body: String,
    pub(crate) at: hantar_domain::time::Timestamp,
}

impl Relay {
    /// Handles a batch of one stream shard, in order. After an error the whole batch is to be given again; it may be given
    /// again at any time.
    pub async fn handle(&self, records: &[Record]) -> Result<(), PortError> {
        self.ring(records).await?;
        self.publish(records.iter().flat_map(|record| events_of(&record.change)).collect()).await?;
        self.hear(records).await?;
        self.warn(records).await
    }

    /// One doorbell per device, however many of its messages the batch holds.
    async fn ring(&self, records: &[Record]) -> Result<(), PortError> {
        let mut devices: BTreeMap<Shard, BTreeSet<(AccountId, DeviceId)>> = BTreeMap::new();
        for record in records {
            if let Some((account, device)) = rings_for(&record.change) {
                devices.entry(Shard::of(device, self.shards)).or_default().insert((account, device));
            }
        }
        for (shard, devices) in devices {
            let jobs: Vec<Job> = devices.into_iter().map(|(account, device)| Job::Device { account, device }).collect();
            self.queue.send(Queue::Shard(shard), &jobs, std::time::Duration::ZERO).await?;
        }
        Ok(())
    }

    /// Stores events for those who want them, and rings for each.
    pub(crate) async fn publish(&self, events: Vec<Event>) -> Result<(), PortError> {
        let mut endpoints: BTreeMap<AccountId, Vec<Endpoint>> = BTreeMap::new();
        let mut jobs = Vec::new();
        for event in events {
            let tenant = self.tenants.for_account(event.account);
            if let std::collections::btree_map::Entry::Vacant(entry) = endpoints.entry(event.account) {
                entry.insert(tenant.endpoints().await?);
            }
            let subscribed = endpoints.get(&event.account).into_iter().flatten();
            for endpoint in
                subscribed.filter(|endpoint| endpoint.disabled.is_none() && endpoint.subscription.wants(event.kind))
            {
                let delivery = Delivery {
                    endpoint: endpoint.id,
                    event: event.id.clone(),
                    kind: event.kind,
                    body: event.body.clone(),
                    state: DeliveryState::Pending,
                    due_at: event.at,
                    attempts: vec![],
                };
                // Also when it was stored before: the process may have died between storing and ringing.
                tenant.add_delivery(&delivery).await?;
                jobs.push(Job::Delivery { account: event.account, endpoint: endpoint.id, event: event.id.clone() });
            }
        }
        if jobs.is_empty() { Ok(()) } else { self.queue.send(Queue::Webhooks, &jobs, std::time::Duration::ZERO).await }
    }
}

/// The device that is to be woken by a change: a new message to send, or somebody wants a QR code.
fn rings_for(change: &Change) -> Option<(AccountId, DeviceId)> {
    match change {
        Change::Message { old: None, new } if new.direction == Direction::Outbound && new.state.is_open() => {
            Some((new.account, new.device))
        }
        Change::Message { .. } => None,
        Change::Device { old, new } => {
            let wanted_before = old.as_ref().and_then(|old| old.pairing_wanted_until);
            (new.pairing_wanted_until.is_some() && new.pairing_wanted_until != wanted_before)
                .then_some((new.account, new.id))
        }
    }
}

fn events_of(change: &Change) -> Vec<Event> {
    match change {
        Change::Message { old, new } if new.direction == Direction::Outbound => status_events(old.as_deref(), new),
        Change::Message { old: None, new } => vec![Event {
            account: new.account,
            id: EventId::message(new.account, new.id, 0),
            kind: EventKind::MessageReceived,
            body: body::message_received(new),
            at: new.accepted_at,
        }],
        Change::Message { .. } => vec![],
        Change::Device { old, new } => device_event(old.as_deref(), new).into_iter().collect(),
    }
}

/// One event for each new step, but for those that tell a subscriber nothing: that it was accepted, which the answer
/// to the request said, and that it is on its way to the socket.
fn status_events(old: Option<&Message>, new: &Message) -> Vec<Event> {
    let known = old.map_or(0, |old| old.history.len());
    let steps = new.history.iter().enumerate().skip(known);
    let told = steps.filter(|(_, step)| !matches!(step.state, State::Queued | State::Dispatched));
    let event = |(index, step): (usize, &hantar_domain::message::Step)| Event {
        account: new.account,
        id: EventId::message(new.account, new.id, index),
        kind: EventKind::MessageStatus,
        body: body::message_status(new, index),
        at: step.at,
    };
    told.map(event).collect()
}

fn device_event(old: Option<&Device>, new: &Device) -> Option<Event> {
    let seq_before = old.map_or(0, |old| old.status_seq);
    (new.status_seq > seq_before).then(|| {
        let at = new.status_at;
        Event {
            account: new.account,
            id: EventId::device(new.id, new.status_seq),
            kind: EventKind::DeviceStatus,
            body: body::device_status(new, at),
            at,
        }
    })
}
