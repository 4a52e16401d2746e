//! Keeping a host's right to act, and its share of the shards. The rules are in `hantar_domain::lease`.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use hantar_domain::ids::{Epoch, Shard};
use hantar_domain::lease::{Terms, Watch};
use hantar_usecases::ports::{Clock, Entropy, Heartbeat, HostId, Leases, PortError, ShardLease};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::intake::{ShardWork, Workplace};
use crate::metrics::LeaseChange;
use crate::standing::{Ours, Standing, said};
use plan::{Plan, Taking, View, plan};

/// How often a host looks round between two renewals of its own: how soon it sees that shards are free.
const LOOKS: u32 = 2;
/// How long the devices of a shard may take to finish what is on the wire.
const LEAVE_LIMIT: Duration = Duration::from_secs(9);
/// The pause between two shards that a leaving host hands over: the devices of one are connected elsewhere before those
/// of the next one come.
const HAND_OVER: Duration = Duration::from_millis(250);
/// How long the beginnings of all hand-overs may take.
const HAND_OVERS: Duration = Duration::from_secs(12);
/// How many shards are taken at once.
const TAKES: usize = 8;
/// How long the last words to the table may take.
const GOODBYE_LIMIT: Duration = Duration::from_secs(3);

/// A shard that is worked for.
struct Held {
    epoch: Epoch,
    ours: Ours,
    work: ShardWork,
}

/// Keeps the lease of one host.
pub(crate) struct Keeper {
    leases: Arc<dyn Leases>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    terms: Terms,
    shards: u16,
    place: Arc<Workplace>,
    me: HostId,
    counter: u64,
    /// When the last renewal that landed was sent.
    renewed_at: Option<Duration>,
    standing: Arc<Standing>,
    held: BTreeMap<Shard, Held>,
    /// Shards whose devices are finishing; each ends with being given back.
    leaving: JoinSet<Shard>,
    leaving_shards: BTreeSet<Shard>,
    watches: HashMap<HostId, Watch>,
    /// Hosts whose heartbeats this one has ended; forgotten with their items.
    ended: BTreeSet<HostId>,
}

impl Keeper {
    /// A host that has no name in the table yet.
    pub(crate) fn new(leases: Arc<dyn Leases>, terms: Terms, shards: u16, place: Arc<Workplace>) -> Self {
        let (clock, entropy) = (Arc::clone(&place.shared.clock), Arc::clone(&place.shared.entropy));
        let me = new_name(entropy.as_ref());
        let standing = Arc::new(Standing::new(Arc::clone(&clock), terms));
        Self {
            leases,
            clock,
            entropy,
            terms,
            shards,
            place,
            me,
            counter: 0,
            renewed_at: None,
            standing,
            held: BTreeMap::new(),
            leaving: JoinSet::new(),
            leaving_shards: BTreeSet::new(),
            watches: HashMap::new(),
            ended: BTreeSet::new(),
        }
    }

