use std::sync::Arc;

use bytes::Bytes;
use hantar_domain::ids::{Epoch, MessageId, StanzaId};
use hantar_domain::message::{Direction, Lane, Message, State, Step};
use hantar_domain::phone::PhoneNumber;
use hantar_usecases::ports::{Acceptance, MessageFilter};
use wacore::appstate::hash::HashState;
use wacore::appstate::processor::AppStateMutationMAC;
use wacore::store::Device;
use wacore::store::traits::{
    AppStateSyncKey, AppSyncStore, DeviceInfo, DeviceListRecord, DeviceStore, LidPnMappingEntry, PendingInboundRow,
    ProtocolStore, SignalStore, TcTokenEntry,
};

use super::test_tables::{Shop, Tables};
use super::*;
use crate::whatsapp::content;

const MARKER: &[u8] = b"very secret key material";

pub(super) struct Bench {
    tables: Tables,
    shop: Shop,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let tables = Tables::new().await;
        let shop = tables.shop("owner@example.com").await;
        Self { tables, shop }
    }

    pub(super) async fn store(&self, epoch: u64) -> Store {
        let (tables, shop) = (&self.tables, &self.shop);
        tables.keys.claim(shop.device, Epoch(epoch)).await.unwrap();
        let keys = DeviceKeys {
            table: Arc::clone(&tables.keys),
            device: shop.device,
            epoch: Epoch(epoch),
            key: tables.account_keys.of(shop.account).await.unwrap(),
            entropy: Arc::clone(&tables.entropy),
            fence: Fence::default(),
            metrics: Arc::new(crate::metrics::Metrics::new()),
        };
        let (tenant, numbers, clock) =
            (Arc::clone(&shop.tenant), Arc::clone(&tables.numbers), Arc::clone(&tables.clock));
        let inbox = Inbox::new(tenant, numbers, Arc::clone(&clock), shop.account, shop.device);
        inbox.set_own("60111:5@s.whatsapp.net".parse().unwrap(), Some("777:5@lid".parse().unwrap()));
        let stanza_key = shop.device().await.stanza_key;
        let outbox = Outbox { tenant: Arc::clone(&shop.tenant), device: shop.device, stanza_key };
        Store::new(keys, inbox, outbox, clock)
    }

    pub(super) async fn received(&self) -> Vec<Message> {
        let filter = MessageFilter { direction: Some(Direction::Inbound), ..MessageFilter::default() };
        self.shop.tenant.list_messages(&filter, None, 100).await.unwrap().messages
    }
}

#[tokio::test]
async fn the_device_comes_back_as_it_was_saved() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    assert!(!store.exists().await.unwrap());
    assert!(store.load().await.unwrap().is_none());
    let mut device = Device::new();
    device.push_name = "Shop".into();
    device.pn = Some("60111:5@s.whatsapp.net".parse().unwrap());
    store.save(&device).await.unwrap();
    let loaded = bench.store(2).await.load().await.unwrap().unwrap();
    assert_eq!(serde_json::to_value(&loaded).unwrap(), serde_json::to_value(&device).unwrap());
}

#[tokio::test]
async fn signal_records_come_back_and_go() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let address: Arc<str> = "60122:3@c.us.0".into();
    store
        .put_sessions_batch(&[
            (Arc::clone(&address), Bytes::from_static(b"session")),
            ("9@lid.0".into(), Bytes::from_static(b"other")),
        ])
        .await
        .unwrap();
    store.put_identities_batch(&[(Arc::clone(&address), [7; 32])]).await.unwrap();
    store.put_sender_key("g@g.us::60122", b"chain").await.unwrap();
    store.store_signed_prekey(4, b"signed").await.unwrap();
    assert_eq!(store.get_session(&address).await.unwrap(), Some(Bytes::from_static(b"session")));
    assert_eq!(store.load_identity(&address).await.unwrap(), Some([7; 32]));
    assert_eq!(store.get_sender_key("g@g.us::60122").await.unwrap(), Some(b"chain".to_vec()));
    assert_eq!(store.load_all_signed_prekeys().await.unwrap(), vec![(4, b"signed".to_vec())]);
    assert!(store.has_signal_state_for_user("60122").await.unwrap());
    assert!(!store.has_signal_state_for_user("6012").await.unwrap(), "the beginning of a number is another number");
    store.delete_session(&address).await.unwrap();
    store.delete_identity(&address).await.unwrap();
    store.delete_sender_key("g@g.us::60122").await.unwrap();
    store.remove_signed_prekey(4).await.unwrap();
    assert!(!store.has_signal_state_for_user("60122").await.unwrap());
    assert_eq!(store.get_session(&address).await.unwrap(), None);
    assert_eq!(store.get_sender_key("g@g.us::60122").await.unwrap(), None);
    assert_eq!(store.load_signed_prekey(4).await.unwrap(), None);
}

