//! Which shards a host takes and gives back: pure, from what it sees to what it does.
//!
//! All hosts decide by themselves, so the rules must not make two of them swap shards for ever: only the richest that holds
//! two more than the poorest gives back, one at a look, and only the poorest take.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::ids::Shard;
use hantar_usecases::ports::{Heartbeat, HostId, ShardLease};

/// What a host sees.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub(super) me: &'a HostId,
    /// The shards it works for.
    pub(super) mine: &'a BTreeSet<Shard>,
    /// The shards that it is giving back just now.
    pub(super) leaving: &'a BTreeSet<Shard>,
    pub(super) shards: u16,
    pub(super) heartbeats: &'a [Heartbeat],
    pub(super) leases: &'a [ShardLease],
    /// Hosts that showed no sign of life for a whole term.
    pub(super) over: &'a BTreeSet<HostId>,
}

/// A shard to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Taking {
    pub(super) shard: Shard,
    /// Its lease as seen; `None`: it never had one.
    pub(super) seen: Option<ShardLease>,
    /// A silent owner, whose heartbeat is to be ended first.
    pub(super) end_first: Option<Heartbeat>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// One at a time: its devices are to be connected elsewhere before those of the next one come.
    pub(super) give_back: Option<Shard>,
    pub(super) take: Vec<Taking>,
}

pub(super) fn plan(view: &View<'_>) -> Plan {
    let alive = |host: &HostId| {
        host == view.me
            || view.heartbeats.iter().any(|beat| beat.host == *host && !beat.ended && !view.over.contains(host))
    };
    let mut holdings = holdings(view, alive);
    let mut plan = Plan::default();
    // One after the other to whoever has least by then: all who see the same agree, and nobody takes another's.
    for taking in free(view, alive) {
        let poorest = holdings.iter_mut().min_by_key(|(host, count)| (**count, *host));
        let Some((host, count)) = poorest else { break };
        *count += 1;
        if **host == *view.me {
            plan.take.push(taking);
        }
    }
    // What is free is about to be somebody's, and counts as that already.
    let (poorest, richest) = (holdings.values().min(), holdings.values().max());
    let mine = holdings.get(view.me);
    if mine == richest && mine.zip(poorest).is_some_and(|(mine, poorest)| *mine > poorest + 1) {
        plan.give_back = view.mine.last().copied();
    }
    plan
}

/// What each host has that takes part. One that leaves does not: what it still has is soon free.
fn holdings<'a>(view: &View<'a>, alive: impl Fn(&HostId) -> bool) -> BTreeMap<&'a HostId, usize> {
    let staying = view.heartbeats.iter().filter(|beat| !beat.leaving).map(|beat| &beat.host);
    let mut holdings: BTreeMap<_, usize> = staying.filter(|host| alive(host)).map(|host| (host, 0)).collect();
    for owner in view.leases.iter().filter_map(|lease| lease.owner.as_ref()) {
        holdings.entry(owner).and_modify(|count| *count += 1);
    }
    holdings.insert(view.me, view.mine.len());
    holdings
}

