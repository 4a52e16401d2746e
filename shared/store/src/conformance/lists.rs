//! Lists of messages, and counts.

use std::time::Duration;

use hantar_domain::ids::MessageId;
use hantar_domain::message::{Direction, Fact, Message, State};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Acceptance, Inbound, MessageFilter};

use super::facts::tell;
use super::{Home, World};

/// Whatever their size.
pub async fn pages_show_the_newest_first_and_join_without_gaps(world: World) {
    let home = world.home(50).await;
    let mut all = Vec::new();
    for _ in 0..23 {
        all.insert(0, home.accepted().await);
    }
    let filter = MessageFilter::default();
    for limit in [1, 5, 22, 23, 100] {
        let (seen, pages) = walk(&home, &filter, limit).await;
        assert_eq!((seen, pages), (all.clone(), 23_usize.div_ceil(limit)), "pages of {limit}");
    }
}

/// A whole list, and how many pages it took.
async fn walk(home: &Home, filter: &MessageFilter, limit: usize) -> (Vec<Message>, usize) {
    let (mut seen, mut before) = (Vec::new(), None);
    for pages in 1.. {
        let page = home.tenant.list_messages(filter, before, limit).await.unwrap();
        assert!(page.messages.len() <= limit);
        seen.extend(page.messages);
        match page.older {
            Some(older) => assert!(before.replace(older).is_none_or(|before| older < before), "it leads back"),
            None => return (seen, pages),
        }
    }
    unreachable!("pages without end")
}

/// Where one look ends before the list does, it says how far it came.
pub async fn a_page_that_shows_nothing_leads_on_all_the_same(world: World) {
    let home = world.home(2).await;
    let first = home.draft(hantar_domain::message::Lane::Single);
    let filler = |n: u64| Inbound {
        message: Message { id: MessageId(n), direction: Direction::Inbound, state: State::Delivered, ..first.clone() },
        chat: format!("chat {n}"),
        sender: "them".into(),
    };
    home.tenant.accept(&Acceptance { message: first.clone(), idempotency: None }).await.unwrap();
    let many: Vec<_> = (2..1_012).map(filler).collect();
    home.tenant.receive(&many).await.unwrap();
    let last = Message { id: MessageId(1_012), ..first.clone() };
    home.tenant.accept(&Acceptance { message: last.clone(), idempotency: None }).await.unwrap();
    let outbound = MessageFilter { direction: Some(Direction::Outbound), ..MessageFilter::default() };
    let (seen, pages) = walk(&home, &outbound, 10).await;
    assert_eq!(seen, [last, first]);
    assert!(pages > 1, "one look came through all of it, which is too much for one look");
    let none = MessageFilter { external_id: Some("nobody's".into()), ..MessageFilter::default() };
    assert_eq!(walk(&home, &none, 10).await.0, []);
}

/// Alone and together.
pub async fn filters_pick_out_what_they_name(world: World) {
    let home = world.home(50).await;
    let other = PhoneNumber::from_e164("60111111111");
    let start = home.now();
    for n in 0..6 {
        let mut message = home.draft(hantar_domain::message::Lane::Single);
        if n % 2 == 0 {
            message.phone.clone_from(&other);
        }
        message.external_id = Some(format!("order-{n}"));
        home.tenant.accept(&Acceptance { message, idempotency: None }).await.unwrap();
        world.clock.pass(Duration::from_secs(10));
    }
    tell(&home, MessageId(2), Fact::Cancelled).await;
    let ids = |filter: MessageFilter| {
        let tenant = home.tenant.clone();
        async move {
            let page = tenant.list_messages(&filter, None, 10).await.unwrap();
            assert_eq!(page.older, None);
            page.messages.iter().map(|message| message.id.0).collect::<Vec<_>>()
        }
    };
    let any = MessageFilter::default;
    assert_eq!(ids(MessageFilter { status: Some(State::Cancelled), ..any() }).await, [2]);
    assert_eq!(ids(MessageFilter { phone: other.clone(), ..any() }).await, [5, 3, 1]);
    assert_eq!(ids(MessageFilter { external_id: Some("order-3".into()), ..any() }).await, [4]);
    assert_eq!(ids(MessageFilter { direction: Some(Direction::Inbound), ..any() }).await, [0_u64; 0]);
    assert_eq!(ids(MessageFilter { device: Some(home.device), ..any() }).await, [6, 5, 4, 3, 2, 1]);
    let (from, to) = (Some(start + Duration::from_secs(15)), Some(start + Duration::from_secs(35)));
    assert_eq!(ids(MessageFilter { from, to, ..any() }).await, [4, 3]);
    let both = MessageFilter { phone: other, from, direction: Some(Direction::Outbound), ..any() };
    assert_eq!(ids(both).await, [5, 3]);
    let page = home.tenant.list_messages(&MessageFilter { from, ..any() }, Some(MessageId(6)), 2).await.unwrap();
    assert_eq!((page.messages[0].id.0, page.messages.len(), page.older), (5, 2, Some(MessageId(4))));
}

/// Missing ones are left out.
pub async fn several_messages_come_in_the_order_asked_for(world: World) {
    let home = world.home(200).await;
    for _ in 0..130 {
        home.accepted().await;
    }
    let mut ids: Vec<_> = (1..=130).rev().map(MessageId).collect();
    ids.insert(3, MessageId(5_000));
    let found = home.tenant.messages(&ids).await.unwrap();
    ids.remove(3);
    assert_eq!(found.iter().map(|message| message.id).collect::<Vec<_>>(), ids);
}

/// The mark and the counts are one.
pub async fn counts_move_with_their_mark_and_count_no_batch_twice(world: World) {
    let home = world.home(5).await;
    let tenant = &home.tenant;
    let (out, inn) = (Direction::Outbound, Direction::Inbound);
    // Sequence numbers of streams have up to 40 digits, of which 39 fit.
    let (first, second) = (7, 300_000_000_000_000_000_000_000_000_000_000_000_000);
    assert_eq!(tenant.counted_through("s1").await.unwrap(), None);
    let batch = [(out, State::Queued, 3), (inn, State::Delivered, 2), (out, State::Queued, -1), (out, State::Sent, 1)];
    assert!(tenant.add_counts("s1", None, first, &batch).await.unwrap());
    assert!(!tenant.add_counts("s1", None, first, &batch).await.unwrap());
    assert_eq!(tenant.counted_through("s1").await.unwrap(), Some(first));
    assert!(tenant.add_counts("s1", Some(first), second, &[(out, State::Sent, 4)]).await.unwrap());
    assert!(!tenant.add_counts("s1", Some(first), second, &[(out, State::Sent, 4)]).await.unwrap());
    assert!(tenant.add_counts("s2", None, 1, &[]).await.unwrap());
    assert_eq!(tenant.counted_through("s1").await.unwrap(), Some(second));
    assert_eq!(tenant.counted_through("s2").await.unwrap(), Some(1));
    let counts = tenant.state_counts().await.unwrap();
    assert_eq!(counts.outbound.into_iter().collect::<Vec<_>>(), [(State::Queued, 2), (State::Sent, 5)]);
    assert_eq!(counts.inbound, 2);
}
