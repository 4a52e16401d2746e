//! Who may act for a shard, and how two hosts with clocks of their own agree on it.
//!
//! A host keeps one heartbeat item with a counter. It counts its right to act from *before* it sent a renewal, on a
//! clock that goes on while the machine sleeps. A contender takes a shard only after it has seen that counter
//! unchanged for a whole term on its own clock, and it first ends the silent host's heartbeat, so that a renewal
//! still on its way cannot land afterwards. A host whose right has lapsed gives up every shard before it renews.

use std::time::Duration;

/// How leases run. One value for the whole fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a contender must see no sign of life.
    pub term: Duration,
    /// How much earlier the owner stops, to allow for clocks that run at different speeds.
    pub margin: Duration,
    /// How often the owner renews.
    pub renew_every: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { term: Duration::from_secs(10), margin: Duration::from_secs(2), renew_every: Duration::from_millis(2500) }
    }
}

/// An owner's knowledge of its own right to act. Moments are readings of the owner's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    renewed_from: Duration,
}

impl Right {
    /// A right confirmed by a renewal that was sent at `sent_at`.
    pub const fn since(sent_at: Duration) -> Self {
        Self { renewed_from: sent_at }
    }

    /// Until when it holds.
    pub fn until(&self, terms: &Terms) -> Duration {
        self.renewed_from + terms.term.saturating_sub(terms.margin)
    }

    /// Whether it holds at `now`. To be asked right before each act.
    pub fn holds_at(&self, now: Duration, terms: &Terms) -> bool {
        now < self.until(terms)
    }
}

/// A contender's observation of another host. Moments are readings of the contender's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    counter: u64,
    unchanged_since: Duration,
}

impl Watch {
    /// First seen at `now` with this heartbeat counter.
    pub const fn begin(counter: u64, now: Duration) -> Self {
        Self { counter, unchanged_since: now }
    }

    /// Takes another look. `now` is read after the answer came.
    pub fn look(&mut self, counter: u64, now: Duration) {
        if counter != self.counter {
            *self = Self::begin(counter, now);
        }
    }

