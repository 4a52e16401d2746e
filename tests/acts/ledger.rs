//! The ledger: every movement once, and all of them together the balance.

use std::sync::Arc;
use std::time::Duration;

use hantar_domain::credits::Balance;
use hantar_domain::ids::OrderId;
use hantar_domain::ledger::Cause;
use hantar_domain::message::Fact;
use hantar_domain::order::{Order, OrderState};
use hantar_domain::price::PriceList;
use hantar_domain::token::Abilities;
use hantar_platform::faults::FaultPlan;
use hantar_usecases::cancel_message::cancel_message;
use hantar_usecases::ports::{Clock as _, PortError, Refusal};
use hantar_usecases::send_message::SendError;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::door::{Door, token_with};
use crate::home::{Home, draft};
use crate::world::World;

/// Follows `links.next` from the first page on.
async fn pages(door: &Door, per_page: usize) -> Vec<Value> {
    let (mut all, mut path) = (Vec::new(), format!("/api/v1/credits/ledger?per_page={per_page}"));
    loop {
        let answer = door.get(&path).await;
        assert_eq!(answer.code(), 200, "{}", answer.json());
        let page = answer.json();
        let data = page["data"].as_array().unwrap().clone();
        assert!(data.len() <= per_page);
        all.extend(data);
        match page["links"]["next"].as_str() {
            Some(next) => next.strip_prefix("http://localhost:8080").unwrap().clone_into(&mut path),
            None => return all,
        }
    }
}

fn sum(movements: &[Value]) -> i64 {
    movements.iter().map(|movement| movement["credits"].as_i64().unwrap()).sum()
}

/// An order of this number, which nobody has paid yet.
async fn order(home: &Home, number: u64) -> Order {
    let list: PriceList = "MYR 1:10".parse().unwrap();
    let order = Order {
        account: home.account,
        id: OrderId(number),
        nonce: [1; 16],
        credits: 3,
        amount: list.amount(3).unwrap(),
        state: OrderState::Open,
        session: None,
        url: None,
        payment: None,
        created_at: home.process.clock.now(),
        ended_at: None,
    };
    home.tenant().ledger().add_order(&order, None).await.unwrap();
    order
}