#[tokio::test]
async fn pre_keys_are_packed_and_a_consumed_one_is_gone_for_good() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let key = |id: u32| (id, Bytes::from(format!("record {id}")));
    let first: Vec<_> = (1..=200).map(key).collect();
    store.store_prekeys_batch(&first, false).await.unwrap();
    let items = bench.tables.keys.list(bench.shop.device, Epoch(1), "pk#").await.unwrap();
    assert_eq!(items.len(), 4, "64 to an item");
    store.remove_prekey(70).await.unwrap();
    assert_eq!(store.load_prekey(70).await.unwrap(), None);
    assert_eq!(store.load_prekey(71).await.unwrap(), Some(Bytes::from_static(b"record 71")));
    // A refill shares an item with the first keys, and does not bring consumed ones back.
    store.store_prekeys_batch(&(201..=260).map(key).collect::<Vec<_>>(), false).await.unwrap();
    store.mark_prekeys_uploaded(&[70, 71]).await.unwrap();
    let all: Vec<u32> = (1..=300).collect();
    let found: Vec<u32> = store.load_prekeys_batch(&all).await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, (1..=260).filter(|id| *id != 70).collect::<Vec<_>>());
    assert_eq!(store.get_max_prekey_id().await.unwrap(), 260);
}

#[tokio::test]
async fn app_state_comes_back_and_a_cleared_collection_is_empty() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let key = |byte: u8| AppStateSyncKey { key_data: vec![byte; 32], fingerprint: vec![1], timestamp: 5 };
    store.set_sync_key(b"a", key(1)).await.unwrap();
    store.set_sync_key(b"b", key(2)).await.unwrap();
    assert_eq!(store.get_sync_key(b"a").await.unwrap().unwrap().key_data, vec![1; 32]);
    assert_eq!(store.get_latest_sync_key_id().await.unwrap(), Some(b"b".to_vec()));
    let state = HashState { version: 3, ..HashState::default() };
    store.set_version("regular", state).await.unwrap();
    let macs: Vec<_> =
        (0_u8..100).map(|byte| AppStateMutationMAC { index_mac: vec![byte; 32], value_mac: vec![byte, 1] }).collect();
    store.put_mutation_macs("regular", 3, &macs).await.unwrap();
    assert_eq!(store.get_mutation_mac("regular", &[65; 32]).await.unwrap(), Some(vec![65, 1]));
    assert_eq!(store.get_mutation_macs("regular", &[[1; 32], [65; 32], [200; 32]]).await.unwrap().len(), 2);
    store.delete_mutation_macs("regular", &[vec![1; 32]]).await.unwrap();
    assert_eq!(store.get_mutation_mac("regular", &[1; 32]).await.unwrap(), None);
    store.clear_mutation_macs("regular").await.unwrap();
    assert_eq!(store.get_mutation_mac("regular", &[65; 32]).await.unwrap(), None);
    assert_eq!(store.get_version("regular").await.unwrap().version, 3);
    assert_eq!(store.get_version("other").await.unwrap().version, 0);
}

#[tokio::test]
async fn hidden_ids_and_numbers_lead_to_each_other() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let entry = |lid: u32, phone: u32| LidPnMappingEntry {
        lid: lid.to_string(),
        phone_number: phone.to_string(),
        created_at: 1,
        updated_at: 2,
        learning_source: "usync".into(),
    };
    store.put_lid_mappings(&(0..600).map(|n| entry(1000 + n, 60_000 + n)).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(store.get_all_lid_mappings().await.unwrap().len(), 600);
    assert_eq!(store.get_lid_mapping("1007").await.unwrap().unwrap().phone_number, "60007");
    assert_eq!(store.get_pn_mapping("60007").await.unwrap().unwrap().lid, "1007");
    assert!(store.get_pn_mapping("1").await.unwrap().is_none());
    store.put_lid_mapping(&entry(9999, 60_007)).await.unwrap();
    assert_eq!(
        store.get_pn_mapping("60007").await.unwrap().unwrap().lid,
        "9999",
        "the newest hidden id of a number counts"
    );
}

