//! What only an injected fault can show: answers that are lost, throttling, and the conflict window under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hantar_domain::message::{Fact, Lane, State};
use hantar_platform::embedded::DynamoEngine;
use hantar_platform::faults::{Calls, FaultPlan, FaultyClient, Loss, LostAs, Throttle, ThrottleError};
use hantar_store::conformance::{Home, World};
use hantar_usecases::ports::{Acceptance, Accepted, Applied, PortError, Refusal};

use super::support::{in_process, world};

async fn faulty_world() -> (FaultyClient, World) {
    let faulty = FaultyClient::new(DynamoEngine::in_memory().unwrap().http_client(), FaultPlan::default(), 1);
    let world = world(in_process(faulty.http_client())).await;
    (faulty, world)
}

/// The SDK tries three times; the store goes on after that.
fn lose(faulty: &FaultyClient, operation: &str, calls: u32, executed: bool) {
    let loss = Loss { calls: Calls::next(operation, calls), executed, error: LostAs::Io };
    faulty.change(|plan| plan.losses.push(loss));
}

#[tokio::test]
async fn a_lost_answer_never_charges_twice() {
    let (faulty, world) = faulty_world().await;
    let home = world.home(100).await;
    let mut charged = 0;
    for lost in 1..=6 {
        for executed in [true, false] {
            lose(&faulty, "TransactWriteItems", lost, executed);
            let acceptance = home.acceptance();
            assert_eq!(home.tenant.accept(&acceptance).await.unwrap(), Accepted::Stored, "{lost} lost");
            charged += 1;
            faulty.set_plan(FaultPlan::default());
            home.has(100 - charged, charged, 0).await;
        }
    }
    assert_eq!(home.line().await.len(), usize::try_from(charged).unwrap());
}

#[tokio::test]
async fn an_acceptance_that_failed_may_be_repeated_whether_or_not_it_happened() {
    let (faulty, world) = faulty_world().await;
    let home = world.home(100).await;
    for executed in [true, false] {
        lose(&faulty, "TransactWriteItems", 1_000, executed);
        lose(&faulty, "BatchGetItem", 1_000, false);
        let acceptance = home.keyed(u8::from(executed), 1);
        let answer = home.tenant.accept(&acceptance).await;
        assert!(matches!(answer, Err(PortError::Unavailable { .. })), "{answer:?}");
        faulty.set_plan(FaultPlan::default());
        assert_eq!(home.tenant.accept(&acceptance).await.unwrap(), Accepted::Stored);
    }
    home.has(98, 2, 0).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_refusal_refunds_once() {
    let (faulty, world) = faulty_world().await;
    let home = world.home(10).await;
    let id = home.accepted().await.id;
    lose(&faulty, "TransactWriteItems", 3, true);
    let refusal = Refusal { fact: Fact::Refused, code: "suppressed".into() };
    let applied = home.tenant.refuse(id, &refusal, home.now()).await.unwrap();
    assert!(matches!(applied, Applied::Moved(_)));
    home.has(10, 1, 1).await;
}

#[tokio::test]
async fn a_fact_whose_answer_was_lost_has_happened_and_leaves_no_entry() {
    let (faulty, world) = faulty_world().await;
    let home = world.home(10).await;
    let id = home.accepted().await.id;
    lose(&faulty, "UpdateItem", 1, true);
    let at = home.now();
    let applied = home.tenant.dispatch(id, hantar_domain::ids::Epoch(1), at).await.unwrap();
    assert!(matches!(applied, Applied::Unchanged(message) if message.state == State::Dispatched));
    lose(&faulty, "UpdateItem", 1, true);
    home.tenant.record(id, Fact::Acknowledged, home.now()).await.unwrap();
    assert_eq!(home.message(id).await.state, State::Sent);
    assert!(home.line().await.is_empty());
}

#[tokio::test]
async fn throttling_is_told_with_a_delay_and_writes_nothing() {
    let (faulty, world) = faulty_world().await;
    let home = world.home(10).await;
    for error in
        [ThrottleError::ProvisionedThroughputExceeded, ThrottleError::RequestLimitExceeded, ThrottleError::Throttling]
    {
        let calls = Calls::next("TransactWriteItems", 1_000);
        faulty.change(|plan| plan.throttles.push(Throttle { calls, error }));
        let answer = home.tenant.accept(&home.acceptance()).await;
        assert!(matches!(answer, Err(PortError::Throttled { retry_after }) if !retry_after.is_zero()), "{answer:?}");
        faulty.set_plan(FaultPlan::default());
    }
    home.has(10, 0, 0).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_in_the_middle_takes_nobody_with_it() {
    let (faulty, world) = faulty_world().await;
    let home = world.home(100).await;
    faulty.change(|plan| plan.latency = Duration::from_millis(20)..=Duration::from_millis(20));
    let acceptances: Vec<_> = (0..10).map(|_| home.acceptance()).collect();
    let (first, others) = acceptances.split_first().unwrap();
    // The first one has the turn, and carries the others out; it is dropped while its transaction is under way.
    let gone = tokio::time::timeout(Duration::from_millis(30), home.tenant.accept(first));
    let stay = futures::future::join_all(others.iter().map(|one| home.tenant.accept(one)));
    let (_, answers) = futures::join!(gone, stay);
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Accepted::Stored))), "{answers:?}");
    faulty.set_plan(FaultPlan::default());
    let stored = i64::try_from(home.line().await.len()).unwrap();
    assert!(stored == 9 || stored == 10);
    home.has(100 - stored, stored, 0).await;
}

