//! A host that is stopped for longer than its lease, and goes on as if nothing had been.

use std::collections::BTreeMap;

use hantar_domain::ids::Epoch;
use hantar_simulator::{Fault, FaultKind};
use hantar_usecases::ports::HostId;

use crate::host::{share, two_hosts};
use crate::keys::{Keys, is_fenced_off};
use crate::sending::{Accepted, sends_again};
use crate::world::{Till, World};

/// How many messages are sent as the host is stopped: more than it writes before it waits for answers.
const BURST: usize = 20;

/// A device of the stopped host.
struct Orphan {
    till: Till,
    /// Under which the stopped host worked.
    old: Epoch,
    /// Under which the other one works.
    new: Epoch,
    /// The stopped host's.
    connection: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_stopped_past_its_lease_and_woken_overwrites_no_key_and_its_late_stanza_is_hidden() {
    let world = World::new().await;
    let (mut first, second) = two_hosts(&world).await;
    let mut accepted = Accepted::default();
    for till in &world.tills {
        accepted.send(&world, till, "before", 3).await;
    }
    accepted.all_arrived_once_in_order(&world).await;

    let mut orphans = stop_amid_sending(&world, &first.process, &first.name, &mut accepted).await;
    world.owns(&second.name, 4).await;
    for orphan in &mut orphans {
        sends_again(&world, &orphan.till, orphan.connection).await;
        orphan.new = world.epoch_of(&orphan.till).await;
        assert!(orphan.new > orphan.old);
    }
    accepted.all_arrived_once_in_order(&world).await;
    for Orphan { till, .. } in &orphans {
        let repeated = world.repeated(till);
        assert!(!repeated.is_empty(), "what the stopped host wrote unanswered was written again under its own id");
        println!("{}: {} stanzas came twice, and show once", till.phone, repeated.len());
    }

    let mut at_rest = BTreeMap::new();
    for orphan in &orphans {
        let keys = Keys::at_rest(&world, &orphan.till).await;
        let touched = keys.touched_by(orphan.new);
        println!("{}: the new owner touched {} of {} keys", orphan.till.phone, touched.len(), keys.0.len());
        assert!(touched.iter().any(|key| !key.is_empty()), "the new owner worked with keys");
        for key in &touched {
            is_fenced_off(world.stack.keys.as_ref(), &orphan.till, orphan.old, key).await;
        }
        wrote_nothing(&keys, &Keys::of(&world, &orphan.till).await, orphan);
        at_rest.insert(orphan.till.device, keys);
    }

    // It wakes, with whatever it was about to write, and finds that it is over.
    let known = world.alive().await;
    let logged = world.stanzas(&orphans[0].till, None).iter().map(|stanza| stanza.seq).max().unwrap_or(0);
    first.process.thaw();
    first.renamed(&world, &known).await;
    share(&world, &first, &second).await;
    for orphan in &orphans {
        let (before, after) = (&at_rest[&orphan.till.device], Keys::of(&world, &orphan.till).await);
        wrote_nothing(before, &after, orphan);
        let late: Vec<_> =
            world.stanzas(&orphan.till, Some("message")).into_iter().filter(|stanza| stanza.seq > logged).collect();
        println!(
            "{}: {} late stanzas",
            orphan.till.phone,
            late.iter().filter(|stanza| stanza.connection == orphan.connection).count()
        );
    }
    accepted.all_arrived_once_in_order(&world).await;

    // It goes on under its new name.
    assert_eq!(world.tills_of(&first.name).await.len(), 2);
    for till in &world.tills {
        accepted.send(&world, till, "after", 5).await;
    }
    accepted.all_arrived_once_in_order(&world).await;
}

/// Sends a burst from each number of `host` and stops it when some of it is on the wire and nothing is answered.
async fn stop_amid_sending(
    world: &World,
    process: &hantar_testkit::process::Process,
    host: &HostId,
    accepted: &mut Accepted,
) -> Vec<Orphan> {
    let tills = world.tills_of(host).await;
    for till in &tills {
        // A receipt is an answer, too.
        for kind in [FaultKind::HoldAck, FaultKind::NoReceipts] {
            world.network().add_fault(Fault { from: Some(till.phone.clone()), ..Fault::new(kind) }).unwrap();
        }
    }
    let mut orphans = Vec::new();
    for till in tills {
        let (old, connection) = (world.epoch_of(&till).await, world.connection(&till));
        orphans.push(Orphan { till, old, new: Epoch(0), connection });
    }
    let bursts = orphans.iter().map(|orphan| {
        let till = orphan.till.clone();
        async move {
            let mut burst = Accepted::default();
            burst.send(world, &till, "burst", BURST).await;
            burst
        }
    });
    let (bursts, ()) = tokio::join!(futures::future::join_all(bursts), async {
        for Orphan { till, .. } in &orphans {
            let on_the_wire = || {
                world.arrived().iter().filter(|shown| shown.from == till.phone && shown.text.contains("burst")).count()
            };
            world.until("some of the burst on the wire", async || (on_the_wire() >= 3).then_some(())).await;
        }
        process.freeze();
    });
    world.network().clear_faults();
    for burst in bursts {
        accepted.ids.extend(burst.ids);
        for (phone, texts) in burst.texts {
            accepted.texts.entry(phone).or_default().extend(texts);
        }
    }
    orphans
}

/// Every write carries its writer's epoch: nothing that the new owner had touched may carry an older one, and what
/// carries the stopped host's is as it was.
fn wrote_nothing(before: &Keys, after: &Keys, Orphan { till, old, new, .. }: &Orphan) {
    for (sk, item) in &before.0 {
        let now = after.0.get(sk).unwrap_or_else(|| panic!("{sk} of {till:?} is gone"));
        if Keys::epoch(item) >= *new {
            assert!(Keys::epoch(now) >= *new, "{sk} of {till:?} went back: {now}");
        }
    }
    for (sk, item) in after.0.iter().filter(|(_, item)| Keys::epoch(item) <= *old) {
        assert_eq!(before.0.get(sk), Some(item), "{sk} of {till:?} was written by the stopped host");
    }
}