#[tokio::test]
async fn lists_of_devices_groups_and_base_keys_come_back_and_go() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let record = DeviceListRecord {
        user: "60122".into(),
        devices: vec![DeviceInfo::new(0, None)],
        timestamp: 4,
        phash: None,
        raw_id: None,
    };
    store.update_device_list(record).await.unwrap();
    assert_eq!(store.get_devices("60122").await.unwrap().unwrap().devices.len(), 1);
    store.delete_devices("60122").await.unwrap();
    assert!(store.get_devices("60122").await.unwrap().is_none());
    store.put_group_metadata("g@g.us", b"blob").await.unwrap();
    assert_eq!(store.get_group_metadata("g@g.us").await.unwrap(), Some(b"blob".to_vec()));
    store.delete_group_metadata("g@g.us").await.unwrap();
    assert_eq!(store.get_group_metadata("g@g.us").await.unwrap(), None);
    store.save_base_key("a", "m", b"base").await.unwrap();
    assert!(store.has_same_base_key("a", "m", b"base").await.unwrap());
    assert!(!store.has_same_base_key("a", "m", b"else").await.unwrap());
    store.delete_base_key("a", "m").await.unwrap();
    assert!(!store.has_same_base_key("a", "m", b"base").await.unwrap());
    for group in ["g@g.us", "h@g.us"] {
        store.set_sender_key_status(group, &[("x:1@lid", true), ("y:1@lid", true)]).await.unwrap();
    }
    store.delete_sender_key_device_rows(&["x:1@lid"]).await.unwrap();
    assert_eq!(store.get_sender_key_devices("h@g.us").await.unwrap(), vec![("y:1@lid".to_owned(), true)]);
    store.clear_sender_key_devices("g@g.us").await.unwrap();
    assert!(store.get_sender_key_devices("g@g.us").await.unwrap().is_empty());
    store.clear_all_sender_key_devices().await.unwrap();
    assert!(store.get_sender_key_devices("h@g.us").await.unwrap().is_empty());
}

#[tokio::test]
async fn privacy_tokens_move_forward_only_and_that_there_is_none_is_remembered() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    assert!(store.get_tc_token("9").await.unwrap().is_none());
    assert_eq!(store.tokens.count(), 1, "asked for at each send");
    store.touch_tc_token_sender_timestamp("9", 50).await.unwrap();
    store.touch_tc_token_sender_timestamp("9", 40).await.unwrap();
    store.store_received_tc_token("9", b"token", 60).await.unwrap();
    store.store_received_tc_token("9", b"older", 55).await.unwrap();
    let expected = TcTokenEntry { token: b"token".to_vec(), token_timestamp: 60, sender_timestamp: Some(50) };
    let same = |token: TcTokenEntry| (token.token, token.token_timestamp, token.sender_timestamp);
    assert_eq!(same(store.get_tc_token("9").await.unwrap().unwrap()), same(expected.clone()));
    assert_eq!(same(bench.store(2).await.get_tc_token("9").await.unwrap().unwrap()), same(expected));
    let store = bench.store(3).await;
    assert_eq!(store.delete_expired_tc_tokens(61, 50).await.unwrap(), 0);
    assert_eq!(store.delete_expired_tc_tokens(61, 51).await.unwrap(), 1);
    assert!(store.get_all_tc_token_jids().await.unwrap().is_empty());
}

#[tokio::test]
async fn no_key_lies_open_in_the_table() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    store.put_session("60122@c.us.0", MARKER).await.unwrap();
    store.store_prekeys_batch(&[(1, Bytes::from_static(MARKER))], false).await.unwrap();
    store.put_sender_key("g::s", MARKER).await.unwrap();
    store
        .set_sync_key(b"k", AppStateSyncKey { key_data: MARKER.to_vec(), fingerprint: vec![], timestamp: 0 })
        .await
        .unwrap();
    store.put_group_metadata("g", MARKER).await.unwrap();
    store.store_received_tc_token("9", MARKER, 1).await.unwrap();
    let mut device = Device::new();
    device.push_name = String::from_utf8(MARKER.to_vec()).unwrap();
    store.save(&device).await.unwrap();
    let items = bench.tables.keys.list(bench.shop.device, Epoch(1), "").await.unwrap();
    assert_eq!(items.len(), 7);
    for (name, value) in items {
        assert!(!value.windows(MARKER.len()).any(|window| window == MARKER), "{name} lies open");
    }
}

#[tokio::test]
async fn a_value_moved_to_another_name_does_not_open() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    store.put_session("a@lid.0", b"session").await.unwrap();
    let (keys, device) = (&bench.tables.keys, bench.shop.device);
    let moved = keys.get(device, Epoch(1), "s#a@lid.0").await.unwrap().unwrap();
    keys.put(device, Epoch(1), "s#b@lid.0", &moved).await.unwrap();
    assert!(store.get_session("b@lid.0").await.is_err());
}

