//! Where many read what one writes: status, newsletters, communities.

use hantar_simulator::Simulator;
use wacore::iq::groups::{GroupCreateOptions, ParticipantChangeResponse};
use wacore_binary::JidExt as _;
use waproto::whatsapp::message::extended_text_message::FontType;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;
use whatsapp_rust::{Jid, StatusSendOptions};

use crate::support::{Companion, PATIENCE, becomes, linked, pn, simulator, text, texts_of};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_is_seen_by_companions_and_phones_it_names_read_and_taken_back() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let viewers = [ben.client.lid().unwrap().to_non_ad()];
    let sent = ann
        .client
        .status()
        .send_text("sunset", 0xFF1E_6E4F, FontType::SYSTEM, &viewers, StatusSendOptions::default())
        .await
        .unwrap();
    assert_eq!(ann.ack(&sent.message_id).await.error, None);
    let status = |event: &Event| {
        let seen = event.messages().find(|message| message.info.source.chat.is_status_broadcast())?;
        Some((seen.info.id.clone(), seen.info.source.sender.clone()))
    };
    let (id, author) = ben.event("status", status).await;
    assert_eq!((&id, author.user.as_str()), (&sent.message_id, network.phone(ANN).unwrap().lid.as_str()));
    assert_eq!(network.wait_for_messages(BEN, 1, PATIENCE).await.unwrap()[0].text, "sunset");
    assert!(network.messages(EVE).unwrap().is_empty(), "she is not named");
    ben.client.mark_as_read(&Jid::status_broadcast(), Some(&author), &[&id]).await.unwrap();
    ann.receipt(&id, ReceiptType::Read).await;

    ann.client.status().revoke(id.clone(), &viewers, StatusSendOptions::default()).await.unwrap();
    let gone = async || network.messages(BEN).unwrap().iter().any(|message| message.id == id && message.revoked);
    becomes(gone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_of_a_phone_is_seen_by_everybody_the_person_knows() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    network.send_text(EVE, ANN, "hi").unwrap();
    ann.texts(1).await;
    let seen = |event: &Event| {
        let status = event.messages().find(|message| message.info.source.chat.is_status_broadcast())?;
        Some((status.info.id.clone(), status.message.conversation.clone()?))
    };
    for words in ["sunrise", "and noon"] {
        let id = network.send_text(EVE, "status@broadcast", words).unwrap();
        assert_eq!(ann.event("status", seen).await, (id, words.to_owned()));
    }
    assert!(ben.event_within(crate::support::SILENCE, seen).await.is_none(), "they do not know each other");
    let on_anns_phone = network.messages(ANN).unwrap().pop().unwrap();
    assert_eq!((on_anns_phone.text.as_str(), on_anns_phone.chat.as_deref()), ("and noon", Some("status@broadcast")));
}

/// A newsletter of Ann's that Ben follows.
async fn followed(ann: &Companion, ben: &Companion) -> Jid {
    let made = ann.client.newsletter().create("Tides", None).await.unwrap().jid;
    ben.client.newsletter().join(&made).await.unwrap();
    made
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_of_a_newsletter_are_changed_and_taken_back_by_their_author() {
    let simulator = simulator().await;
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let tides = followed(&ann, &ben).await;
    let post = async |words: &str| {
        let id = ann.client.send_message(tides.clone(), text(words)).await.unwrap().message_id;
        assert_eq!(ann.ack(&id).await.error, None);
        ben.event("post", |event| texts_of(event).into_iter().find(|(_, found)| found == words)).await;
        id
    };
    let (first, second) = (post("high at noon").await, post("low at six").await);
    let words = async || {
        let posts = ben.client.newsletter().get_messages(tides.clone(), 10, None).await.unwrap();
        let words = posts.iter().map(|post| post.message.as_ref().and_then(|message| message.conversation.clone()));
        words.map(Option::unwrap_or_default).collect::<Vec<_>>()
    };
    assert_eq!(words().await, ["high at noon", "low at six"]);
    ann.client.newsletter().edit_message(&tides, first, text("high at one")).await.unwrap();
    ann.client.newsletter().revoke_message(&tides, second).await.unwrap();
    becomes(async || words().await == ["high at one"]).await;
    assert!(ben.client.newsletter().subscribe_live_updates(tides.clone()).await.unwrap() > 0);
    ben.client.newsletter().set_follower_mute(&tides, true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn newsletters_are_paged_backwards_and_unknown_ones_are_not_found() {
    let simulator = simulator().await;
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let tides = followed(&ann, &ben).await;
    for n in 0..5 {
        let id = ann.client.send_message(tides.clone(), text(&format!("{n}"))).await.unwrap().message_id;
        ann.ack(&id).await;
    }
    let newest = ben.client.newsletter().get_messages(tides.clone(), 2, None).await.unwrap();
    let before = ben.client.newsletter().get_messages(tides.clone(), 2, Some(newest[0].server_id)).await.unwrap();
    let ids: Vec<u64> = before.iter().chain(&newest).map(|post| post.server_id).collect();
    assert!(ids.windows(2).all(|pair| pair[0] + 1 == pair[1]) && ids.len() == 4, "{ids:?}");
    let nobodys = Jid::newsletter("120363999999999999");
    assert!(ben.client.newsletter().get_metadata(&nobodys).await.is_err());
    assert!(ben.client.newsletter().get_messages(nobodys, 2, None).await.is_err());
}

async fn village(simulator: &Simulator, ann: &Companion) -> Jid {
    let options = GroupCreateOptions::builder().subject("Village").is_parent(true).finish();
    let community = ann.client.groups().create_group(options).await.unwrap().metadata.id;
    assert_eq!(simulator.network().groups().len(), 2, "the community and its announcement group");
    community
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_of_a_community_join_its_groups_and_are_removed_from_all_of_them() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let community = village(&simulator, &ann).await;
    assert!(ben.client.community().get_subgroups(&community).await.unwrap().len() <= 1);
    let choir = ann.client.community().create_subgroup("Choir", &[], &community).await.unwrap().metadata.id;
    assert_eq!(network.group(&choir.to_string()).unwrap().parent, Some(community.to_string()));
    assert!(ben.client.community().join_subgroup(&community, &choir).await.is_err(), "he is no villager yet");
    ann.client.groups().add_participants(&community, &[pn(BEN)]).await.unwrap();
    let joined = ben.client.community().join_subgroup(&community, &choir).await.unwrap();
    assert_eq!((joined.id, joined.subject.as_str()), (choir.clone(), "Choir"));
    let everybody = ann.client.community().get_linked_groups_participants(&community).await.unwrap();
    assert_eq!(everybody.len(), 2);

    let removed = ann.client.community().remove_participants(&community, &[pn(BEN)]).await.unwrap();
    assert!(removed.iter().all(ParticipantChangeResponse::is_ok), "{removed:?}");
    for group in [&community, &choir] {
        assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 1);
    }
}