    /// The counter last seen: a take-over is conditional on it.
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// Whether the other host may be declared dead, by what was seen up to a look begun at `now`.
    pub fn is_over_at(&self, now: Duration, terms: &Terms) -> bool {
        now.saturating_sub(self.unchanged_since) >= terms.term
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The stored truth: the heartbeat of each host (dead ones are ended for good) and the owner of the one shard.
    #[derive(Default)]
    struct Table {
        counters: Vec<Option<u64>>,
        owner: Option<usize>,
    }

    /// One host: a clock with its own offset and speed, a renewal that may be under way, and its beliefs.
    struct Host {
        offset: u64,
        speed_permille: u64,
        counter: u64,
        right: Option<Right>,
        holds: bool,
        in_flight: Option<(Duration, u64)>,
        watch: Option<(usize, Watch)>,
        /// The clock of a paused machine may stand still; it never goes back.
        stopped_for: u64,
    }

    impl Host {
        fn clock(&self, real_ms: u64) -> Duration {
            Duration::from_millis(self.offset + (real_ms - self.stopped_for) * self.speed_permille / 1000)
        }
    }

    #[derive(Clone, Debug)]
    enum Act {
        Pass(u64),
        SendRenewal(usize),
        LandRenewal(usize),
        Look(usize),
        Take(usize),
        StopContenderClock(usize, u64),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            (1_u64..6000).prop_map(Act::Pass),
            (0_usize..2).prop_map(Act::SendRenewal),
            (0_usize..2).prop_map(Act::LandRenewal),
            (0_usize..2).prop_map(Act::Look),
            (0_usize..2).prop_map(Act::Take),
            (0_usize..2, 1_u64..5000).prop_map(|(host, ms)| Act::StopContenderClock(host, ms)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn at_most_one_host_has_the_right_to_act(
            acts in prop::collection::vec(act(), 0..120),
            offsets in prop::array::uniform2(0_u64..1_000_000),
            speeds in prop::array::uniform2(950_u64..1050),
        ) {
            let terms = Terms::default();
            let mut table = Table { counters: vec![Some(0), Some(0)], owner: None };
            let mut hosts: Vec<Host> = (0..2).map(|index| Host {
                offset: offsets[index], speed_permille: speeds[index], counter: 0, right: None, holds: false,
                in_flight: None, watch: None, stopped_for: 0,
            }).collect();
            let mut real = 0_u64;
            for act in acts {
                match act {
                    Act::Pass(ms) => real += ms,
                    Act::SendRenewal(index) => {
                        let now = hosts[index].clock(real);
                        let host = &mut hosts[index];
                        // A lapsed host gives everything up before it renews.
                        if !host.right.is_some_and(|right| right.holds_at(now, &terms)) {
                            host.holds = false;
                        }
                        if host.in_flight.is_none() {
                            host.in_flight = Some((now, host.counter + 1));
                        }
                    }
                    Act::LandRenewal(index) => {
                        if let Some((sent_at, next)) = hosts[index].in_flight.take() {
                            if table.counters[index] == Some(next - 1) {
                                table.counters[index] = Some(next);
                                hosts[index].counter = next;
                                hosts[index].right = Some(Right::since(sent_at));
                            } else {
                                hosts[index].right = None;
                                hosts[index].holds = false;
                            }
                        }
                    }
                    Act::Look(index) => {
                        let now = hosts[index].clock(real);
                        match table.owner {
                            Some(owner) if owner != index => if let Some(counter) = table.counters[owner] {
                                match &mut hosts[index].watch {
                                    Some((seen, watch)) if *seen == owner => watch.look(counter, now),
                                    watch => *watch = Some((owner, Watch::begin(counter, now))),
                                }
                            },
                            _ => hosts[index].watch = None,
                        }
                    }
                    Act::Take(index) => {
                        let now = hosts[index].clock(real);
                        if !hosts[index].right.is_some_and(|right| right.holds_at(now, &terms)) || table.counters[index].is_none() {
                            continue;
                        }
                        match (table.owner, hosts[index].watch) {
                            (None, _) => { table.owner = Some(index); hosts[index].holds = true; }
                            (Some(owner), Some((seen, watch))) if owner == seen && owner != index && watch.is_over_at(now, &terms)
                                && table.counters[owner] == Some(watch.counter()) => {
                                table.counters[owner] = None;
                                table.owner = Some(index);
                                hosts[index].holds = true;
                            }
                            (Some(owner), _) if owner == index => hosts[index].holds = true,
                            (Some(owner), _) if table.counters[owner].is_none() => { table.owner = Some(index); hosts[index].holds = true; }
                            _ => {}
                        }
                    }
                    Act::StopContenderClock(index, ms) => {
                        // Only a host with no right may have its clock stand still here: an owner's must go on.
                        if !hosts[index].holds && hosts[index].in_flight.is_none() && hosts[index].right.is_none() {
                            real += ms;
                            hosts[index].stopped_for += ms;
                        }
                    }
                }
                let acting = (0..2).filter(|index| {
                    let host = &hosts[*index];
                    host.holds && host.right.is_some_and(|right| right.holds_at(host.clock(real), &terms))
                }).count();
                prop_assert!(acting <= 1, "two hosts may act at {real} ms");
            }
        }
    }

    #[test]
    fn a_right_counts_from_before_the_renewal_was_sent() {
        let terms = Terms::default();
        let right = Right::since(Duration::from_secs(100));
        assert!(right.holds_at(Duration::from_millis(107_999), &terms));
        assert!(!right.holds_at(Duration::from_secs(108), &terms));
    }

    #[test]
    fn a_sign_of_life_begins_the_term_anew() {
        let terms = Terms::default();
        let mut watch = Watch::begin(1, Duration::from_secs(0));
        watch.look(1, Duration::from_secs(9));
        assert!(!watch.is_over_at(Duration::from_secs(9), &terms));
        watch.look(2, Duration::from_secs(9));
        assert!(!watch.is_over_at(Duration::from_secs(18), &terms));
        assert!(watch.is_over_at(Duration::from_secs(19), &terms));
    }
}
