//! What a host can be watched by: counts of what happened, and how its devices stand at the moment of asking.
//!
//! Devices stand on a board that their tasks keep up to date; the numbers about them are made of it when somebody asks,
//! so that no number can drift away from the truth. Labels have few values, never one per device or account.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hantar_domain::device::Status;
use hantar_domain::ids::DeviceId;
use hantar_domain::time::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// A connected device of which nothing was heard for so long is called silent. WhatsApp answers a ping every half minute.
const SILENT: Duration = Duration::from_mins(5);
/// From a fast answer to the longest that is waited for.
const ACK_BUCKETS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// From a message that goes out at once to one that waited for its campaign's pace all day.
const WAIT_BUCKETS: [f64; 12] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 86_400.0];
/// Codes with a label of their own.
const NACKS: [&str; 11] = ["400", "401", "403", "404", "405", "429", "463", "479", "500", "503", "other"];

type Label = [(&'static str, &'static str); 1];

/// How a device stands, as far as its task knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeviceStanding {
    /// What was last said of it.
    pub(crate) status: Status,
    /// When something was last heard of it on its connection; to the minute.
    pub(crate) heard_at: Option<Timestamp>,
    /// The oldest message that could be written now.
    pub(crate) oldest_ready: Option<Timestamp>,
    /// How many could be, as far as they were read.
    pub(crate) ready: usize,
    /// How many were written, and are not answered.
    pub(crate) unanswered: usize,
    /// How many of these should have been answered long ago.
    pub(crate) overdue: usize,
}

/// What is known of all devices at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Connected, and silent.
    pub(crate) silent: usize,
    /// Messages on the wire.
    pub(crate) unanswered: usize,
    /// Messages that should have been answered.
    pub(crate) overdue: usize,
}

/// What happened since the start, and the board.
pub(crate) struct Metrics {
    registry: Registry,
    board: Mutex<BTreeMap<DeviceId, DeviceStanding>>,
    devices: Family<Label, Gauge>,
    shards: Gauge,
    silent: Gauge,
    ready: Gauge,
    oldest: Gauge,
    unanswered: Gauge,
    overdue: Gauge,
    memory: Gauge,
    sends: Counter,
    waits: Histogram,
    acks: Histogram,
    nacks: Family<Label, Counter>,
    reconnects: Counter,
    endings: Family<Label, Counter>,
    leases: Family<Label, Counter>,
    store_errors: Family<Label, Counter>,
    received: Counter,
}

/// A change of who owns a shard, as this host sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseChange {
    /// It took one.
    Taken,
    /// It gave one back.
    GivenBack,
    /// Another host has it.
    Lost,
    /// Its right lapsed.
    Lapsed,
}

