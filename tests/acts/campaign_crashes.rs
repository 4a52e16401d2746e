//! Campaigns whose workers die between any two calls, lose answers, or work side by side: every number gets exactly one
//! message or a reason, and the money is exact.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use hantar_domain::campaign::{Order, Recipient, Status};
use hantar_domain::ids::CampaignId;
use hantar_jobs::work::Worker;
use hantar_platform::faults::{Calls, FaultPlan, Loss, LostAs, When};
use hantar_usecases::end_campaign::{Ended, end_campaign};
use hantar_usecases::ports::{Clock as _, Ordered, Sequence, Work};
use hantar_usecases::start_campaign::CampaignDraft;

use crate::campaign::{draft, phone, row};
use crate::home::Home;
use crate::world::World;

/// How many of a draft's recipients are good.
const GOOD: usize = 230;
const CREDITS: i64 = 1000;
/// What is left when all of them got a message.
const LEFT: i64 = 770;

/// Recipients among whom every seventh is there twice and every ninth is no number.
fn mixed() -> CampaignDraft {
    let mut recipients = Vec::new();
    for number in 0..GOOD {
        recipients.push(row(&phone(number)));
        if number % 7 == 0 {
            recipients.push(row(&phone(number / 2)));
        }
        if number % 9 == 0 {
            recipients.push(row("no number"));
        }
    }
    CampaignDraft { recipients, ..draft(0) }
}

