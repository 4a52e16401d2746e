//! Long work: noted, rung for, done a step at a time, and over.

use std::time::Duration;

use hantar_domain::ids::{BulkId, CampaignId};
use hantar_usecases::ports::{Clock as _, Job, Queue, Work};

use crate::world::World;

#[tokio::test]
async fn work_is_rung_for_when_it_is_due_and_claimed_by_one() {
    let world = World::new(31).await;
    let home = world.home(0).await;
    let (fleet, account, work) = (&home.process.fleet, home.account, Work::Campaign(CampaignId(7)));
    let now = home.process.clock.now();
    fleet.arm_work(account, work, now + Duration::from_mins(1)).await.unwrap();
    assert_eq!(home.process.sweep_work().await, 0, "it is not due");
    world.clock.advance(Duration::from_secs(61));
    assert_eq!(home.process.sweep_work().await, 1);
    assert_eq!(home.process.jobs(Queue::Jobs).await, [Job::Work { account, work }]);
    let now = home.process.clock.now();
    let until = now + Duration::from_mins(1);
    assert!(fleet.claim_work(account, work, now, until).await.unwrap());
    assert!(!fleet.claim_work(account, work, now, until).await.unwrap(), "somebody is at it");
    world.clock.advance(Duration::from_secs(61));
    assert!(fleet.claim_work(account, work, home.process.clock.now(), until).await.unwrap(), "they died at it");
    fleet.end_work(account, work).await.unwrap();
    fleet.end_work(account, work).await.unwrap();
    assert!(!fleet.claim_work(account, work, home.process.clock.now(), until).await.unwrap(), "it is over");
}

#[tokio::test]
async fn the_longest_due_work_comes_first() {
    let world = World::new(32).await;
    let home = world.home(0).await;
    let now = home.process.clock.now();
    for (number, before) in [(1, 10), (2, 30), (3, 20)] {
        let due = now - Duration::from_secs(before);
        home.process.fleet.arm_work(home.account, Work::Bulk(BulkId(number)), due).await.unwrap();
    }
    let due = home.process.fleet.due_work(now, 2).await.unwrap();
    assert_eq!(due.iter().map(|one| one.work).collect::<Vec<_>>(), [Work::Bulk(BulkId(2)), Work::Bulk(BulkId(3))]);
}
