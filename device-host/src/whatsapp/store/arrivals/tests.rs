use buffa::{Message as _, MessageField};
use bytes::Bytes;
use wacore::store::traits::{PendingInboundRow, ProtocolStore as _, SignalStore as _};
use wacore::types::message::MessageSource;
use waproto::whatsapp::session_structure::Chain;
use waproto::whatsapp::session_structure::chain::ChainKey;
use waproto::whatsapp::{RecordStructure, SessionStructure};

use super::super::tests::Bench;
use super::*;
use crate::whatsapp::content;

const ALI: &str = "900:3@lid";
const CHAT: &str = "900@lid";
const AT: &str = "900:3@lid.0";

/// A session whose receiving chains are so far, by their keys.
fn session(chains: &[(u8, u32)]) -> Bytes {
    let chain = |(key, index): &(u8, u32)| Chain {
        sender_ratchet_key: Some(vec![*key; 33]),
        chain_key: MessageField::some(ChainKey { index: Some(*index), ..Default::default() }),
        ..Default::default()
    };
    let state = SessionStructure { receiver_chains: chains.iter().map(chain).collect(), ..Default::default() };
    let record = RecordStructure { current_session: MessageField::some(state), ..Default::default() };
    record.encode_to_vec().into()
}

fn arrival(id: &str) -> MessageInfo {
    let source =
        MessageSource { chat: CHAT.parse().unwrap(), sender: ALI.parse().unwrap(), ..MessageSource::default() };
    MessageInfo { id: id.into(), source, ..MessageInfo::default() }
}

async fn stored(store: &Store, id: &str) {
    let message = content::encoded("hello", None).unwrap();
    let row = PendingInboundRow { chat: CHAT, sender: ALI, id, message: &message };
    store.store_pending_inbound_batch(&[row]).await.unwrap();
}

async fn put(store: &Store, chains: &[(u8, u32)]) -> Result<()> {
    store.put_sessions_batch(&[(AT.into(), session(chains))]).await
}

#[tokio::test]
async fn a_process_that_dies_before_a_message_is_durable_leaves_a_session_that_can_read_it_again() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    put(&store, &[(1, 3)]).await.unwrap();
    store.arrivals.begin(&arrival("M"));
    // It was decrypted, and something makes the library store its sessions before it hands the message over.
    assert!(put(&store, &[(1, 4)]).await.is_err());
    drop(store);
    let kept = bench.store(2).await.get_session(AT).await.unwrap();
    assert_eq!(kept, Some(session(&[(1, 3)])), "the message comes again, and is no repeat");
}

#[tokio::test]
async fn a_session_moved_by_a_message_is_stored_after_it() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    put(&store, &[(1, 3)]).await.unwrap();
    // The next step on a known chain, a new chain, and a first session at another time.
    for (number, chains) in [vec![(1, 4)], vec![(1, 4), (2, 1)]].into_iter().enumerate() {
        let id = format!("M{number}");
        store.arrivals.begin(&arrival(&id));
        let session = async {
            put(&store, &chains).await.unwrap();
            assert_eq!(bench.received().await.len(), number + 1, "{chains:?} was stored first");
        };
        tokio::join!(biased; session, stored(&store, &id));
    }
    assert_eq!(store.get_session(AT).await.unwrap(), Some(session(&[(1, 4), (2, 1)])));
}

#[tokio::test]
async fn what_no_message_under_way_has_moved_is_stored_at_once() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    put(&store, &[(1, 3)]).await.unwrap();
    store.arrivals.begin(&arrival("M"));
    store.put_session("901@lid.0", &session(&[(1, 9)])).await.unwrap();
    put(&store, &[(1, 3)]).await.unwrap();
    store.put_session(AT, &session(&[(1, 3)])).await.unwrap();
}

#[tokio::test]
async fn a_session_waits_for_the_message_that_moved_it_and_not_for_the_next_one() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    put(&store, &[(1, 3)]).await.unwrap();
    for id in ["M1", "M2", "M3"] {
        store.arrivals.begin(&arrival(id));
    }
    stored(&store, "M1").await;
    put(&store, &[(1, 4)]).await.unwrap();
    assert!(put(&store, &[(1, 5)]).await.is_err(), "M2 is not durable");
    stored(&store, "M2").await;
    put(&store, &[(1, 5)]).await.unwrap();
    stored(&store, "M3").await;
    put(&store, &[(1, 6)]).await.unwrap();
}

#[tokio::test]
async fn a_message_that_cannot_be_read_and_those_before_a_later_one_are_not_waited_for() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    put(&store, &[(1, 3)]).await.unwrap();
    store.arrivals.begin(&arrival("M1"));
    store.undecryptable(&arrival("M1"));
    put(&store, &[(1, 4)]).await.unwrap();
    for id in ["M2", "M3"] {
        store.arrivals.begin(&arrival(id));
    }
    stored(&store, "M3").await;
    put(&store, &[(1, 6)]).await.unwrap();
    let offline = MessageInfo { is_offline: true, ..arrival("M4") };
    store.arrivals.begin(&offline);
    put(&store, &[(1, 7)]).await.unwrap();
}

#[test]
fn steps_are_counted_over_all_chains_and_states() {
    let archived = RecordStructure {
        current_session: MessageField::some(SessionStructure::default()),
        previous_sessions: RecordStructure::decode_from_slice(&session(&[(1, 7)]))
            .unwrap()
            .current_session
            .into_option()
            .into_iter()
            .collect(),
    };
    assert_eq!(steps(None, &session(&[(1, 1)])), 1);
    assert_eq!(steps(Some(&session(&[(1, 3)])), &session(&[(1, 3), (2, 2)])), 2);
    assert_eq!(steps(Some(&session(&[(1, 3)])), &session(&[(2, 1)])), 1, "an old chain fell out");
    assert_eq!(steps(Some(&archived.encode_to_vec()), &session(&[(1, 8)])), 1, "an archived state came back");
    assert_eq!(steps(Some(&session(&[(1, 3)])), b"no session"), u32::MAX);
}