/// Carries `work` on until it has waited so often; `None` when it dies then.
async fn dies_after<F: Future>(waits: u32, work: F) -> Option<F::Output> {
    let (mut work, mut left) = (pin!(work), waits);
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// One step by a process of its own that may die, or lose answers; then the sweep has time to notice.
async fn stumble(world: &World, home: &Home, id: CampaignId, dice: &mut fastrand::Rng) {
    let worker: Worker = world.process().worker();
    if dice.bool() {
        let loss = |executed| Loss {
            calls: Calls { operation: None, containing: None, when: When::Chance(0.1) },
            executed,
            error: LostAs::Io,
        };
        world.faults.change(|plan| plan.losses.extend([loss(true), loss(false)]));
    }
    let waits = dice.u32(1..400);
    let _died_or_failed = dies_after(waits, worker.work(home.account, Work::Campaign(id))).await;
    world.faults.set_plan(FaultPlan::default());
    // What it had begun to write is written when this is: the engine writes in the order of asking.
    home.process.fleet.reserve(Sequence::Tokens, 1).await.unwrap();
    world.clock.advance(Duration::from_secs(61));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_anywhere_is_followed_by_one_who_makes_up_for_it() {
    for seed in [1, 2, 3] {
        let world = World::new(520 + seed).await;
        let mut dice = fastrand::Rng::with_seed(seed);
        let home = world.home(CREDITS).await;
        let devices = home.connected(3).await;
        let id = home.start(CampaignDraft { devices: devices.clone(), ..mixed() }).await;
        let mut steps = 0;
        while home.campaign(id).await.status != Status::Completed {
            stumble(&world, &home, id, &mut dice).await;
            for device in &devices {
                home.send_rows(*device, dice.usize(0..15)).await;
            }
            home.audit_campaigns().await;
            steps += 1;
            assert!(steps < 2000, "seed {seed} comes to no end");
        }
        let (rows, campaign) = (home.rows(id).await, home.campaign(id).await);
        assert_eq!((rows.len(), campaign.progress.accepted), (GOOD, GOOD as u64), "seed {seed}, {steps} steps");
        assert_eq!(home.audit_campaigns().await.available, LEFT, "seed {seed}");
        world.relay(&home.process).await;
        home.check_counts(id).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_is_taken_back_while_workers_die_is_exact_to_the_credit() {
    for seed in [4, 5, 6, 7, 8] {
        let world = World::new(520 + seed).await;
        let mut dice = fastrand::Rng::with_seed(seed);
        let home = world.home(CREDITS).await;
        let devices = home.connected(2).await;
        let id = home.start(CampaignDraft { devices: devices.clone(), ..mixed() }).await;
        for _ in 0..dice.u32(0..8) {
            stumble(&world, &home, id, &mut dice).await;
            home.send_rows(devices[0], dice.usize(0..8)).await;
        }
        assert!(matches!(home.order(id, Order::Cancel).await, Ordered::Done(_)), "seed {seed}");
        let mut steps = 0;
        while home.campaign(id).await.status != Status::Cancelled {
            stumble(&world, &home, id, &mut dice).await;
            home.audit_campaigns().await;
            steps += 1;
            assert!(steps < 2000, "seed {seed} comes to no end");
        }
        let kept: i64 =
            home.rows(id).await.iter().filter(|message| !message.refunded).map(|message| message.credits).sum();
        assert_eq!(home.audit_campaigns().await.available, CREDITS - kept, "seed {seed}");
        world.relay(&home.process).await;
        home.check_counts(id).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_side_by_side_make_every_message_once() {
    let world = World::new(530).await;
    let home = world.home(CREDITS).await;
    home.connected(1).await;
    let id = home.start(mixed()).await;
    world.faults.set_plan(FaultPlan::conflicting());
    let workers: Vec<_> = (0..4).map(|_| world.process().worker()).collect();
    for _ in 0..30 {
        // The claim of the work keeps them apart as a rule; here none of them minds it.
        let steps = workers.iter().map(|worker| worker.take_step(home.account, Work::Campaign(id)));
        futures::future::join_all(steps).await;
        home.send_rows(home.device, 20).await;
        if home.campaign(id).await.status == Status::Completed {
            break;
        }
    }
    world.faults.set_plan(FaultPlan::default());
    assert_eq!((home.campaign(id).await.status, home.rows(id).await.len()), (Status::Completed, GOOD));
    assert_eq!(home.audit_campaigns().await.available, LEFT);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_late_with_claimed_messages_finds_them_taken_back() {
    let world = World::new(531).await;
    let home = world.home(CREDITS).await;
    home.connected(1).await;
    let id = home.start(draft(100)).await;
    // A worker has read what it claimed, and is held up before it has put any of it.
    let late = {
        let worker = world.process().worker();
        let mut waits = 1;
        loop {
            dies_after(waits, worker.work(home.account, Work::Campaign(id))).await;
            let campaign = home.campaign(id).await;
            if campaign.progress.claimed > campaign.progress.done {
                break campaign;
            }
            world.clock.advance(Duration::from_secs(61));
            waits += 1;
            assert!(campaign.progress.done == 0, "never held up between claim and messages");
        }
    };
    let tenant = home.tenant();
    let device = tenant.device(home.device).await.unwrap().unwrap();
    let rows = tenant.campaigns().claimed(&late).await.unwrap().recipients;
    let message = |(ordinal, recipient): (u64, &Option<Recipient>)| {
        late.message(&device, ordinal, recipient.as_ref(), late.claim.at)
    };
    let messages: Vec<_> = (late.progress.done..).zip(&rows).map(message).collect();
    tenant.campaigns().put_rows(&messages[..10]).await.unwrap();

    home.order(id, Order::Cancel).await;
    while end_campaign(tenant.as_ref(), &home.process.clock, &home.campaign(id).await).await.unwrap() == Ended::Partly {
    }
    assert_eq!(home.audit_campaigns().await.available, CREDITS);
    tenant.campaigns().put_rows(&messages).await.unwrap();
    assert!(home.campaign_line(home.device).await.is_empty(), "nothing stands in line that was taken back");
    assert!(!tenant.campaigns().made(&late, 0).await.unwrap());
    assert_eq!(home.audit_campaigns().await.available, CREDITS);
    let now = home.process.clock.now();
    assert!(!tenant.campaigns().claim(&late, 100, &late.claim, Some(now), late.watch).await.unwrap());
}