    /// Keeps the lease until `draining` says so, then leaves in order. Dropping the future stops all devices at once.
    pub(crate) async fn run(mut self, mut draining: watch::Receiver<bool>) {
        let mut ticks = interval(self.terms.renew_every / LOOKS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = said(&mut draining) => break,
                Some(left) = self.leaving.join_next(), if !self.leaving.is_empty() => self.left(left.ok()),
                _ = ticks.tick() => self.round().await,
            }
        }
        let renewals = interval(self.terms.renew_every);
        self.leave(renewals).await;
    }

    /// One round: renew, if it is time, look round, give back, take.
    async fn round(&mut self) {
        let now = self.clock.running();
        // A look comes a little late or early.
        let soon = self.terms.renew_every.mul_f64(0.75);
        let due = self.renewed_at.is_none_or(|at| now.saturating_sub(at) >= soon) || !self.standing.holds();
        if due && !self.renew().await {
            return;
        }
        // Not longer than to the next renewal: what was taken and not noticed here is taken again.
        match timeout(self.terms.renew_every, self.balance()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.place.shared.metrics.store_failed("lease");
                tracing::warn!(%error, "the shards cannot be looked at");
            }
            Err(_) => tracing::warn!("the shards cannot be looked at: no answer in time"),
        }
    }

    /// Whether this host may act. The right counts from before the renewal was sent.
    async fn renew(&mut self) -> bool {
        let sent_at = self.clock.running();
        if self.counter > 0 && !self.standing.holds() {
            self.lapse("its right lapsed");
        }
        let renewal = timeout(self.terms.renew_every, self.leases.renew(&self.me, self.counter + 1)).await;
        match renewal {
            Ok(Ok(true)) => {
                self.counter += 1;
                self.renewed_at = Some(sent_at);
                self.standing.renew(sent_at);
                self.place.set_standing(&self.standing);
            }
            Ok(Ok(false)) => self.lapse("its heartbeat was ended"),
            Ok(Err(error)) => {
                self.place.shared.metrics.store_failed("lease");
                tracing::warn!(%error, "the lease is not renewed");
            }
            Err(_) => {
                self.place.shared.metrics.store_failed("lease");
                tracing::warn!("the lease is not renewed: no answer in time");
            }
        }
        self.standing.holds()
    }

    /// Everything is given up before another name is taken: nobody may find two hosts in one.
    fn lapse(&mut self, why: &str) {
        if !self.held.is_empty() {
            tracing::warn!(shards = self.held.len(), "all shards are lost: {why}");
        }
        self.place.shared.metrics.lease(LeaseChange::Lapsed, self.held.len());
        self.standing.end();
        for (_, held) in std::mem::take(&mut self.held) {
            held.ours.end();
            held.work.stop_at_once();
        }
        self.leaving.abort_all();
        self.leaving = JoinSet::new();
        self.leaving_shards.clear();
        self.place.set_shards(0);
        self.me = new_name(self.entropy.as_ref());
        self.counter = 0;
        self.renewed_at = None;
        self.standing = Arc::new(Standing::new(Arc::clone(&self.clock), self.terms));
    }

    async fn balance(&mut self) -> Result<(), PortError> {
        let begun_at = self.clock.running();
        let heartbeats = self.leases.heartbeats().await?;
        let seen_at = self.clock.running();
        let over = self.watch(&heartbeats, begun_at, seen_at);
        let leases = self.leases.shards().await?;
        self.drop_lost(&leases);
        let mine: BTreeSet<Shard> = self.held.keys().copied().collect();
        let Plan { give_back, take } = plan(&View {
            me: &self.me,
            mine: &mine,
            leaving: &self.leaving_shards,
            shards: self.shards,
            heartbeats: &heartbeats,
            leases: &leases,
            over: &over,
        });
        if let Some(shard) = give_back {
            self.begin_to_leave(shard);
        }
        self.take_all(take).await?;
        self.place.set_shards(self.held.len());
        Ok(())
    }

    /// Takes shards, several at a time: those of a host that died are to be at work again soon. Each one that was taken
    /// is worked for, also when others fail.
    async fn take_all(&mut self, takings: Vec<Taking>) -> Result<(), PortError> {
        let mut refused = BTreeSet::new();
        for beat in takings.iter().filter_map(|taking| taking.end_first.as_ref()) {
            // It lives, or another contender was faster: the next look tells.
            if !refused.contains(&beat.host) && !self.ended.contains(&beat.host) {
                let ended = self.leases.end(&beat.host, beat.counter).await?;
                if ended {
                    self.ended.insert(beat.host.clone())
                } else {
                    refused.insert(beat.host.clone())
                };
            }
        }
        let (leases, me) = (Arc::clone(&self.leases), self.me.clone());
        let is_free = |taking: &Taking| taking.end_first.as_ref().is_none_or(|beat| !refused.contains(&beat.host));
        let mut tries = stream::iter(takings.into_iter().filter(is_free))
            .map(|taking| {
                let (leases, me) = (Arc::clone(&leases), me.clone());
                async move { (taking.shard, leases.take(taking.shard, taking.seen.as_ref(), &me).await) }
            })
            .buffer_unordered(TAKES);
        let mut failure = None;
        while let Some((shard, taken)) = tries.next().await {
            match taken {
                Ok(Some(epoch)) => self.work_for(shard, epoch),
                // Somebody else was faster.
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Looks at the other hosts' heartbeats; answers those that are over by what was seen up to a look begun at `begun_at`.
    fn watch(&mut self, heartbeats: &[Heartbeat], begun_at: Duration, seen_at: Duration) -> BTreeSet<HostId> {
        let others: Vec<_> = heartbeats.iter().filter(|beat| !beat.ended && beat.host != self.me).collect();
        self.ended.retain(|host| heartbeats.iter().any(|beat| beat.host == *host));
        self.watches.retain(|host, _| others.iter().any(|beat| beat.host == *host));
        let mut over = BTreeSet::new();
        for beat in others {
            let watch = self.watches.entry(beat.host.clone()).or_insert_with(|| Watch::begin(beat.counter, seen_at));
            watch.look(beat.counter, seen_at);
            if watch.is_over_at(begun_at, &self.terms) {
                over.insert(beat.host.clone());
            }
        }
        over
    }

    /// A shard that the table gives to somebody else is lost, whatever this host believes.
    fn drop_lost(&mut self, leases: &[ShardLease]) {
        let me = &self.me;
        let is_lost = |shard: &Shard, held: &Held| {
            leases
                .iter()
                .any(|lease| lease.shard == *shard && (lease.epoch > held.epoch || lease.owner.as_ref() != Some(me)))
        };
        let lost: Vec<Shard> =
            self.held.iter().filter(|(shard, held)| is_lost(shard, held)).map(|(shard, _)| *shard).collect();
        for shard in lost {
            tracing::warn!(%shard, "a shard is another host's");
            self.place.shared.metrics.lease(LeaseChange::Lost, 1);
            if let Some(held) = self.held.remove(&shard) {
                held.ours.end();
                held.work.stop_at_once();
            }
        }
    }

    fn work_for(&mut self, shard: Shard, epoch: Epoch) {
        let ours = Ours::new(Arc::clone(&self.standing));
        tracing::info!(%shard, epoch = epoch.0, "a shard is taken");
        self.place.shared.metrics.lease(LeaseChange::Taken, 1);
        let work = ShardWork::start(Arc::clone(&self.place), shard, epoch, ours.clone());
        self.held.insert(shard, Held { epoch, ours, work });
    }

    /// Lets the devices of a shard finish, then gives it back.
    fn begin_to_leave(&mut self, shard: Shard) {
        let Some(Held { epoch, ours, work }) = self.held.remove(&shard) else { return };
        let (leases, me, place) = (Arc::clone(&self.leases), self.me.clone(), Arc::clone(&self.place));
        self.leaving_shards.insert(shard);
        self.leaving.spawn(async move {
            work.finish(LEAVE_LIMIT).await;
            ours.end();
            match timeout(GOODBYE_LIMIT, leases.give_back(shard, &me, epoch)).await {
                Ok(Ok(())) => {
                    place.shared.metrics.lease(LeaseChange::GivenBack, 1);
                    tracing::info!(%shard, "a shard is given back");
                }
                Ok(Err(error)) => tracing::warn!(%shard, %error, "a shard could not be given back"),
                Err(_) => tracing::warn!(%shard, "a shard could not be given back in time"),
            }
            shard
        });
    }

    fn left(&mut self, shard: Option<Shard>) {
        if let Some(shard) = shard {
            self.leaving_shards.remove(&shard);
        }
    }

    /// Leaves in order, shard by shard: the right is kept until all are given back, then the heartbeat is ended.
    async fn leave(mut self, mut renewals: tokio::time::Interval) {
        // Others would leave this host its share of what it gives back.
        match timeout(GOODBYE_LIMIT, self.leases.leave(&self.me)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the others are not told that this host leaves"),
            Err(_) => tracing::warn!("the others are not told that this host leaves: no answer in time"),
        }
        let count = u32::try_from(self.held.len()).unwrap_or(u32::MAX).max(1);
        let mut hand_overs = interval(HAND_OVER.min(HAND_OVERS / count));
        hand_overs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !(self.held.is_empty() && self.leaving.is_empty()) {
            tokio::select! {
                Some(left) = self.leaving.join_next(), if !self.leaving.is_empty() => self.left(left.ok()),
                _ = hand_overs.tick(), if !self.held.is_empty() => {
                    if let Some(shard) = self.held.keys().next().copied() {
                        self.begin_to_leave(shard);
                        self.place.set_shards(self.held.len());
                    }
                }
                _ = renewals.tick() => {
                    self.renew().await;
                }
            }
        }
        self.place.set_shards(0);
        self.standing.end();
        if self.counter > 0
            && let Ok(Err(error)) = timeout(GOODBYE_LIMIT, self.leases.end(&self.me, self.counter)).await
        {
            tracing::warn!(%error, "the heartbeat could not be ended");
        }
    }
}

fn new_name(entropy: &dyn Entropy) -> HostId {
    let mut random = [0; 16];
    entropy.fill(&mut random);
    HostId(hex::encode(random))
}