/// Shards that nobody alive owns.
fn free(view: &View<'_>, alive: impl Fn(&HostId) -> bool) -> Vec<Taking> {
    let shards = (0..view.shards).map(Shard);
    shards
        .filter(|shard| !view.mine.contains(shard) && !view.leaving.contains(shard))
        .filter_map(|shard| {
            let seen = view.leases.iter().find(|lease| lease.shard == shard).cloned();
            let owner = seen.as_ref().and_then(|lease| lease.owner.clone());
            match owner {
                Some(owner) if owner != *view.me && alive(&owner) => None,
                Some(owner) if owner != *view.me => {
                    let beat = view.heartbeats.iter().find(|beat| beat.host == owner && !beat.ended);
                    Some(Taking { shard, seen, end_first: beat.cloned() })
                }
                _ => Some(Taking { shard, seen, end_first: None }),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hantar_domain::ids::Epoch;

    use super::*;

    fn host(name: &str) -> HostId {
        HostId(name.into())
    }

    fn beat(name: &str, ended: bool) -> Heartbeat {
        Heartbeat { host: host(name), counter: 3, leaving: false, ended }
    }

    fn lease(shard: u16, owner: Option<&str>) -> ShardLease {
        ShardLease { shard: Shard(shard), owner: owner.map(host), epoch: Epoch(1) }
    }

    fn planned(mine: &[u16], heartbeats: &[Heartbeat], leases: &[ShardLease], over: &[&str]) -> Plan {
        let mine = mine.iter().map(|shard| Shard(*shard)).collect();
        let over = over.iter().map(|name| host(name)).collect();
        let me = host("me");
        plan(&View { me: &me, mine: &mine, leaving: &BTreeSet::new(), shards: 4, heartbeats, leases, over: &over })
    }

    #[test]
    fn a_lonely_host_takes_everything() {
        let plan = planned(&[], &[], &[], &[]);
        let mut taken: Vec<_> = plan.take.iter().map(|taking| taking.shard.0).collect();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3]);
        assert!(plan.take.iter().all(|taking| taking.seen.is_none() && taking.end_first.is_none()));
    }

    #[test]
    fn nothing_is_taken_from_a_host_that_lives() {
        let leases: Vec<_> = (0..4).map(|shard| lease(shard, Some("other"))).collect();
        assert_eq!(planned(&[], &[beat("other", false)], &leases, &[]), Plan::default());
    }

    #[test]
    fn a_silent_hosts_heartbeat_is_ended_before_its_shards_are_taken() {
        let leases: Vec<_> = (0..4).map(|shard| lease(shard, Some("other"))).collect();
        let plan = planned(&[], &[beat("other", false)], &leases, &["other"]);
        assert_eq!(plan.take.len(), 4);
        assert!(plan.take.iter().all(|taking| taking.end_first == Some(beat("other", false))));
        let ended = planned(&[], &[beat("other", true)], &leases, &[]);
        assert!(ended.take.len() == 4 && ended.take.iter().all(|taking| taking.end_first.is_none()));
    }

    #[test]
    fn a_newcomer_is_given_its_share_and_takes_no_more() {
        let all: Vec<_> = (0..4).map(|shard| lease(shard, Some("me"))).collect();
        let plan = planned(&[0, 1, 2, 3], &[beat("me", false), beat("new", false)], &all, &[]);
        assert_eq!(plan.give_back, Some(Shard(3)), "one after the other");
        let given: Vec<_> = all[..3].iter().cloned().chain([lease(3, None)]).collect();
        let next = planned(&[0, 1, 2], &[beat("me", false), beat("new", false)], &given, &[]);
        assert_eq!((next.give_back, next.take.len()), (Some(Shard(2)), 0));
        let on_its_way: Vec<_> = all[..2].iter().cloned().chain([lease(2, Some("new")), lease(3, None)]).collect();
        let half = planned(&[0, 1], &[beat("me", false), beat("new", false)], &on_its_way, &[]);
        assert_eq!(half, Plan::default());
        let some = [lease(0, Some("other")), lease(1, Some("other")), lease(2, None), lease(3, None)];
        assert_eq!(planned(&[], &[beat("other", false)], &some, &[]).take.len(), 2);
    }

    #[test]
    fn the_third_of_three_hosts_gets_a_shard_too_and_then_all_is_quiet() {
        let beats = [beat("me", false), beat("b", false), beat("c", false)];
        let uneven = [lease(0, Some("me")), lease(1, Some("me")), lease(2, Some("b")), lease(3, Some("b"))];
        assert_eq!(planned(&[0, 1], &beats, &uneven, &[]).give_back, Some(Shard(1)));
        let even = [lease(0, Some("me")), lease(1, None), lease(2, Some("b")), lease(3, Some("b"))];
        assert_eq!(planned(&[0], &beats, &even, &[]), Plan::default(), "the free one is for the poorest");
        let done = [lease(0, Some("me")), lease(1, Some("c")), lease(2, Some("b")), lease(3, Some("b"))];
        assert_eq!(planned(&[0], &beats, &done, &[]), Plan::default());
    }

    #[test]
    fn what_is_being_given_back_is_not_taken_again() {
        let (me, mine, leaving) = (host("me"), BTreeSet::new(), BTreeSet::from([Shard(0), Shard(1), Shard(2)]));
        let view = View {
            me: &me,
            mine: &mine,
            leaving: &leaving,
            shards: 4,
            heartbeats: &[],
            leases: &[],
            over: &BTreeSet::new(),
        };
        assert_eq!(plan(&view).take.iter().map(|taking| taking.shard).collect::<Vec<_>>(), [Shard(3)]);
    }

    #[test]
    fn what_a_leaving_host_gives_back_is_taken_although_it_would_be_the_poorest() {
        let leaving = Heartbeat { leaving: true, ..beat("z", false) };
        let beats = [beat("me", false), beat("other", false), leaving];
        let leases = [lease(0, Some("me")), lease(1, Some("other")), lease(2, None), lease(3, Some("z"))];
        let taken: Vec<_> = planned(&[0], &beats, &leases, &[]).take.iter().map(|taking| taking.shard.0).collect();
        assert_eq!(taken, [2]);
    }

    /// Hosts that look in turns, each at what is stored, and do what their plans say.
    struct Fleet {
        shards: u16,
        /// By name: those that leave are marked.
        hosts: BTreeMap<HostId, bool>,
        owners: BTreeMap<Shard, Option<HostId>>,
        moves: usize,
    }

    impl Fleet {
        fn new(shards: u16) -> Self {
            let owners = (0..shards).map(|shard| (Shard(shard), None)).collect();
            Self { shards, hosts: BTreeMap::new(), owners, moves: 0 }
        }

        fn of(&self, host: &HostId) -> BTreeSet<Shard> {
            let theirs = self.owners.iter().filter(|(_, owner)| owner.as_ref() == Some(host));
            theirs.map(|(shard, _)| *shard).collect()
        }

        /// One round of looks, in this order; answers whether anything moved.
        fn round(&mut self, order: &[HostId]) -> bool {
            let mut moved = false;
            for me in order {
                let beats: Vec<_> = self
                    .hosts
                    .iter()
                    .map(|(host, leaving)| Heartbeat { leaving: *leaving, ..beat(&host.0, false) })
                    .collect();
                let leases: Vec<_> = self
                    .owners
                    .iter()
                    .map(|(shard, owner)| ShardLease { shard: *shard, owner: owner.clone(), epoch: Epoch(1) })
                    .collect();
                let plan = plan(&View {
                    me,
                    mine: &self.of(me),
                    leaving: &BTreeSet::new(),
                    shards: self.shards,
                    heartbeats: &beats,
                    leases: &leases,
                    over: &BTreeSet::new(),
                });
                if let Some(shard) = plan.give_back {
                    self.owners.insert(shard, None);
                    moved = true;
                }
                for taking in plan.take {
                    self.owners.insert(taking.shard, Some(me.clone()));
                    self.moves += 1;
                    moved = true;
                }
            }
            moved
        }

        /// Rounds until nothing moves; answers how many shards changed hands meanwhile.
        fn settle(&mut self, dice: &mut impl FnMut(usize) -> usize) -> usize {
            let before = self.moves;
            // A shard moves at a look, and each host looks once in a round.
            for _ in 0..100 {
                let staying = self.hosts.iter().filter(|(_, leaving)| !**leaving).map(|(host, _)| host.clone());
                let mut order: Vec<HostId> = staying.collect();
                for index in (1..order.len()).rev() {
                    order.swap(index, dice(index + 1));
                }
                if !self.round(&order) {
                    return self.moves - before;
                }
            }
            panic!("it does not come to rest: {:?}", self.owners);
        }

        fn is_even(&self) -> bool {
            let staying = self.hosts.iter().filter(|(_, leaving)| !**leaving);
            let counts: Vec<_> = staying.map(|(host, _)| self.of(host).len()).collect();
            counts.iter().max().zip(counts.iter().min()).is_none_or(|(most, least)| most - least <= 1)
                && counts.iter().sum::<usize>() == usize::from(self.shards)
        }
    }

    proptest::proptest! {
        #[test]
        fn however_hosts_come_and_go_shards_are_even_and_few_of_them_move(
            shards in 1_u16..80,
            changes in proptest::collection::vec((0_u8..3, 0_usize..100), 1..12),
            seed in 0_u64..u64::MAX,
        ) {
            let mut state = seed | 1;
            let mut dice = |below: usize| {
                // Xorshift.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                usize::try_from(state % below as u64).unwrap()
            };
            let mut fleet = Fleet::new(shards);
            fleet.hosts.insert(host("h0"), false);
            assert_eq!(fleet.settle(&mut dice), usize::from(shards));
            for (number, (change, which)) in changes.into_iter().enumerate() {
                let names: Vec<_> = fleet.hosts.keys().cloned().collect();
                let name = names[which % names.len()].clone();
                let orphans = match change {
                    0 => {
                        fleet.hosts.insert(host(&format!("h{}", number + 1)), false);
                        0
                    }
                    // It leaves, shard by shard, while the others look.
                    1 if names.len() > 1 => {
                        fleet.hosts.insert(name.clone(), true);
                        let theirs = fleet.of(&name);
                        for shard in &theirs {
                            fleet.owners.insert(*shard, None);
                            fleet.settle(&mut dice);
                            assert!(fleet.owners[shard].is_some(), "taken at the next look");
                        }
                        fleet.hosts.remove(&name);
                        0
                    }
                    // It dies, and its end was seen.
                    _ if names.len() > 1 => {
                        fleet.hosts.remove(&name);
                        let theirs = fleet.of(&name);
                        for shard in &theirs {
                            fleet.owners.insert(*shard, None);
                        }
                        theirs.len()
                    }
                    _ => 0,
                };
                let moved = fleet.settle(&mut dice);
                let share = usize::from(shards).div_ceil(fleet.hosts.len());
                assert!(fleet.is_even(), "{:?}", fleet.owners);
                assert!(moved <= orphans + share + fleet.hosts.len(), "{moved} moved for {orphans} and a share of {share}");
            }
        }
    }
}
