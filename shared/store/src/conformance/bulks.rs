//! Bulks, and the messages of them.

use std::time::Duration;

use futures::future::join_all;
use hantar_domain::bulk::{Bulk, Rejected, Rejection};
use hantar_domain::ids::{BulkId, Epoch, MessageId};
use hantar_domain::message::{Lane, Message, State};
use hantar_usecases::ports::{BulkAccepted, Work};

use super::{Home, World};

fn bulk(home: &Home, id: u64, rows: usize) -> Bulk {
    Bulk {
        account: home.account,
        id: BulkId(id),
        rows: rows + 1,
        first: MessageId(id * 1_000),
        rejected: vec![Rejected { index: 0, why: Rejection::OptedOut, field: None }],
        credits: i64::try_from(rows).unwrap(),
        at: home.now(),
        done: false,
    }
}

fn messages(home: &Home, bulk: &Bulk) -> Vec<Message> {
    let message = |(_, id)| Message { id, ..home.draft(Lane::Campaign) };
    bulk.queued().map(message).collect()
}

/// With the entry of the work that stores its messages.
pub async fn a_bulk_is_charged_whole_or_not_at_all(world: World) {
    let home = world.home(10).await;
    let bulks = home.tenant.bulks();
    let (one, two) = (bulk(&home, 1, 7), bulk(&home, 2, 4));
    let due = home.now() + Duration::from_mins(1);
    assert_eq!(bulks.accept_bulk(&one, due, None).await.unwrap(), BulkAccepted::Stored);
    assert_eq!(bulks.accept_bulk(&one, due, None).await.unwrap(), BulkAccepted::Stored, "a repeat");
    assert_eq!(bulks.accept_bulk(&two, due, None).await.unwrap(), BulkAccepted::Refused { balance: 3 });
    home.has(3, 7, 0).await;
    assert_eq!((bulks.bulk(one.id).await.unwrap(), bulks.bulk(two.id).await.unwrap()), (Some(one), None));
    let due: Vec<_> = world.fleet.due_work(due, 10_000).await.unwrap();
    let own: Vec<_> = due.iter().filter(|due| due.account == home.account).map(|due| due.work).collect();
    assert_eq!(own, [Work::Bulk(BulkId(1))]);
}

/// All but the first are told of the first.
pub async fn one_key_used_many_times_at_once_makes_one_bulk(world: World) {
    let home = world.home(100).await;
    let tried: Vec<_> = (1..9).map(|id| (bulk(&home, id, 5), home.key(1, 1))).collect();
    let due = home.now() + Duration::from_mins(1);
    let told = join_all(tried.iter().map(|(bulk, key)| home.tenant.bulks().accept_bulk(bulk, due, Some(key)))).await;
    let told: Vec<_> = told.into_iter().map(Result::unwrap).collect();
    assert_eq!(told.iter().filter(|told| **told == BulkAccepted::Stored).count(), 1, "{told:?}");
    assert!(told.iter().all(|told| matches!(told, BulkAccepted::Stored | BulkAccepted::Replayed(_))), "{told:?}");
    let other = home.tenant.bulks().bulk_of_key(&home.key(1, 2), home.now()).await.unwrap();
    assert_eq!(other, Some(BulkAccepted::KeyReused));
    home.has(95, 5, 0).await;
}

/// What went on its way meanwhile stays as it is.
pub async fn messages_of_a_bulk_are_stored_once_however_often_it_is_tried(world: World) {
    let home = world.home(200).await;
    let bulk = bulk(&home, 1, 120);
    let all = messages(&home, &bulk);
    let bulks = home.tenant.bulks();
    bulks.put_messages(&all[30..60]).await.unwrap();
    home.tenant.dispatch(all[40].id, Epoch(1), home.now()).await.unwrap();
    let (one, two) = futures::join!(bulks.put_messages(&all), bulks.put_messages(&all));
    one.and(two).unwrap();
    let ids: Vec<_> = all.iter().map(|message| message.id).collect();
    let stored = home.tenant.messages(&ids).await.unwrap();
    assert_eq!(stored.len(), all.len());
    for (stored, put) in stored.iter().zip(&all) {
        let moved = put.id == all[40].id;
        assert_eq!(stored.state, if moved { State::Dispatched } else { State::Queued });
        assert!(moved || stored == put);
    }
    let mut line = home.line().await;
    line.sort_unstable();
    assert_eq!(line, ids);
    bulks.finish_bulk(bulk.id).await.unwrap();
    assert_eq!(bulks.bulk(bulk.id).await.unwrap(), None, "what is not there is not made by finishing it");
}
