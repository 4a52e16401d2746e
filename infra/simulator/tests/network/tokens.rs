//! Accounts made by names that say of what kind they are, and the tokens by which strangers show that they are none.

use hantar_simulator::{SettingChange, Simulator};
use wacore::iq::abprops::web;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;
use whatsapp_rust::types::events::Event;

use crate::light::{self, request};
use crate::support::{
    Companion, PATIENCE, becomes, linked, pn, simulator, stanzas_in, stanzas_out, start_unscanned, texts_of, within,
};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";

/// A companion of an account with this name.
async fn named(simulator: &Simulator, phone: &str, name: &str) -> Companion {
    simulator.network().create_phone(phone, name).unwrap();
    linked(simulator, phone).await
}

fn salt(companion: &Companion) -> Option<Vec<u8>> {
    companion.client.persistence_manager().get_device_snapshot().nct_salt.clone()
}

/// Waits until the client was told that it sends such tokens, and answered something after that.
async fn knows_its_flags(simulator: &Simulator, ann: &Companion) {
    let flag = format!("config_code=\"{}\" config_value=\"1\"", web::WA_NCT_TOKEN_SEND_ENABLED.code);
    becomes(async || !stanzas_out(simulator.network(), ANN, "iq", &flag).is_empty()).await;
    ann.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    ann.client.fetch_privacy_settings().await.unwrap();
}

