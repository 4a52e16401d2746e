//! Every stanza that crossed a socket, in order: what tests count. Entries keep the encoded form (a few hundred
//! bytes) and are turned into text only when somebody reads them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use wacore_binary::Node;
use wacore_binary::marshal::unmarshal_ref;

use crate::network::{lock, stanza_text};
use crate::{stanza, time};

/// How many stanzas are kept, and how many bytes of them.
const MAX_ENTRIES: usize = 200_000;
const MAX_BYTES: usize = 128 << 20;
/// A stanza larger than this is kept as shortened text (key uploads, mostly).
const MAX_STANZA: usize = 16 << 10;
const XML_LIMIT: usize = 4_096;
/// How many entries one read gives at most.
const MAX_READ: usize = 10_000;

/// Which way a stanza went, seen from the simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StanzaDirection {
    /// From a client to the network.
    In,
    /// From the network to a client.
    Out,
}

/// Which stanzas to read; an absent field does not filter.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StanzaFilter {
    /// The account of the connection, as phone digits.
    pub phone: Option<String>,
    /// The stanza's `id`.
    pub id: Option<String>,
    /// The stanza's tag, such as `message`.
    pub tag: Option<String>,
    /// Which way it went.
    pub direction: Option<StanzaDirection>,
    /// Only entries with a greater `seq`.
    pub after: Option<u64>,
    /// At most so many, the oldest first (default and maximum 10,000).
    pub limit: Option<usize>,
}

/// One stanza that crossed a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedStanza {
    /// Rising by one per stanza over the life of the simulator.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// Which way.
    pub direction: StanzaDirection,
    /// The account of the connection; absent before log-in.
    pub phone: Option<String>,
    /// The companion device of the connection; absent before log-in.
    pub device: Option<u16>,
    /// The number of the connection.
    pub connection: u64,
    /// The tag.
    pub tag: String,
    /// The attribute `id`.
    pub id: Option<String>,
    /// The attribute `type`.
    pub r#type: Option<String>,
    /// The attribute `to`.
    pub to: Option<String>,
    /// The attribute `from`.
    pub from: Option<String>,
    /// The stanza as text, cut at 4,096 characters.
    pub xml: String,
}

/// Whose connection a stanza crossed.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) connection: u64,
    pub(crate) client: Option<(Arc<str>, u16)>,
}

pub(crate) struct StanzaLog {
    ring: Mutex<Ring>,
    /// The number of the newest entry; waiters watch it.
    newest: watch::Sender<u64>,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<Entry>,
    bytes: usize,
    next: u64,
}

#[derive(Clone)]
struct Entry {
    seq: u64,
    at_ms: u64,
    direction: StanzaDirection,
    origin: Origin,
    tag: Box<str>,
    id: Option<Box<str>>,
    body: Body,
}

#[derive(Clone)]
enum Body {
    Encoded(Arc<[u8]>),
    Shortened { r#type: Option<String>, to: Option<String>, from: Option<String>, xml: Arc<str> },
}

impl StanzaLog {
    pub(crate) fn new() -> Self {
        Self { ring: Mutex::new(Ring { next: 1, ..Ring::default() }), newest: watch::Sender::new(0) }
    }

    /// Adds a stanza with its encoding, without the leading flag byte.
    pub(crate) fn record(&self, direction: StanzaDirection, origin: &Origin, node: &Node, encoded: &[u8]) {
        let body = if encoded.len() > MAX_STANZA { shorten(node) } else { Body::Encoded(encoded.into()) };
        let mut entry = Entry {
            seq: 0,
            at_ms: time::unix_millis(),
            direction,
            origin: origin.clone(),
            tag: node.tag.as_ref().into(),
            id: stanza::attribute(node, "id").map(|id| id.as_ref().into()),
            body,
        };
        let mut ring = lock(&self.ring);
        entry.seq = ring.next;
        ring.next += 1;
        ring.bytes += entry.size();
        ring.entries.push_back(entry);
        while ring.entries.len() > MAX_ENTRIES || ring.bytes > MAX_BYTES {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.bytes -= oldest.size();
        }
        let newest = ring.next - 1;
        drop(ring);
        self.newest.send_if_modified(|number| {
            let is_newer = newest > *number;
            *number = newest.max(*number);
            is_newer
        });
    }

    /// What matches once at least `count` entries do, without an end of its own.
    pub(crate) async fn read_when(&self, filter: &StanzaFilter, count: usize) -> Vec<LoggedStanza> {
        let mut newest = self.newest.subscribe();
        loop {
            newest.mark_unchanged();
            let found = self.read(filter);
            // The sender lives as long as the log, so waiting only ends with a new entry.
            if found.len() >= count || newest.changed().await.is_err() {
                return found;
            }
        }
    }

