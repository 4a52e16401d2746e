//! Presence, typing, profiles, privacy, block lists and tokens.

use hantar_simulator::{StanzaDirection, StanzaFilter};
use wacore::iq::privacy::{PrivacyCategory, PrivacyValue};
use wacore_binary::builder::NodeBuilder;
use whatsapp_rust::SendOptions;
use whatsapp_rust::types::events::Event;

use crate::light::request;
use crate::support::{
    PATIENCE, SILENCE, admin, advance, becomes, freeze, light, linked, pn, simulator, stanzas_out, text, within,
};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribed_sees_a_person_come_and_go() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    ann.client.presence().subscribe(pn(BEN)).await.unwrap();
    let presence = |event: &Event| match event {
        Event::Presence(presence) => Some((presence.unavailable, presence.last_seen.is_some())),
        _ => None,
    };
    assert_eq!(ann.event("presence", presence).await, (true, false));
    network.set_available(BEN, true).unwrap();
    assert_eq!(ann.event("presence", presence).await, (false, false));
    network.set_available(BEN, false).unwrap();
    assert_eq!(ann.event("presence", presence).await, (true, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_is_seen_on_both_sides() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    network.type_from_phone(BEN, ANN, "composing").unwrap();
    ann.event("typing", |event| matches!(event, Event::ChatPresence(_)).then_some(())).await;
    ann.client.chatstate().send_recording(&pn(BEN)).await.unwrap();
    let id = ann.send(BEN, "voice is on its way").await;
    ann.ack(&id).await;
    assert_eq!(network.typing(BEN).unwrap().get(ANN).map(String::as_str), Some("recording"));
    assert!(network.type_from_phone(BEN, ANN, "dancing").is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_and_words_about_people_are_set_seen_and_told() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    assert_eq!(ben.client.contacts().get_profile_picture(&pn(ANN), false).await.unwrap().map(|p| p.id), None);
    let set = ann.client.profile().set_profile_picture(vec![0xFF, 0xD8, 1, 2]).await.unwrap();
    let update = |event: &Event| match event {
        Event::PictureUpdate(update) => Some((update.removed, update.picture_id.clone())),
        _ => None,
    };
    assert_eq!(ben.event("picture", update).await, (false, Some(set.id.clone())));
    let seen = ben.client.contacts().get_profile_picture(&pn(ANN), false).await.unwrap().unwrap();
    assert_eq!(seen.id, set.id);

    ann.client.profile().set_status_text("at the beach").await.unwrap();
    let about = |event: &Event| match event {
        Event::UserAboutUpdate(update) => Some(update.status.clone()),
        _ => None,
    };
    assert_eq!(ben.event("about", about).await, "at the beach");
    network.set_about(ANN, "back home").unwrap();
    assert_eq!(ben.event("about", about).await, "back home");
    let info = ben.client.contacts().get_user_info(&[pn(ANN)]).await.unwrap();
    let info = info.values().next().unwrap();
    assert_eq!(info.status.as_deref(), Some("back home"));

    ann.client.set_privacy_setting(PrivacyCategory::Profile, PrivacyValue::None).await.unwrap();
    assert!(ben.client.contacts().get_profile_picture(&pn(ANN), false).await.unwrap().is_none());
    let settings = ann.client.fetch_privacy_settings().await.unwrap();
    let profile = settings.settings.iter().find(|setting| setting.category == PrivacyCategory::Profile);
    assert_eq!(profile.map(|setting| setting.value.clone()), Some(PrivacyValue::None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_blocked_person_writes_is_acked_and_reaches_nobody() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ann.send(BEN, "hi").await;
    ben.texts(1).await;
    network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap();
    ben.client.blocking().block(&pn(ANN)).await.unwrap();
    assert_eq!(ben.client.blocking().get_blocklist().await.unwrap().len(), 1);
    let id = ann.send(BEN, "hello?").await;
    assert_eq!(ann.ack(&id).await.error, None);
    assert!(ben.event_within(SILENCE, |event| crate::support::texts_of(event).pop()).await.is_none());
    assert_eq!(network.messages(BEN).unwrap().len(), 1);
    ben.client.blocking().unblock(&pn(ANN)).await.unwrap();
    let id = ann.send(BEN, "friends again").await;
    assert_eq!(ben.texts(1).await, [(id, "friends again".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restricted_account_refuses_strangers_until_it_wrote_to_them() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "restricted:ben").unwrap();
    let ann = linked(&simulator, ANN).await;
    let refused = ann.send(BEN, "an offer for you").await;
    assert_eq!(ann.ack(&refused).await.error.as_deref(), Some("463"));
    assert!(network.messages(BEN).unwrap().is_empty());
    network.send_text(BEN, ANN, "who are you?").unwrap();
    ann.texts(1).await;
    let id = ann.send(BEN, "your neighbour").await;
    assert_eq!(ann.ack(&id).await.error, None);
    assert_eq!(network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap()[1].text, "your neighbour");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_a_companion_opens_a_restricted_account() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    // Ben writes first, which makes his client vouch for Ann.
    ben.send(ANN, "hi").await;
    ann.texts(1).await;
    let token = StanzaFilter { phone: Some(ANN.into()), tag: Some("notification".into()), ..StanzaFilter::default() };
    let mut seen = 0;
    let id = loop {
        let found = network.wait_for_stanzas(&token, seen + 1, PATIENCE).await;
        assert!(found.len() > seen, "no token came");
        seen = found.len();
        if let Some(token) = found.into_iter().find(|stanza| stanza.r#type.as_deref() == Some("privacy_token")) {
            break token.id;
        }
    };
    let taken =
        StanzaFilter { id, direction: Some(StanzaDirection::In), tag: Some("ack".into()), ..StanzaFilter::default() };
    assert_eq!(network.wait_for_stanzas(&taken, 1, PATIENCE).await.len(), 1);
    network.restrict(BEN, true).unwrap();
    let id = ann.client.send_message(pn(BEN), text("hello")).await.unwrap().message_id;
    assert_eq!(ann.ack(&id).await.error, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_business_shows_its_card() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben's Noodles").unwrap();
    let ann = linked(&simulator, ANN).await;
    let body = r#"{"business":{"description":"noodles","email":"ben@example.com"}}"#;
    assert_eq!(admin(&simulator, "POST", &format!("/admin/phones/{BEN}/profile"), body).await.0, 204);
    let profile = ann.client.get_business_profile(&pn(BEN)).await.unwrap();
    assert_eq!(profile.map(|profile| profile.description), Some("noodles".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn typing_waits_for_an_absent_companion_as_long_as_it_is_worth_showing() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = light(&simulator, ANN).await;
    freeze(network);
    for (waited_ms, comes) in [(2_999, true), (3_000, false)] {
        network.type_from_phone(BEN, ANN, "composing").unwrap();
        advance(network, waited_ms);
        let mut line = ann.come_online(simulator.address()).await.unwrap();
        line.send(&request("w:p", "get", "alive", None)).await.unwrap();
        let first = within(line.until(|node| node.tag == "iq" || node.tag == "chatstate")).await.unwrap();
        assert_eq!(first.tag == "chatstate", comes, "{waited_ms}: {first:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_disappear_are_told_apart_and_so_are_the_settings_that_make_them() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    ann.send(BEN, "for ever").await;
    ben.texts(1).await;
    ann.client.set_chat_disappearing_timer(pn(BEN), 86_400).await.unwrap();
    let options = SendOptions::default().with_ephemeral_expiration(86_400);
    ann.client.send_message_with_options(pn(BEN), text("for a day"), options).await.unwrap();
    let shown = network.wait_for_messages(BEN, 3, PATIENCE).await.unwrap();
    let told: Vec<_> = shown.iter().map(|message| (message.kind.as_str(), message.text.as_str())).collect();
    assert_eq!(told, [("text", "for ever"), ("ephemeral_setting", "86400"), ("text", "for a day")]);
    assert_eq!((shown[0].expires_s, shown[2].expires_s), (0, 86_400));

    ann.client.set_default_disappearing_mode(604_800).await.unwrap();
    let changed = |event: &Event| match event {
        Event::DisappearingModeChanged(change) => Some(change.duration),
        _ => None,
    };
    assert_eq!(ben.event("disappearing mode", changed).await, 604_800);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_away_learns_of_a_person_once_as_it_is_now() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(BEN, "Ben").unwrap();
    let ann = light(&simulator, ANN).await;
    let subscribe = NodeBuilder::new("presence").attr("type", "subscribe").attr("to", pn(BEN)).build();
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    line.send(&subscribe).await.unwrap();
    within(line.until(|node| node.tag == "presence")).await.unwrap();
    drop(line);
    becomes(async || !network.phone(ANN).unwrap().devices[0].connected).await;
    for available in [true, false, true] {
        network.set_available(BEN, available).unwrap();
    }
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    let told = within(line.receive()).await.unwrap();
    assert_eq!((told.tag.as_ref(), told.attrs.get("type").is_none()), ("presence", true), "{told:?}");
    line.send(&request("w:p", "get", "alive", None)).await.unwrap();
    assert_eq!(within(line.receive()).await.unwrap().tag, "iq");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_carry_the_name_their_companion_told_last() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, eve) = (light(&simulator, ANN).await, linked(&simulator, EVE).await);
    let mut line = ann.come_online(simulator.address()).await.unwrap();
    for name in ["Ann", "Ann of the hills"] {
        line.send(&NodeBuilder::new("presence").attr("name", name).build()).await.unwrap();
        let to = eve.client.lid().unwrap();
        let sealed = NodeBuilder::new("enc").attr("v", "2").attr("type", "msg").bytes(vec![1; 40]).build();
        let copy = NodeBuilder::new("to").attr("jid", to.clone()).children([sealed]).build();
        let copies = NodeBuilder::new("participants").children([copy]).build();
        let message = NodeBuilder::new("message").attr("id", name).attr("to", to.to_non_ad()).attr("type", "text");
        line.send(&message.children([copies]).build()).await.unwrap();
        within(line.until(|node| node.tag == "ack")).await.unwrap();
    }
    becomes(async || stanzas_out(network, EVE, "message", "notify=").len() == 2).await;
    let told = stanzas_out(network, EVE, "message", "notify=");
    assert!(told[0].xml.contains("notify=\"Ann\"") && told[1].xml.contains("notify=\"Ann of the hills\""), "{told:?}");
}