/// What one client does: sends, takes back, is refused, tops up, buys.
async fn spend(home: Home, client: u64) {
    let mut dice = fastrand::Rng::with_seed(client);
    let tenant = home.tenant();
    let clock = &home.process.clock;
    for round in 0..6 {
        let outcome = match home.try_send(draft("spent")).await {
            Err(SendError::Port(error)) => Err(error),
            Err(SendError::Credits { .. }) => {
                tenant.grant(2, &format!("g{client}-{round}"), clock.now()).await.map(drop)
            }
            Err(other) => panic!("{other:?}"),
            Ok(message) => match dice.u8(..4) {
                0 => cancel_message(tenant.as_ref(), clock, message.id, None).await.map(drop),
                1 => {
                    let refusal = Refusal { fact: Fact::Refused, code: "opted_out".into() };
                    tenant.refuse(message.id, &refusal, clock.now()).await.map(drop)
                }
                2 => {
                    let id = order(&home, client * 100 + round).await.id;
                    tenant.ledger().pay_order(id, "cs", None, clock.now()).await.map(drop)
                }
                _ => Ok(()),
            },
        };
        assert!(matches!(outcome, Ok(()) | Err(PortError::Conflict | PortError::Throttled { .. })), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_64_clients_at_once_the_ledger_sums_up_to_the_balance_exactly() {
    const CLIENTS: u64 = 64;
    let world = World::new(1501).await;
    let home = world.home(150).await;
    let homes: Vec<_> = (0..4).map(|_| home.seen_by(world.process())).collect();
    world.faults.set_plan(FaultPlan::conflicting());
    let start = Arc::new(Barrier::new(usize::try_from(CLIENTS).unwrap()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (home, start) = (homes[usize::try_from(client % 4).unwrap()].clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                spend(home, client).await;
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    world.faults.set_plan(FaultPlan::default());
    let balance = home.audit().await;
    assert!(balance.charged > 150 && balance.refunded > 50 && balance.granted > 150, "too little: {balance:?}");
    let movements = pages(&Door::of(&home).await, 37).await;
    assert_eq!(sum(&movements), balance.available);
    let of = |kinds: &[&str]| -> i64 {
        sum(&movements.iter().filter(|one| kinds.contains(&one["kind"].as_str().unwrap())).cloned().collect::<Vec<_>>())
    };
    let Balance { granted, charged, refunded, .. } = balance;
    assert_eq!(
        (of(&["opening", "grant", "purchase"]), of(&["message"]), of(&["refund"])),
        (granted, -charged, refunded)
    );
}

/// Sends, endings and grants in turns.
async fn busy(home: &Home) {
    let (tenant, clock) = (home.tenant(), &home.process.clock);
    for round in 0..20 {
        let id = home.send("in turns").await.id;
        if round % 3 == 0 {
            cancel_message(tenant.as_ref(), clock, id, None).await.unwrap();
        }
        if round % 5 == 0 {
            tenant.grant(4, &format!("grant {round}"), clock.now()).await.unwrap();
        }
        clock.advance(Duration::from_secs(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_any_size_show_each_movement_once() {
    let world = World::new(1502).await;
    let home = world.home(100).await;
    busy(&home).await;
    let door = Door::of(&home).await;
    let whole = pages(&door, 100).await;
    assert_eq!(whole.len(), 20 + 7 + 4 + 1);
    assert_eq!(sum(&whole), home.audit().await.available);
    for per_page in [1, 2, 3, 7, 27, 31, 32, 33] {
        assert_eq!(pages(&door, per_page).await, whole, "{per_page}");
    }
    let times: Vec<_> =
        whole.iter().filter(|one| one["kind"] != "refund").map(|one| one["at"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] >= pair[1]), "the latest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_received_message_is_none_of_the_ledgers_however_many_there_are() {
    let world = World::new(1503).await;
    let home = world.home(10).await;
    home.send("before").await;
    home.receive(130).await;
    home.send("after").await;
    let door = Door::of(&home).await;
    let kinds: Vec<_> = pages(&door, 2).await.iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["message", "message", "opening"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_of_an_unknown_message_is_dated_a_day_after_it_was_unknown() {
    let world = World::new(1504).await;
    let home = world.home(10).await;
    let message = home.unknown_message("silent").await;
    world.clock.advance(Duration::from_hours(30));
    assert!(home.tenant().refund_unknown(message.id, world.clock.now()).await.unwrap());
    home.learn(message.id, Fact::Delivered).await;
    let ledger = home.ledger().await;
    let refund = ledger.iter().find(|movement| movement.cause == Cause::Refund(message.id)).unwrap();
    assert_eq!(refund.at.since(message.updated_at), Duration::from_hours(24));
    home.audit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_answered_as_agreed() {
    let world = World::new(1505).await;
    let home = world.home(3).await;
    let door = Door::of(&home).await;
    let id = home.send("paid").await.id;
    cancel_message(home.tenant().as_ref(), &world.clock, id, None).await.unwrap();
    home.tenant().grant(20, "bank-2026-118", world.clock.now()).await.unwrap();
    door.get("/api/v1/credits/ledger").await.is("ledger");
    door.get("/api/v1/credits/ledger?per_page=2").await.is("ledger_first_page");
    door.get("/api/v1/credits/ledger?per_page=0&page=2").await.is("ledger_invalid");
    door.get("/api/v1/credits/ledger?cursor=nonsense").await.is("ledger_cursor");
    let reader = token_with(&home, Abilities::from_names(["messages:read".into()]).unwrap()).await;
    door.with_token(reader).get("/api/v1/credits/ledger").await.is("ledger_ability");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_sees_nothing_of_it_whatever_the_cursor() {
    let world = World::new(1506).await;
    let (home, other) = (world.home(30).await, world.home(0).await);
    busy(&home).await;
    let (mine, theirs) = (Door::of(&home).await, Door::of(&other).await);
    let page = mine.get("/api/v1/credits/ledger?per_page=3").await.json();
    let next = page["links"]["next"].as_str().unwrap().strip_prefix("http://localhost:8080").unwrap().to_owned();
    for path in ["/api/v1/credits/ledger", &next] {
        assert_eq!(theirs.get(path).await.data(), json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_charged_messages_are_free_and_the_balance_says_so() {
    let world = World::new(1507).await;
    let home = world.home(0).await;
    assert!(matches!(home.try_send(draft("refused")).await, Err(SendError::Credits { required: 1, balance: 0 })));
    let free = home.seen_by(world.free_process());
    let id = free.send("free").await.id;
    assert_eq!(free.message(id).await.credits, 0);
    cancel_message(free.tenant().as_ref(), &world.clock, id, None).await.unwrap();
    free.send("also free").await;
    assert_eq!(home.tenant().balance().await.unwrap(), Balance::default());
    assert_eq!(home.ledger().await, []);
    Door::charging(&free, hantar_domain::billing::Billing::Off).await.get("/api/v1/balance").await.is("balance_free");
    Door::of(&home).await.get("/api/v1/balance").await.is("balance_empty");
}
