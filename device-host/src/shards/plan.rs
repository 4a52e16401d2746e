//! Which shards a host takes and gives back: pure, from what it sees to what it does.
//!
//! All hosts decide by themselves, so the rules must not make two of them swap shards for ever: only a host that holds
//! two more than the poorest gives back, and only one of the poorest takes.

use std::collections::{BTreeMap, BTreeSet};

use hantar_domain::ids::Shard;
use hantar_domain::lease::fair_share;
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
    pub(super) give_back: Vec<Shard>,
    pub(super) take: Vec<Taking>,
}

pub(super) fn plan(view: &View<'_>) -> Plan {
    let alive = |host: &HostId| {
        host == view.me
            || view.heartbeats.iter().any(|beat| beat.host == *host && !beat.ended && !view.over.contains(host))
    };
    let mut holdings: BTreeMap<&HostId, usize> =
        view.heartbeats.iter().map(|beat| &beat.host).filter(|host| alive(host)).map(|host| (host, 0)).collect();
    holdings.insert(view.me, 0);
    for owner in view.leases.iter().filter_map(|lease| lease.owner.as_ref()).filter(|owner| *owner != view.me) {
        holdings.entry(owner).and_modify(|count| *count += 1);
    }
    let others = holdings.iter().filter(|(host, _)| **host != view.me);
    let poorest = others.map(|(_, count)| *count).min();
    let mine = view.mine.len();
    let mut plan = Plan::default();
    if let Some(poorest) = poorest
        && mine > poorest + 1
    {
        plan.give_back = view.mine.iter().rev().take((mine - poorest) / 2).copied().collect();
        return plan;
    }
    let fair = fair_share(view.shards, holdings.len());
    for (taken, taking) in free(view, alive).into_iter().enumerate() {
        let mine = mine + taken;
        if mine >= fair || poorest.is_some_and(|poorest| mine > poorest) {
            break;
        }
        plan.take.push(taking);
    }
    plan
}

/// Shards that nobody alive owns, each host beginning at another one so that they do not all want the same.
fn free(view: &View<'_>, alive: impl Fn(&HostId) -> bool) -> Vec<Taking> {
    let start = view.me.0.bytes().fold(0_u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
    let shards = (0..view.shards).map(|index| Shard(start.wrapping_add(index) % view.shards.max(1)));
    let mut wrapped: Vec<Shard> = shards.collect();
    // The sum above may wrap round; each shard once, all the same.
    wrapped.sort_by_key(|shard| (shard.0 + view.shards - start % view.shards.max(1)) % view.shards.max(1));
    wrapped.dedup();
    wrapped
        .into_iter()
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
        Heartbeat { host: host(name), counter: 3, ended }
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
        assert_eq!(plan.give_back.len(), 2);
        let some = [lease(0, Some("other")), lease(1, Some("other")), lease(2, None), lease(3, None)];
        assert_eq!(planned(&[], &[beat("other", false)], &some, &[]).take.len(), 2);
    }

    #[test]
    fn the_third_of_three_hosts_gets_a_shard_too_and_then_all_is_quiet() {
        let beats = [beat("me", false), beat("b", false), beat("c", false)];
        let uneven = [lease(0, Some("me")), lease(1, Some("me")), lease(2, Some("b")), lease(3, Some("b"))];
        assert_eq!(planned(&[0, 1], &beats, &uneven, &[]).give_back, [Shard(1)]);
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
}