impl Metrics {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("hantar"),
            board: Mutex::default(),
            devices: Family::default(),
            shards: Gauge::default(),
            silent: Gauge::default(),
            ready: Gauge::default(),
            oldest: Gauge::default(),
            unanswered: Gauge::default(),
            overdue: Gauge::default(),
            memory: Gauge::default(),
            sends: Counter::default(),
            waits: Histogram::new(WAIT_BUCKETS),
            acks: Histogram::new(ACK_BUCKETS),
            nacks: Family::default(),
            reconnects: Counter::default(),
            endings: Family::default(),
            leases: Family::default(),
            store_errors: Family::default(),
            received: Counter::default(),
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register("devices", "Devices that this host looks after, by status", self.devices.clone());
        registry.register("shards", "Shards that this host works for", self.shards.clone());
        registry.register("silent_devices", "Connected devices not heard of for five minutes", self.silent.clone());
        registry.register("ready_messages", "Messages that could be written now, as read", self.ready.clone());
        let help = "Age of the oldest message that could be written now";
        registry.register_with_unit("oldest_ready", help, Unit::Seconds, self.oldest.clone());
        registry.register("unanswered_messages", "Messages written and not answered yet", self.unanswered.clone());
        let help = "Messages written and not answered for a minute and more";
        registry.register("unacked_messages", help, self.overdue.clone());
        registry.register_with_unit("resident_memory", "Memory in use", Unit::Bytes, self.memory.clone());
        registry.register("sends", "Messages written to a socket", self.sends.clone());
        let help = "From the acceptance of a message to its write";
        registry.register_with_unit("send_wait", help, Unit::Seconds, self.waits.clone());
        let help = "From the write of a message to WhatsApp's answer";
        registry.register_with_unit("ack", help, Unit::Seconds, self.acks.clone());
        registry.register("nacks", "Messages that WhatsApp refused, by code", self.nacks.clone());
        registry.register("reconnects", "Connections begun after the first of a device", self.reconnects.clone());
        registry.register("connection_ends", "Connections that ended, by reason", self.endings.clone());
        registry.register("lease_changes", "Shards taken, given back, lost and lapsed", self.leases.clone());
        registry.register("store_errors", "Calls of the tables and queues that failed", self.store_errors.clone());
        registry.register("received_messages", "Messages that came in and are durable", self.received.clone());
        self
    }

    /// Puts a device on the board, or changes what stands there.
    pub(crate) fn post(&self, device: DeviceId, standing: DeviceStanding) {
        self.board().insert(device, standing);
    }

    /// Takes a device off the board.
    pub(crate) fn take_down(&self, device: DeviceId) {
        self.board().remove(&device);
    }

    /// A message was written, so long after its acceptance.
    pub(crate) fn sent(&self, waited: Duration) {
        self.sends.inc();
        self.waits.observe(waited.as_secs_f64());
    }

    /// WhatsApp answered a message so long after its write.
    pub(crate) fn answered(&self, after: Option<Duration>, error: Option<&str>) {
        if let Some(after) = after {
            self.acks.observe(after.as_secs_f64());
        }
        if let Some(error) = error {
            let code = NACKS.iter().find(|known| **known == error).copied().unwrap_or("other");
            self.nacks.get_or_create(&[("code", code)]).inc();
        }
    }

    /// A device connects that was connected before.
    pub(crate) fn reconnects(&self) {
        self.reconnects.inc();
    }

    /// A connection is over.
    pub(crate) fn ended(&self, reason: &'static str) {
        self.endings.get_or_create(&[("reason", reason)]).inc();
    }

    /// Shards changed hands.
    pub(crate) fn lease(&self, change: LeaseChange, count: usize) {
        let word = match change {
            LeaseChange::Taken => "taken",
            LeaseChange::GivenBack => "given_back",
            LeaseChange::Lost => "lost",
            LeaseChange::Lapsed => "lapsed",
        };
        self.leases.get_or_create(&[("change", word)]).inc_by(count as u64);
    }

    /// A call of the tables or queues failed while this was done.
    pub(crate) fn store_failed(&self, what: &'static str) {
        self.store_errors.get_or_create(&[("what", what)]).inc();
    }

    /// So many messages came in.
    pub(crate) fn received(&self, count: usize) {
        self.received.inc_by(count as u64);
    }

    /// What is to be watched of all devices.
    pub(crate) fn summary(&self, now: Timestamp) -> Summary {
        let mut summary = Summary::default();
        for standing in self.board().values() {
            let silent = standing.status == Status::Connected
                && standing.heard_at.is_some_and(|heard| now.since(heard) >= SILENT);
            summary.silent += usize::from(silent);
            summary.unanswered += standing.unanswered;
            summary.overdue += standing.overdue;
        }
        summary
    }

    /// All of it as text, as Prometheus reads it.
    pub(crate) fn text(&self, now: Timestamp, shards: usize) -> String {
        let summary = self.summary(now);
        let (mut ready, mut oldest) = (0, None::<Timestamp>);
        let mut statuses: BTreeMap<&'static str, i64> = Status::ALL.iter().map(|status| (status.word(), 0)).collect();
        for standing in self.board().values() {
            *statuses.entry(standing.status.word()).or_default() += 1;
            ready += standing.ready;
            oldest = oldest.into_iter().chain(standing.oldest_ready).min();
        }
        for (status, count) in statuses {
            self.devices.get_or_create(&[("status", status)]).set(count);
        }
        set(&self.shards, shards);
        set(&self.silent, summary.silent);
        set(&self.ready, ready);
        self.oldest.set(oldest.map_or(0, |at| i64::try_from(now.since(at).as_secs()).unwrap_or(i64::MAX)));
        set(&self.unanswered, summary.unanswered);
        set(&self.overdue, summary.overdue);
        self.memory.set(resident_bytes().unwrap_or(0));
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn board(&self) -> MutexGuard<'_, BTreeMap<DeviceId, DeviceStanding>> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set(gauge: &Gauge, count: usize) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}

/// What the system says that this process has in memory; Linux alone says it.
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(status: Status) -> DeviceStanding {
        DeviceStanding { status, heard_at: None, oldest_ready: None, ready: 0, unanswered: 0, overdue: 0 }
    }

    #[test]
    fn the_text_tells_how_devices_stand_and_what_happened() {
        let (metrics, now) = (Metrics::new(), Timestamp::from_seconds(1_000_000));
        let before = |seconds: i64| Timestamp::from_seconds(1_000_000 - seconds);
        metrics.post(DeviceId(1), DeviceStanding { heard_at: Some(before(400)), ..standing(Status::Connected) });
        metrics.post(
            DeviceId(2),
            DeviceStanding {
                heard_at: Some(before(10)),
                oldest_ready: Some(before(90)),
                ready: 7,
                unanswered: 3,
                overdue: 2,
                ..standing(Status::Connected)
            },
        );
        metrics.post(DeviceId(3), standing(Status::Banned));
        metrics.post(DeviceId(4), standing(Status::Banned));
        metrics.take_down(DeviceId(4));
        metrics.sent(Duration::from_millis(30));
        metrics.answered(Some(Duration::from_millis(7)), None);
        metrics.answered(None, Some("463"));
        metrics.answered(None, Some("a code from tomorrow"));
        metrics.lease(LeaseChange::Taken, 2);
        metrics.store_failed("turns");
        metrics.ended("connection_lost");
        let text = metrics.text(now, 2);
        for line in [
            "hantar_devices{status=\"connected\"} 2",
            "hantar_devices{status=\"banned\"} 1",
            "hantar_devices{status=\"outdated\"} 0",
            "hantar_shards 2",
            "hantar_silent_devices 1",
            "hantar_ready_messages 7",
            "hantar_oldest_ready_seconds 90",
            "hantar_unanswered_messages 3",
            "hantar_unacked_messages 2",
            "hantar_sends_total 1",
            "hantar_send_wait_seconds_bucket{le=\"0.05\"} 1",
            "hantar_ack_seconds_bucket{le=\"0.005\"} 0",
            "hantar_ack_seconds_bucket{le=\"0.01\"} 1",
            "hantar_nacks_total{code=\"463\"} 1",
            "hantar_nacks_total{code=\"other\"} 1",
            "hantar_lease_changes_total{change=\"taken\"} 2",
            "hantar_store_errors_total{what=\"turns\"} 1",
            "hantar_connection_ends_total{reason=\"connection_lost\"} 1",
        ] {
            assert!(text.lines().any(|known| known == line), "{line} is missing in\n{text}");
        }
        let memory = text.lines().find_map(|line| line.strip_prefix("hantar_resident_memory_bytes ")).unwrap();
        assert!(memory.parse::<u64>().unwrap() > 1 << 20);
    }
}