    pub(crate) fn read(&self, filter: &StanzaFilter) -> Vec<LoggedStanza> {
        let limit = filter.limit.unwrap_or(MAX_READ).min(MAX_READ);
        let found: Vec<Entry> = {
            let ring = lock(&self.ring);
            let after = filter.after.unwrap_or(0);
            let start = ring.entries.partition_point(|entry| entry.seq <= after);
            ring.entries.range(start..).filter(|entry| entry.matches(filter)).take(limit).cloned().collect()
        };
        found.into_iter().map(Entry::show).collect()
    }

    pub(crate) fn clear(&self) {
        let mut ring = lock(&self.ring);
        ring.entries.clear();
        ring.bytes = 0;
    }
}

impl Entry {
    fn size(&self) -> usize {
        let body = match &self.body {
            Body::Encoded(bytes) => bytes.len(),
            Body::Shortened { xml, .. } => xml.len(),
        };
        size_of::<Self>() + body
    }

    fn matches(&self, filter: &StanzaFilter) -> bool {
        let phone = self.origin.client.as_ref().map(|(phone, _)| phone.as_ref());
        filter.direction.is_none_or(|direction| direction == self.direction)
            && filter.tag.as_deref().is_none_or(|tag| tag == self.tag.as_ref())
            && filter.id.as_deref().is_none_or(|id| Some(id) == self.id.as_deref())
            && filter.phone.as_deref().is_none_or(|wanted| Some(wanted) == phone)
    }

    fn show(self) -> LoggedStanza {
        let (r#type, to, from, xml) = match self.body {
            Body::Shortened { r#type, to, from, xml } => (r#type, to, from, xml.as_ref().to_owned()),
            Body::Encoded(bytes) => match unmarshal_ref(&bytes) {
                Ok(node) => describe(&node.to_owned()),
                Err(error) => (None, None, None, format!("<!-- {error} -->")),
            },
        };
        let (phone, device) = self.origin.client.map(|(phone, device)| (phone.as_ref().to_owned(), device)).unzip();
        LoggedStanza {
            seq: self.seq,
            at_ms: self.at_ms,
            direction: self.direction,
            phone,
            device,
            connection: self.origin.connection,
            tag: self.tag.into(),
            id: self.id.map(Into::into),
            r#type,
            to,
            from,
            xml,
        }
    }
}

fn describe(node: &Node) -> (Option<String>, Option<String>, Option<String>, String) {
    let text = |name| stanza_text(node, name);
    (text("type"), text("to"), text("from"), stanza::to_xml(node, XML_LIMIT))
}

fn shorten(node: &Node) -> Body {
    let (r#type, to, from, xml) = describe(node);
    Body::Shortened { r#type, to, from, xml: xml.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wacore_binary::builder::NodeBuilder;

    fn record(log: &StanzaLog, id: &str, direction: StanzaDirection) {
        let node = NodeBuilder::new("message").attr("id", id).attr("type", "text").build();
        let encoded = wacore_binary::marshal_auto(&node).unwrap();
        let origin = Origin { connection: 1, client: Some(("60123456789".into(), 33)) };
        log.record(direction, &origin, &node, encoded.get(1..).unwrap());
    }

    #[test]
    fn a_logged_stanza_is_found_by_its_id_and_reads_as_it_was() {
        let log = StanzaLog::new();
        record(&log, "A", StanzaDirection::In);
        record(&log, "B", StanzaDirection::Out);
        let found = log.read(&StanzaFilter { id: Some("B".into()), ..StanzaFilter::default() });
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].xml, "<message id=\"B\" type=\"text\"/>");
        assert_eq!((found[0].seq, found[0].direction, found[0].device), (2, StanzaDirection::Out, Some(33)));
    }

    #[test]
    fn reading_after_a_number_gives_only_what_came_later() {
        let log = StanzaLog::new();
        (0..5).for_each(|n| record(&log, &n.to_string(), StanzaDirection::In));
        let ids = |filter| log.read(&filter).into_iter().filter_map(|entry| entry.id).collect::<Vec<_>>();
        assert_eq!(ids(StanzaFilter { after: Some(3), ..StanzaFilter::default() }), ["3", "4"]);
        assert_eq!(ids(StanzaFilter { after: Some(1), limit: Some(2), ..StanzaFilter::default() }), ["1", "2"]);
        log.clear();
        assert!(ids(StanzaFilter::default()).is_empty());
    }
}
