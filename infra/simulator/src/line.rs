//! What is on its way: stanzas that a rule delays, each until its moment. Their order stays, as on a real connection,
//! unless a rule lets one be overtaken.

use std::collections::BTreeMap;

use crate::network::Disturbance;

/// How long what is overtaken stays behind.
const OVERTAKEN_MS: u64 = 1_000;

/// By moment, then by arrival.
pub(crate) struct OnTheWay<T> {
    waiting: BTreeMap<(u64, u64), T>,
    arrivals: u64,
    /// The moment of the last one that keeps the order.
    last: u64,
}

impl<T> OnTheWay<T> {
    pub(crate) fn new() -> Self {
        Self { waiting: BTreeMap::new(), arrivals: 0, last: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether something that comes now, disturbed like this, may go on at once.
    pub(crate) fn is_free_for(&self, disturbance: &Disturbance) -> bool {
        self.waiting.is_empty() && disturbance.delay_ms == 0 && !disturbance.overtaken
    }

    pub(crate) fn add(&mut self, now_ms: u64, disturbance: &Disturbance, item: T) {
        let mut moment = now_ms.saturating_add(disturbance.delay_ms).max(self.last);
        if disturbance.overtaken {
            moment = moment.saturating_add(OVERTAKEN_MS);
        } else {
            self.last = moment;
        }
        self.put(moment, item);
    }

    /// Adds what must come after everything that is on its way.
    pub(crate) fn add_last(&mut self, now_ms: u64, item: T) {
        let moment = self.waiting.last_key_value().map_or(now_ms, |((moment, _), _)| (*moment).max(now_ms));
        self.last = moment;
        self.put(moment, item);
    }

    fn put(&mut self, moment: u64, item: T) {
        self.arrivals += 1;
        self.waiting.insert((moment, self.arrivals), item);
    }

    /// When the next one goes on.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|((moment, _), _)| *moment)
    }

    /// The next one whose moment has come.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<T> {
        let next = self.waiting.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(next.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(delay_ms: u64) -> Disturbance {
        Disturbance { delay_ms, ..Disturbance::default() }
    }

    fn due(line: &mut OnTheWay<char>, now_ms: u64) -> String {
        std::iter::from_fn(|| line.take_due(now_ms)).collect()
    }

    #[test]
    fn delays_keep_the_order() {
        let mut line = OnTheWay::new();
        line.add(0, &late(100), 'a');
        line.add(10, &late(5), 'b');
        assert_eq!(due(&mut line, 99), "");
        assert_eq!(line.next_moment(), Some(100));
        assert_eq!(due(&mut line, 100), "ab");
        assert!(line.is_free_for(&late(0)) && !line.is_free_for(&late(1)));
    }

    #[test]
    fn what_is_overtaken_comes_a_second_later_than_it_would() {
        let mut line = OnTheWay::new();
        let overtaken = Disturbance { overtaken: true, ..Disturbance::default() };
        line.add(0, &overtaken, 'a');
        line.add(0, &late(0), 'b');
        line.add_last(0, 'z');
        assert_eq!(due(&mut line, 999), "b");
        assert_eq!(due(&mut line, 1_000), "az");
    }
}
