//! Purchases of credits.

use hantar_domain::ids::OrderId;
use hantar_domain::ledger::Cause;
use hantar_domain::order::{Order, OrderState};
use hantar_domain::price::PriceList;
use hantar_usecases::ports::{Created, Paid, Session};

use super::{Home, World};

fn order(home: &Home, id: u64) -> Order {
    let list: PriceList = "MYR 1:10".parse().unwrap();
    Order {
        account: home.account,
        id: OrderId(id),
        nonce: [id as u8; 16],
        credits: 100,
        amount: list.amount(100).unwrap(),
        state: OrderState::Open,
        session: None,
        url: None,
        payment: None,
        created_at: home.now(),
        ended_at: None,
    }
}

async fn ordered(home: &Home, id: u64) -> OrderId {
    let order = order(home, id);
    assert_eq!(home.tenant.ledger().add_order(&order, None).await.unwrap(), Created::New);
    order.id
}

async fn pay(home: &Home, id: OrderId) -> Paid {
    home.tenant.ledger().pay_order(id, "cs_1", Some("pi_1"), home.now()).await.unwrap()
}

async fn state(home: &Home, id: OrderId) -> OrderState {
    home.tenant.ledger().order(id).await.unwrap().unwrap().state
}

/// Each with its session, once that is known; none of another account.
pub async fn orders_are_kept_and_listed_newest_first(world: World) {
    let (home, other) = (world.home(0).await, world.home(0).await);
    for id in 1..=5 {
        ordered(&home, id).await;
    }
    let ledger = home.tenant.ledger();
    let session = |name: &str| Session { id: name.to_owned(), url: format!("https://pay.example/{name}") };
    ledger.note_session(OrderId(3), &session("cs_3")).await.unwrap();
    ledger.note_session(OrderId(3), &session("cs_later")).await.unwrap();
    ledger.note_session(OrderId(9), &session("cs_9")).await.unwrap();
    let found = ledger.order(OrderId(3)).await.unwrap().unwrap();
    assert_eq!(found.url.as_deref(), Some("https://pay.example/cs_3"), "the first one stays");
    let ids = |orders: Vec<Order>| orders.into_iter().map(|order| order.id.0).collect::<Vec<_>>();
    assert_eq!(ids(ledger.orders(None, 2).await.unwrap()), [5, 4]);
    assert_eq!(ids(ledger.orders(Some(OrderId(4)), 10).await.unwrap()), [3, 2, 1]);
    assert_eq!(ledger.order(OrderId(9)).await.unwrap(), None);
    assert_eq!(other.tenant.ledger().order(OrderId(3)).await.unwrap(), None);
    assert_eq!(other.tenant.ledger().orders(None, 10).await.unwrap(), []);
}

/// Credits, movement and state go together.
pub async fn an_order_is_paid_once_however_often_that_is_heard(world: World) {
    let home = world.home(1).await;
    let id = ordered(&home, 1).await;
    let all = futures::join!(pay(&home, id), pay(&home, id), pay(&home, id));
    assert_eq!(all, (Paid::Done, Paid::Done, Paid::Done));
    assert_eq!(pay(&home, id).await, Paid::Done);
    assert_eq!(home.balance().await.granted, 101);
    let noted = home.tenant.ledger().noted(None, 10).await.unwrap();
    assert_eq!(noted.iter().filter(|movement| movement.cause == Cause::Purchase(id)).count(), 1);
    let order = home.tenant.ledger().order(id).await.unwrap().unwrap();
    assert_eq!(
        (order.state, order.payment.as_deref(), order.session.as_deref()),
        (OrderState::Paid, Some("pi_1"), Some("cs_1"))
    );
    assert_eq!(pay(&home, OrderId(9)).await, Paid::Missing);
}

/// Whatever was said before: the money is there.
pub async fn a_payment_counts_also_after_it_failed_and_a_late_failure_changes_nothing(world: World) {
    let home = world.home(0).await;
    for (number, ended) in [(1, OrderState::Failed), (2, OrderState::Expired)] {
        let id = ordered(&home, number).await;
        home.tenant.ledger().end_order(id, ended, home.now()).await.unwrap();
        assert_eq!(state(&home, id).await, ended);
        assert_eq!(pay(&home, id).await, Paid::Done);
        home.tenant.ledger().end_order(id, ended, home.now()).await.unwrap();
        assert_eq!(state(&home, id).await, OrderState::Paid);
    }
    assert_eq!(home.balance().await.granted, 200);
}

/// A repeat finds its order, another request is refused.
pub async fn an_order_is_made_once_by_its_key(world: World) {
    let home = world.home(0).await;
    let ledger = home.tenant.ledger();
    let key = home.key(1, 1);
    let first = order(&home, 1);
    assert_eq!(ledger.add_order(&first, Some(&key)).await.unwrap(), Created::New);
    let replayed = ledger.add_order(&order(&home, 2), Some(&key)).await.unwrap();
    assert_eq!(replayed, Created::Replayed(Box::new(first)));
    let reused = ledger.add_order(&order(&home, 3), Some(&home.key(1, 2))).await.unwrap();
    assert_eq!(reused, Created::KeyReused);
    assert_eq!(ledger.orders(None, 10).await.unwrap().len(), 1);
}

/// Of its own, while it has some.
pub async fn an_account_may_have_prices_of_its_own(world: World) {
    let home = world.home(0).await;
    let ledger = home.tenant.ledger();
    assert_eq!(ledger.prices().await.unwrap(), None);
    let list: PriceList = "MYR 1:10, 1000:8.5".parse().unwrap();
    ledger.set_prices(Some(&list)).await.unwrap();
    assert_eq!(ledger.prices().await.unwrap(), Some(list));
    for _ in 0..2 {
        ledger.set_prices(None).await.unwrap();
    }
    assert_eq!(ledger.prices().await.unwrap(), None);
}