/// 64 clients of one account, each with one request at a time.
async fn hammer(home: &Arc<Home>, span: Duration) -> (u64, u64) {
    let (stored, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let over = Arc::new(AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (home, stored, failed, over) = (home.clone(), stored.clone(), failed.clone(), over.clone());
        clients.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let acceptance = Acceptance { message: home.draft(Lane::Single), idempotency: None };
                match home.tenant.accept(&acceptance).await {
                    Ok(Accepted::Stored) => stored.fetch_add(1, Ordering::Relaxed),
                    Err(PortError::Conflict | PortError::Throttled { .. }) => failed.fetch_add(1, Ordering::Relaxed),
                    other => panic!("{other:?}"),
                };
            }
        });
    }
    tokio::time::sleep(span).await;
    over.store(true, Ordering::Relaxed);
    clients.join_all().await;
    (stored.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_of_one_account_accept_a_hundred_a_second_under_the_conflict_window() {
    let (faulty, world) = faulty_world().await;
    faulty.set_plan(FaultPlan::conflicting());
    let home = Arc::new(world.home(1_000_000).await);
    let start = Instant::now();
    let (stored, failed) = hammer(&home, Duration::from_secs(3)).await;
    let rate = f64::from(u32::try_from(stored).unwrap()) / start.elapsed().as_secs_f64();
    println!("{rate:.0} accepts/s, {failed} of {} failed", stored + failed);
    assert!(rate >= 100.0, "{rate:.0} accepts/s");
    assert!(failed * 100 < stored, "{failed} failed, {stored} stored");
    let charged = i64::try_from(stored).unwrap();
    home.has(1_000_000 - charged, charged, 0).await;
}

/// Two processes do not know of each other's line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_account_stay_exact_under_the_conflict_window() {
    let faulty = FaultyClient::new(DynamoEngine::in_memory().unwrap().http_client(), FaultPlan::default(), 2);
    let names = hantar_store::TableNames::with_prefix("shared");
    let clock = super::support::hand();
    let one = super::support::store(in_process(faulty.http_client()), names.clone(), clock.clone());
    let two = super::support::store(in_process(faulty.http_client()), names, clock.clone());
    let world = World { fleet: one.fleet(), tenants: one.tenants(), leases: one.leases(), keys: one.keys(), clock };
    let world = world.prepare().await;
    let home = world.home(10_000).await;
    faulty.set_plan(FaultPlan::conflicting());
    let tenants = [home.tenant.clone(), two.tenants().for_account(home.account)];
    let acceptances: Vec<_> = (0..400).map(|_| home.acceptance()).collect();
    let start = Instant::now();
    let calls = acceptances.iter().enumerate().map(|(n, one)| tenants[n % 2].accept(one));
    let answers = futures::future::join_all(calls).await;
    let stored = answers.iter().filter(|answer| matches!(answer, Ok(Accepted::Stored))).count();
    println!("two processes: {stored} of 400 stored in {:?}", start.elapsed());
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Accepted::Stored) | Err(PortError::Conflict))));
    assert!(stored >= 396, "{stored} of 400 stored");
    let charged = i64::try_from(stored).unwrap();
    home.has(10_000 - charged, charged, 0).await;
}
