//! Keeping a host's right to act, and its share of the shards. The rules are in `hantar_domain::lease`.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use hantar_domain::ids::{Epoch, Shard};
use hantar_domain::lease::{Terms, Watch};
use hantar_usecases::ports::{Clock, Entropy, Heartbeat, HostId, Leases, PortError, ShardLease};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::intake::{ShardWork, Workplace};
use crate::standing::{Ours, Standing, said};
use plan::{Plan, Taking, View, plan};

/// How long the devices of a shard may take to finish what is on the wire.
const LEAVE_LIMIT: Duration = Duration::from_secs(18);
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
    standing: Arc<Standing>,
    held: BTreeMap<Shard, Held>,
    /// Shards whose devices are finishing; each ends with being given back.
    leaving: JoinSet<Shard>,
    leaving_shards: BTreeSet<Shard>,
    watches: HashMap<HostId, Watch>,
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
            standing,
            held: BTreeMap::new(),
            leaving: JoinSet::new(),
            leaving_shards: BTreeSet::new(),
            watches: HashMap::new(),
        }
    }

    /// Keeps the lease until `draining` says so, then leaves in order. Dropping the future stops all devices at once.
    pub(crate) async fn run(mut self, mut draining: watch::Receiver<bool>) {
        let mut ticks = interval(self.terms.renew_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = said(&mut draining) => break,
                Some(left) = self.leaving.join_next(), if !self.leaving.is_empty() => self.left(left.ok()),
                _ = ticks.tick() => self.round().await,
            }
        }
        self.leave(ticks).await;
    }

    /// One round: renew, look round, give back, take.
    async fn round(&mut self) {
        if !self.renew().await {
            return;
        }
        // Not longer than to the next renewal: what was taken and not noticed here is taken again.
        match timeout(self.terms.renew_every, self.balance()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the shards cannot be looked at"),
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
                self.standing.renew(sent_at);
            }
            Ok(Ok(false)) => self.lapse("its heartbeat was ended"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease is not renewed"),
            Err(_) => tracing::warn!("the lease is not renewed: no answer in time"),
        }
        self.standing.holds()
    }

    /// Everything is given up before another name is taken: nobody may find two hosts in one.
    fn lapse(&mut self, why: &str) {
        if !self.held.is_empty() {
            tracing::warn!(shards = self.held.len(), "all shards are lost: {why}");
        }
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
        for shard in give_back {
            self.begin_to_leave(shard);
        }
        for taking in take {
            self.take(taking).await?;
        }
        self.place.set_shards(self.held.len());
        Ok(())
    }

    /// Looks at the other hosts' heartbeats; answers those that are over by what was seen up to a look begun at `begun_at`.
    fn watch(&mut self, heartbeats: &[Heartbeat], begun_at: Duration, seen_at: Duration) -> BTreeSet<HostId> {
        let others: Vec<_> = heartbeats.iter().filter(|beat| !beat.ended && beat.host != self.me).collect();
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
            if let Some(held) = self.held.remove(&shard) {
                held.ours.end();
                held.work.stop_at_once();
            }
        }
    }

    async fn take(&mut self, Taking { shard, seen, end_first }: Taking) -> Result<(), PortError> {
        if let Some(beat) = end_first
            && !self.leases.end(&beat.host, beat.counter).await?
        {
            // It lives, or another contender was faster: the next look tells.
            return Ok(());
        }
        let Some(epoch) = self.leases.take(shard, seen.as_ref(), &self.me).await? else { return Ok(()) };
        let ours = Ours::new(Arc::clone(&self.standing));
        tracing::info!(%shard, epoch = epoch.0, "a shard is taken");
        let work = ShardWork::start(Arc::clone(&self.place), shard, epoch, ours.clone());
        self.held.insert(shard, Held { epoch, ours, work });
        Ok(())
    }

    /// Lets the devices of a shard finish, then gives it back.
    fn begin_to_leave(&mut self, shard: Shard) {
        let Some(Held { epoch, ours, work }) = self.held.remove(&shard) else { return };
        let (leases, me) = (Arc::clone(&self.leases), self.me.clone());
        self.leaving_shards.insert(shard);
        self.leaving.spawn(async move {
            work.finish(LEAVE_LIMIT).await;
            ours.end();
            match timeout(GOODBYE_LIMIT, leases.give_back(shard, &me, epoch)).await {
                Ok(Ok(())) => tracing::info!(%shard, "a shard is given back"),
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

    /// Leaves in order: the right is kept until all shards are given back, then the heartbeat is ended.
    async fn leave(mut self, mut ticks: tokio::time::Interval) {
        let shards: Vec<Shard> = self.held.keys().copied().collect();
        for shard in shards {
            self.begin_to_leave(shard);
        }
        while !self.leaving.is_empty() {
            tokio::select! {
                Some(left) = self.leaving.join_next() => self.left(left.ok()),
                _ = ticks.tick() => {
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
