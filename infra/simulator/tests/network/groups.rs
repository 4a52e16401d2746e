//! Groups: sender keys both ways, changes and who hears of them, ways in, communities.

use hantar_simulator::{GroupChange, Role};
use wacore::iq::groups::{
    GroupCreateOptions, GroupParticipantOptions, GroupSubject, JoinGroupResult, MembershipApprovalMode,
};
use whatsapp_rust::Jid;
use whatsapp_rust::types::events::Event;
use whatsapp_rust::types::presence::ReceiptType;

use crate::support::{Companion, PATIENCE, group_jid, linked, pn, settled, simulator, text, texts_of};

const ANN: &str = "60120000001";
const BEN: &str = "60120000002";
const EVE: &str = "60120000003";

fn phones(list: &[&str]) -> Vec<String> {
    list.iter().map(|phone| (*phone).to_owned()).collect()
}

async fn create(companion: &Companion, subject: &str, members: &[&str]) -> Jid {
    let participants = members.iter().map(|phone| GroupParticipantOptions::new(pn(phone))).collect();
    let options = GroupCreateOptions::builder().subject(subject).participants(participants).finish();
    companion.client.groups().create_group(options).await.unwrap().metadata.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_companion_makes_a_group_and_what_it_writes_reaches_every_phone_and_companion() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let group = create(&ann, "Lunch", &[BEN, EVE]).await;
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 3);

    for words in ["nasi lemak?", "or roti canai"] {
        let id = ann.client.send_message(group.clone(), text(words)).await.unwrap().message_id;
        assert_eq!(ann.ack(&id).await.error, None);
        assert_eq!(ben.texts(1).await, [(id.clone(), words.to_owned())]);
        let receipt = ann.receipt(&id, ReceiptType::Delivered).await;
        assert_eq!(receipt.source.chat, group);
    }
    for phone in [BEN, EVE] {
        let shown = network.wait_for_messages(phone, 2, PATIENCE).await.unwrap();
        let texts: Vec<&str> = shown.iter().map(|message| message.text.as_str()).collect();
        assert_eq!(texts, ["nasi lemak?", "or roti canai"], "{phone}");
        assert_eq!((shown[0].from.as_str(), shown[0].chat.as_deref()), (ANN, Some(group.to_string().as_str())));
    }
    assert_eq!(network.mark_read(EVE, None).unwrap(), 2);
    let own = network.messages(ANN).unwrap();
    assert!(own.iter().all(|message| message.from_me) && own.len() == 2, "{own:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_writes_in_a_group_and_companions_read_it() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let group = network.create_group(EVE, "Office", &phones(&[ANN, BEN])).unwrap();
    for words in ["first", "second", "third"] {
        let id = network.send_text(EVE, &group.jid, words).unwrap();
        for companion in [&ann, &ben] {
            assert_eq!(companion.texts(1).await, [(id.clone(), words.to_owned())]);
        }
    }
    let id = ben.client.send_message(group_jid(&group.jid), text("yes")).await.unwrap().message_id;
    assert_eq!(ann.texts(1).await, [(id, "yes".to_owned())]);
    assert_eq!(network.wait_for_messages(EVE, 1, PATIENCE).await.unwrap().last().unwrap().text, "yes");
    assert_eq!(network.wait_for_messages(ANN, 4, PATIENCE).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_removed_reads_nothing_more_and_who_was_added_reads_on() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let eve = linked(&simulator, EVE).await;
    let group = create(&ann, "Lunch", &[BEN]).await;
    let members = ann.client.groups().add_participants(&group, &[pn(EVE)]).await.unwrap();
    assert!(members.iter().all(wacore::iq::groups::ParticipantChangeResponse::is_ok), "{members:?}");
    eve.event("add", |event| matches!(event, Event::GroupUpdate(_)).then_some(())).await;
    let id = ann.client.send_message(group.clone(), text("welcome")).await.unwrap().message_id;
    assert_eq!(eve.texts(1).await, [(id, "welcome".to_owned())]);
    ben.texts(1).await;

    ann.client.groups().remove_participants(&group, &[pn(BEN)]).await.unwrap();
    let id = ann.client.send_message(group.clone(), text("without Ben")).await.unwrap().message_id;
    assert_eq!(eve.texts(1).await, [(id, "without Ben".to_owned())]);
    let missed = ben.event_within(crate::support::SILENCE, |event| texts_of(event).pop()).await;
    assert_eq!(missed, None);
    assert!(ben.client.send_message(group.clone(), text("let me in")).await.is_err());
    assert_eq!(network.messages(BEN).unwrap().iter().filter(|message| !message.from_me).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_a_group_are_changed_by_admins_and_told_to_members() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let group = create(&ann, "Lunch", &[BEN]).await;
    let groups = ann.client.groups();
    groups.set_subject(&group, GroupSubject::new("Dinner").unwrap()).await.unwrap();
    groups.set_locked(&group, true).await.unwrap();
    groups.set_announce(&group, true).await.unwrap();
    groups.set_ephemeral(&group, 86_400).await.unwrap();
    groups.set_membership_approval(&group, MembershipApprovalMode::On).await.unwrap();
    let view = network.group(&group.to_string()).unwrap();
    assert_eq!((view.subject.as_str(), view.ephemeral_s), ("Dinner", 86_400));
    assert_eq!(view.settings, ["announcement", "locked"]);
    let seen = ben.client.groups().get_metadata(&group).await.unwrap();
    assert_eq!(seen.subject, "Dinner");

    // In an announcement group members do not write, and in a locked one they change nothing.
    let refused = ben.client.send_message(group.clone(), text("hello")).await.unwrap().message_id;
    assert_eq!(ben.ack(&refused).await.error.as_deref(), Some("403"));
    assert!(ben.client.groups().set_subject(&group, GroupSubject::new("Mine").unwrap()).await.is_err());
    groups.promote_participants(&group, &[pn(BEN)]).await.unwrap();
    let roles: Vec<Role> = network.group(&group.to_string()).unwrap().members.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::SuperAdmin, Role::Admin]);
    ben.client.groups().set_subject(&group, GroupSubject::new("Ours").unwrap()).await.unwrap();
    ben.client.groups().leave(&group).await.unwrap();
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_lets_people_in_and_an_admin_decides_where_approval_is_needed() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let eve = linked(&simulator, EVE).await;
    let group = create(&ann, "Open house", &[]).await;
    let link = ann.client.groups().get_invite_link(&group, false).await.unwrap();
    let code = link.rsplit('/').next().unwrap();
    assert_eq!(ben.client.groups().get_invite_info(code).await.unwrap().subject, "Open house");
    let joined = ben.client.groups().join_with_invite_code(code).await.unwrap();
    assert_eq!(joined, JoinGroupResult::Joined(group.clone()));

    ann.client.groups().set_membership_approval(&group, MembershipApprovalMode::On).await.unwrap();
    let asked = eve.client.groups().join_with_invite_code(code).await.unwrap();
    assert_eq!(asked, JoinGroupResult::PendingApproval(group.clone()));
    assert_eq!(network.group(&group.to_string()).unwrap().requests, [EVE]);
    let requests = ann.client.groups().get_membership_requests(&group).await.unwrap();
    assert_eq!(requests.len(), 1);
    ann.client.groups().approve_membership_requests(&group, &[requests[0].jid.clone()]).await.unwrap();
    assert_eq!(network.group(&group.to_string()).unwrap().members.len(), 3);

    let fresh = ann.client.groups().get_invite_link(&group, true).await.unwrap();
    assert_ne!(fresh, link);
    assert!(eve.client.groups().get_invite_info(code).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_group_said_while_a_companion_was_away_comes_when_it_returns() {
    let simulator = simulator().await;
    let network = simulator.network();
    network.create_phone(EVE, "Eve").unwrap();
    let ann = linked(&simulator, ANN).await;
    let group = network.create_group(EVE, "Office", &phones(&[ANN])).unwrap();
    let first = network.send_text(EVE, &group.jid, "before").unwrap();
    ann.texts(1).await;
    settled(network, &first).await;
    ann.client.disconnect().await;
    network.send_text(EVE, &group.jid, "while away").unwrap();
    let change = GroupChange { subject: Some("Bureau".into()), ..GroupChange::default() };
    network.change_group(EVE, &group.jid, &change).unwrap();
    let back = crate::support::start(&simulator, std::sync::Arc::clone(&ann.backend), ANN).await;
    back.ready().await;
    assert_eq!(back.texts(1).await[0].1, "while away");
    back.event("subject", |event| matches!(event, Event::GroupUpdate(_)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_community_has_its_announcement_group_and_takes_others_in() {
    let simulator = simulator().await;
    let network = simulator.network();
    let (ann, ben) = (linked(&simulator, ANN).await, linked(&simulator, BEN).await);
    let options = GroupCreateOptions::builder().subject("Village").is_parent(true).create_general_chat(true).finish();
    let community = ann.client.groups().create_group(options).await.unwrap().metadata.id;
    let choir = create(&ann, "Choir", &[BEN]).await;
    let linked = ann.client.community().link_subgroups(&community, std::slice::from_ref(&choir)).await.unwrap();
    assert!(format!("{linked:?}").contains(choir.user.as_str()), "{linked:?}");
    let subgroups = ann.client.community().get_subgroups(&community).await.unwrap();
    assert_eq!(subgroups.len(), 3, "{subgroups:?}");
    assert_eq!(network.group(&choir.to_string()).unwrap().parent, Some(community.to_string()));
    let counts = ann.client.community().get_subgroup_participant_counts(&community).await.unwrap();
    assert!(counts.contains(&(choir.clone(), 2)), "{counts:?}");
    let seen = ben.client.community().query_linked_group(&community, &choir).await.unwrap();
    assert_eq!(seen.subject, "Choir");
    ann.client.community().unlink_subgroups(&community, std::slice::from_ref(&choir), false).await.unwrap();
    ann.client.community().deactivate(&community).await.unwrap();
    assert_eq!(network.groups().len(), 1);
}