#[tokio::test]
async fn a_host_that_lost_the_device_is_told_and_does_nothing_more() {
    let bench = Bench::new().await;
    let old = bench.store(1).await;
    old.put_session("a@lid.0", b"old").await.unwrap();
    let fence = old.keys.fence.clone();
    let new = bench.store(2).await;
    assert_eq!(new.get_session("a@lid.0").await.unwrap(), Some(Bytes::from_static(b"old")));
    new.put_session("a@lid.0", b"new").await.unwrap();
    assert!(!fence.is_tripped());
    assert!(old.put_session("a@lid.0", b"late").await.is_err());
    fence.tripped().await;
    assert!(old.get_session("never@lid.0").await.is_err(), "not even a read goes out any more");
    assert_eq!(new.get_session("a@lid.0").await.unwrap(), Some(Bytes::from_static(b"new")));
}

#[tokio::test]
async fn what_comes_in_is_stored_once_in_batches_and_only_what_others_wrote() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let texts: Vec<_> =
        (0..60).map(|n| (format!("ID{n}"), content::encoded(&format!("text {n}"), None).unwrap())).collect();
    let row =
        |(id, message)| PendingInboundRow { chat: "60122@s.whatsapp.net", sender: "60122@s.whatsapp.net", id, message };
    let rows: Vec<_> = texts.iter().map(|(id, message)| row((id.as_str(), message.as_slice()))).collect();
    store.store_pending_inbound_batch(&rows).await.unwrap();
    store.store_pending_inbound_batch(&rows).await.unwrap();
    let own = PendingInboundRow { sender: "60111@s.whatsapp.net", id: "OWN", ..rows[0] };
    let group = PendingInboundRow { chat: "1@g.us", id: "GROUP", ..rows[0] };
    let nothing = PendingInboundRow { id: "NOTHING", message: &[], ..rows[0] };
    store.store_pending_inbound_batch(&[own, group, nothing]).await.unwrap();
    let received = bench.received().await;
    assert_eq!(received.len(), 60);
    assert_eq!(received[59].body, "text 0");
    assert_eq!(received[59].phone, PhoneNumber::from_e164("60122"));
    assert!(store.get_pending_inbound("60122@s.whatsapp.net", "60122@s.whatsapp.net", "ID3").await.unwrap().is_none());
}

#[tokio::test]
async fn the_librarys_own_probe_is_answered_and_is_no_message() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let (jid, id) = ("0@s.whatsapp.net", "__wa_durability_probe_1_1__");
    store.store_pending_inbound(jid, jid, id, b"probe").await.unwrap();
    assert_eq!(store.get_pending_inbound(jid, jid, id).await.unwrap(), Some(b"probe".to_vec()));
    store.delete_pending_inbound(jid, jid, id).await.unwrap();
    assert_eq!(store.get_pending_inbound(jid, jid, id).await.unwrap(), None);
    assert!(bench.received().await.is_empty());
}

#[tokio::test]
async fn a_sent_message_is_given_again_to_its_recipient_alone() {
    let bench = Bench::new().await;
    let store = bench.store(1).await;
    let device = bench.shop.device().await;
    let id = MessageId(41);
    let at = bench.tables.clock.now();
    let message = Message {
        account: bench.shop.account,
        id,
        device: device.id,
        direction: Direction::Outbound,
        phone: PhoneNumber::from_e164("60122"),
        lid: None,
        name: None,
        body: "hello".into(),
        media: None,
        attached: None,
        external_id: None,
        campaign: None,
        lane: Lane::Single,
        stanza: StanzaId::for_message(&device.stanza_key, id),
        state: State::Queued,
        held_until: None,
        accepted_at: at,
        updated_at: at,
        credits: 1,
        refunded: false,
        history: vec![Step { state: State::Queued, at, code: None }],
    };
    bench.shop.tenant.accept(&Acceptance { message: message.clone(), idempotency: None }).await.unwrap();
    let stanza = message.stanza.0.as_str();
    assert_eq!(store.take_sent_message("60122@s.whatsapp.net", stanza).await.unwrap(), None, "it was not sent yet");
    bench.shop.tenant.dispatch(id, Epoch(1), at).await.unwrap();
    let mapping = LidPnMappingEntry {
        lid: "900".into(),
        phone_number: "60122".into(),
        created_at: 0,
        updated_at: 0,
        learning_source: String::new(),
    };
    store.put_lid_mapping(&mapping).await.unwrap();
    for chat in ["60122@s.whatsapp.net", "900@lid"] {
        let again = store.take_sent_message(chat, stanza).await.unwrap().unwrap();
        assert_eq!(content::text_of(&again), Some("hello".into()), "{chat}");
    }
    for chat in ["60133@s.whatsapp.net", "901@lid", "1@g.us", "60122@g.us"] {
        assert_eq!(store.take_sent_message(chat, stanza).await.unwrap(), None, "{chat}");
    }
    assert_eq!(store.take_sent_message("60122@s.whatsapp.net", "3EB0FFFFFFFFFFFFFFFFFF").await.unwrap(), None);
}