/// Writes to Ben for the first time: whether he got it, and which token went along.
async fn first_contact(simulator: &Simulator, ann: &Companion, words: &str) -> (Option<String>, Vec<&'static str>) {
    let id = ann.send(BEN, words).await;
    let error = ann.ack(&id).await.error;
    let xml = stanzas_in(simulator.network(), &id).remove(0).xml;
    let tokens = ["<tctoken", "<cstoken"].into_iter().filter(|token| xml.contains(token));
    let shown = async || simulator.network().messages(BEN).unwrap().iter().any(|message| message.text == words);
    if error.is_none() {
        becomes(shown).await;
    } else {
        assert!(!shown().await);
    }
    (error, tokens.collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_salt_opens_a_restricted_account_however_it_was_delivered() {
    for (sender, delivered) in [
        ("scenario:nct_send_ab=1,nct_history_ab=1,nct_history_delivery=1,nct_syncd_delivery=0:a_1", true),
        ("scenario:nct_send_ab=1,nct_syncd_ab=1,nct_history_delivery=0,nct_syncd_delivery=1:a_2", true),
        ("scenario:nct_send_ab=1,nct_syncd_ab=1,nct_history_delivery=0,nct_syncd_delivery=0:a_3", false),
        ("scenario:nct_send_ab=1:a_4", false),
    ] {
        let simulator = simulator().await;
        simulator.network().create_phone(BEN, "restricted:b_1").unwrap();
        let ann = named(&simulator, ANN, sender).await;
        if delivered {
            becomes(async || salt(&ann).is_some()).await;
        } else {
            ann.client.wait_for_startup_sync(PATIENCE).await.unwrap();
            ann.event("history", |event| matches!(event, Event::HistorySync(_)).then_some(())).await;
            assert_eq!(salt(&ann), None, "{sender}");
        }
        knows_its_flags(&simulator, &ann).await;
        let outcome = first_contact(&simulator, &ann, "an offer").await;
        let expected = if delivered { (None, vec!["<cstoken"]) } else { (Some("463".to_owned()), Vec::new()) };
        assert_eq!(outcome, expected, "{sender}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restricted_account_takes_the_tokens_its_name_says() {
    for (recipient, error) in [
        ("scenario:restricted,tc_enabled=0,cs_enabled=1:b_1", None),
        ("scenario:restricted,tc_enabled=1,cs_enabled=0:b_2", Some("463")),
        ("scenario:restricted=0,cs_enabled=0:b_3", None),
    ] {
        let simulator = simulator().await;
        simulator.network().create_phone(BEN, recipient).unwrap();
        let sender = "scenario:nct_send_ab=1,nct_syncd_delivery=1:a_1";
        let ann = named(&simulator, ANN, sender).await;
        becomes(async || salt(&ann).is_some()).await;
        knows_its_flags(&simulator, &ann).await;
        let (refused, tokens) = first_contact(&simulator, &ann, "an offer").await;
        assert_eq!((refused.as_deref(), tokens), (error, vec!["<cstoken"]), "{recipient}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_contacts_token_opens_an_account_that_takes_no_other() {
    let simulator = simulator().await;
    let network = simulator.network();
    let ann = linked(&simulator, ANN).await;
    let ben = named(&simulator, BEN, "scenario:restricted,tc_enabled=1,cs_enabled=0:b_1").await;
    ben.send(ANN, "hi").await;
    ann.texts(1).await;
    let lid = network.phone(BEN).unwrap().lid;
    becomes(async || ann.client.tc_token().get(&lid).await.unwrap().is_some()).await;
    let (refused, tokens) = first_contact(&simulator, &ann, "your order").await;
    assert_eq!((refused, tokens), (None, vec!["<tctoken"]));
    ben.event("order", |event| texts_of(event).into_iter().find(|(_, words)| words == "your order")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_gives_its_companions_another_salt_and_takes_it_away() {
    let simulator = simulator().await;
    let network = simulator.network();
    let ann = named(&simulator, ANN, "Ann").await;
    ann.client.wait_for_startup_sync(PATIENCE).await.unwrap();
    assert_eq!(salt(&ann), None);
    for given in [Some(vec![1; 32]), Some(vec![2; 32]), None] {
        let change = SettingChange::TokenSalt { salt: given.as_deref().map(hex::encode) };
        network.change_setting(ANN, &change).unwrap();
        becomes(async || salt(&ann) == given).await;
    }
    let odd = SettingChange::TokenSalt { salt: Some("no digits".into()) };
    assert!(network.change_setting(ANN, &odd).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_name_is_the_same_account_with_another_device_and_another_name_another_account() {
    let simulator = simulator().await;
    let network = simulator.network().clone();
    let mut paired = Vec::new();
    for name in ["ann_7f3c", "ann_7f3c", "restricted:ann_91d0"] {
        let scan = async |code: String| {
            network.scan_qr(&code, None)?;
            Ok(())
        };
        paired.push(within(light::pair(simulator.address(), Some(name), scan)).await.unwrap());
    }
    assert_eq!((&paired[0].phone, &paired[0].lid), (&paired[1].phone, &paired[1].lid));
    assert_eq!((paired[0].device, paired[1].device, paired[2].device), (33, 34, 33));
    assert_ne!(paired[0].phone, paired[2].phone);

    // A name with words in front is the name that others see, and says of what kind the account is.
    let stranger = linked(&simulator, ANN).await;
    let id = stranger.send(&paired[2].phone, "an offer").await;
    assert_eq!(stranger.ack(&id).await.error.as_deref(), Some("463"));
    let unscanned = start_unscanned(&simulator, std::sync::Arc::default(), "scenario:restricted:ben_5").await;
    let qr = unscanned
        .event("QR code", |event| match event {
            Event::PairingQrCode(qr) => Some(qr.code.clone()),
            _ => None,
        })
        .await;
    let ben = network.scan_qr(&qr, None).unwrap();
    unscanned.ready().await;
    let id = stranger.client.send_message(pn(&ben.phone), crate::support::text("hi")).await.unwrap().message_id;
    assert_eq!(stranger.ack(&id).await.error.as_deref(), Some("463"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_hides_from_strangers_shows_neither_presence_nor_picture_without_a_token() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "restricted:ben").unwrap();
    network.set_picture(BEN, Some(vec![0xFF, 0xD8])).unwrap();
    let ann = crate::support::light(&simulator, ANN).await;
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    let subscribe = NodeBuilder::new("presence").attr("type", "subscribe").attr("to", pn(BEN));
    let picture = |id: &str, token: Option<Node>| {
        let asked = NodeBuilder::new("picture").attr("type", "image").children(token).build();
        let mut iq = request("w:profile:picture", "get", id, Some(asked));
        iq.attrs.insert("target", pn(BEN));
        iq
    };
    line.send(&subscribe.build()).await.unwrap();
    line.send(&picture("without", None)).await.unwrap();
    let first = within(line.until(|node| node.tag == "iq" || node.tag == "presence")).await.unwrap();
    let error = first.get_optional_child_by_tag(&["picture", "error"]).expect("an answer without a picture");
    assert_eq!(error.attrs.get("code").unwrap().as_str(), "401");

    // A token comes when Ben's companion vouches for Ann.
    let ben = linked(&simulator, BEN).await;
    ben.send(ANN, "hello").await;
    let token =
        within(line.until(|node| node.get_optional_child_by_tag(&["tokens", "token"]).is_some())).await.unwrap();
    let token = light::bytes_of(token.get_optional_child_by_tag(&["tokens", "token"]).unwrap());
    // Without having been written to, she would need it; with it, she is shown everything.
    let with_token = || NodeBuilder::new("tctoken").bytes(token.clone()).build();
    line.send(&picture("with", Some(with_token()))).await.unwrap();
    let shown = within(line.until(|node| node.get_optional_child("picture").is_some())).await.unwrap();
    assert!(shown.get_optional_child("picture").unwrap().attrs.get("url").is_some(), "{shown:?}");
    let subscribe = NodeBuilder::new("presence").attr("type", "subscribe").attr("to", pn(BEN));
    line.send(&subscribe.children([with_token()]).build()).await.unwrap();
    within(line.until(|node| node.tag == "presence")).await.unwrap();
}
