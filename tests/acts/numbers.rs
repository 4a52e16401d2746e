//! Numbers are never given out twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use hantar_domain::ids::AccountId;
use hantar_platform::faults::{Calls, Loss, LostAs, When};
use hantar_usecases::numbers::Numbers;
use hantar_usecases::ports::Sequence;

use crate::world::World;

const SEQUENCE: Sequence = Sequence::Messages(AccountId(7));

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_never_draw_the_same_number_however_many_draw_at_once() {
    let world = World::new(401).await;
    let mut drawers = Vec::new();
    for _ in 0..2 {
        let numbers = Arc::new(Numbers::new(world.process().fleet, 7));
        for _ in 0..16 {
            let numbers = numbers.clone();
            drawers.push(tokio::spawn(async move {
                let mut drawn = Vec::new();
                for _ in 0..30 {
                    drawn.push(numbers.next(SEQUENCE).await.unwrap());
                }
                drawn
            }));
        }
    }
    let mut all = Vec::new();
    for drawer in drawers {
        all.extend(drawer.await.unwrap());
    }
    assert_eq!(all.len(), 2 * 16 * 30);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert!(all.iter().all(|number| *number >= 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_numbers_rise_and_a_restart_leaves_a_gap_and_no_repeat() {
    let world = World::new(402).await;
    let mut last = 0;
    for _ in 0..3 {
        let numbers = Numbers::new(world.process().fleet, 10);
        for _ in 0..14 {
            let number = numbers.next(SEQUENCE).await.unwrap();
            assert!(number > last);
            last = number;
        }
    }
    assert_eq!(last, 54, "two blocks each, of which the second is used in part");
}

#[tokio::test(flavor = "multi_thread")]
async fn sequences_and_accounts_do_not_share_numbers() {
    let world = World::new(403).await;
    let numbers = Numbers::new(world.process().fleet, 10);
    for sequence in
        [Sequence::Messages(AccountId(1)), Sequence::Messages(AccountId(2)), Sequence::Endpoints(AccountId(1))]
    {
        assert_eq!(numbers.next(sequence).await.unwrap(), 1, "{sequence:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn lost_answers_leave_gaps_and_no_repeats() {
    let world = World::new(404).await;
    let numbers = [1, 2].map(|_| Numbers::new(world.process().fleet, 3));
    for executed in [true, false] {
        let calls = Calls { operation: Some("UpdateItem".into()), containing: None, when: When::Chance(0.2) };
        world.faults.change(|plan| plan.losses.push(Loss { calls, executed, error: LostAs::Timeout }));
    }
    let (mut drawn, mut failures) = (BTreeSet::new(), 0);
    for round in 0..200 {
        match numbers[round % 2].next(SEQUENCE).await {
            Ok(number) => assert!(drawn.insert(number), "{number} came twice"),
            Err(_) => failures += 1,
        }
    }
    assert!(drawn.len() > 50, "{failures} failures");
}
