//! What the network counts, for whoever watches it: `/admin/counts` as JSON, `/metrics` as Prometheus text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::network::Network;
use crate::network::stanza_log::StanzaDirection;

/// Something that happens again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    ConnectionsOpened,
    ConnectionsRefused,
    ConnectionsFailed,
    HandshakesXx,
    HandshakesIk,
    HandshakesXxFallback,
    EdgeRouted,
    LogIns,
    LogInsRefused,
    QrCodesOffered,
    DevicesPaired,
    MessagesTaken,
    MessagesRefused,
    StanzasLost,
    ScriptSteps,
    UploadsResumed,
}

/// All of them, in the order of the enum, with their names.
const COUNTS: [(Count, &str); 16] = [
    (Count::ConnectionsOpened, "connections_opened"),
    (Count::ConnectionsRefused, "connections_refused"),
    (Count::ConnectionsFailed, "connections_failed"),
    (Count::HandshakesXx, "handshakes_xx"),
    (Count::HandshakesIk, "handshakes_ik"),
    (Count::HandshakesXxFallback, "handshakes_xx_fallback"),
    (Count::EdgeRouted, "edge_routed"),
    (Count::LogIns, "log_ins"),
    (Count::LogInsRefused, "log_ins_refused"),
    (Count::QrCodesOffered, "qr_codes_offered"),
    (Count::DevicesPaired, "devices_paired"),
    (Count::MessagesTaken, "messages_taken"),
    (Count::MessagesRefused, "messages_refused"),
    (Count::StanzasLost, "stanzas_lost"),
    (Count::ScriptSteps, "script_steps"),
    (Count::UploadsResumed, "uploads_resumed"),
];

/// The tags that are told apart; the last one stands for every other.
const TAGS: [&str; 13] = [
    "ack",
    "call",
    "chatstate",
    "failure",
    "ib",
    "iq",
    "message",
    "notification",
    "presence",
    "receipt",
    "stream:error",
    "success",
    "other",
];

#[derive(Default)]
pub(crate) struct Counts {
    happened: [AtomicU64; COUNTS.len()],
    stanzas_in: [AtomicU64; TAGS.len()],
    stanzas_out: [AtomicU64; TAGS.len()],
}

impl Counts {
    pub(crate) fn add(&self, count: Count) {
        if let Some(counter) = self.happened.get(count as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn stanza(&self, direction: StanzaDirection, tag: &str) {
        let at = TAGS.iter().position(|known| *known == tag).unwrap_or(TAGS.len() - 1);
        let counters = match direction {
            StanzaDirection::In => &self.stanzas_in,
            StanzaDirection::Out => &self.stanzas_out,
        };
        if let Some(counter) = counters.get(at) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Name, labels as Prometheus writes them, and value.
    fn read(&self) -> Vec<(&'static str, Option<String>, u64)> {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let mut all: Vec<_> =
            COUNTS.iter().zip(&self.happened).map(|((_, name), counter)| (*name, None, value(counter))).collect();
        for (direction, counters) in [("in", &self.stanzas_in), ("out", &self.stanzas_out)] {
            for (tag, counter) in TAGS.iter().zip(counters) {
                all.push(("stanzas", Some(format!("direction=\"{direction}\",tag=\"{tag}\"")), value(counter)));
            }
        }
        all
    }
}

impl Network {
    pub(crate) fn count(&self, count: Count) {
        self.inner.counts.add(count);
    }

    /// How often what happened since the start, and what there is now. Stanzas are told apart by direction and tag
    /// (`stanzas.in.message`).
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut all: BTreeMap<String, u64> = BTreeMap::new();
        for (name, labels, value) in self.inner.counts.read() {
            let name = match labels {
                None => name.to_owned(),
                Some(labels) => {
                    let values: Vec<&str> = labels.split('"').skip(1).step_by(2).collect();
                    format!("{name}.{}", values.join("."))
                }
            };
            all.insert(name, value);
        }
        all.extend(self.gauges().map(|(name, value)| (name.to_owned(), value)));
        all
    }

    /// The same in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let mut last = "";
        for (name, labels, value) in self.inner.counts.read() {
            if name != last {
                let _infallible = writeln!(text, "# TYPE simulator_{name}_total counter");
                last = name;
            }
            let labels = labels.map(|labels| format!("{{{labels}}}")).unwrap_or_default();
            let _infallible = writeln!(text, "simulator_{name}_total{labels} {value}");
        }
        for (name, value) in self.gauges() {
            let _infallible = writeln!(text, "# TYPE simulator_{name} gauge\nsimulator_{name} {value}");
        }
        text
    }

    fn gauges(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let (mut devices, mut connected, mut queued, mut phones_on) = (0, 0, 0, 0);
        let state = self.state();
        for account in &state.accounts {
            phones_on += u64::from(account.online);
            for device in account.devices.values() {
                devices += 1;
                connected += u64::from(device.connected.is_some());
                queued += device.queue.len() as u64;
            }
        }
        [
            ("accounts", state.accounts.len() as u64),
            ("connections", state.connections.len() as u64),
            ("devices", devices),
            ("devices_connected", connected),
            ("phones_on", phones_on),
            ("stanzas_queued", queued),
            ("unknown_iqs", state.unknown_iqs.values().sum()),
        ]
        .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_stands_in_its_own_place() {
        for (at, (count, _)) in COUNTS.iter().enumerate() {
            assert_eq!(*count as usize, at, "{count:?}");
        }
        let counts = Counts::default();
        counts.add(Count::ScriptSteps);
        counts.stanza(StanzaDirection::In, "message");
        counts.stanza(StanzaDirection::Out, "unheard of");
        let seen: Vec<_> = counts.read().into_iter().filter(|(_, _, value)| *value == 1).collect();
        let names: Vec<_> = seen.iter().map(|(name, labels, _)| (*name, labels.as_deref())).collect();
        assert_eq!(
            names,
            [
                ("script_steps", None),
                ("stanzas", Some(r#"direction="in",tag="message""#)),
                ("stanzas", Some(r#"direction="out",tag="other""#)),
            ]
        );
    }
}
